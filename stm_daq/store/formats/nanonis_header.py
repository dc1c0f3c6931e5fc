"""What the headers of Nanonis files say, in SI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stm_daq.store.formats.contents import iso_date, number_of

_TEMPERATURE = re.compile(r"(.*>)?.*temp.*\(K\)", re.IGNORECASE)
_DATES = ("Start time", "Saved Date", "Date")
_NUMBERS = {
    "setpoint_bias": ("Bias>Bias (V)", "BIAS"),
    "z": ("Z (m)",),
    "z_offset": ("Z offset (m)",),
    "modulation_frequency": ("Lock-in>Frequency (Hz)",),
}
"""Attribute: header lines that state it, in SI."""


def stated_temperature(header: Mapping[str, str]) -> tuple[float, str] | None:
    """Return the temperature that a header states, K, and the name of its line."""
    for key, value in header.items():
        if _TEMPERATURE.fullmatch(key):
            kelvin = number_of(value)  # "N/A": no thermometer
            if kelvin is not None:
                return kelvin, key
    return None


def facts_of(header: Mapping[str, str]) -> dict[str, Any]:
    """Return what is useful of a header: numbers in SI, the date in ISO form.

    ``modulation`` is the amplitude of the lock-in where it modulates the bias, V peak.
    """
    facts: dict[str, Any] = {}
    for name, keys in _NUMBERS.items():
        value = next((number_of(header[key]) for key in keys if key in header), None)
        if value is not None:
            facts[name] = value
    date = next((found for key in _DATES if (found := iso_date(header.get(key)))), None)
    if date is not None:
        facts["started"] = date
    position = [number_of(header.get(key)) for key in ("X (m)", "Y (m)")]
    if None not in position:
        facts["position"] = position
    amplitude = number_of(header.get("Lock-in>Amplitude"))
    modulated = header.get("Lock-in>Modulated signal", "").startswith("Bias")
    if amplitude is not None and modulated:
        facts["modulation"] = amplitude
    kelvin = stated_temperature(header)
    if kelvin is not None:
        facts["temperature"] = kelvin[0]
    return facts

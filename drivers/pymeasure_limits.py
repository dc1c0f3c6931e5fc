"""What PyMeasure knows of a property's range and unit, read from its definition."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from pymeasure.instruments import validators as known

RANGES = (
    known.strict_range,
    known.truncated_range,
    known.modular_range,
    known.modular_range_bidirectional,
)
"""Validators whose values are the ends of a range; all but the first bend what is outside."""
SETS = (known.strict_discrete_set, known.truncated_discrete_set)
"""Validators whose values are all that may be set."""
UNITS = {
    "volts": "V",
    "volt": "V",
    "millivolts": "mV",
    "amps": "A",
    "ampere": "A",
    "amperes": "A",
    "ohms": "Ohm",
    "ohm": "Ohm",
    "hertz": "Hz",
    "seconds": "s",
    "second": "s",
    "degrees": "°",
    "kelvin": "K",
    "tesla": "T",
    "gauss": "G",
    "watts": "W",
    "percent": "%",
}
"""How PyMeasure's documentation writes units."""
SYMBOLS = (
    "V",
    "mV",
    "A",
    "mA",
    "Hz",
    "kHz",
    "MHz",
    "GHz",
    "s",
    "ms",
    "K",
    "T",
    "W",
    "dBm",
    "dB",
    "Ohm",
    "%",
)
_IN = re.compile(r"\bin (?:units of )?([A-Za-z%]+)")


class UnknownLimitsError(Exception):
    """The definition does not tell what may be set."""


def limits_of(found: property, source: Any, name: str) -> tuple[float, float] | frozenset[Any]:
    """Return the ends of the range of a property, or the set of its values.

    A *dynamic* property may have other values in this very instrument than its class defines.

    Raises
    ------
    UnknownLimitsError
        If it has no validator, or one of its own making.
    """
    validator, values, mapped = (
        _setting(found, source, name, key) for key in ("validator", "values", "map_values")
    )
    if mapped and isinstance(values, dict):
        return _as_set(values)
    if validator in SETS:
        return _as_set(values)
    if validator in RANGES:
        low, high = float(min(values)), float(max(values))
        if not low < high:
            raise UnknownLimitsError
        return low, high
    raise UnknownLimitsError


def unit_in(text: str) -> str:
    """Return the unit that a documentation names as "in <unit>"; "" if it names none."""
    for word in _IN.findall(text):
        if word in SYMBOLS:
            return str(word)
        if word.lower() in UNITS:
            return UNITS[word.lower()]
    return ""


def _setting(found: property, source: Any, name: str, key: str) -> Any:
    """Return a setting of the property's setter, as this instrument has it."""
    parameter = inspect.signature(found.fset).parameters.get(key) if found.fset else None
    if parameter is None:
        raise UnknownLimitsError  # a property that was written by hand
    prefix = getattr(found, "prefix", None)
    own = f"{prefix}{name}_{key}"
    return (
        getattr(source, own) if prefix is not None and hasattr(source, own) else parameter.default
    )


def _as_set(values: Sequence[Any] | dict[Any, Any]) -> frozenset[Any]:
    try:
        return frozenset(values)
    except TypeError:
        raise UnknownLimitsError from None

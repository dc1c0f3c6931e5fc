"""Units of measured files, and their factors to SI."""

from __future__ import annotations

import re

PREFIXES = {
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,  # micro sign
    "μ": 1e-6,  # Greek letter mu
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
}
_PREFIX = f"([{''.join(PREFIXES)}]?)"
_SIMPLE = re.compile(rf"{_PREFIX}(eV|V|A|S|K)")
_RATIO = re.compile(rf"{_PREFIX}A/{_PREFIX}V")
_OTHERS = re.compile(rf"{_PREFIX}(m|s|Hz|N|W|Vrms)")
_LENGTHS = {"\u00c5": 1e-10, "\u212b": 1e-10, "Ang": 1e-10, "AA": 1e-10}  # letter A ring, sign


def unit_factor(unit: str) -> tuple[float, str] | None:
    """Return the factor to SI and the SI unit of `unit`; None where it is none of a spectrum.

    An energy in eV counts as a bias in V; a ratio such as ``nA/mV`` is a conductance in S.
    """
    if match := _SIMPLE.fullmatch(unit):
        return PREFIXES[match[1]], match[2].removeprefix("e")
    if match := _RATIO.fullmatch(unit):
        return PREFIXES[match[1]] / PREFIXES[match[2]], "S"
    return None


def to_si(unit: str) -> tuple[float, str]:
    """Return the factor to SI and the SI unit; a unit that is not known stays as it is.

    Beside those of spectra: lengths (also ångström), times, frequencies, forces, powers.
    """
    if unit in _LENGTHS:
        return _LENGTHS[unit], "m"
    if match := _OTHERS.fullmatch(unit):
        return PREFIXES[match[1]], match[2]
    return unit_factor(unit) or (1.0, unit)

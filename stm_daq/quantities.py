"""Quantities with units, as people write them: ``"4 mV"`` in a file, SI in the program."""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pint

_PREFIXES = (
    (1e-15, "f"),
    (1e-12, "p"),
    (1e-9, "n"),
    (1e-6, "µ"),
    (1e-3, "m"),
    (1.0, ""),
    (1e3, "k"),
    (1e6, "M"),
    (1e9, "G"),
)


_FACTOR = r"(?:1|%|[^\W\d_]+)(?:(?:\*\*|\^)-?[0-9](?:\.[0-9]{1,2})?)?"
_WRITTEN = re.compile(
    r"\s*(?P<number>[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    rf"\s*(?P<unit>{_FACTOR}(?:\s*[*/]\s*{_FACTOR})*)?\s*"
)
"""One number and its unit, nothing to be calculated ("4 mV", not "2 * 2 mV")."""


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[Any]:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=False, cache_folder=":auto:")


def parse(text: object, unit: str) -> float:
    """Convert a written quantity to a number in `unit`.

    Parameters
    ----------
    text : str
        A number and its unit, such as ``"4 mV"``, ``"100pA"`` or ``"-7.5 dBm"``.
    unit : str
        The unit wanted, such as ``"V"`` (``"eV"`` for energies, ``""`` for a pure number).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the unit is missing, unknown, or measures something else; the text says which.
    """
    if isinstance(text, bool) or not isinstance(text, str):
        raise ValueError(f'needs a unit: write it as text, for example "{_example(text, unit)}"')
    if unit == "dBm":
        return _parse_dbm(text)
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(f"cannot read '{text}' as a quantity in {unit}, for example \"4 {unit}\"")
    if written["unit"] is None and unit:
        raise ValueError(f"'{text}' needs a unit, for example \"{text.strip()} {unit}\"")
    value = _convert(float(written["number"]), written["unit"] or "", unit, text)
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not a finite quantity")
    return value


def _example(value: object, unit: str) -> str:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 4
    return f"{number} {unit}"


def _convert(number: float, written_unit: str, unit: str, text: str) -> float:
    import pint

    registry = _registry()
    try:
        quantity = registry.Quantity(number, registry.parse_units(written_unit))
        value = float(quantity.to(unit).magnitude)
    except pint.UndefinedUnitError:
        raise ValueError(f"'{text}': there is no unit '{written_unit}'") from None
    except (pint.errors.PintError, ValueError, AssertionError):
        raise ValueError(f"'{text}' is not a quantity in {unit or 'pure numbers'}") from None
    # pint counts radians as pure numbers: 60 rpm or 6.28 rad/s would pass as 6.28 Hz
    if _has_angle(quantity) != _has_angle(registry.Quantity(1.0, unit)):
        raise ValueError(f"'{text}' is not a quantity in {unit} (an angle is in it)")
    return value


def _has_angle(quantity: Any) -> bool:
    return "radian" in str(quantity.to_root_units().units)


def _parse_dbm(text: str) -> float:
    number, suffix = text.strip()[:-3], text.strip()[-3:]
    if suffix.lower() != "dbm":
        raise ValueError(f"'{text}' is not a power in dBm")
    try:
        value = float(number)
    except ValueError:
        raise ValueError(f"cannot read '{text}' as a power in dBm") from None
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not a finite power")
    return value


def show(value: float, unit: str, digits: int = 3) -> str:
    """Write an SI number for people: ``show(4e-3, "V")`` is ``"4 mV"``."""
    if value == 0 or not math.isfinite(value) or unit in ("dBm", "°", ""):
        return f"{value:.{digits}g} {unit}".rstrip()
    factor, prefix = prefix_of(value)
    return f"{value / factor:.{digits}g} {prefix}{unit}"


def prefix_of(value: float) -> tuple[float, str]:
    """Return the prefix that suits a number, and its factor: ``prefix_of(4e-3)`` is (1e-3, "m")."""
    found = _PREFIXES[0]
    for candidate in _PREFIXES:
        if abs(value) >= candidate[0] * 0.9995:
            found = candidate
    return found


def show_duration(seconds: float) -> str:
    """Write a duration for people: ``"11 h 42 min"``."""
    if not math.isfinite(seconds):
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def show_moment(time: float) -> str:
    """Write a wall time (seconds since the Unix epoch) for people: ``"Sat 21 Nov 06:40"``."""
    try:
        return datetime.fromtimestamp(time).strftime("%a %d %b %H:%M")
    except (OverflowError, OSError, ValueError):
        return "beyond the calendar"

"""Quantities with units, as people write them: ``"4 mV"`` in a file, SI in the program."""

from __future__ import annotations

import math
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
        raise ValueError(f'needs a unit: write it as text, for example "{text} {unit}"')
    if unit == "dBm":
        return _parse_dbm(text)
    import pint

    try:
        quantity = _registry().Quantity(text)
        value = float(quantity.to(unit).magnitude)
    except pint.DimensionalityError:
        raise ValueError(f"'{text}' is not a quantity in {unit}") from None
    except (
        pint.UndefinedUnitError,
        pint.errors.PintError,
        ValueError,
        TypeError,
        SyntaxError,
        AttributeError,
        AssertionError,
    ) as error:
        raise ValueError(f"cannot read '{text}' as a quantity in {unit} ({error})") from None
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not a finite quantity")
    if quantity.unitless and unit:
        raise ValueError(f"'{text}' needs a unit, for example \"{text} {unit}\"")
    return value


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
    size = abs(value)
    factor, prefix = _PREFIXES[0]
    for candidate, name in _PREFIXES:
        if size >= candidate * 0.9995:
            factor, prefix = candidate, name
    return f"{value / factor:.{digits}g} {prefix}{unit}"


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

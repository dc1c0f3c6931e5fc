"""Labels and units of people for anything in a dataset."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.quantities import prefix_of
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

_FIXED = {"eV": (1e3, "meV"), "V": (1e3, "mV"), "K": (1.0, "K"), "": (1.0, "")}
_NAMED = {"conductance": "dI/dV", "current": "Current"}
"""Whatever the channel was called in a file."""
_PREFIXED = ("m", "A", "S", "s", "Hz")


def unit_for(values: Array, unit: str) -> tuple[float, str]:
    """Return the factor to the unit of people, and that: energies in meV, voltages in mV, others by
    their size."""
    if unit in _FIXED:
        return _FIXED[unit]
    finite = np.abs(values[np.isfinite(values)])
    if unit not in _PREFIXED or not len(finite) or finite.max() == 0:
        return 1.0, unit
    size, prefix = prefix_of(float(np.percentile(finite, 98)) or float(finite.max()))
    return 1 / size, f"{prefix}{unit}"


def title_of(variable: xr.DataArray, name: str) -> str:
    """Return the name for people, without the unit that a file's header has in brackets."""
    title = re.sub(r"\s*\([^()]*\)", "", str(variable.attrs.get("long_name", name))).strip() or name
    return title[0].upper() + title[1:]


def in_units_of_people(variable: xr.DataArray, name: str = "") -> tuple[Array, float, str]:
    """Return the values in the unit of people, the factor from SI to that, and the label of an axis.

    A distance from zero that is large (such as an absolute height) does not choose the prefix: the
    range of the values does.
    """
    values = np.asarray(variable.values, dtype=np.float64)
    known = values[np.isfinite(values)]
    named = _NAMED.get(str(variable.name))
    middle = float(np.median(known)) if len(known) and variable.attrs.get("units") == "m" else 0.0
    factor, unit = unit_for(values - middle, str(variable.attrs.get("units", "")))
    title = named or title_of(variable, name or str(variable.name or "value"))
    return values * factor, factor, f"{title} ({unit})" if unit else title

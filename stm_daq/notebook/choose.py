"""Which part of a dataset a picture shows: a map, or a spectrum at a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.quantities import prefix_of, show
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

_PLANES = (("y", "x"), ("topograph_y", "topograph_x"))
_FIXED = {"eV": (1e3, "meV"), "V": (1e3, "mV"), "K": (1.0, "K"), "": (1.0, "")}
_PREFIXED = ("m", "A", "S", "s", "Hz")

type At = Mapping[str, float]
"""Values along the other axes, in SI; the nearest point counts."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Values for a picture, in the units of people."""

    name: str
    """What they are: "superconducting gap"."""
    unit: str
    """meV, mV, nm, pA, ..."""
    values: Array
    where: str
    """The point along the other axes, such as "bias 0 mV"; empty without any."""
    note: str = ""

    @property
    def label(self) -> str:
        """Label of an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def in_units(values: Array, unit: str) -> tuple[Array, str]:
    """Return values in the unit of people: energies in meV, voltages in mV, others by their size."""
    if unit in _FIXED:
        factor, shown = _FIXED[unit]
        return values * factor, shown
    finite = np.abs(values[np.isfinite(values)])
    if unit not in _PREFIXED or not len(finite) or finite.max() == 0:
        return values, unit
    size, prefix = prefix_of(float(np.percentile(finite, 98)) or float(finite.max()))
    return values / size, f"{prefix}{unit}"


def map_names(data: xr.Dataset) -> list[str]:
    """Return the names of what can be drawn as a map."""
    return [str(name) for name in data.data_vars if _plane(data, str(name)) is not None]


def _plane(data: xr.Dataset, name: str) -> tuple[str, str] | None:
    variable = data[name]
    numeric = variable.dtype.kind in "fiub"
    return next((p for p in _PLANES if numeric and set(p) <= set(variable.dims)), None)


def map_of(data: xr.Dataset, name: str, at: At) -> tuple[Shown, Array, Array]:
    """Return a map, and the positions of its columns and rows in nm.

    Of further axes the first point counts, or the one nearest to `at`; of a sweep's bias the one
    nearest to zero.

    Raises
    ------
    BadInputError
        If there is no such map.
    """
    plane = _plane(data, name) if name in data else None
    if plane is None:
        names = ", ".join(map_names(data)) or "none"
        raise BadInputError(f"there is no map '{name}'; there are: {names}")
    variable = data[name].transpose(..., *plane)
    variable, where = _reduced(variable, plane, at)
    values, unit = in_units(variable.values.astype(np.float64), variable.attrs.get("units", ""))
    title = str(variable.attrs.get("long_name", name))
    x, y = (1e9 * data[axis].values for axis in (plane[1], plane[0]))
    return Shown(title, unit, values, where), x, y


def spectrum_of(
    data: xr.Dataset, place: Mapping[str, int], name: str, at: At
) -> tuple[Shown, Shown]:
    """Return what is swept, and a spectrum, shape (directions, n).

    Raises
    ------
    BadInputError
        If there are no spectra.
    """
    if name not in data or data[name].dims[-1] in ("x", "topograph_x") or not data[name].ndim:
        raise BadInputError(f"there are no spectra called '{name}'")
    variable = data[name].isel({axis: i for axis, i in place.items() if axis in data[name].dims})
    swept = str(variable.dims[-1])
    kept = ("direction", swept) if "direction" in variable.dims else (swept,)
    variable, where = _reduced(variable.transpose(..., *kept), kept, at)
    values, unit = in_units(np.atleast_2d(variable.values), variable.attrs.get("units", ""))
    axis, axis_unit = in_units(
        data[swept].values.astype(np.float64), data[swept].attrs.get("units", "")
    )
    title = "dI/dV" if name == "conductance" else str(variable.attrs.get("long_name", name))
    called = str(data[swept].attrs.get("long_name", swept)).capitalize()
    return Shown(called, axis_unit, axis, ""), Shown(title, unit, values, where)


def _reduced(variable: xr.DataArray, kept: tuple[str, ...], at: At) -> tuple[xr.DataArray, str]:
    """Return one point along all axes that are not kept, and which."""
    words = []
    for axis in [str(dim) for dim in variable.dims if dim not in kept]:
        points = variable[axis].values
        number = 0
        if points.dtype.kind in "fiu":
            wanted = at.get(axis, 0.0 if axis == "bias" else float(points[0]))
            number = int(np.argmin(np.abs(points - wanted)))
            words.append(
                f"{axis} {show(float(points[number]), variable[axis].attrs.get('units', ''))}"
            )
        else:
            words.append(str(points[number]))
        variable = variable.isel({axis: number})
    return variable, ", ".join(words)

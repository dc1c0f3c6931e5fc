"""Which part of a dataset a picture shows: a map, or a spectrum at a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import BadInputError
from stm_daq.quantities import show
from stm_daq.records import Array
from stm_daq.report.units import title_of, unit_for

if TYPE_CHECKING:
    import xarray as xr

_PLANES = (("y", "x"), ("topograph_y", "topograph_x"))

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
    factor: float
    """From SI to that unit."""
    where: str
    """The point along the other axes, such as "bias 0 mV"; empty without any."""

    @property
    def label(self) -> str:
        """Label of an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def _shown(title: str, variable: xr.DataArray, where: str = "") -> Shown:
    values = variable.values.astype(np.float64)
    factor, unit = unit_for(values, variable.attrs.get("units", ""))
    return Shown(title, unit, values * factor, factor, where)


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
    x, y = (1e9 * data[axis].values for axis in (plane[1], plane[0]))
    return _shown(title_of(variable, name), variable, where), x, y


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
    siemens = name == "conductance" and variable.attrs.get("units") == "S"
    title = "dI/dV" if siemens else title_of(variable, name)
    if "direction" not in kept:
        variable = variable.expand_dims("direction")
    return _shown(title_of(data[swept], swept), data[swept]), _shown(title, variable, where)


def outer_place(data: xr.Dataset, name: str, at: At) -> dict[str, int]:
    """Return the point along the axes of a trace that are neither places nor directions."""
    *others, _ = (str(dim) for dim in data[name].dims)
    outer = [dim for dim in others if dim not in ("x", "y", "direction")]
    return {axis: _number(data[axis].values, axis, at) for axis in outer}


def _reduced(variable: xr.DataArray, kept: tuple[str, ...], at: At) -> tuple[xr.DataArray, str]:
    """Return one point along all axes that are not kept, and which."""
    words = []
    for axis in [str(dim) for dim in variable.dims if dim not in kept]:
        points, unit = variable[axis].values, variable[axis].attrs.get("units", "")
        number = _number(points, axis, at)
        numeric = points.dtype.kind in "fiu"
        words.append(
            f"{axis} {show(float(points[number]), unit)}" if numeric else str(points[number])
        )
        variable = variable.isel({axis: number})
    return variable, ", ".join(words)


def _number(points: NDArray[Any], axis: str, at: At) -> int:
    """Return the point nearest to the one asked for; the first, or the bias nearest to zero."""
    if points.dtype.kind not in "fiu":
        return 0
    wanted = at.get(axis, 0.0 if axis == "bias" else float(points[0]))
    return int(np.argmin(np.abs(points - wanted)))

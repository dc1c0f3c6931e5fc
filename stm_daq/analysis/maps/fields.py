"""A map as the spatial statistics need it: on an even grid, checked, with its missing pixels known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from stm_daq.analysis.maps.images import check_length
from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

type Trend = Literal["mean", "plane", "quadratic"]
"""What is taken off a map before it is looked at."""

FEWEST = 30
"""Fewer known pixels than this tell nothing about a pattern."""
UNEVEN = 0.05
"""Pixels may lie off an even grid by this part of their distance (files hold rounded positions)."""
_POWERS = {
    "mean": ((0, 0),),
    "plane": ((0, 0), (1, 0), (0, 1)),
    "quadratic": ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)),
}


@dataclass(frozen=True, slots=True)
class Field:
    """A map on an even grid."""

    name: str
    values: Array
    """Shape (rows, columns), NaN = missing; row and column positions increase."""
    pitch: tuple[float, float]
    """Distance of rows and of columns, m."""

    @property
    def known(self) -> Mask:
        """Where there is a value."""
        known: Mask = np.isfinite(self.values)
        return known

    @property
    def side(self) -> float:
        """The shorter side, m; of a single row or column its length."""
        sides = [n * d for n, d in zip(self.values.shape, self.pitch, strict=True) if n > 1]
        return float(min(sides))


def grid_of(data: xr.DataArray) -> Field:
    """Check the axes of a map, whatever its values are.

    Parameters
    ----------
    data : xarray.DataArray
        Dimensions ``y`` and ``x`` (any order) with even coordinates in m; NaN = missing.

    Raises
    ------
    BadInputError
        If the axes are not those of a map.
    """
    name = str(data.name or "the map")
    if set(data.dims) != {"y", "x"}:
        raise BadInputError(
            f"{name} has the dimensions ({', '.join(map(str, data.dims))}); a map has y and x:"
            " choose one step of the others with .isel"
        )
    steps = (_step(data, "y"), _step(data, "x"))
    values = data.transpose("y", "x").values.astype(float)
    values = values[:: -1 if steps[0] < 0 else 1, :: -1 if steps[1] < 0 else 1]
    largest = max(np.abs(steps))
    pitch = (abs(steps[0]) or largest, abs(steps[1]) or largest)
    return Field(name, np.where(np.isfinite(values), values, np.nan), pitch)


def field_of(data: xr.DataArray) -> Field:
    """Check a map whose pattern is asked for.

    Parameters
    ----------
    data : xarray.DataArray
        As for :func:`grid_of`.

    Raises
    ------
    BadInputError
        If the axes are not those of a map.
    CannotTellError
        If fewer than `FEWEST` pixels are known, or all are equal.
    """
    field = grid_of(data)
    check_pattern(field)
    return field


def check_pattern(field: Field) -> None:
    """Refuse a map that has no pattern to look at.

    Raises
    ------
    CannotTellError
        If fewer than `FEWEST` pixels are known, or all are equal.
    """
    known = field.values[field.known]
    if len(known) < FEWEST:
        raise CannotTellError(
            f"{field.name} has {len(known)} known pixels; spatial statistics need at least {FEWEST}"
        )
    if np.ptp(known) <= 1e-12 * np.abs(known).max():
        raise CannotTellError(f"{field.name} is constant: there is no pattern in it")


def _step(data: xr.DataArray, axis: str) -> float:
    """Return the step from pixel to pixel along an axis, m; 0 for a single one."""
    if axis not in data.coords:
        raise BadInputError(f"{data.name or 'the map'} has no coordinate '{axis}' (m)")
    if data[axis].attrs.get("units", "m") != "m":
        raise BadInputError(
            f"coordinate '{axis}' is in {data[axis].attrs['units']}; it must be in m"
        )
    check_length(data[axis].values.astype(float), f"the axis '{axis}'")
    steps = np.diff(data[axis].values.astype(float))
    if not len(steps):
        return 0.0
    step = float(np.mean(steps))
    if step == 0 or not np.all(np.abs(steps / step - 1) <= 2 * UNEVEN):
        raise BadInputError(f"the pixels along '{axis}' are not evenly spaced")
    return step


def pair_of(a: xr.DataArray, b: xr.DataArray) -> tuple[Field, Field]:
    """Check two maps on the same grid whose patterns are asked for.

    Raises
    ------
    BadInputError
        If their axes are not those of a map, or differ.
    CannotTellError
        As :func:`field_of`.
    """
    pair = same_grid(a, b)
    for field in pair:
        check_pattern(field)
    return pair


def same_grid(a: xr.DataArray, b: xr.DataArray) -> tuple[Field, Field]:
    """Check the axes of two maps, which must be the same.

    Raises
    ------
    BadInputError
        If their axes are not those of a map, or differ.
    """
    first, second = grid_of(a), grid_of(b)
    for axis in ("y", "x"):
        one, other = np.sort(a[axis].values), np.sort(b[axis].values)
        off = np.abs(one - other).max() if one.shape == other.shape else np.inf
        if off > UNEVEN * min(first.pitch):
            raise BadInputError(
                f"{first.name} and {second.name} lie on different grids along '{axis}':"
                " bring one onto the pixels of the other first"
            )
    return first, second


def trend_terms(known: Mask, trend: Trend) -> Array:
    """Return orthonormal columns that span a trend at the known pixels, shape (pixels, terms)."""
    rows, columns = known.shape
    y = np.linspace(-1, 1, rows)[:, None] if rows > 1 else np.zeros((1, 1))
    x = np.linspace(-1, 1, columns)[None, :] if columns > 1 else np.zeros((1, 1))
    terms = np.stack([np.broadcast_to(y**i * x**j, known.shape)[known] for i, j in _POWERS[trend]])
    basis, sizes, _ = np.linalg.svd(terms.T, full_matrices=False)
    kept: Array = basis[:, sizes > 1e-9 * sizes[0]]
    return kept


def without_trend(values: Array, known: Mask, trend: Trend) -> Array:
    """Return a map less its trend, and zero outside `known`."""
    basis = trend_terms(known, trend)
    inside = values[known]
    rest = np.zeros(values.shape)
    rest[known] = inside - basis @ (basis.T @ inside)
    return rest

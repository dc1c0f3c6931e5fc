"""A map as the analyses of images want it: checked axes, metres, missing pixels as NaN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

type Numbers = NDArray[np.integer[Any]]
"""Whole numbers: of clusters, rings, terraces."""

PLANES = (("y", "x"), ("topograph_y", "topograph_x"))
EVEN = 1e-3
"""Steps of an axis may differ by this part of the mean step."""
LARGEST = 1e-3
"""No frame of an STM is larger than this, m: such axes are in another unit."""
EQUAL = 1e-12
"""Values that differ by less than this part of their size are the same."""
NORMAL = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Image:
    """A map on an even grid."""

    values: Array
    """Shape (rows, columns), row 0 at the bottom; NaN = missing."""
    x: Array
    """Positions of the columns, m."""
    y: Array
    """Positions of the rows, m."""
    name: str
    """For messages."""

    @property
    def known(self) -> Mask:
        """Where there is a value."""
        found: Mask = np.isfinite(self.values)
        return found

    @property
    def missing(self) -> float:
        """Part of the pixels without a value."""
        return 1.0 - float(self.known.mean())

    @property
    def step(self) -> tuple[float, float]:
        """Distance of columns and of rows, m."""
        return span(self.x), span(self.y)


def span(axis: Array) -> float:
    """Return the mean step of an axis."""
    return float(axis[-1] - axis[0]) / (len(axis) - 1)


def image_of(
    data: xr.DataArray, least: int = 9, most_missing: float = 0.5, constant: bool = False
) -> Image:
    """Check a map and return its arrays.

    Parameters
    ----------
    data : xarray.DataArray
        Over (``y``, ``x``) or (``topograph_y``, ``topograph_x``), with positions in m.
    least : int
        Fewest pixels with a value that will do.
    most_missing : float
        Largest part of the pixels that may be missing.
    constant : bool
        Whether the same value everywhere will do.

    Raises
    ------
    BadInputError
        If the axes are others, not even, not increasing, or not in metres.
    CannotTellError
        If too little is known, or the map is constant.
    """
    plane, name = plane_of(data), str(data.name or "map")
    if data.ndim != 2:
        raise BadInputError(
            f"'{name}' has the axes {data.dims}; choose one point along the others, such as "
            f"`.isel({data.dims[0]}=0)`"
        )
    data = data.transpose(*plane)
    y, x = (_axis(data, axis) for axis in plane)
    image = Image(np.asarray(data.values, dtype=np.float64), x, y, name)
    known = int(image.known.sum())
    if known < least:
        raise CannotTellError(f"'{name}' has {known} pixels with a value; {least} are needed")
    if image.missing > most_missing:
        raise CannotTellError(
            f"{image.missing:.0%} of the pixels of '{name}' are missing; at most "
            f"{most_missing:.0%} may be"
        )
    if not constant and is_constant(image.values):
        raise CannotTellError(f"'{name}' is the same everywhere: it shows nothing")
    return image


def plane_of(data: xr.DataArray) -> tuple[str, str]:
    """Return the axes of rows and columns.

    Raises
    ------
    BadInputError
        If there are none.
    """
    for plane in PLANES:
        if set(plane) <= set(data.dims):
            return plane
    raise BadInputError(
        f"'{data.name or 'map'}' has the axes {tuple(data.dims)}; a map has y and x, or "
        "topograph_y and topograph_x"
    )


def like(data: xr.DataArray, values: NDArray[Any]) -> xr.DataArray:
    """Return a map with the axes of another and new values, shape (rows, columns)."""
    return data.transpose(*plane_of(data)).copy(data=values)


def positions_of(data: xr.DataArray, name: str) -> Array:
    """Return the positions along an axis, m.

    Raises
    ------
    BadInputError
        If there are none, or they are not in metres.
    """
    if name not in data.coords:
        raise BadInputError(f"the axis '{name}' has no positions; give them in m")
    unit = data[name].attrs.get("units", "m")
    if unit != "m":
        raise BadInputError(f"the axis '{name}' is in {unit or 'no unit'}; positions are in m")
    axis = np.asarray(data[name].values, dtype=np.float64)
    check_length(axis, f"the axis '{name}'")
    return axis


def _axis(data: xr.DataArray, name: str) -> Array:
    axis = positions_of(data, name)
    if len(axis) < 2:
        raise CannotTellError(f"the axis '{name}' has {len(axis)} position(s): no map, but a line")
    steps = np.diff(axis)
    if not (np.isfinite(steps).all() and (steps > 0).all()):
        raise BadInputError(f"the positions along '{name}' do not increase from one to the next")
    if np.ptp(steps) > 2 * EVEN * steps.mean():
        raise BadInputError(f"the positions along '{name}' are not evenly spaced")
    return axis


def check_length(positions: Array, name: str) -> None:
    """Refuse positions that span more than any scanner does: they are not in m.

    Raises
    ------
    BadInputError
        If they do.
    """
    length = float(np.ptp(positions)) if len(positions) else 0.0
    if length > LARGEST:
        raise BadInputError(f"{name} is {length:.3g} m long; positions are in m, not in nm")


def is_constant(values: Array) -> bool:
    """Return whether all known values are the same, but for rounding."""
    known = values[np.isfinite(values)]
    return not len(known) or float(np.ptp(known)) <= EQUAL * float(np.abs(known).max())


def robust_std(values: Array) -> float:
    """Return 1.4826 times the median distance from the median; NaN without values.

    It is the standard deviation of a normal distribution and does not see outliers.
    """
    known = values[np.isfinite(values)]
    return NORMAL * float(np.median(np.abs(known - np.median(known)))) if len(known) else np.nan

"""Cuts along a line through a map or a grid of spectra: sites as measured, never interpolated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.maps.images import plane_of
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

type Point = tuple[float, float]
type Indices = NDArray[np.int64]


def line_cut(data: xr.DataArray, start: Point, end: Point) -> xr.DataArray:
    """Return what was measured along a straight line.

    In every column that the line crosses (in every row, if it is steeper than the diagonal of a
    pixel) it takes the site nearest to the line: at most half a pitch away, each site once. Values
    are those of the sites, missing ones NaN.

    Parameters
    ----------
    data : xarray.DataArray
        Over (``y``, ``x``) or (``topograph_y``, ``topograph_x``), m, and any further dimensions: a
        map, or dI/dV with ``bias``.
    start, end : (x, y)
        Ends of the line, m; sites beyond them are left out. The line may leave the map.

    Returns
    -------
    xarray.DataArray
        Dimensions ("position", further dimensions...), with coordinates ``position`` (m from `start`
        along the line, increasing), ``x`` and ``y`` of the sites, ``offset`` (m, distance of the site
        from the line, positive to the left of its direction).

    Raises
    ------
    BadInputError
        If the data have no positions y and x, or the line has no length.
    CannotTellError
        If it meets fewer than two sites, or none with a value.
    """
    import xarray as xr

    length = math.dist(start, end)
    if not (math.isfinite(length) and length > 0):
        raise BadInputError("a line needs two different ends (x, y), in m")
    rows_along, columns_along = plane_of(data)
    x = np.asarray(data[columns_along].values, dtype=np.float64)
    y = np.asarray(data[rows_along].values, dtype=np.float64)
    rows, columns = _sites(x, y, start, end)
    along, across = _along_and_across(x[columns], y[rows], start, end)
    kept = (along >= -1e-6 * length) & (along <= (1 + 1e-6) * length)
    order = np.flatnonzero(kept)[np.argsort(along[kept])]
    if len(order) < 2:
        raise CannotTellError(
            f"the line from {_nm(start)} to {_nm(end)} meets {len(order)} site(s) of "
            f"'{data.name or 'map'}', which reaches from {_nm((x[0], y[0]))} to {_nm((x[-1], y[-1]))}"
        )
    rows, columns = rows[order], columns[order]
    picked = {
        rows_along: xr.DataArray(rows, dims="position"),
        columns_along: xr.DataArray(columns, dims="position"),
    }
    cut = data.isel(picked).drop_vars([rows_along, columns_along], errors="ignore")
    cut = cut.transpose("position", ...).assign_coords(
        position=("position", along[order], {"units": "m"}),
        x=("position", x[columns], {"units": "m"}),
        y=("position", y[rows], {"units": "m"}),
        offset=("position", across[order], {"units": "m"}),
    )
    if not np.isfinite(cut.values).any():
        raise CannotTellError(f"no site of '{data.name or 'map'}' along the line has a value")
    return cut


def _sites(x: Array, y: Array, start: Point, end: Point) -> tuple[Indices, Indices]:
    """Return rows and columns of the nearest sites, one for each column (or row) that is crossed."""
    step_x, step_y = _pitch(x, y), _pitch(y, x)
    (x0, y0), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
    if abs(dx) / step_x >= abs(dy) / step_y:
        columns = np.arange(len(x))
        rows = np.rint((y0 + (x - x0) * dy / dx - y[0]) / step_y)
    else:
        rows = np.arange(len(y))
        columns = np.rint((x0 + (y - y0) * dx / dy - x[0]) / step_x)
    inside = (rows >= 0) & (rows < len(y)) & (columns >= 0) & (columns < len(x))
    return rows[inside].astype(np.int64), columns[inside].astype(np.int64)


def _pitch(axis: Array, other: Array) -> float:
    """Return the distance of neighbours; a single row is as high as the columns are wide."""
    for positions in (axis, other):
        if len(positions) > 1:
            return float(positions[-1] - positions[0]) / (len(positions) - 1)
    raise CannotTellError("a single site: there is no line through it")


def _along_and_across(x: Array, y: Array, start: Point, end: Point) -> tuple[Array, Array]:
    """Return positions along the line and to the left of it, m."""
    length = math.dist(start, end)
    ex, ey = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    dx, dy = x - start[0], y - start[1]
    return dx * ex + dy * ey, dy * ex - dx * ey


def _nm(point: Point) -> str:
    return f"({point[0] * 1e9:.4g}, {point[1] * 1e9:.4g}) nm"

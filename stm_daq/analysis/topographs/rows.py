"""What jumps from row to row of a topograph: rows aligned, scars found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from stm_daq.analysis.maps.images import image_of, like, robust_std
from stm_daq.analysis.maps.sites import Mask
from stm_daq.analysis.topographs.surface import solve_robust
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr


def align_rows(
    heights: xr.DataArray, method: Literal["median", "difference", "line"] = "median"
) -> xr.DataArray:
    """Take out what jumps from row to row.

    Parameters
    ----------
    heights : xarray.DataArray
        As in :func:`stm_daq.analysis.topographs.surface.level`.
    method : str
        "median" sets the median of every row to that of all; "difference" makes the median of the
        differences to the row below zero, which step edges do not disturb (but noise adds up along
        the slow direction); "line" subtracts from every row its robust straight line.

    Returns
    -------
    xarray.DataArray
        Same axes; a row with fewer than three values has nothing to be aligned by and is missing.
    """
    image = image_of(heights, constant=True)
    z = np.where(image.known.sum(axis=1, keepdims=True) >= 3, image.values, np.nan)
    if method == "median":
        result = z - _row_medians(z)[:, None] + np.nanmedian(z)
    elif method == "difference":
        result = z - _added_differences(z)[:, None]
        result -= np.nanmedian(result) - np.nanmedian(z)
    elif method == "line":
        result = np.array([_without_line(row, image.x) for row in z]) + np.nanmedian(z)
    else:
        raise BadInputError(f"method='{method}': give 'median', 'difference' or 'line'")
    return like(heights, result)


def scars_of(
    heights: xr.DataArray, threshold: float = 5.0, length: int = 8, rows: int = 3
) -> xr.DataArray:
    """Find scars: pieces of a few rows that lie higher or lower than the rows above and below.

    Parameters
    ----------
    heights : xarray.DataArray
        As in :func:`stm_daq.analysis.topographs.surface.level`; rows aligned.
    threshold : float
        In robust standard deviations of the difference of two rows.
    length : int
        Shortest scar, pixels along the row.
    rows : int
        Widest scar.

    Returns
    -------
    xarray.DataArray of bool
        True on a scar. ``heights.where(~scars)`` makes them missing.
    """
    from scipy import ndimage

    image = image_of(heights, least=64, constant=True)
    z, found = image.values, np.zeros(image.values.shape, dtype=np.bool_)
    limit = threshold * robust_std(np.diff(z, axis=0))
    for sign in (1.0, -1.0):
        for width in range(1, min(rows, len(z) - 2) + 1):
            found |= _raised(sign * z, width, limit)
    whole = ndimage.binary_opening(found, np.ones((1, length), dtype=np.bool_))
    return like(heights, whole).assign_attrs(units="", long_name="scar")


def _raised(z: Array, width: int, limit: float) -> Mask:
    """Return where `width` rows together lie by more than `limit` above both their neighbours."""
    low = np.lib.stride_tricks.sliding_window_view(z[1:-1], width, axis=0).min(axis=-1)
    beside = np.maximum(z[: len(low)], z[width + 1 :])
    with np.errstate(invalid="ignore"):
        over = low - beside > limit
    found = np.zeros(z.shape, dtype=np.bool_)
    for row in range(width):
        found[row + 1 : row + 1 + len(over)] |= over
    return found


def _row_medians(z: Array) -> Array:
    """Return the median of each row; NaN for a row without values."""
    some = np.isfinite(z).any(axis=1)
    medians = np.full(len(z), np.nan)
    medians[some] = np.nanmedian(z[some], axis=1)
    return medians


def _added_differences(z: Array) -> Array:
    """Return by how much each row lies above the first, from medians of differences."""
    rows = np.flatnonzero(np.isfinite(z).any(axis=1))
    offsets = np.full(len(z), np.nan)
    steps = _row_medians(np.diff(z[rows], axis=0))
    if not np.isfinite(steps).all():
        raise CannotTellError("two neighbouring rows have no column in common: use 'median'")
    offsets[rows] = np.append(0.0, np.cumsum(steps))
    return offsets


def _without_line(row: Array, x: Array) -> Array:
    known = np.isfinite(row)
    if not known.any():
        return row
    position = (x - x.mean()) / np.ptp(x)
    terms = np.stack([np.ones(len(row)), position], axis=-1)
    return np.asarray(row - terms @ solve_robust(terms[known], row[known]))

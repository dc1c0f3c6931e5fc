"""The spread of a map, with the noise of the fits told from the map itself.

Fits may state errors that are too small, and a homogeneous film then seems to scatter. Neighbouring
pixels know better: noise differs from pixel to pixel, a film hardly does. The noise is taken from

    h = (x_NW + x_NE + x_SW + x_SE - 2 (x_N + x_S + x_E + x_W) + 4 x) / 6

(J. Immerkaer, Comput. Vis. Image Underst. 64, 300 (1996)), which has the noise's standard deviation
and is blind to slopes and to bends along x and y; its median ignores grain boundaries and outliers. What
changes from pixel to pixel by itself cannot be told from noise: the result is an upper limit where
the correlation length is below about two pixels.

Whether a map is homogeneous is asked of its pattern: Moran's coefficient of the eight neighbours (P. A.
P. Moran, Biometrika 37, 17 (1950)) of the values in units of their noise. It needs no knowledge of the
size of the noise, only that it is independent from pixel to pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, special

from stm_daq.analysis.maps.fields import field_of, same_grid
from stm_daq.analysis.space.spread import Spread, spread_of
from stm_daq.errors import CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

FEWEST = 20
"""Fewer pixels with all neighbours than this do not tell the noise."""
OVERLAP = 2.0
"""Windows share pixels: their median scatters as if there were so many times fewer."""
CLIPPED = 5.0
"""Values further off than so many standard deviations count as that far in Moran's coefficient."""
_SQUARE = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]) / 6
_LINE = np.array([1.0, -2.0, 1.0]) / math.sqrt(6)


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of a map's pixels, from what neighbours differ by."""

    std: float
    """In the unit of the map; upper limit if the map changes from pixel to pixel by itself."""
    std_error: float
    factor: float
    """`std` relative to the stated standard deviations, pixel by pixel; NaN if none are stated.
    Clearly above 1: the fits state too small errors, or neighbours truly differ."""
    factor_error: float
    windows: int
    """Pixels whose neighbours are all known."""


@dataclass(frozen=True, slots=True)
class MapSpread:
    """The spread of a map, seen with two opinions of its noise."""

    stated: Spread
    """With the standard deviations stated by the fits; its `p_value` trusts them fully."""
    neighbours: Spread
    """With those that neighbours show; `p_value` is of the pattern (Moran's coefficient)."""
    noise: Noise
    moran: float
    """Moran's coefficient: 0 without a pattern, up to 1."""

    @property
    def p_value(self) -> float:
        """Probability of such a pattern in a homogeneous map, whatever the size of its noise."""
        return self.neighbours.p_value


def noise_of_map(values: xr.DataArray, std: xr.DataArray | None = None) -> Noise:
    """Estimate the noise of single pixels from their neighbours.

    Parameters
    ----------
    values : xarray.DataArray
        Map on (y, x), m; NaN = missing. Of a single row or column neighbours on the line are used.
    std : xarray.DataArray, optional
        Stated standard deviations on the same pixels; the noise may then differ from pixel to
        pixel as they do.

    Raises
    ------
    BadInputError
        If the axes are not those of a map, or differ.
    CannotTellError
        If too few pixels have all their neighbours, or the map is constant.
    """
    field = field_of(values)
    stated = np.ones(field.values.shape) if std is None else _stated(values, std)
    mask = _mask(field.values)
    h = ndimage.convolve(np.nan_to_num(field.values), mask, mode="constant")
    expected = np.sqrt(ndimage.convolve(np.nan_to_num(stated) ** 2, mask**2, mode="constant"))
    known = np.isfinite(field.values) & np.isfinite(stated)
    whole = ndimage.minimum_filter(known, footprint=mask != 0, mode="constant", cval=False)
    windows = int(whole.sum())
    if windows < FEWEST:
        raise CannotTellError(
            f"{field.name}: {windows} pixels have all their neighbours; the noise needs {FEWEST}"
        )
    factor = 1.4826 * float(np.median(np.abs(h[whole]) / expected[whole]))
    error = 1.17 * factor * math.sqrt(OVERLAP / windows)
    size = math.sqrt(float(np.mean(stated[known] ** 2)))
    if std is None:
        return Noise(factor, error, math.nan, math.nan, windows)
    return Noise(factor * size, error * size, factor, error, windows)


def spread_of_map(values: xr.DataArray, std: xr.DataArray | None = None) -> MapSpread:
    """Summarise the scatter of a map and how much of it is noise.

    Parameters
    ----------
    values, std
        As :func:`noise_of_map`.

    Raises
    ------
    BadInputError, CannotTellError
        As :func:`noise_of_map` and :func:`stm_daq.analysis.space.spread.spread_of`.
    """
    noise = noise_of_map(values, std)
    x = field_of(values).values
    if std is None:
        stated, sizes = spread_of(x), np.full(x.shape, noise.std)
    else:
        s = _stated(values, std)
        stated, sizes = spread_of(x, s), s * noise.factor
    moran, p_value = _moran(x, sizes)
    neighbours = _with_error_of(noise, spread_of(x, sizes)) if noise.std > 0 else spread_of(x)
    return MapSpread(stated, replace(neighbours, p_value=p_value), noise, moran)


def _with_error_of(noise: Noise, spread: Spread) -> Spread:
    """Add what the error of the noise does to the intrinsic scatter: its square is a difference."""
    by_noise = 2 * noise.std * noise.std_error  # of the intrinsic variance
    variance = spread.intrinsic**2
    limit = math.sqrt(variance + math.hypot(spread.intrinsic_limit**2 - variance, 1.645 * by_noise))
    if spread.intrinsic == 0:
        return replace(spread, intrinsic_limit=limit)
    std = math.hypot(spread.intrinsic_std, by_noise / (2 * spread.intrinsic))
    return replace(spread, intrinsic_std=std, intrinsic_limit=limit)


def _stated(values: xr.DataArray, std: xr.DataArray) -> Array:
    """Return the stated standard deviations, NaN where there is none."""
    s = same_grid(values, std)[1].values
    found: Array = np.where(s > 0, s, np.nan)
    return found


def _mask(values: Array) -> Array:
    rows, columns = values.shape
    if rows == 1:
        return _LINE[None, :]
    return _LINE[:, None] if columns == 1 else _SQUARE


def _moran(x: Array, sizes: Array) -> tuple[float, float]:
    """Return Moran's coefficient of x / size and its one-sided p-value.

    Mean and variance without a pattern: A. D. Cliff and J. K. Ord, Spatial Processes (1981), 2.28.
    """
    known = np.isfinite(x) & (sizes > 0)
    if known.sum() < FEWEST:
        return math.nan, math.nan
    w = 1 / sizes[known] ** 2
    mean = float(w @ x[known] / w.sum())
    e = np.zeros(x.shape)
    e[known] = (x[known] - mean) / sizes[known]
    width = 1.4826 * float(np.median(np.abs(e[known] - np.median(e[known]))))
    if width > 0:
        e = np.clip(e, -CLIPPED * width, CLIPPED * width)
    e[known] -= e[known].mean()
    around = np.ones((3, 3))
    around[1, 1] = 0
    degree = ndimage.convolve(known.astype(float), around, mode="constant")[known]
    W, n = float(degree.sum()), int(known.sum())
    if W == 0:
        return math.nan, math.nan
    moran = n / W * float((e * ndimage.convolve(e, around, mode="constant")).sum() / (e**2).sum())
    expected = -1 / (n - 1)
    squares = n**2 * 2 * W - n * 4 * float((degree**2).sum()) + 3 * W**2
    variance = squares / ((n**2 - 1) * W**2) - expected**2
    return moran, float(special.ndtr(-(moran - expected) / math.sqrt(variance)))

"""The width of a dip or gap in a spectrum, whatever made it: no model of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.stability.noise import third_difference_noise
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

OUTER = 0.1
"""The level outside is the median over this part of the points, on each side."""
CLEAR = 5.0
"""A dip is deeper than so many standard deviations of the noise."""


@dataclass(frozen=True, slots=True)
class Dip:
    """A dip, measured at half its depth."""

    left: float
    """Where it begins, V."""
    right: float
    """Where it ends, V."""
    std: float
    """Standard deviation of each of the two by noise, V."""
    depth: float
    """Part of the level outside that is missing at the bottom."""

    @property
    def width(self) -> float:
        """Full width at half depth, V."""
        return self.right - self.left

    @property
    def centre(self) -> float:
        """Middle of the two edges, V."""
        return (self.left + self.right) / 2


def dip_of(spectrum: xr.DataArray) -> Dip:
    """Measure the dip around the smallest conductance of a spectrum.

    The level outside is the straight line through the medians of both ends. Half depth is halfway
    from there to the bottom, the mean of five points around the smallest mean of five. The edges
    are where a running mean of five passes that level for the last time on the way from the ends to
    the bottom; so that shoulders and peaks within the dip do not count.

    Parameters
    ----------
    spectrum : xarray.DataArray
        dI/dV over ``bias`` alone, any unit; NaN = missing.

    Raises
    ------
    BadInputError
        If there are other axes.
    CannotTellError
        If there are fewer than 30 points, no dip stands out of the noise, or it reaches an end.
    """
    if spectrum.dims != ("bias",):
        raise BadInputError(f"the spectrum has the axes {spectrum.dims}; give one over bias")
    bias, g = _in_order(spectrum)
    count = max(3, round(OUTER * len(g)))
    ends = [
        (float(np.median(bias[part])), float(np.median(g[part])))
        for part in (slice(count), slice(-count, None))
    ]
    (x0, y0), (x1, y1) = ends
    level = y0 + (y1 - y0) * (bias - x0) / (x1 - x0)
    if (level <= 0).any():
        raise CannotTellError(
            "the conductance at the ends is not positive: no level to measure from"
        )
    smooth = np.convolve(g / level, np.ones(5) / 5, mode="valid")
    place, noise = bias[2:-2], third_difference_noise(g / level) / math.sqrt(5)
    bottom = int(np.argmin(smooth))
    depth = 1 - float(smooth[bottom])
    if not depth > CLEAR * noise:
        raise CannotTellError("no dip stands out of the noise")
    half = 1 - depth / 2
    left, slope_left = _edge(place[: bottom + 1], smooth[: bottom + 1], half)
    right, slope_right = _edge(place[bottom:][::-1], smooth[bottom:][::-1], half)
    if left < bias[count] or right > bias[-count - 1]:
        raise CannotTellError("the dip reaches the end of the bias range: the level is not seen")
    std = noise / max(min(slope_left, slope_right), 1e-300)
    return Dip(left, right, std, depth)


def _in_order(spectrum: xr.DataArray) -> tuple[Array, Array]:
    g = np.asarray(spectrum.values, dtype=np.float64)
    bias = np.asarray(spectrum["bias"].values, dtype=np.float64)
    known = np.isfinite(g) & np.isfinite(bias)
    if known.sum() < 30:
        raise CannotTellError(f"{int(known.sum())} points are known; a dip needs 30")
    order = np.argsort(bias[known])
    return bias[known][order], g[known][order]


def _edge(place: Array, smooth: Array, half: float) -> tuple[float, float]:
    """Return where a curve falls below `half` for the first time from its start, and how steeply."""
    below = np.flatnonzero(smooth < half)
    if not len(below) or below[0] == 0:
        raise CannotTellError("the dip reaches the end of the bias range: its edge is not seen")
    at = int(below[0])
    slope = (smooth[at] - smooth[at - 1]) / (place[at] - place[at - 1])
    return float(place[at - 1] + (half - smooth[at - 1]) / slope), abs(float(slope))

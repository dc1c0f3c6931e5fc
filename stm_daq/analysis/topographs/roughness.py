"""How rough a surface is, and the heights of its terraces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import image_of, is_constant, robust_std
from stm_daq.errors import CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

LEAST_SHARE = 0.05
"""A terrace holds at least this part of the surface."""
CLEAR = 0.5
"""Between two terraces the distribution falls below this part of the lower of them."""


@dataclass(frozen=True, slots=True)
class Roughness:
    """Height parameters of a levelled surface, of ISO 25178-2; m unless told."""

    mean: float
    """Sa: mean distance from the mean height."""
    rms: float
    """Sq: standard deviation of the heights."""
    rms_std: float
    """Standard deviation of `rms` as an estimate for more of the same surface: neighbouring pixels
    do not count as independent."""
    skewness: float
    """Ssk: negative with pores, positive with grains or adsorbates; a number."""
    kurtosis: float
    """Sku: 3 for normally distributed heights; a number."""
    peak_to_valley: float
    """Sz: highest minus lowest."""
    pixels: int
    independent: float
    """So many independent pixels would determine `rms` as well."""


def roughness(heights: xr.DataArray) -> Roughness:
    """Return the roughness of a surface that has been levelled.

    For a Gaussian random surface with periodogram P the relative variance of the mean square is
    sum P^2 / (sum P)^2, the exponential scatter of P itself included (it
    follows from the variance 2 S^2 of the square of a Gaussian amplitude of mean square S).

    Parameters
    ----------
    heights : xarray.DataArray
        Levelled, m, on even axes; NaN = missing.

    Raises
    ------
    BadInputError, CannotTellError
        See :func:`stm_daq.analysis.maps.images.image_of`.
    """
    image = image_of(heights, least=64)
    known = image.known
    centred = np.where(known, image.values - image.values[known].mean(), 0.0)
    z = centred[known]
    rms = float(np.sqrt(np.mean(z**2)))
    power = np.abs(np.fft.rfft2(centred)) ** 2
    # a row of the half plane stands for two, but for the first and the last column of even sizes
    weight = np.full(power.shape[1], 2.0)
    weight[0] = 1.0
    if centred.shape[1] % 2 == 0:
        weight[-1] = 1.0
    relative = float(np.sum(weight * power**2) / np.sum(weight * power) ** 2)
    return Roughness(
        mean=float(np.mean(np.abs(z))),
        rms=rms,
        rms_std=0.5 * rms * math.sqrt(relative),
        skewness=float(np.mean(z**3)) / rms**3,
        kurtosis=float(np.mean(z**4)) / rms**4,
        peak_to_valley=float(np.ptp(z)),
        pixels=int(known.sum()),
        independent=min(2 / relative, float(known.sum())),
    )


@dataclass(frozen=True, slots=True)
class Terrace:
    """A height at which much of the surface lies."""

    height: float
    """Median, m."""
    height_std: float
    """Standard deviation of that median if the pixels were independent, m."""
    width: float
    """Robust standard deviation of the heights of the terrace, m."""
    share: float
    """Part of the surface."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often each height occurs."""

    heights: Array
    """Shape (n,), m."""
    density: Array
    """Its integral over `heights` is one, 1/m."""
    terraces: tuple[Terrace, ...]
    """From low to high; a single one for a surface without steps."""

    @property
    def steps(self) -> Array:
        """Heights of the steps from terrace to terrace, m, shape (terraces - 1,)."""
        return np.diff([terrace.height for terrace in self.terraces])


def height_distribution(heights: xr.DataArray) -> Distribution:
    """Return the distribution of heights of a map or of a line profile, and the terraces in it.

    The density is a sum of Gaussians of a width between that of a narrow terrace and the whole
    (B. W. Silverman, Density Estimation, 1986, sec. 3.4, with the width of the surface taken from
    neighbouring pixels). A maximum is a terrace of its own if the density falls to half between it and
    the next, and at least 5 % of the surface belong to it.

    Parameters
    ----------
    heights : xarray.DataArray
        Any shape, levelled, m; NaN = missing.

    Raises
    ------
    CannotTellError
        If fewer than 30 heights are known, or all are the same.
    """
    z = heights.values[np.isfinite(heights.values)].astype(np.float64)
    if len(z) < 30:
        raise CannotTellError(f"{len(z)} heights are known; a distribution needs 30")
    if is_constant(z):
        raise CannotTellError("all heights are the same: there is no distribution")
    width = _smoothing(np.asarray(heights.values, dtype=np.float64), z)
    grid = np.linspace(z.min() - 3 * width, z.max() + 3 * width, 1024)
    density = _smoothed(z, grid, width)
    cuts = _cuts(grid, density, z)
    groups = np.split(np.sort(z), np.searchsorted(np.sort(z), cuts))
    return Distribution(grid, density, tuple(_terrace(group, len(z)) for group in groups))


def _smoothing(shaped: Array, z: Array) -> float:
    """Return the width of the Gaussians: of one terrace, which differences of neighbours show."""
    noise = robust_std(np.diff(shaped, axis=-1)) / math.sqrt(2)
    whole = float(z.std())
    narrow = min(whole, max(noise, 0.01 * whole))
    return float(0.9 * narrow * len(z) ** -0.2 + 0.005 * np.ptp(z))


def _smoothed(z: Array, grid: Array, width: float) -> Array:
    step = grid[1] - grid[0]
    edges = np.append(grid - step / 2, grid[-1] + step / 2)
    counts, _ = np.histogram(z, bins=edges)
    distance = np.arange(-len(grid) + 1, len(grid)) * step
    kernel = np.exp(-((distance / width) ** 2) / 2)
    density = np.convolve(counts, kernel, mode="valid")
    return np.asarray(density / (density.sum() * step))


def _cuts(grid: Array, density: Array, z: Array) -> list[float]:
    """Return the heights of the valleys between terraces."""
    inner = density[1:-1]
    peaks = 1 + np.flatnonzero((inner > density[:-2]) & (inner >= density[2:]))
    kept = [int(peaks[0])]
    cuts: list[float] = []
    for peak in peaks[1:]:
        valley = kept[-1] + int(np.argmin(density[kept[-1] : peak]))
        lower = min(density[kept[-1]], density[peak])
        below = z <= grid[valley]
        since = z > (cuts[-1] if cuts else -np.inf)
        enough = LEAST_SHARE * len(z)
        if density[valley] < CLEAR * lower and (below & since).sum() >= enough <= (~below).sum():
            kept.append(int(peak))
            cuts.append(float(grid[valley]))
        elif density[peak] > density[kept[-1]]:
            kept[-1] = int(peak)
    return cuts


def _terrace(z: Array, total: int) -> Terrace:
    width = robust_std(z)
    std = 1.2533 * width / math.sqrt(len(z))  # of a median: sqrt(pi / 2)
    return Terrace(float(np.median(z)), std, width, len(z) / total)

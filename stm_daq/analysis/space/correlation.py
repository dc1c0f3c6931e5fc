"""Normalised auto- and cross-correlation of maps, and their radial averages.

    rho_ab(d) = sum_r a(r) b(r - d) / sqrt(sum_r a(r)^2 * sum_r b(r - d)^2)

with the mean (or a plane) of each map taken off, and every sum over the pairs of pixels that are
both known. For a whole map with periodic boundaries the two sums below the root are N sigma^2, and this
is A1 and A2 of C. Carbillet et al., Phys. Rev. B 102, 024504 (2020). It is 1 at zero lag for a = b,
never beyond 1 (Cauchy-Schwarz), and rho_ab(d) = rho_ba(-d).

The error of a radial average is that of a stationary Gaussian field (Bartlett's formula, here in
wave vectors): periodogram ordinates are independent, neighbouring lags are not. With the spectra
S_a, S_b, S_ab of the two maps, averaged over directions,

    var P_ab(k) = (S_a S_b + S_ab^2) / 2,  var P_a(k) = S_a^2,  cov(P_ab, P_a) = S_a S_ab

and the radial average at distance r is the sum of P_ab(k) J0(k r), divided by the root of the sums
of P_a and P_b, whose scatter counts as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, ndimage, special

from stm_daq.analysis.maps.fields import Field, Trend, field_of, pair_of, trend_terms, without_trend
from stm_daq.analysis.maps.sites import Mask
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

LEAST_PAIRS = 0.05
"""A lag with fewer pairs than this part of those at zero lag is left out."""


@dataclass(frozen=True, slots=True)
class RadialProfile:
    """A correlation averaged over directions."""

    distance: Array
    """Mean lag of a ring, m, shape (n,); the first is 0."""
    correlation: Array
    """Shape (n,)."""
    covariance: Array
    """Of `correlation`, shape (n, n)."""
    pairs: Array
    """Pairs of pixels in a ring, shape (n,)."""
    lost: tuple[Array, Array]
    """Distances (m) and weights: a field with correlation c loses ``sum(weights * c(distances))``
    of its variance with the trend that was taken off."""
    side: float
    """Shorter side of the map, m."""

    @property
    def std(self) -> Array:
        """Standard deviation of `correlation`, shape (n,)."""
        std: Array = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        return std


def correlation_map(
    a: xr.DataArray,
    b: xr.DataArray | None = None,
    *,
    periodic: bool = False,
    trend: Trend = "mean",
) -> xr.Dataset:
    """Correlate a map with itself or with another one, at every lag.

    Parameters
    ----------
    a, b : xarray.DataArray
        Maps on the same grid (y, x), m; NaN = missing. Without `b`: the autocorrelation of `a`.
    periodic : bool
        Whether pixels beyond an edge are those of the opposite one, as in the paper. Real maps are
        not periodic; it matters little where the correlation length is a tenth of the map.
    trend : {"mean", "plane", "quadratic"}
        Taken off each map first.

    Returns
    -------
    xarray.Dataset
        ``correlation`` and ``pairs`` (how many pairs of pixels) on ``lag_y``, ``lag_x`` (m). At a lag
        d stands the correlation of `a` at a place with `b` at that place less d. NaN where hardly
        any pair is left.

    Raises
    ------
    BadInputError
        If the axes are not those of a map, or the maps lie on different grids.
    CannotTellError
        If there are too few known pixels, or a map is constant.
    """
    import xarray as xr

    sums = _sums(*_prepared(a, b, trend), periodic)
    enough = sums.pairs >= LEAST_PAIRS * sums.pairs.max()
    rho = np.full(sums.pairs.shape, np.nan)
    np.divide(sums.product, sums.size, out=rho, where=enough & (sums.size > 0))
    lags = [np.argsort(sums.lag_y), np.argsort(sums.lag_x)]
    coordinates = {"lag_y": sums.lag_y[lags[0]], "lag_x": sums.lag_x[lags[1]]}
    dims = ("lag_y", "lag_x")
    found = xr.Dataset(
        {
            "correlation": (dims, rho[np.ix_(*lags)]),
            "pairs": (dims, sums.pairs[np.ix_(*lags)]),
        },
        coordinates,
        {"periodic": int(periodic), "trend": trend},
    )
    for axis in dims:
        found[axis].attrs["units"] = "m"
    return found


def radial_profile(
    a: xr.DataArray,
    b: xr.DataArray | None = None,
    *,
    periodic: bool = False,
    trend: Trend = "mean",
    largest: float | None = None,
) -> RadialProfile:
    """Average the correlation over directions, with errors.

    Parameters
    ----------
    a, b, periodic, trend
        As :func:`correlation_map`. The average over directions of rho_ab is that of rho_ba.
    largest : float, optional
        Largest distance, m; by default half of the shorter side of the map.

    Raises
    ------
    BadInputError, CannotTellError
        As :func:`correlation_map`.
    """
    first, second = _prepared(a, b, trend)
    sums = _sums(first, second, periodic)
    width = max(d for d, n in zip(first.pitch, first.values.shape, strict=True) if n > 1)
    lag = np.hypot(sums.lag_y[:, None], sums.lag_x)
    ring = np.where(lag > 0, np.maximum(np.rint(lag / width), 1), 0).astype(int)
    limit = first.side / 2 if largest is None else largest
    count = int(limit / width) + 1
    inside = (ring < count) & (sums.pairs > 0)
    pairs, product, size, way = (
        np.bincount(ring[inside], what[inside], minlength=count)
        for what in (sums.pairs, sums.product, sums.size, sums.pairs * lag)
    )
    lags = np.bincount(ring[inside], minlength=count)
    full = pairs >= LEAST_PAIRS * lags * sums.pairs[0, 0]
    full &= pairs > 0
    distance, rho = way[full] / pairs[full], product[full] / size[full]
    covariance = _covariance(first, second, distance, rho, size[full] / lags[full], periodic)
    lost = _lost(first, second, trend, width)
    return RadialProfile(distance, rho, covariance, pairs[full], lost, first.side)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over pairs of pixels at every lag, in the order of an FFT, shape (rows, columns)."""

    product: Array
    size: Array
    """What the product could be at most."""
    pairs: Array
    lag_y: Array
    lag_x: Array


def _prepared(a: xr.DataArray, b: xr.DataArray | None, trend: Trend) -> tuple[Field, Field]:
    """Return both maps less their trends; missing pixels stay NaN."""
    fields = (field_of(a),) * 2 if b is None else pair_of(a, b)
    flat = []
    for field in fields:
        rest = without_trend(field.values, field.known, trend)
        flat.append(Field(field.name, np.where(field.known, rest, np.nan), field.pitch))
    return flat[0], flat[1]


def _padded(shape: tuple[int, ...], periodic: bool) -> tuple[int, int]:
    rows, columns = shape
    if periodic:
        return rows, columns
    return fft.next_fast_len(2 * rows - 1, real=True), fft.next_fast_len(2 * columns - 1, real=True)


def _sums(a: Field, b: Field, periodic: bool) -> _Sums:
    shape = _padded(a.values.shape, periodic)
    of_a, of_b = ((np.nan_to_num(f.values), f.known.astype(float)) for f in (a, b))
    A, A2, MA = (fft.rfft2(part, shape) for part in (of_a[0], of_a[0] ** 2, of_a[1]))
    B, B2, MB = (fft.rfft2(part, shape) for part in (of_b[0], of_b[0] ** 2, of_b[1]))
    product, size_a, size_b, pairs = (
        fft.irfft2(one * np.conj(other), shape)
        for one, other in ((A, B), (A2, MB), (MA, B2), (MA, MB))
    )
    pairs = np.rint(pairs)
    size = np.where(pairs > 0, np.sqrt(np.maximum(size_a, 0) * np.maximum(size_b, 0)), 0.0)
    lag_y, lag_x = (np.rint(np.fft.fftfreq(n) * n) * d for n, d in zip(shape, a.pitch, strict=True))
    return _Sums(product, size, pairs, lag_y, lag_x)


def _spectra(a: Field, b: Field, periodic: bool) -> tuple[Array, Array, Array, Array, Array]:
    """Return wave numbers (1/m), how many ordinates have each, and the spectra S_a, S_b, S_ab."""
    shape = _padded(a.values.shape, periodic)
    A, B = (fft.fft2(np.nan_to_num(f.values), shape) for f in (a, b))
    k_y, k_x = (2 * np.pi * np.fft.fftfreq(n, d) for n, d in zip(shape, a.pitch, strict=True))
    k = np.hypot(k_y[:, None], k_x)
    step = max(2 * np.pi / (n * d) for n, d in zip(shape, a.pitch, strict=True) if n > 1)
    ring = np.rint(k / step).astype(int).ravel()
    counts = np.bincount(ring)
    spectra = [np.abs(A) ** 2, np.abs(B) ** 2, (A * np.conj(B)).real, k]
    Sa, Sb, Sab, mean_k = (np.bincount(ring, s.ravel()) / counts for s in spectra)
    return mean_k, counts.astype(float), Sa, Sb, Sab


def _covariance(
    a: Field, b: Field, distance: Array, rho: Array, size: Array, periodic: bool
) -> Array:
    """Return the covariance of radial averages; `size` is the mean divisor of a lag in each ring."""
    k, n, Sa, Sb, Sab = _spectra(a, b, periodic)
    ordinates = float(n.sum())
    line = 1 in a.values.shape
    wave = np.cos if line else special.j0
    U = wave(np.outer(distance, k)) / size[:, None] / ordinates
    A, B = (float(n @ S) / ordinates for S in (Sa, Sb))
    oversampled = ordinates / _area(a.known & b.known)
    independent = n / (2 * oversampled)  # ordinates behind each average: its square is too large
    n = n * independent / (independent + 1)
    of_size = n * (Sa * Sab / A + Sb * Sab / B) / ordinates
    both = float(n @ (Sa**2 / A**2 + Sb**2 / B**2 + 2 * Sab**2 / (A * B))) / ordinates**2
    mixed = np.outer(U @ of_size, rho) / 2
    cov = (U * (n * (Sa * Sb + Sab**2) / 2)) @ U.T - mixed - mixed.T + np.outer(rho, rho) * both / 4
    result: Array = 2 * oversampled * cov
    return result


def _area(known: Mask) -> float:
    """Return the area that was looked at, pixels; single missing pixels inside it count as seen."""
    seen = ndimage.uniform_filter(known.astype(float), 5, mode="reflect")
    return float(seen.sum() ** 2 / (seen**2).sum())


def _lost(a: Field, b: Field, trend: Trend, width: float) -> tuple[Array, Array]:
    """Return distances and weights that tell how much variance a trend takes with it."""
    known = a.known & b.known
    basis = trend_terms(known, trend)
    shape = _padded(known.shape, periodic=False)
    weights = np.zeros(shape)
    for term in basis.T:
        spread = np.zeros(known.shape)
        spread[known] = term
        weights += fft.irfft2(np.abs(fft.rfft2(spread, shape)) ** 2, shape)
    lag_y, lag_x = (np.fft.fftfreq(n) * n * d for n, d in zip(shape, a.pitch, strict=True))
    lag = np.hypot(lag_y[:, None], lag_x)
    ring = np.rint(lag / width).astype(int).ravel()
    total: Array = np.bincount(ring, weights.ravel()) / float(known.sum())
    return width * np.arange(len(total), dtype=float), total

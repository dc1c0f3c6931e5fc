"""How much a quantity scatters over a map, and how much of that is only the noise of the fits.

A fitted value is x_i = mu + intrinsic scatter + noise, with the stated standard deviation s_i of
the noise: x_i ~ N(mu, sigma^2 + s_i^2). The intrinsic sigma maximises the restricted likelihood
(mu integrated out, so that few values are not biased),

    ln L = 1/2 [sum ln w_i - ln sum w_i - sum w_i (x_i - mu)^2],  w_i = 1 / (sigma^2 + s_i^2)

and a homogeneous sample has sigma = 0: then sum (x_i - mu)^2 / s_i^2 follows chi-square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

FEWEST = 10
"""Fewer values than this have no distribution."""
OUTLIER = 5.0
"""Values further from the median than so many (robust) standard deviations are left out."""
FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a normal distribution of sigma 1."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The scatter of a quantity, in its own unit; NaN is what cannot be told."""

    count: int
    """Values used."""
    outliers: int
    """Values left out because they lie far off."""
    mean: float
    mean_std: float
    """As if the values were independent; see :mod:`stm_daq.analysis.space.resampling` for maps."""
    median: float
    sigma: float
    """Standard deviation of the values: intrinsic scatter and noise together."""
    sigma_std: float
    fwhm: float
    """Full width at half maximum of the distribution."""
    gauss_mean: float
    """Of a Gaussian fitted to the histogram."""
    gauss_sigma: float
    gauss_sigma_std: float
    noise: float
    """The part of `sigma` that is noise of the fits: rms of their standard deviations."""
    intrinsic: float
    """The scatter without it, at least 0."""
    intrinsic_std: float
    """NaN if `intrinsic` is 0: `intrinsic_limit` then says how large it may be."""
    intrinsic_limit: float
    """95 % upper limit of the intrinsic scatter."""
    p_value: float
    """Probability of so much scatter if there were nothing but noise."""


def spread_of(values: Array, std: Array | None = None) -> Spread:
    """Summarise the scatter of fitted values.

    Parameters
    ----------
    values : array_like
        Any shape and unit; NaN = missing.
    std : array_like, optional
        Standard deviations stated by the fits, same shape and unit. Values without one are left
        out. Without it nothing is said about noise and intrinsic scatter.

    Raises
    ------
    BadInputError
        If the shapes differ.
    CannotTellError
        If there are fewer than `FEWEST` values, or all are equal.
    """
    x = np.asarray(values, dtype=float).ravel()
    s = np.zeros(len(x)) if std is None else np.asarray(std, dtype=float).ravel()
    if len(s) != len(x):
        raise BadInputError(f"{len(x)} values but {len(s)} standard deviations")
    some = np.isfinite(x) & np.isfinite(s) & ((s > 0) | (std is None))
    x, s = x[some], s[some]
    if len(x) < FEWEST:
        raise CannotTellError(
            f"{len(x)} values with a standard deviation: a distribution needs at least {FEWEST}"
        )
    if np.ptp(x) <= 1e-12 * np.abs(x).max():
        raise CannotTellError(f"all {len(x)} values are equal: they were not measured one by one")
    inside = _inside(x, s)
    x, s = x[inside], s[inside]
    gauss_mean, gauss_sigma, gauss_sigma_std = _gauss(x)
    sigma = float(np.std(x, ddof=1))
    noise = intrinsic = intrinsic_std = limit = p_value = math.nan
    if std is not None:
        noise = math.sqrt(float(np.mean(s**2)))
        intrinsic, intrinsic_std, limit = intrinsic_sigma(x, s)
        w = 1 / s**2
        misfit = float((w * (x - (w @ x) / w.sum()) ** 2).sum())
        p_value = float(special.chdtrc(len(x) - 1, misfit))
    return Spread(
        count=len(x), outliers=int((~inside).sum()), mean=float(x.mean()),
        mean_std=sigma / math.sqrt(len(x)), median=float(np.median(x)), sigma=sigma,
        sigma_std=_sigma_std(x, sigma), fwhm=fwhm(x), gauss_mean=gauss_mean,
        gauss_sigma=gauss_sigma, gauss_sigma_std=gauss_sigma_std, noise=noise,
        intrinsic=intrinsic, intrinsic_std=intrinsic_std, intrinsic_limit=limit, p_value=p_value,
    )  # fmt: skip


def _inside(x: Array, s: Array) -> Mask:
    """Return which values are no outliers: within `OUTLIER` of scatter and noise together."""
    away = np.abs(x - np.median(x))
    scatter = max((1.4826 * float(np.median(away))) ** 2 - float(np.median(s**2)), 0.0)
    allowed = np.sqrt(scatter + s**2)
    if not np.any(allowed > 0):
        return np.ones(len(x), dtype=np.bool_)
    inside: Mask = away <= OUTLIER * allowed
    return inside


def _sigma_std(x: Array, sigma: float) -> float:
    """Return the error of a standard deviation, from the fourth moment of the values."""
    fourth = float(np.mean((x - x.mean()) ** 4))
    return math.sqrt(max(fourth - sigma**4, 0.0) / len(x)) / (2 * sigma)


def intrinsic_sigma(x: Array, s: Array) -> tuple[float, float, float]:
    """Return the intrinsic scatter, its standard deviation and its 95 % upper limit.

    Parameters
    ----------
    x, s : ndarray, shape (n,)
        Values and the standard deviations of their noise, all finite, s > 0.
    """
    unit = float(np.std(x))  # variances in this unit, so that a root finder's tolerance suits
    x, s2 = (x - x.mean()) / unit, (s / unit) ** 2
    most = 1e-12 + 2 * float(np.var(x))
    best = 0.0
    if _slope(0.0, x, s2) > 0:
        while _slope(most, x, s2) > 0:
            most *= 2
        best = optimize.brentq(_slope, 0.0, most, args=(x, s2), xtol=1e-12)
    w = 1 / (best + s2)
    sigma = math.sqrt(best)
    std = math.sqrt(2 / float((w**2).sum())) / (2 * sigma) if best > 0 else math.nan
    top = _log_likelihood(best, x, s2)

    def above(variance: float) -> float:
        return top - _log_likelihood(variance, x, s2) - 1.3528  # chi-square(1) of 90 %, halved

    far = max(most, 2 * best)
    while above(far) < 0:
        far *= 2
    limit = math.sqrt(optimize.brentq(above, best, far, xtol=1e-12))
    return sigma * unit, std * unit, limit * unit


def _log_likelihood(variance: float, x: Array, s2: Array) -> float:
    w = 1 / (variance + s2)
    total = float(w.sum())
    misfit = float((w * (x - (w @ x) / total) ** 2).sum())
    return 0.5 * (float(np.log(w).sum()) - math.log(total) - misfit)


def _slope(variance: float, x: Array, s2: Array) -> float:
    """Return the derivative of the log likelihood by the intrinsic variance."""
    w = 1 / (variance + s2)
    total = float(w.sum())
    misfit = float((w**2 * (x - (w @ x) / total) ** 2).sum())
    return 0.5 * (misfit - total + float((w**2).sum()) / total)


def _gauss(x: Array) -> tuple[float, float, float]:
    """Fit a Gaussian to the histogram; return mean, sigma and its error (NaN if it fails)."""
    quartiles = np.percentile(x, [25, 75])
    width = 2 * float(quartiles[1] - quartiles[0]) * len(x) ** (-1 / 3)  # Freedman-Diaconis
    bins = int(np.clip(np.ptp(x) / width, 8, 200)) if width > 0 else 8
    counts, edges = np.histogram(x, bins)
    centres, step = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    sigma = float(np.std(x))

    def curve(x: Array, mean: float, sigma: float, number: float) -> Array:
        height = number * step / (math.sqrt(2 * math.pi) * abs(sigma))
        found: Array = height * np.exp(-(((x - mean) / sigma) ** 2) / 2)
        return found

    start = (float(np.median(x)), sigma, float(len(x)))
    try:
        found, covariance = optimize.curve_fit(
            curve, centres, counts, start, sigma=np.sqrt(np.maximum(counts, 1.0)),
            absolute_sigma=True,
        )  # fmt: skip
    except RuntimeError:  # no convergence: a distribution far from a Gaussian
        return math.nan, math.nan, math.nan
    return float(found[0]), abs(float(found[1])), math.sqrt(float(covariance[1, 1]))


def fwhm(values: Array) -> float:
    """Return the full width at half maximum of the distribution of `values`, same unit.

    The distribution is smoothed by a Gaussian of Silverman's width (0.9 min(std, IQR/1.34)
    n^-1/5; B. W. Silverman, Density Estimation, 1986, eq. 3.31), whose own broadening is taken
    out in quadrature. NaN for fewer than ten values or a width of zero.
    """
    if len(values) < FEWEST:
        return math.nan
    quartiles = np.percentile(values, [25, 75])
    narrow = min(float(np.std(values)), float(quartiles[1] - quartiles[0]) / 1.34)
    if narrow <= 0:
        return math.nan
    width = 0.9 * narrow * len(values) ** -0.2
    grid = np.linspace(values.min() - 3 * width, values.max() + 3 * width, 512)
    counts, edges = np.histogram(values, bins=2048, range=(grid[0], grid[-1]))
    centres = (edges[1:] + edges[:-1]) / 2
    density = np.exp(-(((grid[:, None] - centres) / width) ** 2) / 2) @ counts
    above = grid[density >= density.max() / 2]
    return math.sqrt(max(float(above[-1] - above[0]) ** 2 - (FWHM * width) ** 2, 0.0))

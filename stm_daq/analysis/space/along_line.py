"""Does a quantity change along a line, and are neighbours alike?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.space.correlation import radial_profile
from stm_daq.analysis.space.correlation_length import correlation_length
from stm_daq.errors import CannotTellError

type Array = NDArray[np.float64]

FEWEST = 10
"""With fewer values nothing can be said about a course."""
PERMUTATIONS = 1999
SEED = 20260212
ALIKE = 0.05
"""Level at which neighbours are called alike."""
UNEVEN = 0.05
"""Steps may differ by so much of their mean."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a quantity runs along a line."""

    trend: float
    """Of the straight line through the values, their unit per m."""
    trend_std: float
    """With the correlation of neighbours taken into account."""
    trend_p: float
    """Probability of such a trend or a steeper one by chance."""
    neighbours: float
    """Correlation of values one step apart, the noise of the fits included."""
    neighbours_p: float
    """Probability of so large a correlation by chance."""
    length: float
    """Distance over which the correlation of what is no noise falls to 1/e, m; NaN if neighbours are not
    alike at the 5 % level, or the line does not tell."""
    length_std: float
    step: float
    """Distance of neighbouring sites, m."""
    independent: float
    """Number of independent values that have the same standard error of the mean."""
    independent_squares: float
    """The same for the standard deviation."""


def course_along(distance: Array, values: Array) -> Course:
    """Test a quantity along a line for a trend and for a correlation of neighbours.

    The trend is fitted by least squares; its variance is that of independent values times
    1 + 2 sum of the autocorrelations r_k of what is left, up to the first that is not positive
    (G. V. Bayley, J. M. Hammersley, J. R. Stat. Soc. Suppl. 8, 184 (1946)): of lines without a trend,
    of 50 to 200 values in grains of 1 to 10, 4 to 5 % have one at the 5 % level. Neighbours are tested
    by permutations. The length is that of
    :func:`stm_daq.analysis.space.correlation_length.correlation_length`.

    Parameters
    ----------
    distance : ndarray, shape (m,)
        m, evenly spaced.
    values : ndarray, shape (m,)
        NaN where there is none.

    Raises
    ------
    CannotTellError
        With fewer than `FEWEST` values, values that are all the same, or places that are unknown or
        uneven.
    """
    known = np.isfinite(values)
    if known.sum() < FEWEST:
        raise CannotTellError(
            f"{int(known.sum())} values along the line: a course needs at least {FEWEST}"
        )
    if not np.isfinite(distance).all():
        raise CannotTellError("where along the line the spectra were taken is not known")
    steps = np.diff(distance)
    if np.ptp(steps) > UNEVEN * np.abs(np.mean(steps)):
        raise CannotTellError("the sites are not evenly spaced: neighbours cannot be compared")
    if np.ptp(values[known]) <= 1e-12 * np.max(np.abs(values[known])):
        raise CannotTellError("all values along the line are the same: this is not a measurement")
    slope, rest = _without_trend(distance, values)
    count, correlations = int(known.sum()), _autocorrelations(rest)
    # without its straight line a series seems less correlated than it is, by about this much
    corrected = correlations + _excess(correlations) / count
    excess = _excess(corrected)
    variance = _slope_variance(distance[known], rest[known], excess)
    p = _neighbours_p(rest)
    length, length_std = _length(distance, values) if p < ALIKE else (math.nan, math.nan)
    return Course(
        trend=slope,
        trend_std=math.sqrt(variance),
        trend_p=_two_sided(slope / math.sqrt(variance), count / excess - 2.0),
        neighbours=float(correlations[0]),
        neighbours_p=p,
        length=length,
        length_std=length_std,
        step=float(np.abs(np.mean(steps))),
        independent=count / excess,
        independent_squares=count / _excess(corrected**2),
    )


def _without_trend(distance: Array, values: Array) -> tuple[float, Array]:
    """Return the slope of the straight line through the values and what is left, NaN as before."""
    known = np.isfinite(values)
    slope, level = np.polyfit(distance[known], values[known], 1)
    return float(slope), values - (level + slope * distance)


def _slope_variance(distance: Array, rest: Array, excess: float) -> float:
    """Return the variance of a slope; `excess` values are worth one independent value."""
    size = np.sum((distance - distance.mean()) ** 2)
    freedom = max(len(rest) - 2.0 * excess, 1.0)
    return float(excess * np.sum(rest**2) / freedom / size)


def _autocorrelations(rest: Array) -> Array:
    """Return r_k for k = 1 up to a quarter of the line; pairs of which one is missing do not count."""
    found = []
    for lag in range(1, max(len(rest) // 4, 1) + 1):
        pairs = np.isfinite(rest[lag:]) & np.isfinite(rest[:-lag])
        one, other = rest[lag:][pairs], rest[:-lag][pairs]
        size = float(np.sqrt((one @ one) * (other @ other)))
        found.append(float(one @ other) / size if size > 0.0 else 0.0)
    return np.array(found)


def _excess(correlations: Array) -> float:
    """Return 1 + 2 sum r_k up to the first that is not positive."""
    ends = np.flatnonzero(correlations <= 0.0)
    kept = correlations[: ends[0]] if len(ends) else correlations
    return float(1.0 + 2.0 * np.sum(kept))


def _neighbours_p(rest: Array) -> float:
    """Return how probable the correlation of neighbours is if the order does not matter.

    NaN where no two neighbours are known.
    """
    known = np.isfinite(rest)
    if not (known[1:] & known[:-1]).any():
        return math.nan
    rng = np.random.default_rng(SEED)
    orders = np.tile(rest, (PERMUTATIONS, 1))
    orders[:, known] = rng.permuted(np.tile(rest[known], (PERMUTATIONS, 1)), axis=1)
    every = np.concatenate([rest[None], orders])
    products = np.nanmean(every[:, 1:] * every[:, :-1], axis=1)
    return float(np.mean(products >= products[0] - 1e-12 * abs(products[0])))


def _length(distance: Array, values: Array) -> tuple[float, float]:
    """Return the correlation length and its standard deviation; NaN if the line does not tell."""
    import xarray as xr

    line = xr.DataArray(values[None], {"y": [0.0], "x": distance}, ("y", "x"))
    try:
        found = correlation_length(radial_profile(line, trend="plane"))
    except CannotTellError:
        return math.nan, math.nan
    return found.length, found.length_std


def _two_sided(t: float, degrees: float) -> float:
    """Return the probability of Student's |t| or more."""
    from scipy.special import stdtr

    return float(2.0 * stdtr(max(degrees, 1.0), -abs(t)))

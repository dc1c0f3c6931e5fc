"""Does a quantity stay what it was? Trend, level, Allan deviation and jumps of a series in time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stm_daq.analysis.maps.images import is_constant, robust_std
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

LEAST = 32
BLOCKS = 64
"""Trend and level are tested on the means of so many blocks, or fewer."""
BLOCKS_LEAST = 16
INDEPENDENT = 0.2
"""Blocks are made longer until neighbours are correlated less than this."""
LEVEL = 0.01
"""Probability of calling a stationary series one that drifts."""
WANDERS = 0.025
"""The same for a level that is not constant: few blocks tell less."""
KPSS = ((0.347, 0.10), (0.463, 0.05), (0.574, 0.025), (0.739, 0.01))
"""Statistic of the test and its p-value: D. Kwiatkowski et al., J. Econometrics 54, 159 (1992),
table 1, level."""
RISING = 0.9
"""Allan deviation of the longest average over the largest, from which on a series wanders."""
SHORTEST = 12
"""Values on each side of a jump."""
WHITE = -0.4
"""Differences of blocks that are more alike than this show slow noise."""
JUMP = 2.0
"""Largest of a Brownian bridge, which is exceeded in 0.07 % of all cases."""


@dataclass(frozen=True, slots=True)
class Jump:
    """A place in a series where the mean changes at once."""

    time: float
    """Of the first value afterwards, s."""
    before: float
    """Mean between the jump before and this one."""
    after: float
    p_value: float
    """Of a larger excursion in a series without jumps."""

    @property
    def size(self) -> float:
        """After minus before."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Stationarity:
    """What became of a quantity in time."""

    count: int
    mean: float
    std: float
    tau: float
    """Kendall's rank correlation with time, of block means."""
    trend_p: float
    """Its p-value."""
    slope: float
    """Median of the slopes between all blocks (Theil and Sen), unit/s."""
    slope_low: float
    """95 % interval."""
    slope_high: float
    kpss: float
    """Statistic of Kwiatkowski, Phillips, Schmidt and Shin for a constant level."""
    kpss_p: float
    """Between 0.01 and 0.1, where the table ends."""
    allan_time: Array
    """Averaging times, s."""
    allan: Array
    """Allan deviation at those times; unit of the quantity."""
    jumps: tuple[Jump, ...]

    @property
    def verdict(self) -> str:
        """One word: "jumps", "drifts", "wanders" or "stationary"."""
        if self.jumps:
            return "jumps"
        if self.trend_p < LEVEL:
            return "drifts"
        return "wanders" if self.kpss_p <= WANDERS or self._grows else "stationary"

    @property
    def _grows(self) -> bool:
        """Whether longer averages differ as much as any: averaging does not help, as in a walk."""
        return len(self.allan) >= 4 and bool(self.allan[-1] >= RISING * self.allan.max())


def stationarity(values: Array, time: Array) -> Stationarity:
    """Test whether a series is stationary.

    Parameters
    ----------
    values : array
        Any shape and unit; NaN = missing.
    time : array
        When each was measured, s, same shape.

    Raises
    ------
    BadInputError
        If the shapes differ.
    CannotTellError
        If fewer than 32 values are known, or all are the same.
    """
    from scipy import stats

    t, v = _in_time(values, time)
    block_t, block_v = _blocks(t, v)
    tau = stats.kendalltau(block_t, block_v)
    sen = stats.theilslopes(block_v, block_t - block_t[0], 0.95)
    statistic, kpss_p = kpss(block_v)
    allan_time, allan = allan_deviation(v, float(np.median(np.diff(t))))
    return Stationarity(
        count=len(v),
        mean=float(v.mean()),
        std=float(v.std()),
        tau=float(tau.statistic),
        trend_p=float(tau.pvalue),
        slope=float(sen[0]),
        slope_low=float(sen[2]),
        slope_high=float(sen[3]),
        kpss=statistic,
        kpss_p=kpss_p,
        allan_time=allan_time,
        allan=allan,
        jumps=jumps_of(v, t),
    )


def _in_time(values: Array, time: Array) -> tuple[Array, Array]:
    if np.shape(values) != np.shape(time):
        raise BadInputError(f"values of shape {np.shape(values)}, times of shape {np.shape(time)}")
    v, t = np.ravel(values).astype(np.float64), np.ravel(time).astype(np.float64)
    known = np.isfinite(v) & np.isfinite(t)
    order = np.argsort(t[known], kind="stable")
    v, t = v[known][order], t[known][order]
    if len(v) < LEAST:
        raise CannotTellError(f"{len(v)} values are known; a series needs {LEAST}")
    if is_constant(v):
        raise CannotTellError("the value is the same at all times: nothing can be tested")
    if t[0] == t[-1]:
        raise CannotTellError("all values were measured at the same time")
    return t, v


def _blocks(t: Array, v: Array) -> tuple[Array, Array]:
    """Average over blocks that are hardly correlated, as far as there are enough of them."""
    count = min(BLOCKS, len(v) // 2)
    while True:
        means = [np.array([part.mean() for part in np.array_split(one, count)]) for one in (t, v)]
        rest = means[1] - np.polyval(np.polyfit(means[0] - t[0], means[1], 1), means[0] - t[0])
        power = float(np.sum(rest**2))
        correlation = float(np.sum(rest[1:] * rest[:-1])) / power if power > 0 else 0.0
        if correlation < INDEPENDENT or count // 2 < BLOCKS_LEAST:
            return means[0], means[1]
        count //= 2


def kpss(values: Array) -> tuple[float, float]:
    """Test for a constant level against a random walk.

    D. Kwiatkowski, P. C. B. Phillips, P. Schmidt and Y. Shin, J. Econometrics 54, 159 (1992), eq. 11,
    with the long-run variance of W. K. Newey and K. D. West, Econometrica 55, 703 (1987) over
    4 (n/100)^(1/4) lags.

    Returns
    -------
    statistic, p_value : float
        The p-value is limited to 0.01 to 0.1.
    """
    rest = values - values.mean()
    n = len(rest)
    lags = int(4 * (n / 100) ** 0.25)
    variance = float(rest @ rest) / n
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(rest[lag:] @ rest[:-lag]) / n
    if variance <= 0:
        return 0.0, KPSS[0][1]
    statistic = float(np.sum(np.cumsum(rest) ** 2)) / (n**2 * variance)
    table = np.array(KPSS)
    return statistic, float(np.interp(statistic, table[:, 0], table[:, 1]))


def allan_deviation(values: Array, interval: float) -> tuple[Array, Array]:
    """Return averaging times (s) and the Allan deviation of evenly measured values.

    sigma^2(tau) = <(mean of next tau - mean of this tau)^2> / 2 (D. W. Allan, Proc. IEEE 54, 221
    (1966)), for averages over 1, 2, 4, ... values, at least eight averages each.
    """
    times, deviations = [], []
    size = 1
    while len(values) // size >= 8:
        count = len(values) // size
        means = values[: count * size].reshape(count, size).mean(axis=1)
        times.append(size * interval)
        deviations.append(math.sqrt(float(np.mean(np.diff(means) ** 2)) / 2))
        size *= 2
    return np.array(times), np.array(deviations)


def jumps_of(values: Array, time: Array) -> tuple[Jump, ...]:
    """Find where the mean of a series changes at once.

    Binary segmentation with the largest cumulated sum, whose distribution is that of a Brownian
    bridge: P(max > c) = 2 sum (-1)^(j+1) exp(-2 j^2 c^2). The noise comes from differences of short
    block means, which see neither jumps nor drift, but slow noise. A jump has to describe its
    stretch better than a line: drift is none.

    Parameters
    ----------
    values : ndarray
        Shape (n,), in the order of time, no NaN.
    time : ndarray
        Shape (n,), s.
    """
    noise = _slow_noise(values)
    edges = sorted(_split(values, 0, len(values), noise)) if noise > 0 else []
    bounds = [0, *(edge for edge, _ in edges), len(values)]
    means = [float(values[a:b].mean()) for a, b in pairwise(bounds)]
    return tuple(
        Jump(float(time[edge]), means[i], means[i + 1], p) for i, (edge, p) in enumerate(edges)
    )


def _slow_noise(values: Array) -> float:
    """Return the noise that a mean over many values has, for one value: slow noise counts for more.

    Blocks are made longer until the differences of their means are those of white noise, of which
    one and the next have the correlation -0.5.
    """
    size = 1
    while True:
        count = len(values) // size
        steps = np.diff(values[: count * size].reshape(count, size).mean(axis=1))
        spread = robust_std(steps)
        held = np.clip(steps, -3 * spread, 3 * spread)  # a jump is one large step
        power = float(held @ held)
        white = power == 0 or float(held[1:] @ held[:-1]) / power < WHITE
        if white or count // 2 < BLOCKS_LEAST:
            return math.sqrt(size / 2) * spread
        size *= 2


def _split(values: Array, start: int, end: int, noise: float) -> list[tuple[int, float]]:
    """Return the jumps between two places: their index and p-value."""
    part = values[start:end]
    n = len(part)
    if n < 2 * SHORTEST:
        return []
    bridge = np.cumsum(part - part.mean())[SHORTEST - 1 : n - SHORTEST] / (noise * math.sqrt(n))
    at = int(np.argmax(np.abs(bridge)))
    height, edge = float(abs(bridge[at])), at + SHORTEST
    if height < JUMP or not (_step_beats_line(part, edge) and _is_abrupt(part, edge)):
        return []
    p = 2 * sum((-1) ** (j + 1) * math.exp(-2 * (j * height) ** 2) for j in range(1, 6))
    left = _split(values, start, start + edge, noise)
    return [*left, (start + edge, p), *_split(values, start + edge, end, noise)]


def _is_abrupt(part: Array, edge: int) -> bool:
    """Return whether half of the step is there at once.

    The means of so many values on both sides are compared as are needed to see it in the noise.
    """
    step = abs(float(part[edge:].mean() - part[:edge].mean()))
    noise = robust_std(np.diff(part)) / math.sqrt(2)
    wanted = 32 * (noise / step) ** 2 if step > 0 else math.inf
    near = int(min(max(wanted, SHORTEST / 2), edge, len(part) - edge))
    after, before = part[edge : edge + near].mean(), part[edge - near : edge].mean()
    return abs(float(after - before)) > 0.5 * step


def _step_beats_line(part: Array, edge: int) -> bool:
    x = np.linspace(-1, 1, len(part))
    line = part - np.polyval(np.polyfit(x, part, 1), x)
    before, after = part[:edge], part[edge:]
    step = np.sum((before - before.mean()) ** 2) + np.sum((after - after.mean()) ** 2)
    return float(step) < float(np.sum(line**2))

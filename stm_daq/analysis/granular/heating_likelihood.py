"""Likelihood of the heating model: linear in Tn and in dT of every region, once r is known.

Sites are indexed by i, regions by g; w = (1 + Z^2) / (r + 1 + Z^2), T = Tn + dT_g w. The residual of a
site, d = T - Tn - dT w, counts in units of sqrt(v), v = s_T^2 + (dT w' s_Z)^2: to first order
the distance of the point from the curve (errors in both variables).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import CannotTellError
from stm_daq.records import Array

FREEDOM = 4.0
"""Degrees of freedom of Student's distribution of the residuals."""
SMALLEST, LARGEST = 1e-2, 1e4
"""r that are tried."""
COARSE = 11
STEPS = 5
ROUNDS = 60
REACH = 4.0
"""By how much chi-square has to grow on both sides of r: two standard deviations."""


@dataclass(frozen=True)
class Measured:
    """Sites that the model is fitted to; arrays of shape (n,)."""

    temperature: Array
    temperature_std: Array
    """K, with any further scatter in it."""
    barrier: Array
    barrier_std: Array
    group: NDArray[np.int64]
    """Number of the region of each site, from 0; none is missing."""

    def sums(self, values: Array) -> Array:
        """Add up over each region."""
        return np.bincount(self.group, values)


@dataclass(frozen=True)
class Solution:
    """The most likely Tn and dT at one r; variances as if residuals were normal."""

    ratio: float
    base: float
    rises: Array
    """Of every region, K."""
    base_variance: float
    rise_variances: Array
    mean_variance: float
    """Of the mean of `rises`."""
    misfit: float
    """-2 ln L but for a constant."""
    pull: Array
    """Residuals over their standard deviations, shape (n,)."""
    residual: Array
    """K."""
    slope: Array
    """dT/dZ at the sites, K."""

    @property
    def mean_rise(self) -> float:
        """Mean of `rises`, K."""
        return float(self.rises.mean())


def solve_at(data: Measured, ratio: float, start: Solution | None = None) -> Solution:
    """Maximise the likelihood over Tn and dT at this r, by reweighted Gauss-Newton steps.

    Student's likelihood can have several maxima where a region holds sites of another; the first
    weights are those of a convex problem, so that neighbouring r find the same one.
    """
    curve = _Curve.of(data, ratio)
    base, rises = _start(data, curve.w) if start is None else (start.base, start.rises)
    for weigh in (_weight_convex, _weight_student):
        for _ in range(ROUNDS):
            pull, by_base, by_rise = curve.residuals(base, rises)
            weight = weigh(pull)
            diagonal = np.maximum(data.sums(weight * by_rise**2), 1e-30)
            mixed = data.sums(weight * by_rise * by_base) / diagonal
            gain = data.sums(weight * by_rise * pull)
            left = float((weight * by_base**2).sum() - (mixed**2 * diagonal).sum())
            left = max(left, 1e-30)
            step = (float((weight * by_base * pull).sum()) - float(mixed @ gain)) / left
            change = gain / diagonal - mixed * step
            base, rises = base + step, rises + change
            if abs(step) + float(np.abs(change).max()) < 1e-5:
                break
    pull, by_base, _ = curve.residuals(base, rises)
    return Solution(
        ratio=ratio,
        base=base,
        rises=rises,
        base_variance=1 / left,
        rise_variances=1 / diagonal + mixed**2 / left,
        mean_variance=float((1 / diagonal).mean() / len(rises) + mixed.mean() ** 2 / left),
        misfit=float((FREEDOM + 1) * np.log1p(pull**2 / FREEDOM).sum()),
        pull=pull,
        residual=pull / by_base,
        slope=rises[data.group] * curve.per_barrier,
    )


def _weight_convex(pull: Array) -> Array:
    return 1 / np.sqrt(1 + pull**2 / FREEDOM)


def _weight_student(pull: Array) -> Array:
    return (FREEDOM + 1) / (FREEDOM + pull**2)


def _start(data: Measured, w: Array) -> tuple[float, Array]:
    base = float(np.percentile(data.temperature, 2))
    return base, data.sums((data.temperature - base) * w) / data.sums(w**2)


@dataclass(frozen=True)
class _Curve:
    """The model at one r: T = Tn + dT w."""

    data: Measured
    w: Array
    per_barrier: Array
    """dw/dZ."""

    @classmethod
    def of(cls, data: Measured, ratio: float) -> _Curve:
        u = 1 + data.barrier**2
        return cls(data, u / (ratio + u), 2 * data.barrier * ratio / (ratio + u) ** 2)

    def residuals(self, base: float, rises: Array) -> tuple[Array, Array, Array]:
        """Return the residuals over sqrt(v), and minus their derivatives by Tn and by dT."""
        data, rise = self.data, rises[self.data.group]
        blur = (self.per_barrier * data.barrier_std) ** 2
        v = data.temperature_std**2 + rise**2 * blur
        residual, root = data.temperature - base - rise * self.w, np.sqrt(v)
        return residual / root, 1 / root, (self.w + residual * rise * blur / v) / root


@dataclass(frozen=True)
class Profile:
    """The likelihood along r, all else at its best."""

    best: Solution
    around: tuple[Solution, ...]
    """In order of r, within a few standard deviations of the best."""
    excess: Array
    """Growth of chi-square over the best, shape (len(around),)."""
    inflation: float
    """Factor of all variances: residuals are not normal."""

    @property
    def ratio_interval(self) -> tuple[float, float]:
        """Where r ends: excess 1 over the best."""
        logs, k = np.log([s.ratio for s in self.around]), self.around.index(self.best)
        below = np.interp(1.0, self.excess[k::-1], logs[k::-1])
        above = np.interp(1.0, self.excess[k:], logs[k:])
        return math.exp(below), math.exp(above)

    def interval(self, value: Array, variance: Array) -> tuple[Array, Array]:
        """Return where another parameter ends: excess 1 over the best, whatever r is.

        Parameters
        ----------
        value, variance : ndarray
            At every solution of `around`, shape (solutions, ...): at fixed r chi-square is a
            parabola around the value with this variance.
        """
        within = self.excess <= 1
        rest = (1 - self.excess[within]).reshape(-1, *(1,) * (value.ndim - 1))
        reach = np.sqrt(self.inflation * variance[within] * rest)
        low: Array = (value[within] - reach).min(axis=0)
        high: Array = (value[within] + reach).max(axis=0)
        return low, high


def most_likely(data: Measured) -> Solution:
    """Find the r of the highest likelihood."""
    from scipy.optimize import minimize_scalar

    coarse = np.linspace(math.log(SMALLEST), math.log(LARGEST), COARSE)
    solutions = _solve_all(data, coarse)
    lowest = int(np.argmin([s.misfit for s in solutions]))
    near = solutions[lowest]
    found = minimize_scalar(
        lambda log: solve_at(data, math.exp(log), near).misfit,
        bounds=(coarse[max(lowest - 1, 0)], coarse[min(lowest + 1, COARSE - 1)]),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return solve_at(data, math.exp(float(found.x)), near)


def profile(data: Measured) -> Profile:
    """Find the most likely r and follow the likelihood around it.

    Raises
    ------
    CannotTellError
        If r has no bounds.
    """
    best = most_likely(data)
    inflation, scale = _calibration(best.pull)
    sides = (math.log(SMALLEST), math.log(LARGEST))
    ends = [_end(data, best, side, scale) for side in sides]
    below = _solve_all(data, np.linspace(ends[0], math.log(best.ratio), STEPS + 1)[:-1], best)
    above = _solve_all(data, np.linspace(math.log(best.ratio), ends[1], STEPS + 1)[1:], best)
    around = (*below, best, *above)
    excess = np.array([(s.misfit - best.misfit) / scale for s in around])
    return Profile(best, around, excess, inflation)


def _solve_all(data: Measured, logs: Array, start: Solution | None = None) -> list[Solution]:
    solutions: list[Solution] = []
    for log in logs:
        start = solve_at(data, math.exp(log), start)
        solutions.append(start)
    return solutions


def _calibration(pull: Array) -> tuple[float, float]:
    """Return the factors of variances and of growths of -2 ln L, for residuals as they are.

    With the score psi of Student's distribution, an estimate has the variance E[psi^2] / E[psi']^2
    and -2 ln L grows by E[psi^2] / E[psi'] times chi-square (P. J. Huber, E. M. Ronchetti, Robust
    Statistics, 2009, sec. 3.2 and 13); both are 1 for normal residuals under a normal score.
    """
    weight = _weight_student(pull)
    squares = float(((weight * pull) ** 2).mean())
    bend = float((weight * (FREEDOM - pull**2) / (FREEDOM + pull**2)).mean())
    bend = max(bend, 0.05)
    return float(weight.mean()) * squares / bend**2, squares / bend


def _end(data: Measured, best: Solution, side: float, scale: float) -> float:
    """Return ln r towards `side` where chi-square has grown by `REACH`."""
    from scipy.optimize import brentq

    def over(log: float) -> float:
        return (solve_at(data, math.exp(log), best).misfit - best.misfit) / scale - REACH

    if over(side) <= 0:
        beyond = (
            f"below {best.ratio:.2g}" if side < math.log(best.ratio) else f"above {best.ratio:.2g}"
        )
        raise CannotTellError(f"every r {beyond} describes them as well")
    return float(brentq(over, math.log(best.ratio), side, xtol=1e-2))

"""Verdicts on the searches of a whole map: those of `judge`, from what was measured batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting import judge as exact
from stm_daq.fitting.judge import Judgement
from stm_daq.fitting.residuals import deviate
from stm_daq.fitting.solver import Solver
from stm_daq.fitting.table_kernel_sizes import SIGNS

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]
type Mask = NDArray[np.bool_]


@dataclass
class Searches:
    """Finished searches of p spectra."""

    unit: Array
    """What the conductance was divided by; NaN where the table does not suit."""
    theta: Array
    """As in `table_kernel_search`, the offset from its centre in units of `reach`, (p, 5)."""
    centre: Index
    """Of the offset."""
    chi_square: Array
    matrix: Array
    """J^T W J of the free parameters in the units of theta, (p, f, f)."""
    settled: Mask
    rival: Array
    """Chi-square of a second minimum, infinite if there is none."""
    smooth: Array
    """Chi-square of the best smooth curve."""
    signs: Array
    """See `table_kernel_residuals`, (p, SIGNS)."""
    highest: Array
    """Largest weight of a point."""

    @classmethod
    def of(cls, count: int, free: int) -> Searches:
        """Of spectra not yet searched."""
        return cls(
            unit=np.full(count, np.nan), theta=np.zeros((count, 5)),
            centre=np.zeros(count, dtype=np.int64), chi_square=np.empty(count),
            matrix=np.empty((count, free, free)), settled=np.empty(count, dtype=np.bool_),
            rival=np.empty(count), smooth=np.empty(count), signs=np.empty((count, SIGNS)),
            highest=np.empty(count),
        )  # fmt: skip

    def take(self, at: Index | Mask) -> Searches:
        """Some of the spectra."""
        return Searches(*(getattr(self, field.name)[at] for field in fields(self)))


def judge(solver: Solver, found: Searches, theta: Array, points: int) -> Judgement:
    """Errors and flags as `judge.judge` has them; `theta` in the coordinates of the solver, (p, f)."""
    from stm_daq.fitting import table_kernel_errors

    choice = solver.choice
    reduced = found.chi_square / (points - len(choice.free))
    misfit, stretch, systematic, few_runs = _misfit(found.signs, reduced, points)
    inflation = np.where(systematic, misfit, stretch)
    sigma, correlation = np.empty_like(theta), np.empty_like(found.matrix)
    table_kernel_errors.covariances(found.matrix, inflation, sigma, correlation)
    limits: dict[str, Array] = {}
    raised: list[tuple[str, Mask]] = [
        ("not_converged", ~found.settled),
        ("model_inadequate", systematic),
        ("not_white", few_runs & ~systematic),
        ("second_minimum", found.rival - found.chi_square < exact.CLOSE * misfit),
        *exact.at_bounds(solver, theta),
        *exact.too_noisy(choice, theta, sigma),
        *exact.one_sided_limits(choice, theta, sigma, limits),
        *exact.correlated(choice, correlation),
    ]
    flags: list[tuple[str, ...]] = [()] * len(theta)
    for p in np.flatnonzero(np.any([at for _, at in raised], axis=0)).tolist():
        flags[p] = tuple(flag for flag, at in raised if at[p])
    exact.set_no_gap(flags, found.smooth, found.chi_square, misfit, points)
    std = exact.physical(choice, theta, sigma)
    return Judgement(std, correlation, reduced, misfit, inflation, limits, flags)


def some(judgement: Judgement, at: Mask) -> Judgement:
    """What is known of some of the spectra."""
    return Judgement(
        std=judgement.std[at],
        correlation=judgement.correlation[at],
        reduced=judgement.reduced[at],
        misfit=judgement.misfit[at],
        inflation=judgement.inflation[at],
        limits={name: limit[at] for name, limit in judgement.limits.items()},
        flags=[judgement.flags[p] for p in np.flatnonzero(at).tolist()],
    )


def _misfit(signs: Array, reduced: Array, points: int) -> tuple[Array, Array, Mask, Mask]:
    """See `judge._misfit` and `residuals.even_deviation`."""
    alike, power, blocks, runs, even, folded, near, far = signs.T
    stretch = (1.0 + alike) / (1.0 - alike)
    power = power / (blocks * stretch)
    whole = (reduced - 1.0) / np.sqrt(5.0 / points)
    misfit = stretch * np.maximum(1.0, np.maximum(power, reduced))
    systematic = (deviate(power, blocks) > exact.SIGNIFICANT) | (whole > exact.SIGNIFICANT)
    alike = np.clip(1.0 - near / np.where(far > 0.0, far, np.inf), 0.0, 0.9)
    even = even / folded * (1.0 - alike) / (1.0 + alike)
    wrong = deviate(even, folded) > exact.EVEN
    misfit = np.where(wrong, np.maximum(misfit, even), misfit)
    return misfit, stretch, systematic | wrong, runs < exact.FEW_RUNS

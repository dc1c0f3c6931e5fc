"""Errors of finished fits and the flags they deserve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.background import Background, inverse
from stm_daq.fitting.models import MOST_REFLECTION, Choice, family, to_value
from stm_daq.fitting.residuals import deviate, even_deviation
from stm_daq.fitting.solver import KNEES, Found, Solver, Tile

type Array = NDArray[np.float64]
type Mask = NDArray[np.bool_]

SIGNIFICANT = 4.5
"""Deviations from chance, in standard deviations, that are taken to be real."""

EVEN = 3.5
"""The same for residuals summed over both polarities. Noise alone exceeds 2 in one of 100 spectra; it
exceeds this in one of 10 000, behind a filter of three points in one of 700."""

FEW_RUNS = -4.0
"""Deviate of the number of runs below which residuals are not white."""

BLOCKS = 24
"""Blocks of neighbouring points in which residuals are summed to see whether they are systematic."""

EVIDENCE = 25.0
"""More structure in a model must lower chi-square by this many times the misfit to be believed."""

STRONG = 0.95
"""Correlation above which two parameters can hardly be told apart."""

NOISY = 0.25
"""Relative error of gap or temperature above which they count as unknown."""

CLOSE = 4.0
"""Difference in chi-square, in units of the misfit, below which a second minimum is as good."""

SEEN = 2.0
"""Standard deviations from zero (or from one, for R) at which a parameter counts as determined."""

TRANSPARENT = 3.0
"""The same for R from zero: Z is its root, and one draw of 20 of a contact without barrier would be
said to have Z = 0.12 +- 0.03."""

ONE_SIDED = 1.645
"""Standard deviations of a limit of 95 % confidence."""


@dataclass(frozen=True)
class Judgement:
    """What is known of p spectra; parameters in the order of `Choice.free`."""

    std: Array
    """Standard deviations of the physical parameters, (p, f)."""
    correlation: Array
    """(p, f, f)."""
    reduced: Array
    """Chi-square per degree of freedom."""
    misfit: Array
    inflation: Array
    """What correlated neighbours, or else a misfit, enlarge variances by."""
    limits: dict[str, Array]
    """One-sided limits where a parameter is not determined, else NaN; by name."""
    flags: list[tuple[str, ...]]


def judge(solver: Solver, tile: Tile, found: Found, background: Background) -> Judgement:
    """Errors and flags of finished searches.

    The covariance is that with every free parameter free, also those at a bound: a parameter at a
    bound does not make the others look better known.
    """
    choice = solver.choice
    reduced = found.chi_square / (tile.counts - len(choice.free))
    reduced = reduced / _expected(solver.loss, "cost")
    misfit, stretch, systematic, few_runs = _misfit(solver, tile, found, reduced)
    inflation = np.where(systematic, misfit, stretch)
    factor = inflation * _expected(solver.loss, "variance")
    covariance = inverse(found.matrix) * factor[:, None, None]
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    correlation = covariance / (sigma[:, :, None] * sigma[:, None, :])
    theta = found.theta[:, choice.index]
    limits: dict[str, Array] = {}
    raised: list[tuple[str, Mask]] = [
        ("not_converged", ~found.converged),
        ("model_inadequate", systematic),
        ("not_white", few_runs & ~systematic),
        ("second_minimum", found.rival - found.chi_square < CLOSE * misfit),
        *_at_bounds(solver, theta),
        *_too_noisy(choice, theta, sigma),
        *_limits(choice, theta, sigma, limits),
        *_correlated(choice, correlation),
    ]
    flags: list[tuple[str, ...]] = [()] * len(theta)
    for p in np.flatnonzero(np.any([at for _, at in raised], axis=0)).tolist():
        flags[p] = tuple(flag for flag, at in raised if at[p])
    if choice.model.shape.names:
        plain = background.chi_square - found.chi_square < EVIDENCE * misfit
        flags = [("no_gap",) if n else f for n, f in zip(plain, flags, strict=True)]
    std = _physical(choice, theta, sigma)
    return Judgement(std, correlation, reduced, misfit, inflation, limits, flags)


def _misfit(
    solver: Solver, tile: Tile, found: Found, reduced: Array
) -> tuple[Array, Array, Mask, Mask]:
    """Misfit relative to independent noise, its share from correlated neighbours, and verdicts.

    Correlated neighbours enlarge variances by (1 + c)/(1 - c) for a decay c^k. The misfit beyond
    has three measures: reduced chi-square, which spikes raise; the same over sums of neighbouring
    residuals, which a wrong shape raises long before chi-square shows it; and over sums of those at
    both polarities, for shapes that are wrong over a few points only.
    """
    from stm_daq.fitting import kernel_noise

    signs = np.empty((len(reduced), kernel_noise.DIAGNOSES))
    kernel_noise.diagnose(found.residual, found.weight, tile.counts, BLOCKS, signs)
    alike, power, blocks, runs = signs.T
    stretch = (1.0 + alike) / (1.0 - alike)
    power = power / (blocks * stretch)
    whole = (reduced - 1.0) / np.sqrt(5.0 / tile.counts)
    misfit = stretch * np.maximum(1.0, np.maximum(power, reduced))
    systematic = (deviate(power, blocks) > SIGNIFICANT) | (whole > SIGNIFICANT)
    normal = found.residual * np.sqrt(found.weight)
    centre = np.ascontiguousarray(found.theta[:, len(solver.choice.model.shape.names) + 1])
    even, both = even_deviation(tile.bias, normal, tile.counts, centre, solver.largest)
    misfit = np.where(even > EVEN, np.maximum(misfit, both), misfit)
    return misfit, stretch, systematic | (even > EVEN), runs < FEW_RUNS


@cache
def _expected(loss: str, what: str) -> float:
    """For normal noise and a robust loss: the mean "cost" of a point, or the factor of the variance.

    The covariance is mean(psi^2)/mean(psi')^2 / (J^T W J) with psi = z rho'(z^2), and the matrix of
    the search has mean(rho') in it (P. J. Huber, Ann. Stat. 1, 799 (1973)).
    """
    if loss == "linear":
        return 1.0
    from stm_daq.fitting import kernel_search
    from stm_daq.fitting.solver import LOSSES

    z = np.linspace(-8.0, 8.0, 4001)
    density = np.exp(-0.5 * z**2)
    density /= density.sum()
    pairs = [kernel_search.rho(x, LOSSES.index(loss), KNEES[loss]) for x in z**2]
    cost, share = np.array(pairs).T
    if what == "cost":
        return float(cost @ density)
    pull = z * share
    slope = np.gradient(pull, z)
    return float((pull**2 @ density) / (slope @ density) ** 2 * (share @ density))


def _at_bounds(solver: Solver, theta: Array) -> list[tuple[str, Mask]]:
    margin = 1e-6 * (solver.upper - solver.lower)
    low, high = theta <= solver.lower + margin, theta >= solver.upper - margin
    raised = []
    for k, name in enumerate(solver.choice.free):
        if family(name) == "barrier":
            continue  # limits, not failures
        limit = family(name) in ("broadening", "exponent")
        at = high[:, k] if limit else low[:, k] | high[:, k]
        raised.append((f"{name}_at_bound", at))
    return raised


def _too_noisy(choice: Choice, theta: Array, sigma: Array) -> list[tuple[str, Mask]]:
    noisy = np.zeros(len(theta), dtype=np.bool_)
    for k, name in enumerate(choice.free):
        if family(name) == "gap":
            noisy |= sigma[:, k] > NOISY * theta[:, k]
        if family(name) == "temperature":
            noisy |= sigma[:, k] > 2.0 * NOISY
    return [("too_noisy", noisy)]


def _limits(
    choice: Choice, theta: Array, sigma: Array, limits: dict[str, Array]
) -> list[tuple[str, Mask]]:
    """Parameters of which only a limit is known; fills `limits`."""
    raised = []
    for k, name in enumerate(choice.free):
        if family(name) not in ("barrier", "broadening"):
            continue
        at, error = theta[:, k], sigma[:, k]
        above = at < (TRANSPARENT if family(name) == "barrier" else SEEN) * error
        limit = np.where(above, at + ONE_SIDED * error, np.nan)
        raised.append((f"{name}_upper_limit", above))
        if family(name) == "barrier":
            below = (1.0 - at < SEEN * error) | (at > 0.999 * MOST_REFLECTION)
            below &= ~above
            limit = np.where(below, at - ONE_SIDED * error, limit)
            limit = np.clip(limit, 0.0, 1.0 - 1e-9)
            raised.append((f"{name}_lower_limit", below))
        limits[name] = to_value(choice.model, name, limit)
    return raised


def _correlated(choice: Choice, correlation: Array) -> list[tuple[str, Mask]]:
    raised = []
    for k, second in enumerate(choice.free):
        for i, first in enumerate(choice.free[:k]):
            at = np.abs(correlation[:, i, k]) > STRONG
            raised.append((f"correlated:{first}-{second}", at))
    return raised


def _physical(choice: Choice, theta: Array, sigma: Array) -> Array:
    """Standard deviations of T and Z from those of ln T and R; the others are the same.

    Where R is not known to differ from zero, the deviation of Z is the distance to Z(R + sigma).
    """
    std = sigma.copy()
    for k, name in enumerate(choice.free):
        if family(name) == "temperature":
            std[:, k] *= np.exp(theta[:, k])
        if family(name) == "barrier":
            square = theta[:, k] / (1.0 - theta[:, k])
            above = np.minimum(theta[:, k] + sigma[:, k], 1.0 - 1e-6)
            distance = np.sqrt(above / (1.0 - above)) - np.sqrt(square)
            linear = sigma[:, k] * (1.0 + square) ** 2 / np.maximum(2.0 * np.sqrt(square), 1e-9)
            std[:, k] = np.where(theta[:, k] > sigma[:, k], linear, distance)
    return std

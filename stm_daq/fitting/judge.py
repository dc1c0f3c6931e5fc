"""Errors of a finished fit and the flags it deserves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.background import Background
from stm_daq.fitting.models import MOST_REFLECTION, NAMES, Choice
from stm_daq.fitting.solver import Search, inverse

type Array = NDArray[np.float64]

SIGNIFICANT = 4.5
"""Deviations from chance, in standard deviations, that are taken to be real."""

BLOCKS = 24
"""Blocks of neighbouring points in which residuals are summed to see whether they are systematic."""

EVIDENCE = 25.0
"""More structure in a model must lower chi-square by this many times the misfit to be believed."""

STRONG = 0.98
"""Correlation above which two parameters can hardly be told apart."""

NOISY = 0.25
"""Relative error of gap or temperature above which they count as unknown."""


@dataclass(frozen=True)
class Judgement:
    """Standard deviations of the physical parameters, their correlation, misfit and flags."""

    std: dict[str, float]
    correlation: Array
    misfit: float
    flags: tuple[str, ...]


def judge(search: Search, choice: Choice, background: Background) -> Judgement:
    """Errors and flags of a finished search.

    The covariance is that with every free parameter free, also those at a bound: a parameter at a
    bound does not make the others look better known.
    """
    stretch = _stretch(search)
    misfit, systematic = _misfit(search, stretch)
    covariance = inverse(search.matrix) * (misfit if systematic else stretch)
    sigma = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sigma, sigma)
    spread = dict.fromkeys(NAMES, 0.0) | dict(zip(choice.free, sigma.tolist(), strict=True))
    std = _physical(search, spread)
    if background.chi_square - search.chi_square < EVIDENCE * misfit:
        return Judgement(std, correlation, misfit, ("no_gap",))
    flags = [] if search.converged else ["not_converged"]
    if systematic:
        flags.append("model_inadequate")
    flags += _flags_at_bounds(search, choice)
    flags += _flags_of_limits(search, choice, spread)
    if np.any(np.abs(correlation - np.eye(len(sigma))) > STRONG):
        flags.append("correlated")
    return Judgement(std, correlation, misfit, tuple(flags))


def _stretch(search: Search) -> float:
    """Factor by which correlated neighbours enlarge variances: (1 + c)/(1 - c) for a decay c^k."""
    from stm_daq.fitting import kernel

    correlation = kernel.neighbour_correlation(search.residual, search.weight)
    return float((1.0 + correlation) / (1.0 - correlation))


def _misfit(search: Search, stretch: float) -> tuple[float, bool]:
    """Misfit relative to independent noise, and whether it is beyond chance.

    Two measures: reduced chi-square, which spikes raise, and the same over sums of neighbouring
    residuals, which a wrong shape raises long before chi-square shows it.
    """
    from stm_daq.fitting import kernel

    points = len(search.bias)
    blocks = min(BLOCKS, points // 6)
    power = kernel.smooth_power(search.residual, search.weight, blocks) / (blocks * stretch)
    smooth = _deviate(power, blocks)
    whole = (search.reduced_chi_square - 1.0) / math.sqrt(5.0 / points)
    misfit = stretch * max(1.0, power, search.reduced_chi_square)
    return misfit, smooth > SIGNIFICANT or whole > SIGNIFICANT


def _deviate(reduced: float, dof: int) -> float:
    """Normal deviate of a reduced chi-square (E. B. Wilson, M. M. Hilferty, PNAS 17, 684 (1931))."""
    width = 2.0 / (9.0 * dof)
    return (math.cbrt(reduced) - (1.0 - width)) / math.sqrt(width)


def _flags_at_bounds(search: Search, choice: Choice) -> list[str]:
    position = search.theta[search.free]
    margin = 1e-6 * (search.upper - search.lower)
    low = position <= search.lower + margin
    high = position >= search.upper - margin
    flags = []
    for name, at_low, at_high in zip(choice.free, low, high, strict=True):
        if name == "barrier" or (name == "broadening" and at_low):
            continue  # these are limits, not failures
        if at_low or at_high:
            flags.append(f"{name}_at_bound")
    return flags


def _flags_of_limits(search: Search, choice: Choice, spread: dict[str, float]) -> list[str]:
    gap, _, reflection, broadening, *_ = search.theta.tolist()
    flags = []
    if spread["gap"] > NOISY * gap or spread["temperature"] > 2.0 * NOISY:
        flags.append("too_noisy")
    if "barrier" in choice.free:
        if reflection < spread["barrier"]:
            flags.append("barrier_upper_limit")
        if 1.0 - reflection < 2.0 * spread["barrier"] or reflection > 0.999 * MOST_REFLECTION:
            flags.append("barrier_lower_limit")
    if "broadening" in choice.free and broadening < 2.0 * spread["broadening"]:
        flags.append("broadening_upper_limit")
    return flags


def _physical(search: Search, spread: dict[str, float]) -> dict[str, float]:
    """Standard deviations of T and Z from those of ln T and R; the others are the same.

    Where R is not known to differ from zero, the deviation of Z is the distance to Z(R + sigma).
    """
    std = dict(spread)
    std["temperature"] = math.exp(search.theta[1]) * spread["temperature"]
    reflection, sigma = float(search.theta[2]), spread["barrier"]
    if sigma == 0.0:
        return std
    barrier = math.sqrt(reflection / (1.0 - reflection))
    if reflection > sigma:
        std["barrier"] = sigma * (1.0 + barrier**2) ** 2 / (2.0 * barrier)
    else:
        above = min(reflection + sigma, 1.0 - 1e-6)
        std["barrier"] = math.sqrt(above / (1.0 - above)) - barrier
    return std

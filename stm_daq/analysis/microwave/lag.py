"""A lagging read-out: what it does to two branches, and how to tell it from hysteresis.

A filter of one pole with time constant tau turns a true signal s into readings

    y_k = s_k + (y_{k-1} - s_k) exp(-dwell / tau)

so that up and down branch lie apart even where the sample has no memory. Undoing it with the right
tau brings such branches together; the branches of a bistable sample stay apart with every tau, and
the readings overshoot at the jumps. Sweeps with different dwells settle it: the distance that a
lag makes shrinks with the dwell, that of a sample with memory does not (the sweep-rate test).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stm_daq.analysis.microwave.loops import Cycle
from stm_daq.records import Array

LAGS = np.concatenate([[0.0], np.geomspace(0.3, 8.0, 30)])
"""Time constants that are tried, in dwells of the quickest cycle."""
COLLAPSE = 0.35
"""Branches belong together if undoing a lag leaves less than this part of their distance."""


@dataclass(frozen=True, slots=True)
class RateTest:
    """Whether two branches lie apart because of the rate of the sweep."""

    lag: float
    """Time constant that brings the branches closest together, in dwells of the quickest cycle."""
    before: float
    """Mean distance of the branches as recorded, in the unit of the signal."""
    after: float
    """The same with that lag undone, without what noise alone makes."""

    @property
    def explains(self) -> bool:
        """Whether the lag alone explains the distance of the branches."""
        return self.lag > 0 and self.after < COLLAPSE * self.before


def undone(signal: Array, memory: float) -> Array:
    """Return a branch as it would be without lag; `memory` = exp(-dwell / tau), first value kept."""
    true: Array = signal.copy()
    true[1:] = (signal[1:] - memory * signal[:-1]) / (1 - memory)
    return true


def without_lag(cycle: Cycle, lag: float) -> Cycle:
    """Return a cycle as it would be with a quick read-out; `lag` in seconds of ``cycle.dwell``.

    The read-out goes on from the up branch to the down branch.
    """
    if lag <= 0:
        return cycle
    both = undone(np.concatenate([cycle.up, cycle.down]), math.exp(-cycle.dwell / lag))
    up, down = both[: len(cycle.up)], both[len(cycle.up) :]
    return Cycle(cycle.up_power, up, cycle.down_power, down, cycle.dwell)


def distance(cycle: Cycle) -> float:
    """Return the mean distance of the branches where both were measured, without sign."""
    grid = np.union1d(cycle.up_power, cycle.down_power)
    low = max(cycle.up_power[0], cycle.down_power[-1])
    high = min(cycle.up_power[-1], cycle.down_power[0])
    grid = grid[(grid >= low) & (grid <= high)]
    if len(grid) < 2:
        return math.nan
    up = np.interp(grid, cycle.up_power, cycle.up)
    down = np.interp(grid, cycle.down_power[::-1], cycle.down[::-1])
    return float(np.trapezoid(np.abs(up - down), grid) / (grid[-1] - grid[0]))


def rate_test(cycles: Sequence[Cycle], noise: float) -> RateTest:
    """Find the lag that brings the branches of all cycles closest together.

    Parameters
    ----------
    cycles : sequence of Cycle
        At least one, without unknown points; different dwells make the test sharper.
    noise : float
        rms of one reading; what it adds to the distance is taken off.
    """
    quickest = min(cycle.dwell for cycle in cycles)
    costs = [_cost(cycles, lag * quickest, noise) for lag in LAGS]
    best = int(np.argmin(costs))
    return RateTest(float(LAGS[best]), costs[0], costs[best])


def _cost(cycles: Sequence[Cycle], lag: float, noise: float) -> float:
    apart = []
    for cycle in cycles:
        memory = math.exp(-cycle.dwell / lag) if lag > 0 else 0.0
        amplified = noise * math.sqrt(1 + memory**2) / (1 - memory)
        by_chance = amplified * 2 / math.sqrt(math.pi)  # mean of |difference of two readings|
        found = distance(without_lag(cycle, lag))
        apart.append(max(found - 0.9 * by_chance, 0.0))
    return float(np.mean(apart))

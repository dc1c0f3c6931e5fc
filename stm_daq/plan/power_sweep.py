"""A sweep of the microwave power that looks for two states: its points in the order of measurement.

At one place and one frequency: the cold state, then cycles up and down, then the cold state again. The
first cycle is coarse. Where it switches is found as it goes, and the later cycles put more
points there; how many is planned, so that every sweep has the same points and only their powers differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array

COLD, UP, DOWN, BACK = 0, 1, -1, 2
"""Branches: verification before, the way up, the way down, verification after."""
TRACES = (
    ("microwave_power", "dBm", "microwave power of the source"),
    ("previous_power", "dBm", "microwave power at the point before"),
    ("elapsed", "s", "time since the sweep began"),
    ("resistance", "ohm", "resistance of the strip"),
    ("critical_current", "A", "critical current of the strip"),
)
"""What is stored with every point besides current and dI/dV: variable, unit, meaning."""


@dataclass(frozen=True, slots=True)
class Transport:
    """What is measured of the strip besides."""

    probe: float = 0.0
    """Current through it at every point, A; 0: none."""
    largest: float = 0.0
    """Up to here its critical current is looked for, at rest and once in every cycle, A."""
    points: int = 0
    """Steps of that; 0: it is not."""
    threshold: float = 0.0
    """Voltage above which it counts as resistive, V."""
    above_down: float | None = None
    """It is looked for on the way down, so far above where the hot state ended in the first cycle (dB),
    where the hot spot is nearly as small as it gets; None: at the top of every cycle."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A place that is measured again and again, to see what drifts."""

    x: float
    """m."""
    y: float
    every: int
    """Sites between two measurements."""


@dataclass(frozen=True, slots=True)
class PowerSweep:
    """The power sweep of one site."""

    start: float
    """Where the film is cold, dBm."""
    end: float
    points: int
    """Of the coarse grid."""
    cycles: int
    fine: int
    """More points at each switch, from the second cycle on."""
    frequencies: tuple[float, ...]
    """Hz; empty: as the source is, or as an outer axis says."""
    rest: float
    """With the source off, before the cold state is verified, s."""
    tolerance: float
    """How far dI/dV of the cold state may be off, as part of the set-point's I/V."""
    slow: float = 1.0
    """The last cycle takes so many times longer at each point (the sweep-rate test)."""
    transport: Transport = field(default_factory=Transport)
    reference: Reference | None = None

    @property
    def coarse(self) -> Array:
        """Powers of the coarse grid, ascending, dBm, shape (points,)."""
        return np.round(np.linspace(self.start, self.end, self.points), 2)

    @property
    def largest_step(self) -> float:
        """Of the coarse grid, dB."""
        return (self.end - self.start) / (self.points - 1)

    @property
    def layout(self) -> Layout:
        """What every point of the sweep is."""
        return Layout.of(self)


@dataclass(frozen=True, slots=True)
class Layout:
    """What every point of a power sweep is; all arrays have one entry per point."""

    frequency: NDArray[np.int64]
    """Number of the frequency."""
    cycle: NDArray[np.int64]
    """-1 for the verifications."""
    branch: NDArray[np.int64]

    @classmethod
    def of(cls, sweep: PowerSweep) -> Layout:
        """Make the layout of a sweep."""
        cycles, branches = [-1], [COLD]
        for cycle in range(sweep.cycles):
            count = sweep.points + (sweep.fine if cycle else 0)
            for branch in (UP, DOWN):
                cycles += [cycle] * count
                branches += [branch] * count
        cycles.append(-1)
        branches.append(BACK)
        several = max(len(sweep.frequencies), 1)
        return cls(
            np.repeat(np.arange(several), len(cycles)),
            np.tile(np.array(cycles), several),
            np.tile(np.array(branches), several),
        )

    def __len__(self) -> int:
        return len(self.branch)

    def where(self, frequency: int, cycle: int, branch: int) -> slice:
        """Return which points are this branch."""
        found = np.flatnonzero(
            (self.frequency == frequency) & (self.cycle == cycle) & (self.branch == branch)
        )
        return slice(int(found[0]), int(found[-1]) + 1)

    @property
    def record(self) -> dict[str, Any]:
        """The layout in plain JSON types."""
        return {name: getattr(self, name).tolist() for name in ("frequency", "cycle", "branch")}


def refined(coarse: Array, interval: tuple[float, float] | None, fine: int) -> Array:
    """Return the coarse grid with `fine` more points in and around the interval of a switch.

    Parameters
    ----------
    coarse : array of shape (n,)
        Ascending, dBm.
    interval : (float, float) or None
        Powers of the coarse points around the switch, ascending; None: none was seen.
    fine : int

    Returns
    -------
    array of shape (n + m,)
        Ascending, without doubles; m is `fine`, or less at the ends of the range.
    """
    if interval is None or fine == 0:
        return coarse
    low, high = interval
    step = float(coarse[1] - coarse[0])
    between = np.linspace(low - step / 2, high + step / 2, fine + 2)[1:-1]
    between = between[(between > coarse[0]) & (between < coarse[-1])]
    both = np.concatenate([coarse, np.round(between, 2)])  # sources have steps of 0.01 dB
    return np.unique(both)

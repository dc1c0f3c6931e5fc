"""The last atoms of the tip: how long it is, whether it superconducts, and when that changes.

A tip changes by itself (at given times, or at random), and when it is driven into the surface. It
then is longer or shorter, and may pick up or lose a superconducting flake. Every change is decided by
the seed and the order of changes alone, however often the tip is looked at.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Changes:
    """When the tip changes, and how."""

    interval: float = 0.0
    """Mean time between changes at random, s; 0: none."""
    times: Sequence[float] = ()
    """Changes at these times besides, s."""
    step: float = 0.1e-9
    """rms change of the tip's length, m."""
    by_crash: bool = False
    """Whether a crash changes the tip."""

    @property
    def active(self) -> bool:
        """Whether the tip can change."""
        return bool(self.interval or self.times or self.by_crash)


@dataclass(frozen=True)
class Flake:
    """What makes the tip a superconductor while it has it."""

    gap: float = 0.0
    """eV; 0: the tip is always normal."""
    broadening: float = 20e-6
    """eV."""
    present: bool = False
    """Whether it is there at the beginning; with every change it comes or goes."""


@dataclass(frozen=True, slots=True)
class ApexState:
    """The tip between two changes."""

    since: float
    """World time, s."""
    length: float = 0.0
    """Longer than at the beginning by this, m."""
    gap: float = 0.0
    """eV; 0: normal."""
    broadening: float = 0.0
    """eV."""
    cause: str = "start"
    """"start", "change" or "crash"."""


@dataclass
class Apex:
    """The tip's history.

    Parameters
    ----------
    changes : Changes
    flake : Flake
    rng : numpy Generator
        Of its own.
    """

    changes: Changes
    flake: Flake
    rng: np.random.Generator
    states: list[ApexState] = field(init=False)
    """All so far, the oldest first."""
    next: float = field(init=False)
    """Time of the next change by itself, s."""

    def __post_init__(self) -> None:
        """Be as new."""
        self._given = sorted(self.changes.times)
        self._random = self._wait(0.0)
        self.states = [self._state(0.0, 0.0, self.flake.present, "start")]
        self.next = self._upcoming()

    @property
    def active(self) -> bool:
        """Whether there is more to the tip than a normal metal that never changes."""
        return self.changes.active or self.flake.gap > 0

    @property
    def now(self) -> ApexState:
        """The newest state."""
        return self.states[-1]

    def change(self) -> ApexState:
        """Let the next change happen; return what the tip is then."""
        time = self.next
        if self._given and self._given[0] == time:
            self._given.pop(0)
        else:
            self._random = self._wait(time)
        self.next = self._upcoming()
        return self._become(time, "change")

    def crash(self, time: float) -> ApexState | None:
        """Note a crash; return what the tip is then, None if it has not changed."""
        return self._become(time, "crash") if self.changes.by_crash else None

    def length(self, times: Array) -> Array:
        """Return how much longer than at the beginning the tip is, m, shape (n,)."""
        begins = [state.since for state in self.states]
        which = np.maximum(np.searchsorted(begins, times, side="right") - 1, 0)
        return np.array([state.length for state in self.states])[which]

    def state_at(self, time: float) -> ApexState:
        """Return the state at `time` (s)."""
        which = bisect_right(self.states, time, key=lambda state: state.since)
        return self.states[max(which - 1, 0)]

    def _become(self, time: float, cause: str) -> ApexState:
        length = self.now.length + self.changes.step * float(self.rng.standard_normal())
        self.states.append(self._state(time, length, self.now.gap == 0, cause))
        return self.now

    def _state(self, time: float, length: float, flake: bool, cause: str) -> ApexState:
        if not (flake and self.flake.gap > 0):
            return ApexState(time, length, cause=cause)
        return ApexState(time, length, self.flake.gap, self.flake.broadening, cause)

    def _wait(self, time: float) -> float:
        """Time of the next change at random after `time`."""
        if not self.changes.interval:
            return math.inf
        return time + self.changes.interval * float(self.rng.standard_exponential())

    def _upcoming(self) -> float:
        return min(self._random, *self._given[:1], math.inf)

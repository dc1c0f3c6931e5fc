"""What is drawn over time: the stage's temperature, and when which guard was bad."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stm_daq.monitor.bodies import Guard
from stm_daq.records import Array

MOST = 2000
"""Points of a strip; of more only every n-th is drawn."""


@dataclass(frozen=True, slots=True)
class Strip:
    """One quantity over time.

    Attributes
    ----------
    times, values : array, shape (n,)
        Seconds since the Unix epoch, growing; SI.
    """

    times: Array
    values: Array


@dataclass
class Turns:
    """When which guard turned good (True) or bad (False)."""

    guards: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)

    def note(self, guard: Guard) -> bool:
        """Take a guard's message into account; say whether anything changed."""
        turns = self.guards.setdefault(guard.name, [])
        if turns and (turns[-1][1] == guard.good or guard.time <= turns[-1][0]):
            return False
        turns.append((guard.time, guard.good))
        del turns[:-MOST]
        return True


@dataclass(frozen=True, slots=True)
class Strips:
    """The strips of a run."""

    temperature: Strip
    """Of the stage, K."""
    turns: Turns


def strip_of(times: Array, values: Array) -> Strip:
    """Sort what maps hold by time, leave out what is missing, and thin it."""
    known = np.isfinite(times) & np.isfinite(values)
    times, values = times[known], values[known]
    order = np.argsort(times, kind="stable")[:: max(1, -(-len(times) // MOST))]
    return Strip(times[order], values[order])

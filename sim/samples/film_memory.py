"""Which of its two states a film is in: it depends on what happened, not only on the settings.

A cold film stays cold until the drive passes J_up, a hot one hot until it falls below J_down. Near the
end of a state the film may leave it early, by chance, at the rate

    rate = attempts exp(-barrier (1 - J / J_up)^1.5)

and likewise above J_down: the usual law for a barrier that vanishes at a fold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.samples.hot_response import HotResponse

NEAR = 0.2
"""Relative distance from the end of a state beyond which it does not end by chance."""


@dataclass(frozen=True, slots=True)
class FilmState:
    """The film under the tip from some moment on."""

    hot: bool = False
    drive: float = 0.0
    """J."""
    core: float = 0.0
    """Temperature of the electrons under the tip, K."""
    ring: float = 0.0
    """Outer radius of the normal ring, m; 0: none."""
    x: float = 0.0
    """Where the tip is on the sample, m."""
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Escape:
    """How easily a state ends early."""

    attempts: float = 20.0
    """Per second."""
    barrier: float = 2000.0
    """Over kB T, for J far from the end."""

    def delay(self, drive: float, end: float, rng: np.random.Generator) -> float:
        """Return the time until a state ends at this drive by chance, s; `end` is where it must."""
        apart = abs(1 - drive / end)
        if apart > NEAR or self.attempts <= 0:
            return math.inf
        rate = self.attempts * math.exp(-self.barrier * apart**1.5)
        return float(rng.exponential(1 / rate)) if rate > 0 else math.inf


class FilmMemory:
    """The state of a film and when it will change by itself.

    Parameters
    ----------
    escape : Escape
    rng : Generator
    """

    def __init__(self, escape: Escape, rng: np.random.Generator) -> None:
        self._escape = escape
        self._rng = rng
        self.hot = False
        self.due = math.inf
        """When the state ends by itself, s."""

    def drive(self, time: float, drive: float, response: HotResponse) -> bool:
        """Let this drive act from `time` on; return whether the film is hot then."""
        ends = response.switches
        if self.due <= time and ends is not None:
            self.hot = not self.hot
        if ends is None:
            self.hot, self.due = False, math.inf
            return False
        down, up = ends
        self.hot = drive >= up or (self.hot and drive > down)
        self.due = math.inf
        if drive > 0 and down < drive < up:
            end = down if self.hot else up
            self.due = time + self._escape.delay(drive, end, self._rng)
        return self.hot

"""What an analysis of hysteresis takes and gives: branches there and back, and what they say."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from stm_daq.records import Array

type Verdict = Literal[
    "bistable",
    "sharp and reversible",
    "smooth",
    "latched",
    "incomplete",
    "telegraph",
    "invalid",
]

FEWEST = 5
"""A branch with fewer points tells nothing."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One sweep up and down; each branch in the order of measurement, all arrays of its length.

    Points that were not measured are NaN and are left out by :meth:`known`.
    """

    up_power: Array
    """dBm (or dB), ascending."""
    up: Array
    """The signal, in any unit."""
    down_power: Array
    """dBm, descending."""
    down: Array
    dwell: float = 1.0
    """Time at each point, s; only ratios between cycles count."""

    def known(self) -> Cycle:
        """Return the cycle without the points that were not measured."""
        there = np.isfinite(self.up_power) & np.isfinite(self.up)
        back = np.isfinite(self.down_power) & np.isfinite(self.down)
        return Cycle(
            self.up_power[there], self.up[there], self.down_power[back], self.down[back], self.dwell
        )

    @property
    def problem(self) -> str:
        """Why the cycle cannot be judged; "" if it can."""
        if min(len(self.up), len(self.down)) < FEWEST:
            return f"a branch has fewer than {FEWEST} points"
        if np.any(np.diff(self.up_power) <= 0) or np.any(np.diff(self.down_power) >= 0):
            return "the power does not go steadily up and down"
        return ""


@dataclass(frozen=True, slots=True)
class Switch:
    """Where a branch jumps, from all cycles."""

    power: float
    """Mean over the cycles, dBm: the middle of the step in which the signal jumped."""
    std: float
    """Uncertainty of `power`: spread over the cycles and half a step, in quadrature, dB."""
    step: float
    """Typical distance of the two points around the jump, dB."""
    height: float
    """Mean height of the jump, in the unit of the signal (positive: the signal grows)."""
    height_std: float
    """Spread over the cycles."""
    count: int
    """Cycles that jumped."""


@dataclass(frozen=True, slots=True)
class Loop:
    """What several cycles at one place and one frequency say."""

    verdict: Verdict
    reason: str
    """In words."""
    up: Switch | None = None
    """Where the cold state ends: only if something jumps."""
    down: Switch | None = None
    """Where the hot state ends."""
    area: float = math.nan
    """Area between the branches over the height of the signal, dB; zero without hysteresis."""
    lag: float = 0.0
    """Time constant of the read-out, in dwells of the quickest cycle; 0: none was seen."""
    noise: float = math.nan
    """rms of one reading, in the unit of the signal."""
    glitches: int = 0
    """Single readings that stood apart and were left out."""
    flags: tuple[str, ...] = field(default=())

    @property
    def width(self) -> float:
        """Distance of the two switches, dB; NaN if there are not two."""
        if self.up is None or self.down is None:
            return math.nan
        return self.up.power - self.down.power

    @property
    def width_std(self) -> float:
        """Uncertainty of :attr:`width`, dB."""
        if self.up is None or self.down is None:
            return math.nan
        return math.hypot(self.up.std, self.down.std)

"""What every kind of sweep offers to the site, and what it brings home."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stm_daq.records import Array

NOT_REPRODUCED = "current_not_reproduced"
CLOSURE = 0.1
"""Largest relative difference of the current at the start of a sweep and back there. More means that
the tip changed during the sweep."""


@dataclass(frozen=True, slots=True)
class SweepData:
    """What one sweep recorded."""

    current: Array
    """dc current at every point, A, shape (n,)."""
    conductance: Array
    """dI/dV at every point, S, shape (n,)."""
    flags: tuple[str, ...]
    closing_current: float = math.nan
    """Measured when the bias was back at the sweep's start, still without feedback, A; else NaN."""


class Sweeper(Protocol):
    """Carries out the sweep of a plan."""

    modulation: float
    """Peak amplitude really set, V; known after :meth:`prepare`."""
    step_memory: Array
    """How much the present and earlier points count in a sample of dI/dV; likewise."""
    current_integrated: bool
    """Whether the current is the integral of dI/dV, for want of a record of its own."""
    holds_feedback: bool
    """Whether :meth:`measure` itself opens the feedback loop and closes it again."""

    @property
    def start(self) -> float:
        """Bias at which the sweep begins and ends, V."""
        ...

    def prepare(self, setpoint_conductance: float) -> None:
        """Set everything up for a set-point current over set-point bias, S."""
        ...

    def measure(self) -> SweepData:
        """Sweep as often as the plan wants and average; afterwards the bias is back at its start."""
        ...


def average(found: Sequence[SweepData]) -> SweepData:
    """Return the mean of several sweeps, with the flags of all."""
    if len(found) == 1:
        return found[0]
    return SweepData(
        current=np.mean([data.current for data in found], axis=0),
        conductance=np.mean([data.conductance for data in found], axis=0),
        flags=tuple(dict.fromkeys(flag for data in found for flag in data.flags)),
        closing_current=found[-1].closing_current,
    )

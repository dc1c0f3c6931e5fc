"""Bias sweeps that the STM controller carries out and records by itself.

The controller holds the feedback, sweeps, restores bias and feedback, and hands the spectrum back:
one order a spectrum. An adapter that can do so offers :class:`ControllerSpectroscopy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stm_daq.records import Array


@dataclass(frozen=True, slots=True)
class SweepSegment:
    """A straight piece of a sweep."""

    start: float
    """V at the junction."""
    end: float
    """V at the junction."""
    points: int


@dataclass(frozen=True, slots=True)
class SweepOrder:
    """What the controller shall do; times in s."""

    segments: tuple[SweepSegment, ...]
    """One for a plain sweep."""
    settling: float
    """At every point, before it is measured."""
    integration: float
    """At every point, while it is measured."""
    initial_settling: float = 0.0
    """At the start bias."""
    end_settling: float = 0.0
    z_average: float = 0.0
    """With feedback, before the hold: z is averaged."""
    z_offset: float = 0.0
    """How far the tip is moved after the hold (positive: away from the sample), m."""
    backward: bool = False
    """Whether to sweep back as well."""
    averages: int = 1
    modulation_only_in_sweep: bool = False

    @property
    def points(self) -> int:
        """Points of one way."""
        return sum(segment.points for segment in self.segments)


@dataclass(frozen=True, slots=True)
class ControllerSpectrum:
    """What came back, in the order of measurement: the way back behind the way there."""

    bias: Array
    """V at the junction, shape (n,)."""
    current: Array
    """A, shape (n,)."""
    in_phase: Array
    """In-phase output of the lock-in, A peak, shape (n,)."""
    modulation: float
    """Peak amplitude at the junction, V; 0 if the controller does not modulate."""
    z: float
    """Height before the hold, m."""

    @property
    def conductance(self) -> Array:
        """dI/dV, S, shape (n,); not corrected for the preamplifier's response."""
        conductance: Array = self.in_phase / self.modulation
        return conductance


class ControllerSpectroscopy(Protocol):
    """The controller's own bias spectroscopy."""

    def configure(self, order: SweepOrder) -> None:
        """Set everything up and read it back; does not start.

        Raises
        ------
        OutOfRangeError
            If a voltage, step or height is outside the station's limits; nothing is sent then.
        InstrumentError
            If the controller took other values than it was given.
        """
        ...

    def duration(self) -> float:
        """Return how long one spectrum takes as it is configured, s."""
        ...

    def measure(self) -> ControllerSpectrum:
        """Take one spectrum; bias and feedback are restored when it returns.

        Raises
        ------
        InstrumentError
            If the controller refuses or ends early, or its data are not what was configured.
        """
        ...

    def stop(self) -> None:
        """Stop a spectrum that another thread is measuring; the controller restores the feedback."""
        ...

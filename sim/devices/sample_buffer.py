"""The sample buffer of a lock-in amplifier: one sample per trigger pulse, or at a fixed rate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.devices.trigger_line import TriggerLine

type Array = NDArray[np.float64]


class SampleBuffer:
    """When samples are made, and what they were.

    Parameters
    ----------
    line : TriggerLine
        Cable at the trigger input.
    tick : float
        A triggered sample is made on the next tick of the instrument's own clock, s.
    capacity : int
        Samples that the buffer holds; then it stops.
    """

    def __init__(self, line: TriggerLine, tick: float, capacity: int) -> None:
        self.line = line
        self.tick = tick
        self.capacity = capacity
        self.rate: float | None = 1.0
        """Samples per second; None = one sample per trigger pulse."""
        self._since = math.inf
        self._parts: list[Array] = []
        self.count = 0

    def set_rate(self, rate: float | None) -> None:
        """Choose the sample rate (Hz) or, with None, the trigger input."""
        self.rate = rate

    def start(self, now: float) -> None:
        """Store samples from now on; ignored if that is going on already."""
        if math.isinf(self._since):
            self._since = now

    def pause(self) -> None:
        """Store no further samples."""
        self._since = math.inf

    def reset(self) -> None:
        """Empty the buffer and stop."""
        self.pause()
        self._parts = []
        self.count = 0

    def due(self, now: float) -> Array:
        """Return the times of the samples since the last question, s; :meth:`store` them."""
        if now <= self._since:
            return np.empty(0)
        room = self.capacity - self.count
        if self.rate is None:
            ticks = np.unique(np.ceil(self.line.between(self._since - self.tick, now) / self.tick))
        else:
            every = round(1 / (self.tick * self.rate))
            first = math.floor(self._since / self.tick / every) + 1
            last = math.floor(now / self.tick / every)
            ticks = every * np.arange(first, min(last, first + room) + 1)
        times = ticks * self.tick
        times = times[(times > self._since) & (times <= now)]
        self._since = now
        return times[:room]

    def store(self, *shown: Array) -> None:
        """Append what each quantity was at the times that were due."""
        self._parts.append(np.stack(shown, axis=1))
        self.count += len(shown[0])

    def trace(self, index: int) -> Array:
        """Return all samples of one quantity, the first being 0."""
        return self.samples()[:, index]

    def samples(self) -> Array:
        """Return everything stored, shape (samples, quantities)."""
        return np.concatenate(self._parts) if self._parts else np.empty((0, 4))

    def take(self) -> Array:
        """Return everything stored and forget it; sampling goes on."""
        taken = self.samples()
        self._parts, self.count = [], 0
        return taken

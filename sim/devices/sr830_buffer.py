"""The sample buffer of the SR830 and the formats in which it is read."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.devices.trigger_line import TriggerLine

type Array = NDArray[np.float64]

CAPACITY = 16383
TICK = 1 / 512
"""A triggered sample is made on the next tick of the instrument's own clock, s."""


class SampleBuffer:
    """When samples are made, and the samples of both displays.

    Parameters
    ----------
    line : TriggerLine
        Cable at the trigger input.
    """

    def __init__(self, line: TriggerLine) -> None:
        self.line = line
        self.rate: float | None = 1.0
        """Samples per second; None = one sample per trigger pulse."""
        self._since = math.inf
        self._traces: tuple[list[Array], list[Array]] = ([], [])
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
        self._traces = ([], [])
        self.count = 0

    def due(self, now: float) -> Array:
        """Return the times of the samples since the last question, s; :meth:`store` them."""
        if now <= self._since:
            return np.empty(0)
        if self.rate is None:
            ticks = np.unique(np.ceil(self.line.between(self._since - TICK, now) / TICK))
        else:
            ticks = np.arange(math.floor(self._since / TICK) + 1, math.floor(now / TICK) + 1)
            ticks = ticks[ticks % round(1 / (TICK * self.rate)) == 0]
        times = ticks * TICK
        times = times[(times > self._since) & (times <= now)]
        self._since = now
        return times[: CAPACITY - self.count]

    def store(self, first: Array, second: Array) -> None:
        """Append what the two displays showed at the times that were due."""
        self._traces[0].append(first)
        self._traces[1].append(second)
        self.count += len(first)

    def trace(self, channel: int) -> Array:
        """Return all samples of display 1 or 2."""
        return np.concatenate(self._traces[channel - 1])


def encode_lockin_format(values: Array) -> bytes:
    """Encode as ``TRCL`` does: int16 mantissa m, int16 exponent e, value = m 2^(e - 124)."""
    mantissa, exponent = np.frexp(values)
    pairs = np.empty((len(values), 2), dtype="<i2")
    pairs[:, 0] = np.clip(np.round(mantissa * 2**15), -(2**15), 2**15 - 1)
    pairs[:, 1] = np.where(values == 0, 0, exponent - 15 + 124)
    return pairs.tobytes()


def encode_floats(values: Array) -> bytes:
    """Encode as ``TRCB`` does: IEEE floats of 4 bytes, little-endian."""
    return values.astype("<f4").tobytes()

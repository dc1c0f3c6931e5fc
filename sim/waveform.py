"""The history and near future of a voltage: knots in time, straight lines in between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


class Waveform:
    """A piecewise linear voltage as a function of time; jumps are two knots at one time.

    At a jump the value is the one after it (right-continuous).

    Parameters
    ----------
    value : float
        Value from the beginning of time, V.
    """

    def __init__(self, value: float = 0.0) -> None:
        self._times: Array = np.array([0.0])
        self._values: Array = np.array([value])

    def __call__(self, times: Array | float) -> Array:
        """Return the voltage at each of `times` (s), same shape."""
        # at a jump np.interp takes the last knot of that time, which is the value after it
        return np.asarray(np.interp(times, self._times, self._values))

    def value(self, time: float) -> float:
        """Return the voltage at one time."""
        return float(self(time))

    def cut(self, time: float) -> float:
        """Forget what was planned after `time`, keep the value it has there, and return it."""
        value = self.value(time)
        keep = self._times < time
        self._times = np.append(self._times[keep], time)
        self._values = np.append(self._values[keep], value)
        return value

    def ramp(self, time: float, target: float, rate: float) -> float:
        """From `time` on go to `target` at `rate` (V/s, inf = jump); return the time of arrival."""
        start = self.cut(time)
        arrival = time + (abs(target - start) / rate if np.isfinite(rate) else 0.0)
        self._times = np.append(self._times, arrival)
        self._values = np.append(self._values, target)
        return arrival

    def staircase(self, times: Array, values: Array) -> None:
        """From ``times[i]`` on hold ``values[i]`` (both ascending in time, shape (n,))."""
        before = self.cut(float(times[0]))
        t = np.repeat(times, 2)
        v = np.empty(2 * len(values))
        v[1::2] = values
        v[0] = before
        v[2::2] = values[:-1]
        self._times = np.append(self._times[:-1], t)
        self._values = np.append(self._values[:-1], v)

    def path(self, times: Array, values: Array) -> None:
        """From ``times[0]`` on go in straight lines through (times, values), shape (n,), ascending."""
        self.cut(float(times[0]))
        self._times = np.append(self._times, times)
        self._values = np.append(self._values, values)

    def knots_between(self, first: float, last: float) -> Array:
        """Return the times of the knots within (first, last], s."""
        begin, end = np.searchsorted(self._times, (first, last), side="right")
        return self._times[begin:end]

    def forget_before(self, time: float) -> None:
        """Drop knots that no longer matter, so that memory stays flat through a long night."""
        first = int(np.searchsorted(self._times, time, side="right")) - 1
        if first > 0:
            self._times = self._times[first:]
            self._values = self._values[first:]

    @property
    def end(self) -> float:
        """Time of the last knot: afterwards nothing changes."""
        return float(self._times[-1])

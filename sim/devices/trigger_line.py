"""A trigger cable between two instruments: pulses are times, not events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.faults import Faults

type Array = NDArray[np.float64]


class TriggerLine:
    """Rising edges on one cable, past and planned, in ascending order of time (s).

    Parameters
    ----------
    faults : Faults, optional
        While ``no_trigger`` lasts, pulses do not arrive.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self._faults = faults
        self._times: Array = np.empty(0)

    def pulse(self, times: Array) -> None:
        """Plan pulses at `times`, shape (n,)."""
        if self._faults is not None:
            times = times[~self._faults.during("no_trigger", "", times)]
        self._times = np.sort(np.append(self._times, times))

    def cut(self, time: float) -> None:
        """Forget the pulses that were planned after `time`."""
        self._times = self._times[self._times <= time]

    def between(self, first: float, last: float) -> Array:
        """Return the pulses within (first, last]."""
        begin, end = np.searchsorted(self._times, (first, last), side="right")
        return self._times[begin:end]

    def forget_before(self, time: float) -> None:
        """Drop old pulses, so that memory stays flat through a long night."""
        self._times = self._times[self._times >= time]

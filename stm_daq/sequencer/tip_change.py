"""Has the tip changed? Steps between neighbouring sites that are larger than usual."""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np

from stm_daq.plan import TipChange
from stm_daq.quantities import show
from stm_daq.records import Spectrum

USUAL = 30
"""Steps from whose median the usual one is known."""
ENOUGH = 5
"""Steps that are needed before a usual one is known."""


class TipWatch:
    """Compares every spectrum with the one before it.

    Parameters
    ----------
    limits : TipChange
    """

    def __init__(self, limits: TipChange) -> None:
        self._limits = limits
        self._before: Spectrum | None = None
        self._heights: deque[float] = deque(maxlen=USUAL)
        self._shapes: deque[float] = deque(maxlen=USUAL)

    def suspicion(self, spectrum: Spectrum) -> str:
        """Return what makes a change of the tip likely since the last spectrum; "" if nothing does."""
        before, self._before = self._before, spectrum
        if before is None:
            return ""
        height = abs(spectrum.z - before.z)
        shape = _difference(spectrum, before)
        current = abs(spectrum.setpoint_current / before.setpoint_current - 1.0)
        found = [
            _beyond(height, self._heights, self._limits.z, "z", "m"),
            _beyond(shape, self._shapes, self._limits.spectrum, "spectrum", ""),
        ]
        if current > self._limits.current:
            found.append(f"current by {100 * current:.0f} %")
        self._heights.append(height)
        self._shapes.append(shape)
        return ", ".join(filter(None, found))


def _beyond(step: float, usual: deque[float], limit: float, name: str, unit: str) -> str:
    if len(usual) < ENOUGH or step - median(usual) <= limit:
        return ""
    return f"{name} by {show(step, unit)} (usually {show(median(usual), unit)})"


def _difference(one: Spectrum, other: Spectrum) -> float:
    """Return the rms difference of two spectra, each divided by its mean."""
    first, second = one.conductance, other.conductance
    if len(first) != len(second) or not np.mean(first) or not np.mean(second):
        return 0.0
    return float(np.std(first / np.mean(first) - second / np.mean(second)))

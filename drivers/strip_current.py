"""What all transport meters of a strip do alike: a limit, a ramp until the strip becomes resistive."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np

from stm_daq.errors import OutOfRangeError
from stm_daq.quantities import show
from stm_daq.station.safe_state import restore

RESOLUTION = 1e-8
"""Smaller currents count as none, A."""


class StripMeter(ABC):
    """A meter that sends a current through a strip; see the role `transport`.

    Parameters
    ----------
    name : str
        Of the instrument, for messages.
    largest_current : float
        No larger current is ever sent, A.
    """

    def __init__(self, name: str, largest_current: float) -> None:
        if not (largest_current > 0 and math.isfinite(largest_current)):
            raise ValueError(f"largest_current should be positive, not {largest_current}")
        self._name = name
        self._largest = float(largest_current)
        self._current = 0.0

    def start(self, amperes: float) -> None:
        """Send a current through the strip and confirm it."""
        self._require(amperes)
        self._switch_on(amperes)
        self._current = amperes

    def resistance(self) -> float:
        """Read voltage over current, ohm; NaN without a current."""
        if abs(self._current) <= RESOLUTION:
            return math.nan
        voltage, current = self._read()
        return voltage / current

    def critical_current(self, largest: float, points: int, threshold: float) -> float:
        """Raise the current until the strip becomes resistive; see the role."""
        self._require(largest)
        steps = np.linspace(0.0, largest, points + 1)
        found = math.nan
        try:
            for before, amperes in pairwise(steps):
                self._send(float(amperes))
                if abs(self._read()[0]) > threshold:
                    found = float(before + amperes) / 2
                    break
        except BaseException:
            restore([("switch the current through the strip off", self.off)])
            raise
        self._send(self._current)
        return found

    @abstractmethod
    def off(self) -> None:
        """Send no current, and confirm it."""

    @abstractmethod
    def _switch_on(self, amperes: float) -> None:
        """Send this current, and confirm that it flows."""

    @abstractmethod
    def _send(self, amperes: float) -> None:
        """Change the current and wait until it is steady."""

    @abstractmethod
    def _read(self) -> tuple[float, float]:
        """Return voltage, V, and current, A, of one reading."""

    def _require(self, amperes: float) -> None:
        if not abs(amperes) <= self._largest:
            raise OutOfRangeError(
                f"{self._name}: {show(amperes, 'A')} through the strip; the station allows "
                f"{show(self._largest, 'A')} (`largest_current` of the role); nothing was sent"
            )

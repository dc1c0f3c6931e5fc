"""What the station allows: ranges and slew rates that nothing may pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stm_daq.errors import OutOfRangeError
from stm_daq.quantities import show


@dataclass(frozen=True, slots=True)
class Range:
    """A closed interval of allowed values."""

    low: float
    high: float
    unit: str

    def require(self, value: float, what: str) -> float:
        """Return `value` if it is allowed.

        Raises
        ------
        OutOfRangeError
            If it lies outside or is not a number. Nothing is ever clipped.
        """
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise OutOfRangeError(
                f"{what} of {show(value, self.unit, 6)} is outside the station's limits "
                f"{show(self.low, self.unit)} to {show(self.high, self.unit)}; nothing was sent"
            )
        return value


@dataclass(frozen=True, slots=True)
class Limits:
    """The ``limits:`` block of station.yaml."""

    bias: Range
    """Bias at the junction, V."""
    bias_slew: float
    """Fastest change of the bias, V/s."""
    bias_step: float
    """Largest single step of the bias, V."""
    setpoint_current: Range
    """A."""
    z: Range
    """Tip height, m."""
    microwave_power: Range
    """dBm."""

"""What the station allows: ranges and slew rates that nothing may pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from stm_daq.errors import OutOfRangeError
from stm_daq.quantities import show
from stm_daq.records import Frame

TRAVEL_CONDUCTANCE = 1e-6
"""Largest conductance of the junction at which the tip may move sideways, S, if the station does not say.

Single atoms are pulled over metals at junctions of some 100 kohm to 1 Mohm: a tip that shall leave
the surface as it is stays at 1 Mohm or more. Maps and topographs are taken at 10 nS to 0.3 uS."""


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


def nothing(unit: str) -> Range:
    """Return the range that allows no value at all."""
    return Range(math.inf, -math.inf, unit)


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
    x: Range
    """Lateral position of the tip, m."""
    y: Range
    """m."""
    z: Range
    """Tip height, m."""
    microwave_power: Range
    """dBm."""
    temperature: Range = field(default_factory=lambda: nothing("K"))
    """Set-point of the temperature control, K."""
    travel_conductance: float = TRAVEL_CONDUCTANCE
    """Largest conductance (set-point current over bias) at which the tip may move sideways, S."""


def extent(frame: Frame) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the least and the largest x, and the same of y, of the corners of a turned frame, m."""
    cosine, sine = (abs(f(math.radians(frame.angle))) for f in (math.cos, math.sin))
    half_x = (cosine * frame.width + sine * frame.height) / 2
    half_y = (sine * frame.width + cosine * frame.height) / 2
    return (
        (frame.centre_x - half_x, frame.centre_x + half_x),
        (frame.centre_y - half_y, frame.centre_y + half_y),
    )

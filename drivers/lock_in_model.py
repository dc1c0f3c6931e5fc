"""What a lock-in amplifier can be set to, and how its low-pass filter remembers a staircase."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammainc

from stm_daq.errors import OutOfRangeError
from stm_daq.quantities import show
from stm_daq.records import Array
from stm_daq.station.roles import Finding, PlanNeeds, refusal

SLOPES = (6, 12, 18, 24)
"""Filter slopes of one to four poles, dB/oct."""
MEMORY = 12.0
"""Time constants after which a step is forgotten (four poles: to 0.2 %), or 3 per pole."""
ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class LockInModel:
    """Ranges of one model; every method named ``require...`` raises OutOfRangeError."""

    name: str
    full_scales: tuple[float, ...]
    """Sensitivities, ascending, V rms."""
    time_constants: tuple[float, ...]
    """s, ascending, in the order of their numbers."""
    sine_range: tuple[float, float]
    """Sine output, V rms."""
    frequency_range: tuple[float, float]
    """Hz."""
    capacity: int
    """Samples in the buffer."""

    def findings(self, options: Mapping[str, Any], needs: PlanNeeds | None) -> Iterator[Finding]:
        """Yield what the model cannot do; see :mod:`stm_daq.station.roles`."""
        divider = options.get("modulation_divider", 1.0)
        yield from refusal("modulation_divider", require_divider, divider)
        yield from refusal("filter_slope", require_slope, options.get("filter_slope", SLOPES[0]))
        if needs is None:
            return
        frequency, times = "sweep.modulation.frequency", "sweep.lockin.time_constant"
        yield from refusal(frequency, self.require_frequency, needs.modulation_frequency)
        yield from refusal(times, self.filter_index, needs.time_constant)
        if needs.samples:
            yield from refusal("sweep.bias.points", self.require_samples, needs.samples)
        if divider > 0 and "modulation_divider" in options:
            yield from refusal("sweep.modulation.peak", self.sine, needs.modulation_peak, divider)

    def require_frequency(self, frequency: float) -> None:
        """Refuse a reference frequency (Hz) that the model does not have."""
        require_within(self.name, self.frequency_range, frequency, "modulation frequency", "Hz")

    def require_samples(self, samples: int) -> None:
        """Refuse more samples than the buffer holds."""
        if not 1 <= samples <= self.capacity:
            raise OutOfRangeError(
                f"the {self.name}'s buffer holds 1 to {self.capacity} samples, not {samples}"
            )

    def sine(self, modulation: float, divider: float) -> float:
        """Return the sine output, V rms, for a peak modulation at the junction, V."""
        sine = modulation / (math.sqrt(2) * divider)
        what = "sine output needed for the modulation"
        return require_within(self.name, self.sine_range, sine, what, "V")

    def filter_index(self, time_constant: float) -> int:
        """Return the number of a time constant (s)."""
        for index, candidate in enumerate(self.time_constants):
            if math.isclose(time_constant, candidate, rel_tol=1e-6):
                return index
        wanted = math.log(max(time_constant, 1e-12))
        nearest = min(self.time_constants, key=lambda c: abs(math.log(c) - wanted))
        raise OutOfRangeError(
            f"the {self.name} has no time constant of {show(time_constant, 's')}; "
            f"the nearest is {show(nearest, 's')}"
        )

    def range_index(self, sensitivity: float) -> int:
        """Return the place in `full_scales` of the smallest that holds `sensitivity` (V rms)."""
        for index, full_scale in enumerate(self.full_scales):
            if sensitivity <= full_scale * ROUNDING:
                return index
        raise OutOfRangeError(
            f"a signal of {show(sensitivity, 'V')} rms is more than the {self.name}'s largest "
            f"range of {show(self.full_scales[-1], 'V')}; use less modulation or gain"
        )


def require_within(
    model: str, allowed: tuple[float, float], value: float, what: str, unit: str
) -> float:
    """Return `value` if the model can be set to it; refuse it otherwise."""
    if not allowed[0] <= value <= allowed[1]:
        raise OutOfRangeError(
            f"{what} of {show(value, unit)} is outside the {model}'s "
            f"{show(allowed[0], unit)} to {show(allowed[1], unit)}; nothing was sent"
        )
    return value


def require_divider(divider: float) -> None:
    """Refuse a modulation divider that is no positive number."""
    if not 0 < divider < math.inf:
        raise OutOfRangeError(f"modulation_divider must be greater than 0, not {divider}")


def require_slope(filter_slope: int) -> None:
    """Refuse a filter slope (dB/oct) that no number of poles gives."""
    if filter_slope not in SLOPES:
        raise OutOfRangeError(f"filter_slope must be one of {SLOPES} dB/oct, not {filter_slope}")


def staircase_memory(
    delay: float, dwell: float, time_constant: float, poles: int, tick: float = 0.0
) -> Array:
    """Return how much the steps of a staircase count in one sample; see ``LockIn.step_memory``.

    n poles with time constant T settle as P(n, t/T), the incomplete gamma function. A sample that
    is made at any time within `tick` (s) after its trigger gets the mean over that time.
    """
    moments = delay + tick * (np.arange(8) + 0.5) / 8
    reach = max(MEMORY, 3.0 * poles)
    steps = np.arange(math.ceil(reach * time_constant / dwell) + 1)
    settled = gammainc(poles, (moments + dwell * steps[:, None]) / time_constant)
    weights: Array = np.diff(settled.mean(axis=1), prepend=0.0)
    return weights / weights.sum()

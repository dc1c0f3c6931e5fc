"""One output of the QDAC-II: what it gives, and how it plays a list."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.devices.scpi_rows import ScpiError
from sim.waveform import Waveform

type Array = NDArray[np.float64]

RANGES = {"LOW": 2.0, "HIGH": 10.0}
"""Full scale of the two output ranges, V."""
BITS = 25
"""Resolution of the converters: 0.6 uV in the high range."""
FASTEST_SLEW = 2e7
"""V/s."""
SLACK = 1.001
"""Steps this much too fast for the slew rate are rounding, not a mistake."""


@dataclass
class Channel:
    """One output. All voltages at the DAC's terminals, V."""

    wave: Waveform
    scale: float = 1.0
    """V of the waveform per V of the DAC: the divider towards the junction."""
    mode: str = "FIX"
    range: str = "HIGH"
    fixed: float = 0.0
    slew: float = FASTEST_SLEW
    list: Array = field(default_factory=lambda: np.empty(0))
    dwell: float = 1e-3
    delay: float = 0.0
    count: int = 1
    trigger: str = "IMM"
    continuous: bool = False
    busy_until: float = -math.inf
    armed: bool = False
    markers: dict[str, int] = field(default_factory=dict)
    """Internal trigger that each of SST, SEND, STAR, END fires (0 = none)."""

    def quantise(self, volts: Array) -> Array:
        """Return the voltages that the converter can give, V."""
        step = 2 * RANGES[self.range] / 2**BITS
        rounded: Array = np.round(volts / step) * step
        return rounded

    def require(self, volts: Array) -> None:
        """Refuse voltages that the range cannot give."""
        if np.any(np.abs(volts) > RANGES[self.range]) or not np.all(np.isfinite(volts)):
            raise ScpiError(-222, "Data out of range")

    def go_to(self, volts: float, now: float) -> None:
        """Slew to a constant voltage."""
        target = float(self.quantise(np.array([volts]))[0]) * self.scale
        self.wave.ramp(now, target, self.slew * self.scale)

    def output(self, now: float) -> float:
        """Return what the output gives, V."""
        return self.wave.value(now) / self.scale

    def stall(self, begins: Array) -> Array:
        """Let the list that was started stop half way and never end; return its steps, s."""
        half = len(begins) // 2
        self.wave.cut(float(begins[half]))
        self.busy_until = math.inf
        return begins[:half]

    def run_list(self, start: float, stuck: bool = False) -> Array:
        """Play the list from `start` on and return when each step begins, s, shape (n,).

        An output that is `stuck` counts the steps, but stays where it is.
        """
        volts = np.tile(self.quantise(self.list), self.count)
        if stuck:
            volts[:] = self.output(start)
        begins = start + self.dwell * np.arange(len(volts), dtype=np.float64)
        before = np.append(self.output(start), volts[:-1])
        rises = np.abs(volts - before) / self.slew
        if np.any(rises > self.dwell * SLACK):
            raise ScpiError(-221, "Settings conflict: slew rate too low for the list")
        times = np.stack([begins, begins + np.minimum(rises, self.dwell)], axis=1).ravel()
        values = np.stack([before, volts], axis=1).ravel()
        self.wave.path(times, values * self.scale)
        self.busy_until = start + self.dwell * len(volts)
        return begins

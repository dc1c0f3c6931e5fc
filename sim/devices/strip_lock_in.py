"""An SR830 on the strip of film: its sine output drives a current through a series resistor.

Below the critical current there is no voltage; above it the in-phase voltage is taken for that at the
peak of the current. The low-pass filter is taken as settled. The rest is as
:mod:`sim.devices.sr830`.
"""

from __future__ import annotations

import math

import numpy as np

from sim.devices.lock_in_path import Array, Output
from sim.devices.sr830 import Sr830
from sim.devices.trigger_line import TriggerLine
from sim.world import World


class StripLockIn(Sr830):
    """The lock-in as its drivers see it.

    Parameters
    ----------
    name : str
    world : World
    trigger : TriggerLine
    series_resistance : float
        Between sine output and strip, ohm.
    voltage_noise : float
        rms of one reading, V.
    """

    def __init__(
        self,
        name: str,
        world: World,
        trigger: TriggerLine,
        series_resistance: float = 1e4,
        voltage_noise: float = 0.2e-6,
    ) -> None:
        self._series = series_resistance
        self._voltage_noise = voltage_noise
        super().__init__(name, world, trigger)

    def output_at(self, times: Array) -> Output:
        """Return the voltage along the strip, V rms, at `times` (s)."""
        peak = self._sine * math.sqrt(2) / self._series
        rms = self.world.tip.strip_voltage(peak) / math.sqrt(2)
        voltage = rms + self._voltage_noise * self.rng.standard_normal(len(times))
        zero = np.zeros(len(times))
        return Output(voltage.astype(np.complex128), zero, abs(rms), abs(rms) * math.sqrt(2))

    def _modulate(self) -> None:
        """Not the junction is modulated, but the strip."""

"""The bias output of the simulated controller."""

from __future__ import annotations

import math

import numpy as np

from sim.waveform import Array, Waveform
from sim.world import World

REMEMBER = 60.0
"""History of the bias that is kept for readings of the near past, s."""


class BiasOutput:
    """The voltage that the controller applies to the junction."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self._waveform = Waveform(0.0)
        world.add_bias("nanonis", self._waveform)

    @property
    def volts(self) -> float:
        """Value now, V."""
        return self._waveform.value(self._clock.now())

    def at(self, times: Array) -> Array:
        """Return the values at `times` (s), V."""
        return self._waveform(times)

    def jump(self, volts: float) -> None:
        """Change at once."""
        self._ramp(volts, math.inf)

    def ramp(self, volts: float, rate: float) -> float:
        """Change at `rate` (V/s); return how long that takes, s."""
        return self._ramp(volts, rate) - self._clock.now()

    def staircase(self, values: Array, dwells: Array) -> Array:
        """From now on hold each of `values` (V) for its dwell (s); return when each begins, s."""
        begins = self._clock.now() + np.concatenate([[0.0], np.cumsum(dwells)[:-1]])
        self._waveform.staircase(begins, values)
        return begins

    def _ramp(self, volts: float, rate: float) -> float:
        now = self._clock.now()
        self._waveform.forget_before(now - REMEMBER)
        return self._waveform.ramp(now, volts, rate)

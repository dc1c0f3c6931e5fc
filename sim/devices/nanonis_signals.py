"""The signals of the simulated controller: their numbers, names and values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.devices.nanonis_refusal import Values, require
from sim.world import World

CURRENT, BIAS, X, Y, Z, TEMPERATURE = 0, 24, 28, 29, 30, 31

_NAMED = {
    CURRENT: "Current (A)",
    BIAS: "Bias (V)",
    X: "X (m)",
    Y: "Y (m)",
    Z: "Z (m)",
    TEMPERATURE: "Temperature 1 (K)",
}
NAMES = tuple(_NAMED.get(index, f"Input {index} (V)") for index in range(128))
"""All 128 signals; the numbers of current, bias and z are those of the vendor's examples."""


class Signals:
    """Readings of the controller's inputs, averaged over one acquisition period.

    Parameters
    ----------
    world : World
    period : float
        Acquisition period, s.
    """

    def __init__(self, world: World, period: float) -> None:
        self._world = world
        self._rng = world.rng("nanonis signals")
        self.period = period
        self.bias = 0.0
        """Bias output of the controller itself, V."""

    def wait_for_newest(self) -> None:
        """Let the running period end and a whole one pass."""
        self._world.clock.sleep(2 * self.period)

    def value(self, index: int) -> float:
        """Return the newest value of signal `index`."""
        world = self._world
        now = world.clock.now()
        if index == CURRENT:
            return self._current(now)
        if index == Z:
            return world.tip.z(now) + world.tip.z_noise * float(self._rng.standard_normal())
        if index == TEMPERATURE:
            return world.stage_temperature(now)
        x, y = world.tip.position
        return {BIAS: self.bias, X: x, Y: y}.get(index, 0.0)

    def _current(self, now: float) -> float:
        times = np.array([now])
        current = self._world.current(times)
        density = float(self._world.current_noise_density(times, current)[0])
        noise = density * np.sqrt(0.5 / self.period) * self._rng.standard_normal()
        if self._world.interference.active:
            noise += float(self._world.interference.current(times, self.period)[0])
        limit = self._world.preamplifier.full_scale
        return float(np.clip(current[0] + noise, -limit, limit))


class SignalsModule:
    """Commands ``Signals.*``; see :mod:`sim.devices.nanonis_modules` for the convention."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def names_get(self) -> Values:
        return (NAMES,)

    def val_get(self, signal: int, wait_for_newest: int) -> Values:
        (values,) = self.vals_get([signal], wait_for_newest)
        return (values[0],)

    def vals_get(self, signals: Sequence[int], wait_for_newest: int) -> Values:
        known = all(0 <= signal < len(NAMES) for signal in signals)
        require(known, f"Signal numbers run from 0 to {len(NAMES) - 1}")
        if wait_for_newest:
            self._signals.wait_for_newest()
        return ([self._signals.value(int(signal)) for signal in signals],)

"""The signals of the simulated controller: their numbers, names and values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.devices.nanonis_lock_in import Demodulators
from sim.devices.nanonis_output import BiasOutput
from sim.devices.nanonis_refusal import Values, require
from sim.waveform import Array
from sim.world import World

CURRENT, BIAS, X, Y, Z, TEMPERATURE = 0, 24, 28, 29, 30, 31
LOCK_IN = {86: (1, "X"), 87: (1, "Y"), 88: (2, "X"), 89: (2, "Y")}
"""Number of the demodulator and its output."""

_NAMED = {
    CURRENT: "Current (A)",
    BIAS: "Bias (V)",
    X: "X (m)",
    Y: "Y (m)",
    Z: "Z (m)",
    TEMPERATURE: "Temperature 1 (K)",
} | {index: f"LI Demod {number} {part} (A)" for index, (number, part) in LOCK_IN.items()}
NAMES = tuple(_NAMED.get(index, f"Input {index} (V)") for index in range(128))
"""All 128 signals; the numbers of current, bias, z and the lock-in are those of the vendor's
examples."""


class Signals:
    """Readings of the controller's inputs, averaged over one acquisition period.

    Parameters
    ----------
    world : World
    output : BiasOutput
    demodulators : Demodulators
    period : float
        Acquisition period, s.
    """

    def __init__(
        self, world: World, output: BiasOutput, demodulators: Demodulators, period: float
    ) -> None:
        self._world = world
        self._output = output
        self._demodulators = demodulators
        self._rng = world.rng("nanonis signals")
        self.period = period

    def wait_for_newest(self) -> None:
        """Let the running period end and a whole one pass."""
        self._world.clock.sleep(2 * self.period)

    def value(self, index: int) -> float:
        """Return the newest value of signal `index`."""
        now = np.array([self._world.clock.now()])
        if index in LOCK_IN:
            number, part = LOCK_IN[index]
            return float(_part(self._demodulators.live(number, now), part)[0])
        return float(self.samples(index, now, self.period)[0])

    def samples(self, index: int, times: Array, averaging: Array | float) -> Array:
        """Return a signal at past `times` (s, ascending), each averaged over `averaging` (s)."""
        world = self._world
        if index == CURRENT:
            return self._current(times, averaging)
        if index == Z:
            heights = np.array([world.tip.z(float(time)) for time in times])
            return heights + world.tip.z_noise * self._rng.standard_normal(len(times))
        if index == BIAS:
            return self._output.at(times)
        if index in LOCK_IN:
            number, part = LOCK_IN[index]
            return _part(self._demodulators.recorded(number, times, averaging), part)
        x, y = world.tip.position
        temperature = world.stage_temperature(float(times[-1])) if index == TEMPERATURE else 0.0
        return np.full(len(times), {X: x, Y: y, TEMPERATURE: temperature}.get(index, 0.0))

    def _current(self, times: Array, averaging: Array | float) -> Array:
        current = self._world.current(times)
        density = self._world.current_noise_density(times, current)
        noise = density * np.sqrt(0.5 / np.asarray(averaging))
        limit = self._world.preamplifier.full_scale
        noisy: Array = current + noise * self._rng.standard_normal(len(times))
        if self._world.interference.active:
            noisy += self._world.interference.current(times, float(np.mean(averaging)))
        return np.clip(noisy, -limit, limit)


def _part(output: np.ndarray[tuple[int], np.dtype[np.complex128]], part: str) -> Array:
    value: Array = output.real if part == "X" else output.imag
    return value


class SignalsModule:
    """Commands ``Signals.*``; see :mod:`sim.devices.nanonis_modules` for the convention."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def names_get(self) -> Values:
        return (NAMES,)

    def meas_names_get(self) -> Values:
        return (tuple(_NAMED.values()),)

    def calibr_get(self, signal: int) -> Values:
        require_signal(signal)
        return 1.0, 0.0

    def range_get(self, signal: int) -> Values:
        require_signal(signal)
        return 10.0, -10.0

    def val_get(self, signal: int, wait_for_newest: int) -> Values:
        (values,) = self.vals_get([signal], wait_for_newest)
        return (values[0],)

    def vals_get(self, signals: Sequence[int], wait_for_newest: int) -> Values:
        for signal in signals:
            require_signal(signal)
        if wait_for_newest:
            self._signals.wait_for_newest()
        return ([self._signals.value(int(signal)) for signal in signals],)


def require_signal(index: int) -> None:
    """Refuse a signal that does not exist."""
    require(0 <= index < len(NAMES), f"Signal numbers run from 0 to {len(NAMES) - 1}")

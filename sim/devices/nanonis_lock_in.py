"""The lock-in of the simulated controller: modulators and demodulators.

Amplitudes are peak values, of the modulation as of the demodulated current, so that X / amplitude
is the conductance. The twin knows one modulation of the bias at a time: a modulator that is
switched on or off takes the place of whatever modulated before, an external lock-in included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.devices.lock_in_path import LockInPath, Settings
from sim.devices.nanonis_refusal import Values, require
from sim.waveform import Array
from sim.world import World

type ComplexArray = NDArray[np.complex128]

COUNT = 8
"""Modulators, and demodulators."""
CURRENT_SIGNAL, BIAS_SIGNAL, SIGNALS = 0, 24, 128
MOST_POLES = 4
NOISE_BANDWIDTH = (1 / 4, 1 / 8, 3 / 32, 5 / 64)
"""Equivalent noise bandwidth of 1 to 4 RC stages times their time constant."""
AVERAGED = 4
"""Samples of the output that stand for one averaged reading."""


@dataclass
class Modulator:
    """What adds a sine to a signal."""

    on: bool = False
    signal: int = BIAS_SIGNAL
    register: int = 1
    harmonic: int = 1
    phase: float = 0.0
    """Degrees."""
    amplitude: float = 0.0
    """Peak, V."""
    frequency: float = 1000.0
    """Hz."""


@dataclass
class Demodulator:
    """What measures the answer."""

    signal: int = CURRENT_SIGNAL
    register: int = 1
    harmonic: int = 1
    phase: float = 0.0
    """Degrees."""
    high_pass: tuple[int, float] = (0, 1.0)
    """Order and cut-off frequency (Hz); kept, without effect: there is nothing to filter off."""
    order: int = 2
    """Stages of the low pass."""
    cutoff: float = 10.0
    """Of one stage of the low pass, Hz."""
    sync: int = 0
    rt_signals: int = 0

    @property
    def time_constant(self) -> float:
        """Of one stage, s."""
        return 1 / (2 * math.pi * self.cutoff)


class Demodulators:
    """All modulators and demodulators at the junction.

    Parameters
    ----------
    world : World
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.modulators = [Modulator() for _ in range(COUNT)]
        self.demodulators = [Demodulator() for _ in range(COUNT)]
        self._rng = world.rng("nanonis lock-in")
        self._live: dict[int, LockInPath] = {}

    @property
    def bias_modulated(self) -> bool:
        """Whether the controller itself modulates the bias."""
        return any(m.on and m.signal == BIAS_SIGNAL for m in self.modulators)

    def apply(self) -> None:
        """Modulate the bias as the modulators are set now."""
        for modulator in self.modulators:
            if modulator.on and modulator.signal == BIAS_SIGNAL:
                self._world.set_modulation(modulator.frequency, modulator.amplitude)
                return
        self._world.set_modulation(self.modulators[0].frequency, 0.0)

    def live(self, number: int, times: Array) -> ComplexArray:
        """Return X + iY of demodulator `number` now, A peak; `times` never go back."""
        path = self._live.setdefault(number, LockInPath(self._world, self._rng))
        return self._output(number, path, times)

    def recorded(self, number: int, times: Array, averaging: Array | float) -> ComplexArray:
        """Return X + iY, A peak, around past `times` (s), each averaged over `averaging` (s)."""
        parts = (np.arange(AVERAGED) + 0.5) / AVERAGED - 0.5
        moments = (times[:, None] + parts * np.reshape(averaging, (-1, 1))).ravel()
        path = LockInPath(self._world, self._rng)
        output = self._output(number, path, moments)
        averaged: ComplexArray = output.reshape(-1, AVERAGED).mean(axis=1)
        return averaged

    def _output(self, number: int, path: LockInPath, times: Array) -> ComplexArray:
        demodulator = self.demodulators[number - 1]
        if demodulator.signal != CURRENT_SIGNAL:
            return np.zeros(len(times), dtype=np.complex128)
        gain = self._world.preamplifier.gain
        if not self.bias_modulated:
            return self._noise(demodulator, times)
        modulator = next(m for m in self.modulators if m.on and m.signal == BIAS_SIGNAL)
        settings = Settings(
            demodulator.time_constant, demodulator.order, demodulator.phase - modulator.phase
        )
        xy = path.output(times, settings, float(times[0])).xy
        scaled: ComplexArray = xy * (math.sqrt(2) / gain)
        return scaled

    def _noise(self, demodulator: Demodulator, times: Array) -> ComplexArray:
        """Return what is measured without modulation."""
        density = self._world.current_noise_density(times)
        bandwidth = NOISE_BANDWIDTH[demodulator.order - 1] / demodulator.time_constant
        normal = self._rng.standard_normal((len(times), 2)).view(np.complex128)[:, 0]
        noise: ComplexArray = density * math.sqrt(2 * bandwidth) * normal
        return noise


class LockInModule:
    """Commands ``LockIn.*``; see :mod:`sim.devices.nanonis_modules` for the convention."""

    def __init__(self, lock_in: Demodulators) -> None:
        self._lock_in = lock_in

    def _modulator(self, number: int) -> Modulator:
        require(1 <= number <= COUNT, f"Modulators are numbered 1 to {COUNT}")
        return self._lock_in.modulators[number - 1]

    def _demodulator(self, number: int) -> Demodulator:
        require(1 <= number <= COUNT, f"Demodulators are numbered 1 to {COUNT}")
        return self._lock_in.demodulators[number - 1]

    def mod_on_off_set(self, number: int, on: int) -> Values:
        self._modulator(number).on = bool(on)
        self._lock_in.apply()
        return ()

    def mod_on_off_get(self, number: int) -> Values:
        return (int(self._modulator(number).on),)

    def mod_signal_set(self, number: int, signal: int) -> Values:
        require(0 <= signal < SIGNALS, f"Signal numbers run from 0 to {SIGNALS - 1}")
        self._modulator(number).signal = signal
        self._lock_in.apply()
        return ()

    def mod_signal_get(self, number: int) -> Values:
        return (self._modulator(number).signal,)

    def mod_phas_reg_set(self, number: int, register: int) -> Values:
        require(1 <= register <= COUNT, f"Phase registers are numbered 1 to {COUNT}")
        self._modulator(number).register = register
        return ()

    def mod_phas_reg_get(self, number: int) -> Values:
        return (self._modulator(number).register,)

    def mod_harmonic_set(self, number: int, harmonic: int) -> Values:
        require(harmonic == 1, "The twin modulates at the first harmonic only")
        self._modulator(number).harmonic = harmonic
        return ()

    def mod_harmonic_get(self, number: int) -> Values:
        return (self._modulator(number).harmonic,)

    def mod_phas_set(self, number: int, phase: float) -> Values:
        require(math.isfinite(phase), "The phase must be a number")
        self._modulator(number).phase = phase
        return ()

    def mod_phas_get(self, number: int) -> Values:
        return (self._modulator(number).phase,)

    def mod_amp_set(self, number: int, amplitude: float) -> Values:
        require(0 <= amplitude <= 10, f"Modulation amplitude out of range: {amplitude:g}")
        self._modulator(number).amplitude = amplitude
        self._lock_in.apply()
        return ()

    def mod_amp_get(self, number: int) -> Values:
        return (self._modulator(number).amplitude,)

    def mod_phas_freq_set(self, number: int, frequency: float) -> Values:
        require(0 < frequency <= 40e3, f"Modulation frequency out of range: {frequency:g} Hz")
        self._modulator(number).frequency = frequency
        self._lock_in.apply()
        return ()

    def mod_phas_freq_get(self, number: int) -> Values:
        return (self._modulator(number).frequency,)

    def demod_signal_set(self, number: int, signal: int) -> Values:
        require(0 <= signal < SIGNALS, f"Signal numbers run from 0 to {SIGNALS - 1}")
        self._demodulator(number).signal = signal
        return ()

    def demod_signal_get(self, number: int) -> Values:
        return (self._demodulator(number).signal,)

    def demod_harmonic_set(self, number: int, harmonic: int) -> Values:
        require(harmonic == 1, "The twin demodulates the first harmonic only")
        self._demodulator(number).harmonic = harmonic
        return ()

    def demod_harmonic_get(self, number: int) -> Values:
        return (self._demodulator(number).harmonic,)

    def demod_hp_filter_set(self, number: int, order: int, cutoff: float) -> Values:
        require(-1 <= order <= 8 and cutoff >= 0, "Order -1 to 8, cut-off 0 or more")
        demodulator = self._demodulator(number)
        old = demodulator.high_pass
        demodulator.high_pass = (old[0] if order < 0 else order, cutoff or old[1])
        return ()

    def demod_hp_filter_get(self, number: int) -> Values:
        return self._demodulator(number).high_pass

    def demod_lp_filter_set(self, number: int, order: int, cutoff: float) -> Values:
        within = order == -1 or 1 <= order <= MOST_POLES
        require(within, f"The twin's low pass has the order 1 to {MOST_POLES}")
        require(cutoff == 0 or 1e-3 <= cutoff <= 20e3, f"Cut-off out of range: {cutoff:g} Hz")
        demodulator = self._demodulator(number)
        demodulator.order = demodulator.order if order == -1 else order
        demodulator.cutoff = cutoff or demodulator.cutoff
        return ()

    def demod_lp_filter_get(self, number: int) -> Values:
        demodulator = self._demodulator(number)
        return demodulator.order, demodulator.cutoff

    def demod_phas_reg_set(self, number: int, register: int) -> Values:
        require(1 <= register <= COUNT, f"Phase registers are numbered 1 to {COUNT}")
        self._demodulator(number).register = register
        return ()

    def demod_phas_reg_get(self, number: int) -> Values:
        return (self._demodulator(number).register,)

    def demod_phas_set(self, number: int, phase: float) -> Values:
        require(math.isfinite(phase), "The phase must be a number")
        self._demodulator(number).phase = phase
        return ()

    def demod_phas_get(self, number: int) -> Values:
        return (self._demodulator(number).phase,)

    def demod_sync_filter_set(self, number: int, on: int) -> Values:
        self._demodulator(number).sync = int(bool(on))
        return ()

    def demod_sync_filter_get(self, number: int) -> Values:
        return (self._demodulator(number).sync,)

    def demod_rt_signals_set(self, number: int, signals: int) -> Values:
        self._demodulator(number).rt_signals = int(bool(signals))
        return ()

    def demod_rt_signals_get(self, number: int) -> Values:
        return (self._demodulator(number).rt_signals,)

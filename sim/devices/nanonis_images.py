"""What the simulated controller records along a line of the scan."""

from __future__ import annotations

import math

import numpy as np

from sim.devices.nanonis_lock_in import Demodulators
from sim.devices.nanonis_output import BiasOutput
from sim.devices.nanonis_signals import BIAS, CURRENT, LOCK_IN, TEMPERATURE, X, Y, Z
from sim.waveform import Array
from sim.world import World


class LineRecorder:
    """Signals along a line.

    With feedback the current is the set-point, and the lock-in measures the conductance there; its
    filter is taken as fast. Without feedback the current follows the distance as that of a normal
    junction.
    """

    def __init__(self, world: World, output: BiasOutput, lock_in: Demodulators) -> None:
        self._world = world
        self._output = output
        self._lock_in = lock_in
        self._rng = world.rng("nanonis scan")

    def record(self, signal: int, x: Array, y: Array, times: Array, pixel_time: float) -> Array:
        """Return one signal at places (m) passed at `times` (s, in either direction), shape (n,)."""
        tip = self._world.tip
        if signal == Z:
            return tip.line(x, y, times) + tip.z_noise * self._rng.standard_normal(len(x))
        if signal == CURRENT:
            return self._current(x, y, times, pixel_time)
        if signal in LOCK_IN and LOCK_IN[signal][1] == "X" and self._lock_in.bias_modulated:
            return self._lock_in_x(x, y, times, pixel_time)
        if signal == TEMPERATURE:
            return np.full(len(x), self._world.stage_temperature(float(times[0])))
        known = {X: x, Y: y, BIAS: self._output.at(times)}
        return known.get(signal, np.zeros(len(x)))

    def _current(self, x: Array, y: Array, times: Array, pixel_time: float) -> Array:
        world, tip = self._world, self._world.tip
        bias = world.bias(times)
        if tip.feedback_on:
            current = np.sign(bias) * tip.setpoint
        else:
            distance = tip.line(x, y, times) - tip.surface_along(x, y, times)
            current = bias * tip.barrier.conductance(distance)
        limit = world.preamplifier.full_scale
        noisy: Array = np.clip(current + self._noise(current, pixel_time), -limit, limit)
        return noisy

    def _lock_in_x(self, x: Array, y: Array, times: Array, pixel_time: float) -> Array:
        """Return the modulation's amplitude times the conductance at the set-point."""
        world, tip = self._world, self._world.tip
        peak = world.modulation_peak
        bias = world.bias(times)
        normal, slope = np.empty(len(x)), np.empty(len(x))
        for i in range(len(x)):
            across, up = tip.surface_place(float(x[i]), float(y[i]), float(times[i]))
            stage = world.stage_temperature(float(times[i]))
            junction = world.sample.junction(across, up, stage)
            normal[i] = junction.current(bias[i : i + 1], peak)[0]
            slope[i] = junction.conductance(bias[i : i + 1], peak)[0]
        current = self._current(x, y, times, pixel_time)
        with np.errstate(divide="ignore", invalid="ignore"):
            signal = np.where(normal != 0, peak * slope * current / normal, 0.0)
        result: Array = signal + math.sqrt(2) * self._noise(current, pixel_time)
        return result

    def _noise(self, current: Array, pixel_time: float) -> Array:
        density = self._world.current_noise_density(np.empty(0), current)
        noise: Array = density * math.sqrt(0.5 / pixel_time)
        return noise * self._rng.standard_normal(len(current))

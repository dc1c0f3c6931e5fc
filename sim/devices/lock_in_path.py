"""From the junction to the lock-in's output: what a lock-in amplifier and its wiring make of it.

Evaluated lazily: nothing happens until somebody asks for the output at some times, then the whole
stretch since the last question is worked out at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.devices.lock_in_filter import LowPass
from sim.preamplifier import OUTPUT_LIMIT
from sim.world import World

type Array = NDArray[np.float64]
type ComplexArray = NDArray[np.complex128]

MEMORY = 40.0
"""After so many time constants the filter has forgotten (24 dB/oct: to 1e-13)."""
SHORT = 0.1
"""A ramp shorter than this fraction of the time constant counts as a jump at its middle; a longer
one is cut into pieces as short."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the lock-in is set."""

    time_constant: float
    """s."""
    poles: int
    phase: float
    """Reference phase, degrees."""


@dataclass(frozen=True, slots=True)
class Output:
    """What the lock-in had at some times, each shape (n,)."""

    xy: ComplexArray
    """X + iY behind the filter, V rms."""
    dc: Array
    """Output of the preamplifier, V, with noise."""
    largest_input: float
    """Largest ac amplitude at the input meanwhile, V rms."""
    largest_peak: float
    """Largest voltage at the input meanwhile, dc and ac together, V."""


class LockInPath:
    """Junction, preamplifier, demodulator and filter of one lock-in.

    The modulation itself is assumed to be filtered off in front of the auxiliary input.

    Parameters
    ----------
    world : World
    rng : numpy Generator
    """

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world = world
        self._rng = rng
        self._filter = LowPass(rng)
        self._time = -math.inf

    def output(self, times: Array, settings: Settings, since: float) -> Output:
        """Return the output at `times` (s, ascending, not before those of the last call).

        The largest input is that after the moment `since`.
        """
        tau = settings.time_constant
        oldest = max(float(times[0]) - MEMORY * tau, 0.0)
        fresh = self._time < oldest
        start = oldest if fresh else self._time
        edges = self._edges(start, float(times[-1]), tau)
        middles = (edges[:-1] + edges[1:]) / 2
        ac, dc, density = self._inputs(middles)
        targets = ac * np.exp(-1j * math.radians(settings.phase))
        if fresh:
            self._filter.settle(complex(targets[0]))
        stops = np.union1d(edges[1:], times)
        interval = np.searchsorted(edges[1:-1], stops, side="left")
        amplifier, frequency = self._world.preamplifier, self._world.modulation_frequency
        noise = np.hypot(density, amplifier.flicker_density(frequency))
        output = self._filter.run(
            np.diff(stops, prepend=start),
            targets[interval],
            noise[interval] * abs(amplifier.response(frequency)),
            tau,
            settings.poles,
        )
        self._time = float(times[-1])
        segment = np.searchsorted(edges[1:-1], times, side="right")
        lately = middles > since
        amplitude = np.abs(ac)
        peak = np.abs(dc) + math.sqrt(2) * amplitude
        return Output(
            xy=output[np.searchsorted(stops, times)] + self._hum(times, settings),
            dc=self._dc(times, dc[segment], density[segment]),
            largest_input=float(np.max(amplitude, where=lately, initial=0.0)),
            largest_peak=float(np.max(peak, where=lately, initial=0.0)),
        )

    def _edges(self, start: float, end: float, tau: float) -> Array:
        """Return times between which the input may be taken as constant, shape (m + 1,)."""
        knots = self._world.changes_between(start, end)
        knots = knots[knots < end]
        short = np.diff(knots) < SHORT * tau
        short[1:] &= ~short[:-1]
        if short.any():
            first = np.flatnonzero(short)
            knots[first] = (knots[first] + knots[first + 1]) / 2
            knots = np.delete(knots, first + 1)
        edges = np.concatenate([[start], knots, [end]])
        return self._subdivide(edges, tau)

    def _subdivide(self, edges: Array, tau: float) -> Array:
        """Cut ramps, and the time before the first change, into short pieces."""
        world = self._world
        lengths = np.diff(edges)
        middle, other = (edges[:-1] + part * lengths for part in (0.5, 0.4))
        ramp = world.bias(middle) != world.bias(other)
        longest = np.where(ramp, SHORT * tau, np.inf)
        longest[0] = min(longest[0], tau)
        pieces = [edges[:1]]
        last = 0
        for i in np.flatnonzero(lengths > longest).tolist():
            count = math.ceil(lengths[i] / longest[i])
            pieces += [
                edges[last + 1 : i + 1],
                np.linspace(edges[i], edges[i + 1], count + 1)[1:-1],
            ]
            last = i
        pieces.append(edges[last + 1 :])
        return np.concatenate(pieces)

    def _inputs(self, times: Array) -> tuple[ComplexArray, Array, Array]:
        """Return ac input (V rms, complex), dc input (V) and noise (A/sqrt(Hz)) at `times`."""
        world = self._world
        amplifier = world.preamplifier
        current = world.current(times)
        conductance = world.conductance(times)
        response = amplifier.response(world.modulation_frequency)
        rms = world.modulation_peak / math.sqrt(2)
        within = np.abs(current) < amplifier.full_scale
        ac = (conductance * within).astype(np.complex128) * (rms * response)
        dc = np.clip(current * amplifier.gain, -OUTPUT_LIMIT, OUTPUT_LIMIT)
        return ac, dc, world.current_noise_density(times, current)

    def _hum(self, times: Array, settings: Settings) -> ComplexArray | float:
        """Return what the filter lets through of the mains, V rms."""
        world = self._world
        if not world.preamplifier.hum:
            return 0.0
        hum = world.interference.demodulated(
            times,
            world.modulation_frequency,
            settings.phase,
            settings.time_constant,
            settings.poles,
        )
        return world.preamplifier.gain * hum

    def _dc(self, times: Array, dc: Array, density: Array) -> Array:
        """Add the preamplifier's noise within its own bandwidth to its dc output."""
        amplifier = self._world.preamplifier
        if self._world.interference.active:
            dc = dc + amplifier.gain * self._world.interference.current(times)
        rms = density * amplifier.gain * math.sqrt(math.pi / 2 * amplifier.bandwidth)
        noisy: Array = dc + rms * self._rng.standard_normal(len(dc))
        return noisy

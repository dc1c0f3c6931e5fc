"""Noise of the current that is no white noise: mains hum, and noise that grows towards low frequency.

Both are sums of sine waves whose phases are decided by the seed: functions of time, the same however
often they are asked for. Whoever averages or filters them does so exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.preamplifier import Preamplifier

type Array = NDArray[np.float64]
type ComplexArray = NDArray[np.complex128]

SLOWEST = 1e-5
"""Lowest frequency of the 1/f noise, Hz."""
PER_DECADE = 8
"""Sine waves of the 1/f noise in a decade of frequency."""


class Interference:
    """Hum and 1/f noise at the input of the preamplifier.

    Parameters
    ----------
    preamplifier : Preamplifier
        Says how much there is, and attenuates what is faster than it.
    rng : numpy Generator
        Of its own.
    """

    def __init__(self, preamplifier: Preamplifier, rng: np.random.Generator) -> None:
        hum = preamplifier.hum * np.array([1.0, *preamplifier.hum_harmonics])
        lines = preamplifier.mains * np.arange(1, len(hum) + 1)
        slow, flicker = _flicker(preamplifier, rng)
        phases = 2 * math.pi * rng.random(len(lines) + len(slow))
        frequency = np.concatenate([lines, slow])
        passed = 1 / (1 + 1j * frequency / preamplifier.bandwidth)
        size = math.sqrt(2) * np.concatenate([hum, flicker])
        present = size > 0
        self._lines = np.count_nonzero(hum)
        self._omega = (2 * math.pi * frequency)[present]
        self._wave = (size * passed * np.exp(1j * phases))[present]
        self.active = bool(present.any())
        """Whether there is any."""

    def current(self, times: Array, average: float = 0.0) -> Array:
        """Return the disturbance, A, shape (n,), as the preamplifier shows it.

        Parameters
        ----------
        times : ndarray, shape (n,)
            s.
        average : float
            The mean over so long a time before each of `times`, s.
        """
        if not self.active:
            return np.zeros(len(times))
        wave = self._wave * np.sinc(self._omega * average / (2 * math.pi))
        turned = np.exp(1j * np.outer(np.asarray(times) - average / 2, self._omega))
        disturbance: Array = (turned @ wave).real
        return disturbance

    def demodulated(
        self, times: Array, frequency: float, phase: float, time_constant: float, poles: int
    ) -> ComplexArray:
        """Return what a lock-in makes of the hum, A rms, X + iY, shape (n,).

        The hum was always there, so every line appears at its distance from the reference (Hz), and
        at the sum of both, attenuated by the n-pole filter. 1/f noise reaches a lock-in through
        `Preamplifier.flicker_density`.
        """
        hum, omega = self._wave[: self._lines], self._omega[: self._lines]
        reference = 2 * math.pi * frequency
        total = np.zeros(len(times), dtype=np.complex128)
        for wave, beat in ((hum, omega - reference), (np.conj(hum), -omega - reference)):
            filtered = wave / (1 + 1j * beat * time_constant) ** poles
            total += np.exp(1j * np.outer(times, beat)) @ filtered
        result: ComplexArray = total * np.exp(-1j * math.radians(phase)) / math.sqrt(2)
        return result


def _flicker(preamplifier: Preamplifier, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return frequencies, Hz, and rms, A, of waves that each stand for an equal part of a decade."""
    if not preamplifier.flicker:
        return np.empty(0), np.empty(0)
    decades = math.log10(preamplifier.bandwidth / SLOWEST)
    count = round(PER_DECADE * decades)
    place = (np.arange(count) + rng.random(count)) / count
    width = math.log(10) * decades / count
    rms = preamplifier.flicker * math.sqrt(width)
    return SLOWEST * 10 ** (decades * place), np.full(count, rms)

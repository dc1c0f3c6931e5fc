"""The current preamplifier of the twin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

OUTPUT_LIMIT = 10.0
"""Largest output, V."""


@dataclass
class Preamplifier:
    """A transimpedance amplifier with one pole, and the noise of the current at its input.

    The defaults are a room-temperature amplifier at 1 GV/A, whose noise is mostly that of its
    feedback resistor, without hum and 1/f noise.
    """

    gain: float = 1e9
    """dc gain, V/A."""
    bandwidth: float = 1.1e3
    """-3 dB frequency, Hz."""
    noise: float = 4.3e-15
    """White input current noise, A/sqrt(Hz)."""
    flicker: float = 0.0
    """Noise whose power goes as 1/f: its density at 1 Hz, A/sqrt(Hz)."""
    hum: float = 0.0
    """rms of the mains frequency in the current, A."""
    hum_harmonics: Sequence[float] = ()
    """Those of twice, three times ... the mains frequency, relative to `hum`."""
    mains: float = 50.0
    """Mains frequency, Hz."""

    def response(self, frequency: float) -> complex:
        """Return the complex gain at `frequency` (Hz), V/A: ``gain / (1 + i f / bandwidth)``."""
        return self.gain / (1 + 1j * frequency / self.bandwidth)

    def flicker_density(self, frequency: float) -> float:
        """Return the density of the 1/f noise at `frequency` (Hz), A/sqrt(Hz)."""
        return self.flicker / math.sqrt(frequency) if self.flicker and frequency else 0.0

    @property
    def full_scale(self) -> float:
        """Largest current that is not overloaded, A."""
        return OUTPUT_LIMIT / self.gain

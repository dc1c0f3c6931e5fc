"""The current preamplifier of the twin."""

from __future__ import annotations

from dataclasses import dataclass

OUTPUT_LIMIT = 10.0
"""Largest output, V."""


@dataclass
class Preamplifier:
    """A transimpedance amplifier with one pole.

    The defaults are a room-temperature amplifier at 1 GV/A, whose noise is mostly that of its
    feedback resistor.
    """

    gain: float = 1e9
    """dc gain, V/A."""
    bandwidth: float = 1.1e3
    """-3 dB frequency, Hz."""
    noise: float = 4.3e-15
    """White input current noise, A/sqrt(Hz)."""

    def response(self, frequency: float) -> complex:
        """Return the complex gain at `frequency` (Hz), V/A: ``gain / (1 + i f / bandwidth)``."""
        return self.gain / (1 + 1j * frequency / self.bandwidth)

    @property
    def full_scale(self) -> float:
        """Largest current that is not overloaded, A."""
        return OUTPUT_LIMIT / self.gain

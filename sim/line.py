"""The line from the microwave source to the tip: attenuators, cables, and standing waves."""

from __future__ import annotations

import math
from dataclasses import dataclass

LIGHT = 299_792_458.0
"""m/s."""


@dataclass
class MicrowaveLine:
    """How much of the power arrives at the tip.

    Cables lose by the skin effect, proportional to the square root of the frequency (in dB). Waves
    reflected by the tip and again by the last attenuator interfere with those that arrive.
    """

    attenuation: float = 30.0
    """Attenuators, dB."""
    skin_loss: float = 3.0
    """Of the cables at 1 GHz, dB."""
    reflection: float = 0.3
    """Product of the two reflection coefficients (amplitudes), 0 to below 1."""
    length: float = 0.4
    """Of the line between the two reflections, m."""
    speed: float = 0.7
    """Of the waves in the line, in units of the speed of light."""

    def loss(self, frequency: float) -> float:
        """Return the attenuation between source and tip at `frequency` (Hz), dB."""
        phase = 4 * math.pi * frequency * self.length / (self.speed * LIGHT)
        standing = 1 + self.reflection**2 - 2 * self.reflection * math.cos(phase)
        skin = self.skin_loss * math.sqrt(frequency / 1e9)
        return self.attenuation + skin + 10 * math.log10(standing)

    def power_at_tip(self, frequency: float, dbm: float) -> float:
        """Return the power at the tip of a source at `frequency` (Hz) and `dbm`, W."""
        return 1e-3 * 10 ** ((dbm - self.loss(frequency)) / 10)

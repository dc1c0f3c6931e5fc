"""The cryostat of the twin: how warm the stage is at any time."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Fridge:
    """A stage near its base temperature that drifts and breathes, the same in every run."""

    temperature: float = 0.5
    """Temperature at time zero, K."""
    drift: float = 1e-4
    """Slow rise, K per hour."""
    oscillation: float = 1e-3
    """Peak amplitude of a slow oscillation, K."""
    period: float = 2400.0
    """Period of the oscillation, s."""

    def stage_temperature(self, time: float) -> float:
        """Return the temperature of the stage at `time` (s since the world began), K."""
        breath = self.oscillation * math.sin(2 * math.pi * time / self.period)
        return self.temperature + self.drift * time / 3600 + breath

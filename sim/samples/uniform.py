"""A flat, uniform sample: for tests, and to see what the instruments alone do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.samples.btk_junction import BtkJunction

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Uniform:
    """The same junction everywhere, whatever the temperature of the stage."""

    gap: float = 0.6e-3
    """eV."""
    temperature: float = 0.5
    """Temperature of the junction, K."""
    barrier: float = 2.0
    slope: float = 0.0
    """Inclination of the surface along x."""

    def height(self, x: Array, y: Array) -> Array:
        """Return the height, m."""
        height: Array = self.slope * x + 0 * y
        return height

    def junction(self, x: float, y: float, stage_temperature: float) -> BtkJunction:
        """Return the junction, the same everywhere."""
        return BtkJunction(self.gap, self.temperature, self.barrier)

"""Drift compensation: the controller moves its piezos at a constant speed by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


class Compensation:
    """How far the piezos were moved besides what x, y and z say.

    A change of speed bends the motion, it does not make it jump. Times before the last change are
    taken as if nothing had moved then since the change before: readings look back by seconds only.
    """

    def __init__(self) -> None:
        self.velocity = np.zeros(3)
        """Along x, y, z, m/s."""
        self._since = 0.0
        self._moved = np.zeros(3)

    @property
    def active(self) -> bool:
        """Whether anything was ever moved."""
        return bool(self.velocity.any() or self._moved.any())

    @property
    def lateral(self) -> bool:
        """Whether anything was moved sideways."""
        return bool(self.velocity[:2].any() or self._moved[:2].any())

    def set(self, velocity: tuple[float, float, float], time: float) -> None:
        """Move at `velocity` (x, y, z; m/s) from `time` (s) on."""
        self._moved += self.velocity * max(time - self._since, 0.0)
        self._since = time
        self.velocity = np.array(velocity)

    def along(self, axis: int, times: Array | float) -> Array | float:
        """Return the displacement along axis 0, 1 or 2 at `times`, m, same shape."""
        speed = float(self.velocity[axis])
        if speed == 0.0:  # most of the time
            return float(self._moved[axis])
        moved: Array = self._moved[axis] + speed * np.maximum(np.asarray(times) - self._since, 0.0)
        return moved

"""How far the tip can go up and down: the z piezo, and the limits that the controller was given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


class Travel:
    """Heights that the feedback can reach; z grows away from the sample.

    Parameters
    ----------
    piezo : (float, float)
        Travel of the z piezo, m.
    """

    def __init__(self, piezo: tuple[float, float]) -> None:
        self.piezo = piezo
        self.limits = piezo
        """Lowest and highest z that the controller was given, m."""
        self.limited = False
        """Whether it keeps them."""
        self._stopped = False

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest z that can be reached now, m."""
        if not self.limited:
            return self.piezo
        return max(self.limits[0], self.piezo[0]), min(self.limits[1], self.piezo[1])

    def stopped(self, z: Array) -> Array:
        """Return where the feedback gets to, m, when it wants to go to `z`, m."""
        reached: Array = np.clip(z, *self.range)
        return reached

    def newly_stopped(self, lowest: float, highest: float) -> bool:
        """Tell whether the feedback, which was between these z (m), has just come to an end."""
        before = self._stopped
        low, high = self.range
        self._stopped = lowest <= low or highest >= high
        return self._stopped and not before

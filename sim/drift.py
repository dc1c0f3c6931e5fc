"""How tip and sample move against one another when nobody asks them to.

`Drift` is the surface that slides and rises: steadily, and, after a change of temperature, ever more
slowly. `Creep` is the piezo that has not yet gone all the way it was told to go: after a step it
falls short by a part that decays with several time constants a decade apart, which together look
like the logarithm of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.compensation import Compensation

type Array = NDArray[np.float64]

CREEP_TIMES = np.array([0.3, 3.0, 30.0, 300.0, 3000.0])
"""Time constants of the creep, s."""


@dataclass(frozen=True)
class Thermal:
    """A displacement of the surface that approaches its end as 1 - exp(-t/relaxation)."""

    x: float = 0.0
    """In the end, m."""
    y: float = 0.0
    """In the end, m."""
    z: float = 0.0
    """In the end, towards the tip, m."""
    relaxation: float = 7200.0
    """s."""

    @property
    def active(self) -> bool:
        """Whether there is any."""
        return bool(self.x or self.y or self.z)


class Drift:
    """The motion of the surface under the tip.

    Parameters
    ----------
    x, y, z : float
        Steady speed of the surface, m/s; z towards the tip.
    thermal : Thermal
    """

    def __init__(self, x: float, y: float, z: float, thermal: Thermal) -> None:
        self._x, self._y, self._z = x, y, z
        self.thermal = thermal
        self.compensation = Compensation()
        """What the controller does against the drift; not part of the x, y and z that it reads."""

    @property
    def lateral(self) -> bool:
        """Whether the surface moves sideways under the piezos."""
        moved = self._x or self._y or self.thermal.x or self.thermal.y
        return bool(moved) or self.compensation.lateral

    def x(self, times: Array) -> Array:
        """Return the displacement along x since the world began, m, same shape."""
        return self._along(0, self._x, self.thermal.x, times)

    def y(self, times: Array) -> Array:
        """Return the displacement along y, m."""
        return self._along(1, self._y, self.thermal.y, times)

    def z(self, times: Array) -> Array:
        """Return how far the surface has risen, m."""
        return self._along(2, self._z, self.thermal.z, times)

    def _along(self, axis: int, speed: float, thermal: float, times: Array) -> Array:
        steady: Array = speed * times
        if self.compensation.active:
            steady = steady - self.compensation.along(axis, times)
        if not thermal:
            return steady
        approach: Array = -np.expm1(-times / self.thermal.relaxation)
        return steady + thermal * approach


@dataclass(frozen=True)
class Creep:
    """Creep of the piezos.

    What a piezo still lacks is an array of shape (3, 5): x, y, z, for each of `CREEP_TIMES`, m.
    """

    lateral: float = 0.0
    """Part of a step of x or y that is crept in one decade of time."""
    vertical: float = 0.0
    """The same of a step of z."""

    @property
    def active(self) -> bool:
        """Whether there is any."""
        return bool(self.lateral or self.vertical)

    def step(self, lack: Array | None, x: float, y: float, z: float) -> Array:
        """Return what is lacking after a step by (x, y, z), m."""
        part = np.array([self.lateral * x, self.lateral * y, self.vertical * z])
        before = 0.0 if lack is None else lack
        after: Array = before + np.repeat(part[:, None], len(CREEP_TIMES), axis=1)
        return after

    def after(self, lack: Array, time: float) -> Array:
        """Return what is still lacking after `time` (s) without a step."""
        left: Array = lack * np.exp(-time / CREEP_TIMES)
        return left

    def missing(self, lack: Array, axis: int, times: Array | float) -> Array:
        """Return how far axis 0, 1 or 2 still is from where it should be, m, after `times` (s).

        What lay before the step (a scan line recorded afterwards) counts as its beginning.
        """
        passed = np.maximum(np.asarray(times, dtype=np.float64), 0.0)
        decay = np.exp(-np.divide.outer(passed, CREEP_TIMES))
        missing: Array = decay @ lack[axis]
        return missing

"""Microwave power swept up and down: two branches, hysteresis, loop areas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.errors import OutOfRangeError
from stm_daq.physics.hotspot_profile import HotSpot, hot_spot

type Array = NDArray[np.float64]

JUMP = 0.05
"""Tc: both directions are the same state where their profiles differ by less."""


@dataclass(frozen=True, eq=False)
class Branch:
    """States met by a sweep in one direction, at the drives of the sweep in rising order."""

    core_temperature: Array
    """Right below the tip, Tc, shape (m,)."""
    peak_temperature: Array
    """Highest, Tc, shape (m,)."""
    inner_radius: Array
    """Of the normal ring, z0, shape (m,); 0 without a core, NaN where the film is nowhere normal."""
    outer_radius: Array
    """Of the normal ring, z0, shape (m,); NaN where the film is nowhere normal."""

    @property
    def normal_area(self) -> Array:
        """Area of the normal ring over pi, z0^2, shape (m,)."""
        ring = self.outer_radius**2 - self.inner_radius**2
        return np.asarray(np.where(np.isfinite(ring), ring, 0.0))


@dataclass(frozen=True, eq=False)
class PowerSweep:
    """Both directions of a sweep."""

    drives: Array
    """j*, rising, shape (m,)."""
    up: Branch
    down: Branch

    @property
    def switch_up(self) -> tuple[float, float] | None:
        """Neighbouring drives between which the cold state ended; None if the loop is not closed."""
        apart = self._apart
        k = int(np.max(np.nonzero(apart)[0], initial=-1))
        return self._between(k) if 0 <= k < len(apart) - 1 and not apart[-1] else None

    @property
    def switch_down(self) -> tuple[float, float] | None:
        """Neighbouring drives between which the hot state ended; None if the loop is not closed."""
        apart = self._apart
        places = np.nonzero(apart)[0]
        return self._between(int(places[0]) - 1) if len(places) and not apart[0] else None

    @property
    def loop_core_temperature(self) -> float:
        """Area of the loop of the core temperature, Tc j*."""
        return self._loop(self.up.core_temperature, self.down.core_temperature)

    @property
    def loop_peak_temperature(self) -> float:
        """Area of the loop of the highest temperature, Tc j*."""
        return self._loop(self.up.peak_temperature, self.down.peak_temperature)

    @property
    def loop_normal_area(self) -> float:
        """Area of the loop of the normal area over pi, z0^2 j*."""
        return self._loop(self.up.normal_area, self.down.normal_area)

    @property
    def _apart(self) -> NDArray[np.bool_]:
        """Where the two directions are in different states."""
        core = np.abs(self.down.core_temperature - self.up.core_temperature)
        peak = np.abs(self.down.peak_temperature - self.up.peak_temperature)
        return np.asarray(np.maximum(core, peak) > 1e-4)

    def _between(self, k: int) -> tuple[float, float]:
        return float(self.drives[k]), float(self.drives[k + 1])

    def _loop(self, up: Array, down: Array) -> float:
        return float(np.trapezoid(down - up, self.drives))


def power_sweep(
    drives: ArrayLike,
    frequency: float,
    phonon_temperature: float,
    thermal_length: float,
    n: int = 5,
    *,
    nodes: int | None = None,
) -> PowerSweep:
    """Sweep the drive up from the cold film and down again, waiting for the steady state each time.

    Parameters
    ----------
    drives : array_like, shape (m,)
        Highest rms current density under the tip, j*; positive, rising.
    frequency, phonon_temperature, thermal_length, n, nodes
        See :func:`stm_daq.physics.hotspot_profile.hot_spot`.

    Raises
    ------
    OutOfRangeError
        If an argument is out of its range, or the drives do not rise.
    """
    j = np.ascontiguousarray(drives, dtype=np.float64)
    if j.ndim != 1 or len(j) < 2 or not np.all(np.isfinite(j)) or j[0] <= 0.0:
        raise OutOfRangeError("drives of a sweep must be at least two positive numbers, in j*")
    if np.any(np.diff(j) <= 0.0):
        raise OutOfRangeError("drives of a sweep must rise; the way down is added")
    spot = hot_spot(
        frequency,
        phonon_temperature,
        thermal_length,
        n,
        nodes=nodes,
        highest_drive=float(j[-1]),
    )
    state = spot.cold(float(j[0]))
    up = sweep_branch(spot, j, state)
    down = sweep_branch(spot, j[::-1].copy(), state)[::-1]
    return PowerSweep(j, _branch(up), _branch(down))


def sweep_branch(spot: HotSpot, drives: Array, state: Array) -> Array:
    """Sweep over drives (m,) in their order from a profile `state` (k,), changed in place.

    Returns
    -------
    ndarray, shape (m, 4)
        Core and highest temperature, inner and outer radius of the normal ring (NaN: none).
    """
    from stm_daq.physics import hotspot_kernel_sweep as kernel

    rows = np.empty((len(drives), 4))
    nothing = np.empty((0, len(state)))
    done = kernel.sweep(*spot.compiled, spot.mesh.radius, drives, state, rows, nothing)
    if done < len(drives):
        raise ArithmeticError(f"the profile at drive {drives[done]} does not become steady")
    return rows


def _branch(rows: Array) -> Branch:
    return Branch(*(np.ascontiguousarray(column) for column in rows.T))

"""How a film answers to every drive at one frequency: the steady states of its hot spot, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot import Branch, Switching, power_sweep, switching_drives

type Array = NDArray[np.float64]

DRIVES = 100
"""Drives of a table."""
LOWEST, HIGHEST = 0.3, 2.5
"""The table goes from this part of J_down to this multiple of J_up."""
NEAR = 1e-3
"""States are tabulated as near to their ends as this."""


@dataclass(frozen=True, slots=True)
class State:
    """One state of the hot spot against the drive; temperatures in Tc, lengths in z0."""

    drive: Array
    core: Array
    """Temperature under the tip."""
    ring: Array
    """Outer radius of what is normal; 0: nothing."""

    def core_temperature(self, drive: float) -> float:
        """Return the temperature under the tip."""
        return float(np.interp(drive, self.drive, self.core))

    def normal_radius(self, drive: float) -> float:
        """Return the outer radius of the normal ring; 0 without one."""
        return float(np.interp(drive, self.drive, self.ring))


@dataclass(frozen=True, slots=True)
class HotResponse:
    """Both states of a film at one place and frequency."""

    switches: Switching | None
    """Drives where the hot and the cold state end; None without bistability."""
    cold: State
    hot: State

    def state(self, hot: bool) -> State:
        """Return one of them; without bistability there is one only."""
        return self.hot if hot else self.cold


@lru_cache(maxsize=2048)
def hot_response(
    frequency: float, phonon_temperature: float, thermal_length: float, exponent: int
) -> HotResponse:
    """Work out the tables, or return them if they are known.

    Parameters
    ----------
    frequency, phonon_temperature, thermal_length, exponent
        As in :mod:`stm_daq.physics.hotspot`.
    """
    film = (frequency, phonon_temperature, thermal_length, exponent)
    ends = switching_drives(*film)
    down, up = (1.0, 1.0) if ends is None else ends
    drives = np.geomspace(LOWEST * down, HIGHEST * up, DRIVES)
    if ends is not None:
        drives = np.union1d(drives, [down * (1 + NEAR), up * (1 - NEAR)])
    sweep = power_sweep(drives, *film)
    everywhere = np.ones(len(drives), dtype=bool)
    return HotResponse(
        ends,
        _state(drives, sweep.up, everywhere if ends is None else drives < up),
        _state(drives, sweep.down, everywhere if ends is None else drives > down),
    )


def _state(drives: Array, branch: Branch, where: NDArray[np.bool_]) -> State:
    ring = np.nan_to_num(branch.outer_radius[where], nan=0.0)
    return State(drives[where], branch.core_temperature[where], ring)

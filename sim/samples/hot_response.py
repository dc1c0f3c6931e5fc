"""How a film answers to every drive at one frequency: the steady states of its hot spot, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics import hotspot

type Array = NDArray[np.float64]

DRIVES = 120
"""Drives of a table."""
LOWEST, HIGHEST = 0.05, 3.0
"""From this part of the lowest to this multiple of the highest drive that matters."""


@dataclass(frozen=True, slots=True)
class HotResponse:
    """States of the hot spot; temperatures in Tc, drives in j*, lengths in z0."""

    switches: tuple[float, float] | None
    """Drives where the hot and the cold state end (down, up); None without bistability."""
    drives: Array
    core: dict[bool, Array]
    """Temperature under the tip, of the cold (False) and of the hot state (True)."""
    ring: dict[bool, Array]
    """Outer radius of what is normal; 0: nothing."""

    def core_temperature(self, drive: float, hot: bool) -> float:
        """Return the temperature under the tip."""
        return float(np.interp(drive, self.drives, self.core[hot]))

    def normal_radius(self, drive: float, hot: bool) -> float:
        """Return the outer radius of the normal ring; 0 without one."""
        return float(np.interp(drive, self.drives, self.ring[hot]))


@lru_cache(maxsize=512)
def hot_response(
    frequency: float, phonon_temperature: float, thermal_length: float, exponent: int
) -> HotResponse:
    """Work out the table, or return it if it is known.

    Parameters
    ----------
    frequency, phonon_temperature, thermal_length, exponent
        As in :mod:`stm_daq.physics.hotspot`.
    """
    found = hotspot.switching_drives(frequency, phonon_temperature, thermal_length, n=exponent)
    low, high = found if found is not None else (1.0, 1.0)
    drives = np.geomspace(LOWEST * low, HIGHEST * high, DRIVES)
    sweep = hotspot.power_sweep(drives, frequency, phonon_temperature, thermal_length, n=exponent)
    return HotResponse(
        found,
        drives,
        {False: sweep.cold, True: sweep.hot},
        {False: np.where(sweep.cold > 1, sweep.ring, 0.0), True: sweep.ring},
    )

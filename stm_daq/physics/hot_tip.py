"""Film heated by the thermal radiation of a hot tip (Appendix D): a weak and blurred local probe.

The tip is a small metal sphere whose electric and magnetic dipole fluctuate thermally. Where the tip is
much hotter than Tc, the film absorbs photons far above its gap, as if it were normal, whatever its
temperature. Hence there is one steady state for every tip temperature: no bistability, no wall. Only the
fluctuations perpendicular to the film are counted, as in the paper: an estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.errors import OutOfRangeError
from stm_daq.physics import hotspot_mesh
from stm_daq.physics.hotspot_profile import HotSpot, Profile
from stm_daq.physics.hotspot_tables import Film
from stm_daq.physics.hotspot_uniform import checked_film
from stm_daq.physics.hotspot_units import EPSILON0, HBAR, K_B, LIGHT, TipAboveFilm

type Array = NDArray[np.float64]

HIGHEST = 4.0 / 27.0
"""Of r^2/(1 + r^2)^3, at r = 1/sqrt 2 (z0)."""
NODES = 800


@dataclass(frozen=True)
class HotTip:
    """A hot metal sphere above a film."""

    temperature: float
    """K; much higher than Tc."""
    radius: float
    """m"""
    conductivity: float
    """S/m"""

    def __post_init__(self) -> None:
        """Refuse numbers that no tip has."""
        for name in ("temperature", "radius", "conductivity"):
            value = getattr(self, name)
            if not (value > 0.0 and math.isfinite(value)):
                raise OutOfRangeError(f"{name} of the tip must be positive, got {value}")


def dipole_terms(setup: TipAboveFilm, tip: HotTip) -> tuple[float, float]:
    """Electric and magnetic term in the brackets of D14, dimensionless."""
    metal = tip.conductivity / EPSILON0
    sheet = setup.material.conductivity * setup.thickness / EPSILON0
    electric = LIGHT**2 / tip.radius / (metal * sheet)
    magnetic = tip.radius / LIGHT**2 * metal * sheet / 360.0
    return electric, magnetic


def radiated_power(radius: ArrayLike, setup: TipAboveFilm, tip: HotTip) -> Array:
    """Power per area that the film absorbs at `radius` (m), W/m^2 (D14).

        P = (2 pi^2/5) (k_B T_tip)^4/(hbar^3 c^2) r^2 R^4/(r^2 + z0^2)^3 [electric + magnetic]

    The printed D14 has pi^2/5; the integral of D7 over frequency, which is
    2 pi^3/15 (k_B T)^4/hbar^3, gives twice that.

    Parameters
    ----------
    radius : array_like
        m.
    """
    r, z = np.asarray(radius, dtype=np.float64), setup.distance
    planck = 0.4 * math.pi**2 * (K_B * tip.temperature) ** 4 / (HBAR**3 * LIGHT**2)
    shape = r**2 * tip.radius**4 / (r**2 + z**2) ** 3
    return np.asarray(planck * shape * sum(dipole_terms(setup, tip)))


def hot_tip_profile(setup: TipAboveFilm, tip: HotTip, phonon_temperature: float) -> Profile:
    """Steady electron temperature of a film under a hot tip; there is only one.

    Parameters
    ----------
    phonon_temperature : float
        Tc.

    Returns
    -------
    Profile
        Its `drive` is the square root of the highest heating power, in sqrt(Sigma Tc^n).

    Raises
    ------
    OutOfRangeError
        If the phonons are not colder than Tc, or the tip is not at least ten times hotter than Tc.
    """
    material = setup.material
    if tip.temperature < 10.0 * material.critical_temperature:
        raise OutOfRangeError(
            f"tip at {tip.temperature} K: D14 holds for a tip much hotter than Tc = "
            f"{material.critical_temperature} K"
        )
    highest = float(radiated_power(setup.distance / math.sqrt(2.0), setup, tip))
    drive = math.sqrt(highest / setup.thickness / material.cooling)
    film = _heated_evenly(checked_film(1.0, phonon_temperature, material.exponent))
    mesh = hotspot_mesh.mesh(NODES, shape=_shape)
    spot = HotSpot(film, mesh, setup.thermal_length)
    return spot.developed(drive, np.full(NODES, film.phonon_temperature))


def _shape(radius: Array) -> Array:
    """Radiated power over its highest, at `radius` (z0)."""
    return np.asarray(radius**2 / (1.0 + radius**2) ** 3 / HIGHEST)


def _heated_evenly(film: Film) -> Film:
    """Film that absorbs the same at every temperature."""
    cells = film.cells.copy()
    rise = cells[:, 0] - cells[0, 0]
    cells[:, 1:7] = 0.0
    cells[:, 1], cells[:, 5], cells[:, 6] = 1.0, rise, 0.5 * rise**2
    return replace(film, cells=cells, heating=np.ones_like(film.heating))

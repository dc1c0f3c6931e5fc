"""Films that microwaves from the tip heat: InOx and NbN, with the materials of "Local bistability
under microwave heating for spatially mapping disordered superconductors" (Table I).

The power that the film absorbs warms its electrons until phonons carry it away,

    P = Sigma V (Te^n - Tph^n),

V = pi distance^2 thickness being the heated volume (the hot spot is at least as wide as the tip is
far away), so that ``Te = (Tph^n + P / (Sigma V))^(1/n)``. The gap follows Te; the tip stays as cold as
the stage. This simple law has one state at every power: how a superconductor absorbs less the colder
it is, and the two states that follow from it, belong to the paper's Eqs. 1 to 3. Distance and
thickness are the paper's example. Assumed: the same gap everywhere (1.764 kB Tc), that the film absorbs
all the power, broadening and roughness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.samples import random_field
from sim.samples.model_junction import DynesJunction
from stm_daq.physics import bcs, btk

type Array = NDArray[np.float64]

LORENZ = 2.443e-8
"""Lorenz number, W ohm / K^2."""


@dataclass(frozen=True)
class HeatedFilm:
    """A film under microwaves; the defaults are InOx."""

    seed: int = 1
    critical_temperature: float = 3.5
    """K."""
    resistivity: float = 5e-5
    """Normal state, ohm m."""
    phonon_power: float = 6.0
    """n: the power of temperature with which phonons cool the electrons."""
    phonon_coupling: float = 2e9
    """Sigma, W/(K^n m^3)."""
    thickness: float = 10e-9
    """m."""
    distance: float = 100e-9
    """Of the microwave tip from the film: the radius of the hot spot, m."""
    absorbed: float = 1.0
    """Part of the power at the tip that the film absorbs."""
    broadening: float = 10e-6
    """eV."""
    roughness: float = 0.2e-9
    """rms, m."""

    @property
    def thermal_length(self) -> float:
        """Distance over which heat spreads, m: ``sqrt(K / (n Sigma Tc^(n-1)))``, K at Tc."""
        conductivity = LORENZ * self.critical_temperature / self.resistivity
        cooling = self.critical_temperature ** (self.phonon_power - 1)
        return math.sqrt(conductivity / (self.phonon_power * self.phonon_coupling * cooling))

    def electron_temperature(self, phonon_temperature: float, power: float) -> float:
        """Return Te, K, with this microwave power at the tip, W, and phonons at K.

        Raises
        ------
        ValueError
            If the power is negative.
        """
        if power < 0:
            raise ValueError(f"microwave power must not be negative: {power:g} W")
        volume = math.pi * self.distance**2 * self.thickness
        heating = self.absorbed * power / (self.phonon_coupling * volume)
        n = self.phonon_power
        return float((phonon_temperature**n + heating) ** (1 / n))

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any one shape."""
        return random_field.rough_surface(x, y, self.roughness, self.seed)

    def junction(self, x: float, y: float, stage_temperature: float) -> DynesJunction:
        """Return the junction without microwaves, the same everywhere."""
        return self.heated_junction(x, y, stage_temperature, 0.0)

    def heated_junction(
        self, x: float, y: float, stage_temperature: float, power: float
    ) -> DynesJunction:
        """Return the junction with this microwave power, W, at the tip."""
        electrons = self.electron_temperature(stage_temperature, power)
        gap0 = bcs.RATIO * btk.K_B * self.critical_temperature
        gap = float(bcs.gap(electrons, gap0, self.critical_temperature))
        return DynesJunction.of(gap, stage_temperature, self.broadening)


@dataclass(frozen=True)
class InoxFilm(HeatedFilm):
    """Amorphous indium oxide."""


@dataclass(frozen=True)
class NbnFilm(HeatedFilm):
    """Niobium nitride."""

    critical_temperature: float = 10.0
    resistivity: float = 4e-6
    phonon_power: float = 5.0
    phonon_coupling: float = 5e9

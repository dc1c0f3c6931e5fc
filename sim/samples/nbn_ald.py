"""Homogeneous films of niobium nitride grown by atomic layer deposition, after J. Lorenz et al.

"Spatial homogeneity of superconducting order parameter in NbN films grown by atomic layer
deposition": films of 25, 5 and 4 nm.

What the paper states and these films have: critical temperature, sheet resistance, mean gap and
effective temperature of the tip (its Table I), standard deviation of the gap over a line of 424 nm
(its Fig. 4: 0.04 meV at 5 nm, 0.05 meV at 4 nm), grains of 3 to 10 nm. What it does not state, and
these films assume: 2 % for the 25 nm film, a gap that is uniform within a grain and independent of
its neighbours, 0.5 nm of relief, and spectra that are BCS apart from the temperature of the tip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sim.samples import random_field
from sim.samples.model_junction import DynesJunction
from stm_daq.physics import bcs

type Array = NDArray[np.float64]

PLANCK_OVER_CHARGE = 4.135667696e-15
"""h / e, V s."""


@dataclass(frozen=True)
class Growth:
    """One film of the paper's Table I."""

    critical_temperature: float
    """K."""
    sheet_resistance: float
    """Normal state, ohm."""
    gap: float
    """Mean, eV."""
    gap_sigma: float
    """Standard deviation over the surface, eV."""
    tip_temperature: float
    """Effective, with the stage at `stage_temperature`, K."""
    stage_temperature: float
    """K."""


FILMS: Mapping[float, Growth] = MappingProxyType(
    {
        25e-9: Growth(13.8, 80.0, 2.11e-3, 0.042e-3, 3.03, 1.5),
        5e-9: Growth(10.4, 900.0, 2.02e-3, 0.04e-3, 1.73, 1.2),
        4e-9: Growth(8.7, 1400.0, 1.60e-3, 0.05e-3, 2.27, 1.2),
    }
)
"""By thickness, m."""


@dataclass(frozen=True)
class NbnFilm:
    """A film of 25, 5 or 4 nm.

    Raises
    ------
    ValueError
        If there is no film of this thickness.
    """

    seed: int = 1
    thickness: float = 5e-9
    """m."""
    pitch: float = 6e-9
    """Mean distance of the grains, m."""
    relief: float = 0.5e-9
    """Height of the highest grains above the valleys, m."""

    def __post_init__(self) -> None:
        """Find the film."""
        if not any(math.isclose(self.thickness, known) for known in FILMS):
            known = ", ".join(f"{1e9 * d:g} nm" for d in FILMS)
            raise ValueError(f"no film of {1e9 * self.thickness:g} nm; there are {known}")

    @property
    def growth(self) -> Growth:
        """What is known of this film."""
        return next(film for d, film in FILMS.items() if math.isclose(self.thickness, d))

    @property
    def sheet_inductance(self) -> float:
        """Kinetic, H: ``h R / (2 pi^2 gap)``, Eq. 1 of the paper."""
        film = self.growth
        return PLANCK_OVER_CHARGE * film.sheet_resistance / (2 * math.pi**2 * film.gap)

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any one shape."""
        i, j, first, second = self._grains(x, y)
        dome = np.clip((second - first) / (0.5 * self.pitch), 0.0, 1.0)
        level = random_field.uniform(i, j, random_field.stream_key(self.seed, "height"))
        surface: Array = (self.relief * level * dome).reshape(np.shape(x))
        return surface

    def gap(self, x: Array, y: Array) -> Array:
        """Return the gap at zero temperature, eV, at positions (m) of any one shape."""
        i, j, _, _ = self._grains(x, y)
        scatter = random_field.normal(i, j, random_field.stream_key(self.seed, "gap"))
        gap: Array = (self.growth.gap + self.growth.gap_sigma * scatter).reshape(np.shape(x))
        return gap

    def junction(self, x: float, y: float, stage_temperature: float) -> DynesJunction:
        """Return the junction at (x, y), m, with the stage at this temperature, K."""
        film = self.growth
        gap0 = float(self.gap(np.array([x]), np.array([y]))[0])
        gap = float(bcs.gap(stage_temperature, gap0, film.critical_temperature))
        # what heats or shakes the tip adds to the stage's temperature in quadrature
        excess = film.tip_temperature**2 - film.stage_temperature**2
        return DynesJunction.of(gap, math.sqrt(stage_temperature**2 + excess), 0.0)

    def _grains(
        self, x: Array, y: Array
    ) -> tuple[random_field.Cells, random_field.Cells, Array, Array]:
        key = random_field.stream_key(self.seed, "grains")
        return random_field.nearest_points(np.ravel(x), np.ravel(y), self.pitch, key)

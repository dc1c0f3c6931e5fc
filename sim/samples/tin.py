"""Granular films of titanium nitride, after Liao et al., Phys. Rev. B 100, 214505 (2019).

What the paper reports of its 50 nm film, and what `TinFilm` has:

* grains up to about 20 nm wide, 4 nm rough; the gap changes abruptly from grain to grain;
* the higher a grain, the smaller its gap and the higher the junction's temperature;
* the gap has mean 0.6 meV and full width at half maximum 0.15 meV;
* the barrier Z scatters from point to point between 0 and 3.5 with hardly any pattern, and here and
  there lies a patch a few nm wide with Z close to 0, which shows a zero-bias conductance peak;
* within a grain the temperature grows with Z as in the paper's heating model (Eq. 4), because the
  tip cools a transparent junction; the gap follows the temperature as in the BCS theory.

Of its 25 nm film (`TinFilm25`): grains up to 10 nm wide, 2 nm rough; gap with mean 0.42 meV and full
width at half maximum 0.25 meV, which falls with height and with Z; the temperature shows no pattern.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.samples import random_field
from sim.samples.btk_junction import BtkJunction
from stm_daq.physics import bcs, btk

type Array = NDArray[np.float64]

COUPLING = 5.0
"""r of the heating model: cooling through a transparent junction / through the film."""
HOTTEST = 0.85
"""A junction is never heated above this fraction of its grain's critical temperature."""
NO_GAP = 1e-9
"""Stands for a vanished gap, eV."""


@dataclass(frozen=True)
class Properties:
    """What the film is at some places; all arrays of the shape of the positions."""

    height: Array
    """m."""
    gap: Array
    """At the junction's temperature, eV."""
    temperature: Array
    """Of the junction, K."""
    barrier: Array
    """Dimensionless Z."""


@dataclass(frozen=True)
class TinFilm:
    """A granular film; every position has its properties, decided by the seed alone.

    The defaults describe the 50 nm film of the paper.
    """

    seed: int = 1
    pitch: float = 17e-9
    """Mean distance of the grains, m."""
    relief: float = 3.8e-9
    """Height of the highest grains above the valleys between grains, m."""
    roughness: float = 0.1e-9
    """rms roughness on top of the grains, m."""
    gap: float = 0.625e-3
    """Median gap at zero temperature, eV."""
    gap_by_height: float = 0.42
    """Relative fall of the gap from the lowest to the highest grains."""
    gap_scatter: float = 0.04
    """rms scatter of ln(gap) that has nothing to do with height."""
    heat: float = 2.0
    """Heating (delta T of Eq. 4) in a grain of middle height, K."""
    heat_by_height: float = 0.9
    """The highest grains heat by (1 + this) times as much, the lowest by (1 - this)."""
    heat_scatter: float = 0.15
    """Relative scatter of the heating that has nothing to do with height."""
    barrier: float = 1.5
    """Mean barrier Z."""
    barrier_scatter: float = 0.6
    """rms scatter of Z from point to point."""
    barrier_of_grain: float = 0.0
    """rms scatter of Z from grain to grain."""
    gap_by_barrier: float = 0.0
    """Fall of ln(gap) in a grain whose Z is one `barrier_of_grain` above the mean."""
    spot_pitch: float = 25e-9
    """Mean distance of places where a zero-bias peak may lie, m."""
    spot_size: float = 7e-9
    """Largest diameter of such a patch, m; the sizes vary from nothing to this."""

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any one shape."""
        shape = np.shape(x)
        x, y = np.ravel(x), np.ravel(y)
        i, j, first, second = random_field.nearest_points(x, y, self.pitch, self._key("grains"))
        return self._surface(x, y, self._grain_level(i, j), second - first).reshape(shape)

    def junction(self, x: float, y: float, stage_temperature: float) -> BtkJunction:
        """Return the junction at (x, y), m, with the stage at this temperature, K."""
        here = self.properties(np.array([x]), np.array([y]), stage_temperature)
        return BtkJunction(float(here.gap[0]), float(here.temperature[0]), float(here.barrier[0]))

    def properties(self, x: Array, y: Array, stage_temperature: float = 0.5) -> Properties:
        """Return all properties at positions (m) of any one shape."""
        shape = np.shape(x)
        x, y = np.ravel(x), np.ravel(y)
        i, j, first, second = random_field.nearest_points(x, y, self.pitch, self._key("grains"))
        level = self._grain_level(i, j)
        opacity = random_field.normal(i, j, self._key("opacity")) if self.barrier_of_grain else 0.0
        barrier = self._barrier(x, y, self.barrier_of_grain * opacity)
        gap0 = self._zero_gap(i, j, level) * np.exp(-self.gap_by_barrier * opacity)
        critical = gap0 / (bcs.RATIO * btk.K_B)
        heat = self.heat * (1 + self.heat_by_height * (2 * level - 1))
        heat = heat * np.exp(self.heat_scatter * random_field.normal(i, j, self._key("heat")))
        temperature = junction_temperature(stage_temperature, heat, barrier, HOTTEST * critical)
        return Properties(
            height=self._surface(x, y, level, second - first).reshape(shape),
            gap=np.maximum(bcs.gap(temperature, gap0, critical), NO_GAP).reshape(shape),
            temperature=temperature.reshape(shape),
            barrier=barrier.reshape(shape),
        )

    def _key(self, name: str) -> np.uint64:
        return random_field.stream_key(self.seed, name)

    def _grain_level(self, i: random_field.Cells, j: random_field.Cells) -> Array:
        """How high a grain is: 0 (lowest) to 1 (highest)."""
        low = random_field.uniform(i, j, self._key("height"))
        return 0.5 * (low + random_field.uniform(i, j, self._key("more height")))

    def _surface(self, x: Array, y: Array, level: Array, margin: Array) -> Array:
        """Grains are flat domes that fall to common valleys where they meet (margin 0)."""
        edge = np.clip(1 - margin / (0.25 * self.pitch), 0.0, 1.0)
        dome = (0.05 + 0.95 * level) * (1 - edge**2)
        noise = random_field.smooth_noise(x, y, 2e-9, self._key("roughness"))
        surface: Array = self.relief * dome + self.roughness * noise
        return surface

    def _zero_gap(self, i: random_field.Cells, j: random_field.Cells, level: Array) -> Array:
        """Gap of a grain at zero temperature, eV."""
        scatter = np.exp(self.gap_scatter * random_field.normal(i, j, self._key("gap")))
        gap: Array = self.gap * (1 - self.gap_by_height * (level - 0.5)) * scatter
        return gap

    def _barrier(self, x: Array, y: Array, of_grain: Array | float) -> Array:
        """Z: scatter from point to point, and patches where it is close to zero."""
        noise = random_field.smooth_noise(x, y, 1e-9, self._key("barrier"))
        barrier = np.clip(self.barrier + self.barrier_scatter * noise + of_grain, 0.2, 3.5)
        i, j, distance, _ = random_field.nearest_points(x, y, self.spot_pitch, self._key("spots"))
        radius = 0.5 * self.spot_size * random_field.uniform(i, j, self._key("spot size"))
        outside = np.clip((distance - radius) / 0.5e-9, 0.002, 1.0)
        patched: Array = barrier * outside
        return patched


@dataclass(frozen=True)
class TinFilm25(TinFilm):
    """The 25 nm film of the paper."""

    pitch: float = 8.5e-9
    relief: float = 1.5e-9
    gap: float = 0.415e-3
    gap_by_height: float = 0.92
    gap_scatter: float = 0.05
    heat: float = 0.6
    heat_by_height: float = 0.0
    barrier_scatter: float = 0.45
    barrier_of_grain: float = 0.4
    gap_by_barrier: float = 0.13


def junction_temperature(stage: float, heat: Array, barrier: Array, ceiling: Array) -> Array:
    """Return the junction's temperature, K.

    Parameters
    ----------
    stage : float
        Temperature of the stage, K; takes the place of Tn in Eq. 4.
    heat : ndarray
        delta T of Eq. 4, K: ``T = Tn + dT / (r / (1 + Z^2) + 1)``.
    barrier : ndarray
        Z.
    ceiling : ndarray
        Heating saturates smoothly below this temperature (K): a grain that turns normal would not
        show the gap any more.
    """
    rise = heat / (COUPLING / (1 + barrier**2) + 1)
    room = np.maximum(ceiling - stage, 0.0) + 1e-3
    temperature: Array = stage + rise / (1 + (rise / room) ** 4) ** 0.25
    return temperature

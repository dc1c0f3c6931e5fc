"""A film of niobium nitride of 2.1 nm, after C. Carbillet et al., Phys. Rev. B 102, 024504 (2020).

Where electrons repel each other more (larger exponent of the background dI/dV ~ |V|^alpha), the gap
is smaller. From the paper: gap 1.2 meV on average, relative standard deviation 0.057, correlation
length 27 nm; exponent 0.35, 0.028, 18 nm; cross-correlation -0.55 at one place, falling with 25 nm;
none of them follows the topography; critical temperature 3.8 K.

A correlation length is here where a correlation has fallen to 1/e (the paper leaves open which
criterion it uses), and correlations fall as exp(-(r/length)^2). Assumed: broadening and roughness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.samples import random_field
from sim.samples.gaussian_field import GaussianField, remaining_length
from sim.samples.model_junction import ModelJunction
from stm_daq.physics import altshuler_aronov, bcs

type Array = NDArray[np.float64]

SHARED = 0.7
"""Part of the gap's variance that comes from the field it shares with the exponent."""


@dataclass(frozen=True)
class NbnFilm:
    """The film; every position has its gap and exponent, decided by the seed alone.

    Raises
    ------
    ValueError
        If the correlation lengths contradict the cross-correlation.
    """

    seed: int = 1
    gap: float = 1.2e-3
    """Mean, eV."""
    gap_scatter: float = 0.057
    """Relative standard deviation."""
    gap_length: float = 27e-9
    """Correlation length, m."""
    exponent: float = 0.35
    """Mean."""
    exponent_scatter: float = 0.028
    """Standard deviation."""
    exponent_length: float = 18e-9
    """Correlation length, m."""
    cross_correlation: float = -0.55
    """Of gap and exponent at one place."""
    cross_length: float = 25e-9
    """Where the cross-correlation has fallen to 1/e of that, m."""
    critical_temperature: float = 3.8
    """K."""
    broadening: float = 0.06e-3
    """Of the density of states: there are states in the gap, eV."""
    roughness: float = 0.15e-9
    """rms, m."""

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any one shape."""
        return random_field.rough_surface(x, y, self.roughness, self.seed)

    def properties(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return gap at zero temperature (eV) and exponent at positions (m) of any one shape."""
        common, gap_rest, exponent_rest = (field(x, y) for field in self._fields)
        own = math.sqrt(1 - self._exponent_share**2)
        of_gap = math.sqrt(SHARED) * common + math.sqrt(1 - SHARED) * gap_rest
        of_exponent = self._exponent_share * common + own * exponent_rest
        gap: Array = self.gap * (1 + self.gap_scatter * of_gap)
        exponent: Array = self.exponent + self.exponent_scatter * of_exponent
        return np.maximum(gap, 0.0), np.maximum(exponent, 0.0)

    def junction(self, x: float, y: float, stage_temperature: float) -> ModelJunction:
        """Return the junction at (x, y), m, with the stage at this temperature, K."""
        gap, exponent = self.properties(np.array([x]), np.array([y]))
        cooled = bcs.gap(stage_temperature, gap[0], self.critical_temperature)
        return ModelJunction(
            altshuler_aronov,
            {
                "gap": float(cooled),
                "temperature": stage_temperature,
                "barrier": math.inf,
                "broadening": self.broadening,
                "exponent": float(exponent[0]),
            },
        )

    @property
    def _exponent_share(self) -> float:
        """Weight of the shared field in the exponent."""
        return self.cross_correlation / math.sqrt(SHARED)

    @cached_property
    def _fields(self) -> tuple[GaussianField, GaussianField, GaussianField]:
        """Shared, of the gap alone, of the exponent alone."""
        lengths = {
            "shared": self.cross_length,
            "gap": remaining_length(self.gap_length, SHARED, self.cross_length),
            "exponent": remaining_length(
                self.exponent_length, self._exponent_share**2, self.cross_length
            ),
        }
        fields = [GaussianField(self.seed, name, length) for name, length in lengths.items()]
        return fields[0], fields[1], fields[2]

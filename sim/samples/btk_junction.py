"""A junction that follows the model of Blonder, Tinkham and Klapwijk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.samples.model_junction import ModelJunction
from stm_daq.physics import btk, sis

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BtkJunction:
    """Gap, temperature and barrier at one place (Phys. Rev. B 25, 4515).

    Above ``btk.HIGHEST_BIAS`` the junction is taken as normal.
    """

    gap: float
    """eV, at this temperature."""
    temperature: float
    """K."""
    barrier: float
    """Dimensionless Z."""

    @property
    def truth(self) -> Mapping[str, float]:
        """The three parameters."""
        return {"gap": self.gap, "temperature": self.temperature, "barrier": self.barrier}

    def conductance(self, bias: Array, modulation: float) -> Array:
        """Return dI/dV relative to the normal state, shape (n,)."""
        near = np.clip(bias, -btk.HIGHEST_BIAS, btk.HIGHEST_BIAS)
        return btk.conductance(
            near, self.gap, self.temperature, self.barrier, modulation=modulation
        )

    def current(self, bias: Array, modulation: float) -> Array:
        """Return the dc current divided by the normal-state conductance, V, shape (n,)."""
        near = np.clip(bias, -btk.HIGHEST_BIAS, btk.HIGHEST_BIAS)
        inner = btk.current(near, self.gap, self.temperature, self.barrier, modulation=modulation)
        return inner + (bias - near)

    def seen_by(self, tip_gap: float, tip_broadening: float) -> ModelJunction:
        """Return the same place under a superconducting tip, as if the barrier were opaque.

        Pairs that a transparent barrier lets through between two superconductors are left out.
        """
        sides = {"gap": self.gap, "tip_gap": tip_gap, "tip_broadening": tip_broadening}
        return ModelJunction(sis, {**sides, "temperature": self.temperature})

"""A junction that follows one of the models of `stm_daq.physics`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics import btk, dynes, sis

type Array = NDArray[np.float64]


class Model(Protocol):
    """A module of `stm_daq.physics`: both functions take bias, its parameters and modulation."""

    conductance: Callable[..., Array]
    current: Callable[..., Array]


@dataclass(frozen=True, slots=True)
class ModelJunction:
    """A model and its parameters at one place.

    Above ``btk.HIGHEST_BIAS`` the conductance keeps the value it has there.
    """

    model: Model
    truth: Mapping[str, float]
    """Parameters of the model by name, SI and eV."""

    def conductance(self, bias: Array, modulation: float) -> Array:
        """Return dI/dV relative to the normal state, shape (n,)."""
        near = np.clip(bias, -btk.HIGHEST_BIAS, btk.HIGHEST_BIAS)
        return self.model.conductance(near, **self.truth, modulation=modulation)

    def current(self, bias: Array, modulation: float) -> Array:
        """Return the dc current divided by the normal-state conductance, V, shape (n,)."""
        near = np.clip(bias, -btk.HIGHEST_BIAS, btk.HIGHEST_BIAS)
        current = self.model.current(near, **self.truth, modulation=modulation)
        if np.array_equal(near, bias):
            return current
        return current + (bias - near) * self.conductance(near, modulation)


@dataclass(frozen=True, slots=True)
class DynesJunction(ModelJunction):
    """Tunnelling into a broadened BCS density of states."""

    @classmethod
    def of(cls, gap: float, temperature: float, broadening: float) -> DynesJunction:
        """Make one: gap and broadening in eV, temperature of the tip's electrons in K."""
        return cls(dynes, {"gap": gap, "temperature": temperature, "broadening": broadening})

    def seen_by(self, tip_gap: float, tip_broadening: float) -> ModelJunction:
        """Return the same place under a superconducting tip (gap and broadening in eV)."""
        return ModelJunction(
            sis, {**self.truth, "tip_gap": tip_gap, "tip_broadening": tip_broadening}
        )

"""What the world needs from a sample, and what a sample may offer beyond that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sim.samples.film_memory import FilmMemory, FilmState

type Array = NDArray[np.float64]


class Junction(Protocol):
    """The tunnel junction at one place, normalised to its normal-state conductance."""

    @property
    def truth(self) -> Mapping[str, float]:
        """What a fit should find: gap (eV), temperature (K), barrier, as far as they are known."""
        ...

    def conductance(self, bias: Array, modulation: float) -> Array:
        """Return dI/dV relative to the normal state, as a lock-in sees it.

        Parameters
        ----------
        bias : ndarray, shape (n,)
            V.
        modulation : float
            Peak amplitude of the sinusoidal modulation, V.
        """
        ...

    def current(self, bias: Array, modulation: float) -> Array:
        """Return the dc current divided by the normal-state conductance, V, shape (n,)."""
        ...


class ContactJunction(Junction, Protocol):
    """A junction that changes as the tip comes closer: its own methods are those far away."""

    def at(self, conductance: float) -> Junction:
        """Return the junction whose normal-state conductance is this, S."""
        ...


def depends_on_distance(junction: Junction) -> TypeGuard[ContactJunction]:
    """Tell whether the junction changes as the tip comes closer (asked with every spectrum)."""
    return hasattr(junction, "at")  # thirty times faster than isinstance with a protocol


@runtime_checkable
class TunnelJunction(Junction, Protocol):
    """A junction that knows how a superconducting tip would see it."""

    def seen_by(self, tip_gap: float, tip_broadening: float) -> Junction:
        """Return the junction to a tip with this gap and broadening, eV."""
        ...


class Sample(Protocol):
    """A surface in coordinates fixed to the sample."""

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any shape."""
        ...

    def junction(self, x: float, y: float, stage_temperature: float) -> Junction:
        """Return the junction under the tip at (x, y), m, with the stage at this temperature, K."""
        ...


@runtime_checkable
class RememberingSample(Sample, Protocol):
    """A surface whose state under microwaves depends on what happened before."""

    def memory(self, rng: np.random.Generator) -> FilmMemory:
        """Return the memory of a sample that is cold."""
        ...

    def driven(
        self, memory: FilmMemory, time: float, place: tuple[float, float], stage: float,
        microwaves: tuple[float, float],
    ) -> FilmState:  # fmt: skip
        """Let microwaves (W at the tip, Hz) act from `time` (s) on; return the state then."""
        ...

    def junction_in(self, state: FilmState, stage_temperature: float) -> Junction:
        """Return the junction over the sample in this state."""
        ...

    def truth_at(self, x: float, y: float) -> dict[str, float]:
        """Return what an analysis should find at a place, m."""
        ...

    def strip_voltage(self, state: FilmState, current: float) -> float:
        """Return the voltage along the strip that the sample is, V, at this current, A."""
        ...


@runtime_checkable
class MicrowaveSample(Sample, Protocol):
    """A surface that microwaves from the tip heat."""

    def heated_junction(
        self, x: float, y: float, stage_temperature: float, power: float
    ) -> Junction:
        """Return the junction with this microwave power, W, at the tip."""
        ...

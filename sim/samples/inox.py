"""Amorphous indium oxide, from tunnelling to contact, after "Collective energy gap of preformed
Cooper pairs in disordered superconductors" (Andreev spectroscopy by a scanning tunnelling microscope).

The paper's findings, and these films:

* films InO-1 to InO-3, close to the insulator, have two gaps: single electrons find one that varies
  by more than a factor of 3 from place to place and survives the critical temperature; pairs, which
  get through when the contact is transparent, find a collective gap of about kB Tc that is the same
  everywhere and at every transparency, and closes at Tc;
* InO-4, of low disorder, has one gap and follows Blonder, Tinkham and Klapwijk, with a barrier that
  falls as the contact closes.

How it is modelled (a description, not a theory): the transparency is the contact's conductance
divided by `contact_conductance`, ``Z^2 = 1/transparency - 1``; pairs carry a share of the
normal-state conductance equal to it, in parallel with single electrons
(`stm_daq.physics.two_channel`). Assumed: that the gap of single electrons is distributed evenly on
a logarithmic scale over a factor of 3.5, with a correlation length of 10 nm, closing at 4 Tc; a
barrier that is never below 0.4; roughness and broadening.

Limits: between the gaps the conductance goes as the square of the transparency, as for two electrons at
once; at zero bias as its cube, since share and barrier both count, where coherent Andreev reflection
would be quadratic. Above Tc the pairs' channel is that of a normal metal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sim.samples import random_field
from sim.samples.btk_junction import BtkJunction
from sim.samples.gaussian_field import GaussianField
from sim.samples.model_junction import ModelJunction
from stm_daq.physics import bcs, btk, two_channel

type Array = NDArray[np.float64]

LEAST_BARRIER = 0.4
"""Z of a closed contact between unlike metals."""
PSEUDOGAP = 4.0
"""Temperature at which the gap of single electrons closes, relative to Tc."""
LOWEST_RATIO, HIGHEST_RATIO = 2.0, 7.0
"""Gap of single electrons over kB Tc: 3.5 times from the smallest to the largest."""


@dataclass(frozen=True)
class Film:
    """A film of the paper's table."""

    critical_temperature: float
    """K."""
    sheet_resistance: float
    """Largest above the transition, ohm."""
    thickness: float
    """m."""
    preformed: bool
    """Whether pairs exist before they condense."""


FILMS: Mapping[int, Film] = MappingProxyType(
    {
        1: Film(1.45, 5770.0, 30e-9, True),
        2: Film(1.5, 5615.0, 30e-9, True),
        3: Film(1.9, 3885.0, 30e-9, True),
        4: Film(3.2, 400.0, 70e-9, False),
    }
)
"""InO-1 to InO-4."""


def barrier_of(conductance: float, closed: float) -> float:
    """Return Z of a contact with this normal-state conductance; `closed`: when it is closed, S."""
    transparency = min(max(conductance / closed, 1e-12), 1.0)
    return max(math.sqrt(1 / transparency - 1), LEAST_BARRIER)


@dataclass(frozen=True, slots=True)
class PreformedContact:
    """A place where single electrons and pairs find different gaps."""

    gap: float
    """Of single electrons, eV."""
    collective_gap: float
    """Of pairs, eV."""
    temperature: float
    """K."""
    broadening: float
    """eV."""
    closed: float
    """Conductance of the closed contact, S."""

    @property
    def truth(self) -> Mapping[str, float]:
        """Both gaps (eV) and the temperature (K)."""
        return {
            "gap": self.gap,
            "collective_gap": self.collective_gap,
            "temperature": self.temperature,
        }

    def at(self, conductance: float) -> ModelJunction:
        """Return the junction with this normal-state conductance, S."""
        return ModelJunction(
            two_channel,
            {
                "gap1": self.gap,
                "gap2": self.collective_gap,
                "temperature": self.temperature,
                "barrier1": math.inf,
                "barrier2": barrier_of(conductance, self.closed),
                "weight": 1.0 - min(conductance / self.closed, 1.0),
                "broadening": self.broadening,
            },
        )

    def conductance(self, bias: Array, modulation: float) -> Array:
        """Return dI/dV of the tunnel junction relative to the normal state, shape (n,)."""
        return self.at(0.0).conductance(bias, modulation)

    def current(self, bias: Array, modulation: float) -> Array:
        """Return the dc current of the tunnel junction, V, shape (n,)."""
        return self.at(0.0).current(bias, modulation)


@dataclass(frozen=True, slots=True)
class ConventionalContact(BtkJunction):
    """A place of InO-4; `barrier` is that far away."""

    closed: float
    """Conductance of the closed contact, S."""

    def at(self, conductance: float) -> BtkJunction:
        """Return the junction with this normal-state conductance, S."""
        return BtkJunction(self.gap, self.temperature, barrier_of(conductance, self.closed))


@dataclass(frozen=True)
class InoxFilm:
    """One of the four films.

    Raises
    ------
    ValueError
        If there is no film of this number.
    """

    seed: int = 1
    film: int = 2
    """Number in the paper: 1 to 4."""
    contact_conductance: float = 3.1e-4
    """Of the closed contact, S; the tip needs at least as much (`tip: contact_conductance`)."""
    collective_ratio: float = 1.0
    """Collective gap over kB Tc."""
    gap_length: float = 10e-9
    """Correlation length of the gap of single electrons, m."""
    broadening: float = 10e-6
    """eV."""
    roughness: float = 0.2e-9
    """rms, m."""

    def __post_init__(self) -> None:
        """Find the film."""
        if self.film not in FILMS:
            raise ValueError(f"no film {self.film}; there are {', '.join(map(str, FILMS))}")

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any one shape."""
        return random_field.rough_surface(x, y, self.roughness, self.seed)

    def gap(self, x: Array, y: Array) -> Array:
        """Return the gap of single electrons at zero temperature, eV, at positions (m)."""
        unit = btk.K_B * FILMS[self.film].critical_temperature
        if not FILMS[self.film].preformed:
            return np.full(np.shape(x), bcs.RATIO * unit)
        from scipy.special import ndtr

        evenly = ndtr(self._field(x, y))
        gap: Array = unit * LOWEST_RATIO * (HIGHEST_RATIO / LOWEST_RATIO) ** evenly
        return gap

    def junction(
        self, x: float, y: float, stage_temperature: float
    ) -> PreformedContact | ConventionalContact:
        """Return the junction at (x, y), m, with the stage at this temperature, K."""
        film = FILMS[self.film]
        critical = film.critical_temperature
        gap0 = float(self.gap(np.array([x]), np.array([y]))[0])
        if not film.preformed:
            gap = float(bcs.gap(stage_temperature, gap0, critical))
            far = barrier_of(0.0, self.contact_conductance)
            return ConventionalContact(gap, stage_temperature, far, self.contact_conductance)
        collective = self.collective_ratio * btk.K_B * critical
        return PreformedContact(
            gap=float(bcs.gap(stage_temperature, gap0, PSEUDOGAP * critical)),
            collective_gap=float(bcs.gap(stage_temperature, collective, critical)),
            temperature=stage_temperature,
            broadening=self.broadening,
            closed=self.contact_conductance,
        )

    @cached_property
    def _field(self) -> GaussianField:
        return GaussianField(self.seed, "gap", self.gap_length)

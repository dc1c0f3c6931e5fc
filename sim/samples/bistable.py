"""InOx and NbN films in which microwaves from the tip make two stable electron temperatures.

After D. B. Karki, R. S. Whitney, D. M. Basko, "Local bistability under microwave heating for spatially
mapping disordered superconductors" (materials: Table I; equations: :mod:`stm_daq.physics.hotspot`).

The microwave power P at the tip drives the current I_0 = sqrt(2 P / transfer) through tip and film;
where the paper's text and equations disagree (0.120 or 0.0338 in j_max), the equations hold. A tip in
tunnelling contact heats like one at a distance of its own radius (the paper: "or the tip size, if
larger"), so `distance` is that. Assumed: one Tc and one thermal length over a hot spot, though both vary
over the
film on longer scales; a tip as cold as the stage; `substrate` warms the phonons in proportion to P.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.samples import random_field
from sim.samples.film_memory import Escape, FilmMemory, FilmState
from sim.samples.gaussian_field import GaussianField
from sim.samples.hot_response import HotResponse, hot_response
from sim.samples.model_junction import DynesJunction
from sim.samples.strip import StripPattern
from stm_daq.physics import bcs, btk
from stm_daq.physics.hotspot import H_MAX

type Array = NDArray[np.float64]

LORENZ = math.pi**2 / 3 * btk.K_B**2
"""Lorenz number, W ohm / K^2 (K_B in eV/K, so that e is contained)."""
PLANCK = 4.135667696e-15
"""eV s."""
FREQUENCY_STEP, TEMPERATURE_STEP, LENGTH_STEP = 1e-4, 2e-3, 1e-3
"""Tables are shared by places that agree within this: relative to Tc and z0."""


@dataclass(frozen=True)
class BistableFilm:
    """A film with memory under a microwave tip; the defaults are InOx."""

    seed: int = 1
    critical_temperature: float = 3.5
    """Mean, K."""
    critical_scatter: float = 0.01
    """Its relative standard deviation over the film."""
    resistivity: float = 5e-5
    """Normal state, ohm m."""
    phonon_power: int = 6
    """n."""
    phonon_coupling: float = 2e9
    """Sigma, W/(K^n m^3)."""
    length_scatter: float = 0.03
    """Relative standard deviation of the thermal length besides that from Tc."""
    scatter_length: float = 400e-9
    """Distance over which Tc and thermal length vary, m."""
    thickness: float = 10e-9
    """m."""
    distance: float = 60e-9
    """z0, m."""
    transfer: float = 10.0
    """Power at the tip over the square of its current (rms), ohm."""
    transfer_drift: float = 0.0
    """Change of the drive, dB per hour: z0, cables and contacts are not for ever."""
    substrate: float = 0.0
    """By how much the phonons are warmer than the stage, K per watt at the tip."""
    broadening: float = 10e-6
    """eV."""
    roughness: float = 0.2e-9
    """rms, m."""
    escape: Escape = Escape()  # noqa: RUF009 - frozen
    strip: StripPattern = StripPattern()  # noqa: RUF009 - frozen

    # -- what is where -----------------------------------------------------------------------

    @cached_property
    def _fields(self) -> tuple[GaussianField, GaussianField]:
        names = ("critical temperature", "thermal length")
        one, other = (GaussianField(self.seed, name, self.scatter_length) for name in names)
        return one, other

    def local_temperature(self, x: float, y: float) -> float:
        """Return Tc at a place, K."""
        field = float(self._fields[0](np.array([x]), np.array([y]))[0])
        return self.critical_temperature * (1 + self.critical_scatter * field)

    def local_length(self, x: float, y: float) -> float:
        """Return the thermal length at a place, m."""
        field = float(self._fields[1](np.array([x]), np.array([y]))[0])
        tc, n = self.local_temperature(x, y), self.phonon_power
        cooling = n * self.phonon_coupling * tc ** (n - 1)
        length = math.sqrt(LORENZ * tc / self.resistivity / cooling)
        return length * (1 + self.length_scatter * field)

    def truth_at(self, x: float, y: float) -> dict[str, float]:
        """Return what an analysis should find there, SI."""
        return {
            "critical_temperature": self.local_temperature(x, y),
            "thermal_length": self.local_length(x, y),
            "supercurrent": self.strip.current_at(x, y),
        }

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any one shape."""
        return random_field.rough_surface(x, y, self.roughness, self.seed)

    # -- what microwaves do ------------------------------------------------------------------

    def drive_of(self, power: float, tc: float, time: float = 0.0) -> float:
        """Return the drive J = j_max / j* of a power at the tip, W, where Tc is `tc`, K."""
        if power < 0:
            raise ValueError(f"microwave power must not be negative: {power:g} W")
        current = math.sqrt(2 * power / self.transfer)
        heating = math.sqrt(H_MAX / 8) / math.pi
        unit = math.sqrt(self.phonon_coupling * tc**self.phonon_power / self.resistivity)
        drifted = 10 ** (self.transfer_drift * time / 3600 / 20)
        return drifted * heating * current / (self.distance * self.thickness) / unit

    def response_at(
        self, x: float, y: float, stage_temperature: float, power: float, frequency: float
    ) -> HotResponse:
        """Return the states of the hot spot at a place; power at the tip in W, frequency in Hz."""
        tc = self.local_temperature(x, y)
        phonons = (stage_temperature + self.substrate * power) / tc
        return hot_response(
            _rounded(PLANCK * frequency / (btk.K_B * tc), FREQUENCY_STEP),
            _rounded(phonons, TEMPERATURE_STEP),
            _rounded(self.local_length(x, y) / self.distance, LENGTH_STEP),
            self.phonon_power,
        )

    def memory(self, rng: np.random.Generator) -> FilmMemory:
        """Return the memory of a film that is cold."""
        return FilmMemory(self.escape, rng)

    def driven(
        self, memory: FilmMemory, time: float, place: tuple[float, float], stage: float,
        microwaves: tuple[float, float],
    ) -> FilmState:  # fmt: skip
        """Let microwaves (power at the tip in W, frequency in Hz) act from `time` (s) on.

        Returns the state of the film under the tip, which is at `place` (m) with the stage at K.
        """
        (x, y), (power, frequency) = place, microwaves
        if power == 0 or stage >= self.local_temperature(x, y):
            memory.hot, memory.due = False, math.inf
            return FilmState(core=stage, x=x, y=y)
        tc = self.local_temperature(x, y)
        drive = self.drive_of(power, tc, time)
        response = self.response_at(x, y, stage, power, frequency)
        hot = memory.drive(time, drive, response)
        return FilmState(
            hot,
            drive,
            max(response.state(hot).core_temperature(drive) * tc, stage),
            response.state(hot).normal_radius(drive) * self.distance,
            x,
            y,
        )

    # -- what instruments see ----------------------------------------------------------------

    def junction(self, x: float, y: float, stage_temperature: float) -> DynesJunction:
        """Return the junction without microwaves."""
        return self.junction_in(FilmState(core=stage_temperature, x=x, y=y), stage_temperature)

    def junction_in(self, state: FilmState, stage_temperature: float) -> DynesJunction:
        """Return the junction over a film in some state; the tip is as cold as the stage."""
        tc = self.local_temperature(state.x, state.y)
        gap = float(bcs.gap(state.core, bcs.RATIO * btk.K_B * tc, tc))
        return DynesJunction.of(gap, stage_temperature, self.broadening)

    def strip_voltage(self, state: FilmState, current: float) -> float:
        """Return the voltage along the strip, V, at this current, A."""
        critical = self.strip.critical_current(state.x, state.y, state.ring)
        return self.strip.voltage(current, critical)


@dataclass(frozen=True)
class InoxFilm(BistableFilm):
    """Amorphous indium oxide."""


@dataclass(frozen=True)
class NbnFilm(BistableFilm):
    """Niobium nitride."""

    critical_temperature: float = 10.0
    resistivity: float = 4e-6
    phonon_power: int = 5
    phonon_coupling: float = 5e9


def _rounded(value: float, step: float) -> float:
    return round(round(value / step) * step, 9)

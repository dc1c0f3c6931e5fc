"""InOx and NbN films in which microwaves from the tip make two stable electron temperatures.

After D. B. Karki, R. S. Whitney, D. M. Basko, "Local bistability under microwave heating for spatially
mapping disordered superconductors" (materials: Table I; equations: :mod:`stm_daq.physics.hotspot`).

The microwave power P at the tip drives the current I_0 = sqrt(2 P / transfer) through tip and film;
where the paper's text and equations disagree (0.120 or 0.0338 in j_max), the equations hold. A tip in
tunnelling contact heats like one at a distance of its own radius (the paper: "or the tip size, if
larger"), so `distance` is that. Assumed: one Tc and one thermal length over a hot spot, though both vary
over the
film on longer scales; a tip as cold as the stage; `substrate` warms the phonons in proportion to P.
The equations are followed also beyond their validity (currents near depairing, see `truth_at`).
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
from stm_daq.physics.hotspot_units import INOX, NBN, FilmMaterial, TipAboveFilm

type Array = NDArray[np.float64]

FREQUENCY_STEP, TEMPERATURE_STEP, LENGTH_STEP = 1e-4, 2e-3, 1e-3
"""Tables are shared by places that agree within this: relative to Tc and z0."""


@dataclass(frozen=True)
class BistableFilm:
    """A film with memory under a microwave tip; the defaults are InOx."""

    seed: int = 1
    critical_temperature: float = INOX.critical_temperature
    """Mean, K."""
    critical_scatter: float = 0.01
    """Its relative standard deviation over the film."""
    resistivity: float = 1 / INOX.conductivity
    """Normal state, ohm m."""
    phonon_power: int = INOX.exponent
    """n."""
    phonon_coupling: float = INOX.phonon_coupling
    """Sigma, W/(K^n m^3)."""
    diffusion: float = INOX.diffusion
    """Of the electrons, m^2/s."""
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
        length = self.tip_above(self.local_temperature(x, y)).material.thermal_length
        return length * (1 + self.length_scatter * field)

    def truth_at(self, x: float, y: float) -> dict[str, float]:
        """Return what an analysis should find there, SI.

        And how near a drive of 1 is to depairing: a drive J times as large is J times as near.
        """
        tc = self.local_temperature(x, y)
        return {
            "critical_temperature": tc,
            "depairing_per_drive": float(self.tip_above(tc).depairing_ratio(1.0)),
            "thermal_length": self.local_length(x, y),
            "supercurrent": self.strip.current_at(x, y),
        }

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any one shape."""
        return random_field.rough_surface(x, y, self.roughness, self.seed)

    def tip_above(self, tc: float) -> TipAboveFilm:
        """Return what translates SI to the units of the model where Tc is `tc`, K."""
        return TipAboveFilm(
            FilmMaterial(
                type(self).__name__,
                tc,
                1 / self.resistivity,
                self.phonon_power,
                self.phonon_coupling,
                self.diffusion,
            ),
            self.thickness,
            self.distance,
        )

    # -- what microwaves do ------------------------------------------------------------------

    def drive_of(self, power: float, tc: float, time: float = 0.0) -> float:
        """Return the drive J = j_max / j* of a power at the tip, W, where Tc is `tc`, K."""
        if power < 0:
            raise ValueError(f"microwave power must not be negative: {power:g} W")
        current = math.sqrt(2 * power / self.transfer)
        drifted = 10 ** (self.transfer_drift * time / 3600 / 20)
        return drifted * float(self.tip_above(tc).drive(current))

    def response_at(
        self, x: float, y: float, stage_temperature: float, power: float, frequency: float
    ) -> HotResponse:
        """Return the states of the hot spot at a place; power at the tip in W, frequency in Hz."""
        tc = self.local_temperature(x, y)
        phonons = (stage_temperature + self.substrate * power) / tc
        return hot_response(
            _rounded(float(self.tip_above(tc).frequency(frequency)), FREQUENCY_STEP),
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

    critical_temperature: float = NBN.critical_temperature
    resistivity: float = 1 / NBN.conductivity
    phonon_power: int = NBN.exponent
    phonon_coupling: float = NBN.phonon_coupling
    diffusion: float = NBN.diffusion


def _rounded(value: float, step: float) -> float:
    return round(round(value / step) * step, 9)

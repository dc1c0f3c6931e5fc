"""Hot spot under a microwave tip in SI units: materials, scales, validity.

Numbers of the materials: Table I of Karki, Whitney, Basko (2022). The table rounds the thermal lengths
to 17 and 16 nm; the other columns give 16.5 and 15.6 nm. Diffusion coefficients are not in the paper;
they are only needed for the depairing current and the unit of time, and are typical of such films.

Two figures of the paper's text do not follow from its equations, which hold here: with eqs. (1) and (2),
j_max = 0.0338 I0/(z0 d) rms (text: 0.120), and the power that keeps j_max = j* is
69.7 Sigma Tc^n z0^2 d log(...) (text: 5.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.errors import OutOfRangeError
from stm_daq.physics.hotspot_mesh import H_MAX, heated_area
from stm_daq.physics.hotspot_profile import check_drive
from stm_daq.physics.hotspot_uniform import bistable_interval, cusp
from stm_daq.physics.microwave_film import GAP0, check_exponent

type Array = NDArray[np.float64]

K_B = 1.380649e-23
"""J/K"""
HBAR = 1.054571817e-34
"""J s"""
ELECTRON = 1.602176634e-19
"""C"""
EPSILON0 = 8.8541878128e-12
"""F/m"""
LIGHT = 299792458.0
"""m/s"""
STRONG = 0.5
"""Peak current density over the depairing one beyond which the linear conductivity is doubtful."""


@dataclass(frozen=True)
class FilmMaterial:
    """A disordered superconductor; all scales of the model follow from these numbers."""

    name: str
    critical_temperature: float
    """K"""
    conductivity: float
    """Of the normal state, S/m."""
    exponent: int
    """n of the phonon cooling."""
    phonon_coupling: float
    """Sigma, W K^-n m^-3."""
    diffusion: float
    """Of the electrons, m^2/s."""

    def __post_init__(self) -> None:
        """Refuse numbers that no film has."""
        check_exponent(self.exponent)
        for name in ("critical_temperature", "conductivity", "phonon_coupling", "diffusion"):
            value = getattr(self, name)
            if not (value > 0.0 and math.isfinite(value)):
                raise OutOfRangeError(f"{name} of {self.name} must be positive, got {value}")

    @property
    def cooling(self) -> float:
        """Unit of power density Sigma Tc^n, W/m^3."""
        return self.phonon_coupling * self.critical_temperature**self.exponent

    @property
    def current_density(self) -> float:
        """Unit of current j* = sqrt(sigma_N Sigma Tc^n), A/m^2 rms."""
        return math.sqrt(self.conductivity * self.cooling)

    @property
    def frequency(self) -> float:
        """Unit of frequency k_B Tc/h (not hbar), Hz."""
        return K_B * self.critical_temperature / (2.0 * math.pi * HBAR)

    @property
    def thermal_conductivity(self) -> float:
        """At Tc, by the law of Wiedemann and Franz, W/(m K)."""
        lorenz = (math.pi * K_B / ELECTRON) ** 2 / 3.0
        return lorenz * self.conductivity * self.critical_temperature

    @property
    def thermal_length(self) -> float:
        """Lambda = sqrt[K(Tc) / (n Sigma Tc^(n-1))], m."""
        slope = self.exponent * self.cooling / self.critical_temperature
        return math.sqrt(self.thermal_conductivity / slope)

    @property
    def time(self) -> float:
        """Unit of time c(Tc)/(n Sigma Tc^(n-1)) = Lambda^2/D, s."""
        return self.thermal_length**2 / self.diffusion

    @property
    def gap(self) -> float:
        """At zero temperature, eV."""
        return GAP0 * K_B * self.critical_temperature / ELECTRON

    @property
    def depairing_current(self) -> float:
        """Critical current density at T = 0, 1.5 sigma_N [gap/2e] / sqrt(hbar D/gap), A/m^2."""
        coherence = math.sqrt(HBAR * self.diffusion / (self.gap * ELECTRON))
        return 1.5 * self.conductivity * 0.5 * self.gap / coherence


INOX = FilmMaterial("InOx", 3.5, 1.0 / 5e-5, 6, 2e9, 3e-5)
"""Amorphous indium oxide. Diffusion: free electrons, 1e27 per m^3."""
NBN = FilmMaterial("NbN", 10.0, 1.0 / 4e-6, 5, 5e9, 5e-5)
"""Niobium nitride. Diffusion: 0.5 cm^2/s."""
MATERIALS = {material.name: material for material in (INOX, NBN)}


@dataclass(frozen=True)
class TipAboveFilm:
    """A film of given thickness under a tip at a given distance; translates SI to the model and back."""

    material: FilmMaterial
    thickness: float
    """Of the film, d, m."""
    distance: float
    """Between tip and film, or the tip's radius if that is larger, z0, m."""

    def __post_init__(self) -> None:
        """Refuse lengths that are not positive."""
        for name in ("thickness", "distance"):
            value = getattr(self, name)
            if not (value > 0.0 and math.isfinite(value)):
                raise OutOfRangeError(f"{name} must be positive, in m; got {value}")

    @property
    def thermal_length(self) -> float:
        """Lambda in z0."""
        return self.material.thermal_length / self.distance

    @property
    def sharp_wall(self) -> bool:
        """Whether the normal region can have a sharp boundary: Lambda below z0.

        Two states may exist without it (eq. 1 has them at any Lambda, at higher drives), but then
        the normal region ends gradually and is as wide as Lambda, not as z0.
        """
        return self.thermal_length < 1.0

    @property
    def current(self) -> float:
        """Amplitude I0 of the tip's displacement current for a drive of 1, A.

        I0 = sqrt(8 pi^2/H_max) z0 d j*, that is j_max = 0.0338 I0/(z0 d).
        """
        scale = math.sqrt(8.0 * math.pi**2 / H_MAX)
        return scale * self.distance * self.thickness * self.material.current_density

    def frequency(self, hertz: ArrayLike) -> Array:
        """Frequency in k_B Tc/hbar of one in Hz."""
        return np.asarray(np.asarray(hertz, dtype=np.float64) / self.material.frequency)

    def temperature(self, kelvin: ArrayLike) -> Array:
        """Temperature in Tc of one in K."""
        return np.asarray(np.asarray(kelvin, dtype=np.float64) / self.material.critical_temperature)

    def drive(self, amplitude: ArrayLike) -> Array:
        """Drive J of a displacement current of amplitude I0 (A)."""
        return np.asarray(np.asarray(amplitude, dtype=np.float64) / self.current)

    def amplitude(self, drive: ArrayLike) -> Array:
        """Amplitude I0 (A) of the displacement current for a drive J."""
        return np.asarray(np.asarray(drive, dtype=np.float64) * self.current)

    def depairing_ratio(self, drive: ArrayLike) -> Array:
        """Peak (not rms) current density under the tip over the depairing one.

        The model has the conductivity of a weak microwave; corrections go as the square of this ratio.
        """
        peak = math.sqrt(2.0) * self.material.current_density * np.asarray(drive, dtype=np.float64)
        return np.asarray(peak / self.material.depairing_current)

    def too_strong(self, drive: ArrayLike) -> NDArray[np.bool_]:
        """Flag drives beyond the model's validity: `depairing_ratio` above STRONG."""
        return np.asarray(self.depairing_ratio(drive) > STRONG)

    def doubts(self, drive: float, hertz: float, kelvin: float) -> tuple[str, ...]:
        """Say in words why a hot spot here is not bistable, not sharp, or beyond the model; () if not.

        Parameters
        ----------
        drive : float
            J, j*; not negative.
        hertz : float
            Of the microwaves.
        kelvin : float
            Of the phonons.

        Raises
        ------
        OutOfRangeError
            If an argument is out of its range: phonons not below Tc, too.
        """
        check_drive(drive)
        w, cold = float(self.frequency(hertz)), float(self.temperature(kelvin))
        found = []
        if bistable_interval(w, cold, self.material.exponent) is None:
            highest = cusp(cold, self.material.exponent) * self.material.frequency
            found.append(
                f"no bistability here: {hertz / 1e9:.4g} GHz is above the cusp at {highest / 1e9:.4g} "
                "GHz, near twice the gap; take a lower frequency or a colder film"
            )
        if not self.sharp_wall:
            found.append(
                "the film conducts heat too well for a sharp wall: its thermal length is "
                f"{self.thermal_length:.3g} times the distance of the tip, and the hot spot as wide"
            )
        if bool(self.too_strong(drive)):
            found.append(
                f"the peak current density is {float(self.depairing_ratio(drive)):.2g} of the depairing "
                "one: the conductivity of weak microwaves does not hold"
            )
        return tuple(found)

    def charge_length(self, hertz: float) -> float:
        """Distance up to which the film's charge follows the tip's in the normal state, m.

        The smaller of c/omega and |a_e| = sigma_N d/(2 eps0 omega), see B5 and D5.
        """
        if not (hertz > 0.0 and math.isfinite(hertz)):
            raise OutOfRangeError(f"frequency must be positive, in Hz; got {hertz}")
        omega = 2.0 * math.pi * hertz
        charge = self.material.conductivity * self.thickness / (2.0 * EPSILON0 * omega)
        return min(LIGHT / omega, charge)

    def normal_power(self, drive: float, hertz: float) -> float:
        """Power that a wholly normal film absorbs, W (B5).

            P = (2 pi/H_max) z0^2 d Sigma Tc^n J^2 log[L/(4 z0)],   L: `charge_length`

        The prefactor is 69.7 (5.5 in the text). B5 has log(L/z0); the integral of eq. (2) up to
        L >> z0 is log(L/z0) - 2 log 2.
        """
        check_drive(drive)
        length = self.charge_length(hertz) / self.distance
        volume = self.distance**2 * self.thickness
        power = 2.0 * math.pi / H_MAX * volume * self.material.cooling * drive**2
        return power * heated_area(length)

    def displacement_current(self, voltage: float, hertz: float, tip_radius: float) -> float:
        """Amplitude (A) of the current of a voltage-biased tip, omega C V with C = 4 pi eps0 R."""
        capacitance = 4.0 * math.pi * EPSILON0 * tip_radius
        return 2.0 * math.pi * hertz * capacitance * voltage

"""A radial temperature profile under the tip, and how it settles or develops at a given drive."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.errors import OutOfRangeError
from stm_daq.physics.hotspot_mesh import H_MAX, Mesh, heated_area, heating_profile, mesh_for
from stm_daq.physics.hotspot_tables import Film
from stm_daq.physics.hotspot_uniform import checked_film

type Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Profile:
    """A steady solution of the heat equation (1)."""

    drive: float
    """Highest rms current density under the tip, j*."""
    radius: Array
    """Nodes, z0, shape (k,)."""
    values: Array
    """Electron temperature there, Tc, shape (k,)."""
    unstable_modes: int
    """Growing axisymmetric modes; 0: stable."""

    def temperature(self, radius: ArrayLike) -> Array:
        """Electron temperature (Tc) at `radius` (z0); beyond the mesh, that at its end."""
        from scipy.interpolate import PchipInterpolator

        r = np.clip(np.abs(np.asarray(radius, dtype=np.float64)), 0.0, self.radius[-1])
        return np.asarray(PchipInterpolator(self.radius, self.values)(r))

    @property
    def stable(self) -> bool:
        """Whether no mode grows."""
        return self.unstable_modes == 0

    @property
    def core_temperature(self) -> float:
        """Electron temperature right below the tip, Tc."""
        return float(self.values[0])

    @property
    def peak_temperature(self) -> float:
        """Highest electron temperature, Tc."""
        return self._peak[1]

    @property
    def peak_radius(self) -> float:
        """Where it is, z0."""
        return self._peak[0]

    @property
    def _peak(self) -> tuple[float, float]:
        """Vertex of the parabola through the highest node and its neighbours."""
        k = int(np.argmax(self.values))
        if k in (0, len(self.radius) - 1):
            return float(self.radius[k]), float(self.values[k])
        r, t = self.radius[k - 1 : k + 2] - self.radius[k], self.values[k - 1 : k + 2]
        a, b, c = np.polyfit(r, t, 2)
        return float(self.radius[k] - 0.5 * b / a), float(c - 0.25 * b * b / a)

    @property
    def inner_radius(self) -> float | None:
        """Inner radius of the normal ring, z0; 0 without a superconducting core, None if not normal."""
        return 0.0 if self.values[0] >= 1.0 else self._crossing(0)

    @property
    def outer_radius(self) -> float | None:
        """Outer radius of the normal ring, z0; None if the film is nowhere normal."""
        return self._crossing(-1)

    def _crossing(self, which: int) -> float | None:
        """Radius where the temperature passes Tc: the first such (0), or the last (-1)."""
        above = self.values >= 1.0
        places = np.nonzero(above[1:] != above[:-1])[0]
        if len(places) == 0:
            return None
        k = places[which]
        share = (1.0 - self.values[k]) / (self.values[k + 1] - self.values[k])
        return float(self.radius[k] + share * (self.radius[k + 1] - self.radius[k]))


@dataclass(frozen=True, eq=False)
class HotSpot:
    """A film under a tip at one microwave frequency: what all solutions below have in common."""

    film: Film
    mesh: Mesh
    thermal_length: float
    """z0"""

    @property
    def compiled(self) -> tuple[tuple[Array, int, float], tuple[Array, Array, Array, Array]]:
        """Film and mesh as the compiled functions take them."""
        return self.film.compiled, self.mesh.compiled(self.thermal_length, self.film.exponent)

    def cold(self, drive: float) -> Array:
        """Uniform profile from which the film cools to the cold state at a drive, shape (k,)."""
        return np.full(len(self.mesh.radius), np.max(self.local(drive, hot=False)))

    def local(self, drive: float, *, hot: bool) -> Array:
        """Profile without conduction, hot or cold wherever the current there leaves the choice (k,)."""
        t = np.append(self.film.temperature, 1.0 + 0.05 * np.arange(1.0, 101.0))
        heating, cooling, _ = self.film.at(t)
        current = np.sqrt(cooling / heating)
        here = drive * np.sqrt(heating_profile(self.mesh.radius) / H_MAX)
        if hot:
            lowest = np.minimum.accumulate(current[::-1])[::-1]
            return np.asarray(np.interp(here, lowest, t))
        highest = np.maximum.accumulate(current)
        return np.asarray(np.interp(here, highest, t))

    def settled(self, drive: float, guess: Array) -> Profile | None:
        """Return the steady state, stable or not, next to a guess (k,); None if there is none."""
        from stm_daq.physics import hotspot_kernel_solve

        values = guess.copy()
        modes = hotspot_kernel_solve.settle(*self.compiled, drive, values)
        return Profile(drive, self.mesh.radius, values, modes) if modes >= 0 else None

    def developed(self, drive: float, start: Array | None = None) -> Profile:
        """Return the stable state that a profile (k,), by default a cold one, develops into."""
        from stm_daq.physics import hotspot_kernel_solve

        values = self.cold(drive) if start is None else start.copy()
        if not hotspot_kernel_solve.develop(*self.compiled, drive, values):
            raise ArithmeticError(f"the profile at drive {drive} does not become steady")
        return Profile(drive, self.mesh.radius, values, 0)

    def absorbed_power(self, profile: Profile, reach: float | None = None) -> float:
        """Microwave power that a steady film absorbs up to a radius, in Sigma Tc^n z0^2 d (B5).

        Up to the end of the mesh it is what the phonons take, beyond that the film has one temperature:
        the integral of J^2 h Re 1/sigma over the area. `reach` (z0) is where the film's charge does not
        follow the tip any more; by default the end of the mesh.
        """
        _, cooling, _ = self.film.at(profile.values)
        heating = float(self.film.at(profile.values[-1:])[0][0])
        end = float(profile.radius[-1])
        tail = heated_area(reach) - heated_area(end) if reach is not None else 0.0
        near = float(np.sum(self.mesh.area * cooling))
        return 2.0 * math.pi * (near + profile.drive**2 / H_MAX * heating * tail)


def hot_spot(
    frequency: float,
    phonon_temperature: float,
    thermal_length: float,
    n: int = 5,
    *,
    nodes: int | None = None,
    least_nodes: int = 400,
    highest_drive: float = 0.0,
) -> HotSpot:
    """Prepare tables and mesh for a film under a tip.

    Parameters
    ----------
    frequency : float
        k_B Tc/hbar.
    phonon_temperature : float
        Tc; below 1.
    thermal_length : float
        Lambda, z0; positive. Lambda^2 = K(Tc)/(n Sigma Tc^(n-1)).
    n : {5, 6}
        Exponent of the phonon cooling.
    nodes : int, optional
        Of the radial mesh, at least 50; by default as many as the thermal length needs.
    least_nodes : int
        Of the radial mesh, where their number is not given.
    highest_drive : float
        j*; the larger, the further out must the mesh be fine.

    Raises
    ------
    OutOfRangeError
        If an argument is out of its range.
    """
    tables = checked_film(frequency, phonon_temperature, n)
    if not (thermal_length > 0.0 and math.isfinite(thermal_length)):
        raise OutOfRangeError(f"thermal length must be finite and above 0 z0, got {thermal_length}")
    if nodes is not None and nodes < 50:
        raise OutOfRangeError(f"a radial mesh needs at least 50 nodes, got {nodes}")
    check_drive(highest_drive)
    return HotSpot(
        tables, mesh_for(nodes, thermal_length, highest_drive, least_nodes), thermal_length
    )


def check_drive(drive: float) -> None:
    """Refuse drives that no microwave source has."""
    if not (drive >= 0.0 and math.isfinite(drive)):
        raise OutOfRangeError(f"drive must be finite and not negative, in j*; got {drive}")

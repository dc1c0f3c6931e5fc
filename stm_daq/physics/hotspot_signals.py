"""From the temperature profile of a hot spot to what an instrument sees of it.

All dimensionless, as in :mod:`stm_daq.physics.hotspot`: temperatures in Tc, energies and voltages in
kB Tc (and over e), frequencies in kB Tc / hbar, lengths in z0, drives in j*. Source: D. B. Karki, R. S.
Whitney, D. M. Basko, "Local bistability under microwave heating for spatially mapping disordered
superconductors", Eqs. 1, 2, A1, A3 and B4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot import H_MAX, Profile, conductivity, gap, heating_profile

type Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_PANELS = 24
"""Panels of 24 Gauss nodes: 1e-10 down to tip temperatures of 0.02 Tc."""
_REACH = 45.0
"""Thermal energies beyond which the derivative of the Fermi function counts as zero."""


def normal_ring(profile: Profile) -> tuple[float, float] | None:
    """Return inner and outer radius (z0) of the normal ring, where T > Tc; None if there is none.

    An inner radius of 0 means that also the core is normal.
    """
    inner, outer = profile.inner_radius, profile.outer_radius
    return None if inner is None or outer is None else (inner, outer)


def tunnel_conductance(bias: Array, temperature: float, tip_temperature: float) -> Array:
    """Return dI/dV of a cold normal tip over the film, in that of the normal film.

        g(V) = integral N(E) [-f'(E - V)] dE,   N = |E| / sqrt(E^2 - gap(T)^2)

    with f at the temperature of the tip (the film's electrons enter by the gap alone). No broadening,
    no microwave field over the barrier.

    Parameters
    ----------
    bias : array of shape (n,)
        kB Tc / e.
    temperature : float
        Of the film's electrons under the tip, Tc.
    tip_temperature : float
        Tc.

    Raises
    ------
    ValueError
        If a temperature is not positive.
    """
    if not (temperature > 0 and tip_temperature > 0):
        raise ValueError("temperatures of film and tip must be positive, in units of Tc")
    volts = np.abs(np.atleast_1d(np.asarray(bias, dtype=np.float64)))
    edge = float(gap(temperature))
    if edge <= 0:
        return np.ones(volts.shape)
    return np.array([_tunnelled(v, edge, tip_temperature) for v in volts])


def _tunnelled(volt: float, edge: float, tip: float) -> float:
    """Integrate over E = gap cosh(u), which removes the singularity; E and -E together."""
    highest = max(volt, edge) + _REACH * tip
    lowest = max(edge, volt - _REACH * tip)
    knots = np.linspace(np.arccosh(lowest / edge), np.arccosh(highest / edge), _PANELS + 1)
    half = np.diff(knots)[:, None] / 2
    u = (knots[:-1, None] + half) + half * _NODES
    energy = edge * np.cosh(u)
    window = _minus_fermi_slope(energy - volt, tip) + _minus_fermi_slope(energy + volt, tip)
    return float(np.sum(half * _WEIGHTS * energy * window))


def _minus_fermi_slope(energy: Array, temperature: float) -> Array:
    decay = np.exp(-np.abs(energy) / temperature)
    slope: Array = decay / (temperature * np.square(1 + decay))
    return slope


def absorbed_power(profile: Profile, frequency: float) -> float:
    """Return the power that the film absorbs within the profile, in Sigma Tc^n z0^2 d.

        P = 2 pi integral J^2 h(r) Re[1/sigma(omega, T(r))] r dr

    Beyond the profile, where the film is as cold as the substrate, the integral grows with the
    logarithm of the distance (Eq. B5).

    Parameters
    ----------
    profile : Profile
        A steady state, of :func:`stm_daq.physics.hotspot.profiles`.
    frequency : float
        kB Tc / hbar.
    """
    radius = profile.radius
    sigma = np.asarray(conductivity(frequency, np.minimum(profile.values, 1.0)))
    lossy = np.where(profile.values >= 1.0, 1.0, (1.0 / sigma).real)
    density = profile.drive**2 * heating_profile(radius) / H_MAX * lossy
    return float(2 * np.pi * np.trapezoid(density * radius, radius))


def reflected_fraction(absorbed: float, available: float) -> float:
    """Return the part of the available power that comes back from the tip, both in one unit.

    Raises
    ------
    ValueError
        If the film would absorb more than is available: the calibration of the drive is wrong.
    """
    if not 0 <= absorbed <= available:
        raise ValueError(
            f"the film would absorb {absorbed:g} of {available:g}; check the calibration of the drive"
        )
    return 1.0 - absorbed / available

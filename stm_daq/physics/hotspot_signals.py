"""From the temperature profile of a hot spot to what an instrument sees of it.

All dimensionless, as in :mod:`stm_daq.physics.hotspot`: temperatures in Tc, energies and voltages in
kB Tc (and over e), frequencies in kB Tc / hbar, lengths in z0, drives in j*. Source: D. B. Karki, R. S.
Whitney, D. M. Basko, "Local bistability under microwave heating for spatially mapping disordered
superconductors", Eqs. 1, 2, A1, A3 and B4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot import conductivity, gap

type Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_PANELS = 24
"""Panels of 24 Gauss nodes: 1e-10 down to tip temperatures of 0.02 Tc."""
_REACH = 45.0
"""Thermal energies beyond which the derivative of the Fermi function counts as zero."""
LARGEST_HEATING = 0.3002831060007776
"""z0 sqrt(H) at its maximum, r = sqrt((1 + sqrt 5) / 2) z0 (Eq. 2)."""


def heating_shape(r: Array) -> Array:
    """Return h(r) = H(r) / H(r_max), the heating relative to its largest (Eq. 2).

    Parameters
    ----------
    r : array
        Distance from the axis of the tip, z0.
    """
    root = np.sqrt(1.0 + np.square(r))
    shape: Array = np.square(r / (root * (root + 1.0))) / LARGEST_HEATING**2
    return shape


def normal_ring(r: Array, temperature: Array) -> tuple[float, float] | None:
    """Return inner and outer radius (z0) of the normal ring, where T > Tc; None if there is none.

    An inner radius of 0 means that also the core is normal. Between the points of the profile the
    temperature is taken for a straight line. A ring that reaches the end of the profile ends there.

    Parameters
    ----------
    r, temperature : array of shape (n,)
        Profile, r ascending.
    """
    hot = np.flatnonzero(temperature > 1.0)
    if not len(hot):
        return None
    first, last = int(hot[0]), int(hot[-1])
    inner = 0.0 if first == 0 else _crossing(r, temperature, first - 1)
    outer = float(r[-1]) if last == len(r) - 1 else _crossing(r, temperature, last)
    return inner, outer


def _crossing(r: Array, temperature: Array, k: int) -> float:
    share = (1.0 - temperature[k]) / (temperature[k + 1] - temperature[k])
    return float(r[k] + share * (r[k + 1] - r[k]))


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


def absorbed_power(r: Array, temperature: Array, drive: float, frequency: float) -> float:
    """Return the power that the film absorbs within the profile, in Sigma Tc^n z0^2 d.

        P = 2 pi integral J^2 h(r) Re[1/sigma(omega, T(r))] r dr

    Beyond the profile, where the film is as cold as the substrate, the integral grows with the
    logarithm of the distance (Eq. B5).

    Parameters
    ----------
    r, temperature : array of shape (n,)
        Profile.
    drive : float
        J = j_max / j*, rms.
    frequency : float
        kB Tc / hbar.
    """
    lossy = np.array([_resistivity(frequency, float(t)) for t in temperature])
    density = drive**2 * heating_shape(r) * lossy
    return float(2 * np.pi * np.trapezoid(density * r, r))


def _resistivity(frequency: float, temperature: float) -> float:
    if temperature >= 1.0:
        return 1.0
    sigma = complex(conductivity(frequency, temperature))
    return float((1 / sigma).real)


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

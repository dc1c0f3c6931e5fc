"""Film under a uniform microwave current: branches, stability, bistable interval, Maxwell current.

Balance of heating and cooling at every point, eq. (3):  j^2 Re 1/sigma(omega, T) = Q(T, T_ph), that is
j(T) = sqrt(Q / Re 1/sigma). Every T is a solution for one current, stable where j rises with T. Between
the extrema of j(T) lie the branches; the bistable interval goes from its lowest minimum to its highest
maximum. Temperatures in Tc, frequency in k_B Tc/hbar, currents (rms) in j*.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from stm_daq.errors import OutOfRangeError
from stm_daq.physics import microwave_film
from stm_daq.physics.hotspot_tables import LOWEST, Film, film

type Array = NDArray[np.float64]

FLAT = 0.5
"""Slope of log j(T), 1/Tc, below which j(T) is looked at more closely."""
_GAUSS = np.polynomial.legendre.leggauss(5)


class UniformState(NamedTuple):
    """A uniform steady state."""

    temperature: float
    """Of the electrons, Tc."""
    stable: bool


class Extremum(NamedTuple):
    """A place where branches meet."""

    current: float
    """j*"""
    temperature: float
    """Tc"""


def checked_film(frequency: float, phonon_temperature: float, n: int) -> Film:
    """Tables for arguments given by a user.

    Raises
    ------
    OutOfRangeError
        If the frequency is not positive, the phonons are not colder than Tc, or n is not 5 or 6.
    """
    microwave_film.check_exponent(n)
    if not (frequency > 0.0 and math.isfinite(frequency)):
        raise OutOfRangeError(f"frequency must be finite and above 0 kB Tc/hbar, got {frequency}")
    if not 0.0 <= phonon_temperature < 1.0:
        raise OutOfRangeError(
            f"phonon temperature of {phonon_temperature} Tc: the film superconducts only below 1 Tc, "
            "cool it"
        )
    return film(float(frequency), float(phonon_temperature), int(n))


def uniform_extrema(
    frequency: float, phonon_temperature: float, n: int = 5
) -> tuple[Extremum, ...]:
    """Maxima and minima of the current j(T), from low to high temperature; empty if it only rises.

    Parameters and errors are those of :func:`uniform_branches`.
    """
    return extrema(checked_film(frequency, phonon_temperature, n))


def uniform_branches(
    current: float, frequency: float, phonon_temperature: float, n: int = 5
) -> tuple[UniformState, ...]:
    """All steady states of a film with a uniform microwave current, from cold to hot.

    Parameters
    ----------
    current : float
        Rms density of the microwave current, j*; not negative.
    frequency : float
        k_B Tc/hbar.
    phonon_temperature : float
        Tc; below 1. Colder than LOWEST is taken as that.
    n : {5, 6}
        Exponent of the phonon cooling.

    Returns
    -------
    tuple of UniformState
        Stable and unstable ones alternate.

    Raises
    ------
    OutOfRangeError
        If an argument is out of its range.
    """
    tables = checked_film(frequency, phonon_temperature, n)
    if not (current >= 0.0 and math.isfinite(current)):
        raise OutOfRangeError(f"current must be finite and not negative, in j*; got {current}")
    if current == 0.0:
        return (UniformState(max(phonon_temperature, LOWEST), True),)
    top = (current**2 + tables.phonon_temperature**n) ** (1.0 / n) + 1.0
    turns = [e.temperature for e in extrema(tables)]
    borders = [tables.phonon_temperature, *turns, top]

    def excess(t: float) -> float:
        heating, cooling, _ = tables.at(np.array([t]))
        return float(cooling[0] - current**2 * heating[0])

    states = []
    for index, (low, high) in enumerate(pairwise(borders)):
        if excess(low) * excess(high) < 0.0:
            found = brentq(excess, low, high, xtol=1e-13)
            states.append(UniformState(float(found), index % 2 == 0))
    return tuple(states)


def bistable_interval(
    frequency: float, phonon_temperature: float, n: int = 5
) -> tuple[float, float] | None:
    """Currents (rms, j*) between which a uniform film has two stable states; None if nowhere.

    Below about 1/omega it reaches up to high currents: there the *square* of the upper one goes as
    1/omega^2 (the text after Fig. 3 says that of the current itself).

    Parameters and errors are those of :func:`uniform_branches`.
    """
    currents = [e.current for e in uniform_extrema(frequency, phonon_temperature, n)]
    return (min(currents), max(currents)) if currents else None


def maxwell_current(frequency: float, phonon_temperature: float, n: int = 5) -> float | None:
    """Current (rms, j*) at which a straight wall between cold and hot film stands still (4).

    The integral of (Q - j^2 Re 1/sigma) K over T from the cold to the hot state vanishes. None
    without a bistable interval. Parameters and errors are those of :func:`uniform_branches`.
    """
    interval = bistable_interval(frequency, phonon_temperature, n)
    if interval is None:
        return None
    tables = checked_film(frequency, phonon_temperature, n)

    def area(current: float) -> float:
        states = uniform_branches(current, frequency, phonon_temperature, n)
        return _area(tables, states[0].temperature, states[-1].temperature, current**2)

    margin = 1e-9 * (interval[1] - interval[0])
    return float(brentq(area, interval[0] + margin, interval[1] - margin, xtol=1e-10))


def cusp(phonon_temperature: float, n: int = 5) -> float:
    """Highest frequency (k_B Tc/hbar) with a bistable interval, slightly below 2 gap(T_ph).

    Parameters and errors are those of :func:`uniform_branches`.
    """
    checked_film(1.0, phonon_temperature, n)
    low, high = 0.0, 2.0 * float(microwave_film.gap(max(phonon_temperature, LOWEST)))
    while high - low > 1e-5 * high:
        middle = 0.5 * (low + high)
        if uniform_extrema(middle, phonon_temperature, n):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def extrema(tables: Film) -> tuple[Extremum, ...]:
    """Extrema of j(T) below Tc; above, it only rises."""
    t = np.append(tables.temperature[1:], 1.0 + 1e-6)
    for _ in range(2):
        t = np.union1d(t, _where_flat(tables, t))
        t = t[np.diff(t, prepend=0.0) > 1e-9]
    log = _log_current(tables, t)
    rises = np.diff(log) > 0.0
    found = []
    for k in np.nonzero(rises[1:] != rises[:-1])[0] + 1:
        low, high, sign = t[k - 1], t[k + 1], 1.0 if rises[k - 1] else -1.0
        while high - low > 1e-12:
            grid = np.linspace(low, high, 21)
            values = sign * _log_current(tables, grid)
            best = int(np.argmax(values))
            low, high = grid[max(best - 1, 0)], grid[min(best + 1, 20)]
        middle = 0.5 * (low + high)
        found.append(Extremum(float(np.exp(_log_current(tables, np.array([middle]))[0])), middle))
    return tuple(found)


def _where_flat(tables: Film, t: Array) -> Array:
    """More temperatures where log j hardly rises: close extrema may hide between two samples."""
    slope = np.diff(_log_current(tables, t)) / np.diff(t)
    middle = slope[1:-1]
    hidden = (middle > 0.0) & (middle < FLAT) & (middle < slope[:-2]) & (middle <= slope[2:])
    hidden &= t[3:] - t[:-3] > 1e-4
    k = np.nonzero(hidden)[0]
    return np.asarray(
        t[k, None] + (t[k + 3] - t[k])[:, None] * np.linspace(0.0, 1.0, 32)[1:-1]
    ).ravel()


def _log_current(tables: Film, t: Array) -> Array:
    """log j(T)."""
    heating, cooling, _ = tables.at(t)
    return np.asarray(0.5 * np.log(cooling / heating))


def _area(tables: Film, low: float, high: float, square: float) -> float:
    """Integral of (Q - j^2 Re 1/sigma) K over temperature."""
    inside = tables.cells[:, 0]
    edges = np.concatenate([[low], inside[(inside > low) & (inside < high)]])
    if high > 1.0:
        edges = np.concatenate([edges, np.linspace(edges[-1], high, 9)[1:-1]])
    edges = np.append(edges, high)
    half = 0.5 * np.diff(edges)[:, None]
    t = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * _GAUSS[0]).ravel()
    heating, cooling, conductivity = tables.at(t)
    weight = (half * _GAUSS[1]).ravel()
    return float(np.sum(weight * (cooling - square * heating) * conductivity))

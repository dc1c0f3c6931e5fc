"""Properties of a film against electron temperature, as tables for the compiled solver.

What is tabulated, for one frequency, phonon temperature and exponent n: Re 1/sigma (the heating), the
power into the phonons and the thermal conductivity, as cubic polynomials in cells of electron
temperature. The cells narrow towards

* low temperatures, where everything goes as exp(-gap/T),
* the temperature where the photon energy meets 2 gap(T) (logarithmic slope of Re 1/sigma), and
* Tc (kink).

The phonon power is a double integral; it is computed at few temperatures only, since
T log[Q / (T^n - T_ph^n)] is a smooth function of sqrt(1 - T).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from stm_daq.physics import microwave_film

type Array = NDArray[np.float64]

LOWEST = 0.01
"""Tc. Phonons colder than this are taken at this temperature."""
FINEST = 7.5e-6
"""Tc; width of the narrowest cells at Tc."""
NARROWEST, WIDEST = 2.2e-4, 1.5e-5
"""Width of the narrowest cells where the photon energy meets 2 gap(T), in the distance from T_ph, and
Tc at most. The logarithmic slope there makes a dip of j(T) at every frequency below 2 gap(T_ph), but
near the cusp one that is narrower than any real film could show: what hides in such a cell (falls
over less than 2.7e-5 of the distance from T_ph) does not count."""
POWERS = 48
"""Temperatures at which the phonon power is integrated."""
_THIRDS = np.array(
    [[1, 0, 0, 0], [-5.5, 9, -4.5, 1], [9, -22.5, 18, -4.5], [-4.5, 13.5, -13.5, 4.5]]
)
"""Cubic in x from 0 to 1 through its values at 0, 1/3, 2/3, 1."""


@dataclass(frozen=True, eq=False)
class Film:
    """Tables of one film at one frequency and phonon temperature; see `hotspot_kernel_film`."""

    frequency: float
    """k_B Tc/hbar"""
    phonon_temperature: float
    """Tc"""
    exponent: int
    cells: Array
    """Shape (c, 16)."""
    temperature: Array
    """Sampled temperatures from that of the phonons to 1, shape (s,)."""
    heating: Array
    """Re 1/sigma there, in that of the normal state."""
    cooling: Array
    """Phonon power there, Sigma Tc^n."""
    conductivity: Array
    """Thermal conductivity there, in that at Tc."""

    @property
    def compiled(self) -> tuple[Array, int, float]:
        """What the compiled functions take."""
        return self.cells, self.exponent, self.phonon_temperature**self.exponent

    def at(self, temperature: Array) -> tuple[Array, Array, Array]:
        """Heating, cooling and conductivity at electron temperatures not below the phonons' (k,)."""
        t = np.asarray(temperature, dtype=np.float64)
        cell = np.maximum(np.searchsorted(self.cells[:, 0], t, side="right") - 1, 0)
        powers = (t - self.cells[cell, 0])[:, None] ** np.arange(4)
        heating, cooling, conductivity = (
            (self.cells[cell, first : first + 4] * powers).sum(axis=1) for first in (1, 7, 11)
        )
        normal = cell == len(self.cells) - 1
        n = self.exponent
        return (
            np.where(normal, 1.0, heating),
            np.where(normal, t**n - self.phonon_temperature**n, cooling),
            np.where(normal, t, conductivity),
        )


@lru_cache(maxsize=32)
def film(frequency: float, phonon_temperature: float, n: int) -> Film:
    """Make the tables, or return them if they were made recently; arguments must be valid."""
    phonons = max(phonon_temperature, LOWEST)
    edges = _edges(phonons, _meeting(frequency))
    width = np.diff(edges)
    samples = (edges[:-1, None] + width[:, None] * np.array([0.0, 1.0, 2.0]) / 3.0).ravel()
    samples = np.append(samples, 1.0)
    sigma = microwave_film.conductivity(frequency, samples)
    heating = sigma.real / (sigma.real**2 + sigma.imag**2)
    cooling = _cooling(samples, phonons, n)
    conductivity = microwave_film.thermal_conductivity(samples)
    cells = np.zeros((len(edges), 16))
    cells[:, 0] = edges
    for first, values in ((1, heating), (7, cooling), (11, conductivity)):
        cells[:-1, first : first + 4] = _cubics(values, width)
    cells[:, 5], cells[:, 6] = _integrals(cells[:-1, 1:5], width)
    cells[:, 15] = _integrals(cells[:-1, 11:15], width)[0]
    return Film(frequency, phonons, n, cells, samples, heating, cooling, conductivity)


def _meeting(frequency: float) -> float:
    """Temperature at which the photon energy is 2 gap(T); 0 if it is always larger."""
    ratio = 0.5 * frequency / microwave_film.GAP0
    return math.sqrt(2.0 / math.pi * math.acos(ratio**2)) if ratio < 1.0 else 0.0


def _edges(lowest: float, meeting: float) -> Array:
    """Edges of the cells, from `lowest` to 1."""
    edges = [lowest]
    inside = [meeting] if lowest + FINEST < meeting < 1.0 - FINEST else []
    narrow = min(NARROWEST * (meeting - lowest), WIDEST) if inside else FINEST
    for end in (*inside, 1.0):
        begin = t = edges[-1]
        least = narrow if begin != lowest else 0.01 * t * t
        close = FINEST if end == 1.0 else narrow
        while True:
            step = min(
                0.15 * t * t, 0.015, max(0.1 * (end - t), close), max(0.1 * (t - begin), least)
            )
            if t + 1.5 * step >= end:
                break
            t += step
            edges.append(t)
        edges.append(end)
    return np.array(edges)


def _cubics(values: Array, width: Array) -> Array:
    """Coefficients (c, 4) in powers of the temperature above each edge."""
    third = 3 * np.arange(len(width))[:, None] + np.arange(4)
    return np.asarray(values[third] @ _THIRDS.T / width[:, None] ** np.arange(4))


def _integrals(cubic: Array, width: Array) -> tuple[Array, Array]:
    """First and second integral over temperature at all edges, from the lowest on."""
    powers = width[:, None] ** np.arange(1, 5)
    area = np.append(0.0, np.cumsum((cubic * powers / np.arange(1, 5)).sum(axis=1)))
    moment = (cubic * powers * width[:, None] / np.array([2.0, 6.0, 12.0, 20.0])).sum(axis=1)
    return area, np.append(0.0, np.cumsum(area[:-1] * width + moment))


def _cooling(temperature: Array, phonons: float, n: int) -> Array:
    """Phonon power by interpolation of T log[Q/(T^n - T_ph^n)] in sqrt(1 - T)."""
    far = math.sqrt(1.0 - phonons)
    x = chebyshev.chebpts1(POWERS)
    t = 1.0 - (0.5 * far * (1.0 + x)) ** 2
    power = microwave_film.phonon_power(t, phonons, n)
    shape = chebyshev.chebfit(x, t * np.log(power / (t**n - phonons**n)), POWERS - 1)
    depth = np.sqrt(np.maximum(1.0 - temperature, 0.0))
    log = chebyshev.chebval(2.0 * depth / far - 1.0, shape) / temperature
    return np.asarray(np.exp(log) * np.maximum(temperature**n - phonons**n, 0.0))

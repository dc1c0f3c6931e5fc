"""Second derivative of a spectrum, with its uncertainty, by polynomials fitted to windows.

At every point a polynomial of fourth order is fitted to the points within a window (A. Savitzky,
M. J. E. Golay, Anal. Chem. 36, 1627 (1964), here on any spacing and without missing points). The
result is a linear function of the measured values, so that their noise propagates exactly. The
window follows from the resolution of the spectrum, which the temperature and the modulation set: a
narrower one would only add noise, a much wider one blur peaks. Noise decides between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stm_daq.errors import CannotTellError
from stm_daq.physics.btk import K_B
from stm_daq.records import Array

ORDER = 4
FEWEST = 7
"""Points of a window."""
WINDOWS = (0.7, 1.0, 1.4, 2.0)
"""Half the width of a window, relative to the resolution."""
QUIET = 0.003
"""Noise of the curvature, times the square of the resolution over 8 (the relative height of a peak
that is as wide as the resolution), that need not be reduced by a wider window."""


@dataclass(frozen=True, slots=True)
class Curvature:
    """The negative second derivative of a normalised spectrum: positive at peaks; 1/V^2."""

    bias: Array
    """V, ascending, shape (n,); the points where there are enough neighbours."""
    value: Array
    """Shape (n,)."""
    std: Array
    """Shape (n,)."""
    operator: Array
    """Shape (n, m): its product with the measured values is `value`."""
    noise: float
    """Standard deviation of a measured value."""
    half_width: float
    """Of the window, V."""


def resolution(temperature: float, modulation: float) -> float:
    """Return the full width at half maximum that temperature (K) and modulation (V peak) give, V.

    3.53 kT of the Fermi edge, sqrt(3) times the peak of the modulation, in quadrature.
    """
    return math.hypot(3.53 * K_B * temperature, math.sqrt(3) * modulation)


def noise_of(bias: Array, values: Array) -> float:
    """Return the standard deviation of the noise of a spectrum, from each point and its neighbours.

    A point is compared with the cubic through two neighbours on each side; the median of the absolute
    differences does not mind a few sharp peaks. NaN with fewer than 15 points.
    """
    known = np.isfinite(values)
    x, y = bias[known], values[known]
    if len(x) < 15:
        return math.nan
    around = np.stack([x[:-4], x[1:-3], x[3:-1], x[4:]])
    weights = np.ones_like(around)
    for i in range(4):
        for j in range(4):
            if i != j:
                weights[i] *= (x[2:-2] - around[j]) / (around[i] - around[j])
    neighbours = np.stack([y[:-4], y[1:-3], y[3:-1], y[4:]])
    rest = (y[2:-2] - np.sum(weights * neighbours, axis=0)) / np.sqrt(
        1 + np.sum(weights**2, axis=0)
    )
    return float(np.median(np.abs(rest)) / 0.6745)


def curvature(
    bias: Array, values: Array, temperature: float, modulation: float, largest: float
) -> Curvature:
    """Return minus the second derivative of a spectrum.

    Parameters
    ----------
    bias : ndarray, shape (n,)
        V, ascending.
    values : ndarray, shape (n,)
        dI/dV over that of the normal state; NaN = not measured.
    temperature, modulation : float
        K and V (peak).
    largest : float
        Points beyond this bias, V, do not count: what lies there must not bend what lies within.

    Raises
    ------
    CannotTellError
        If the points are too few, or too far apart for the resolution.
    """
    known = np.isfinite(values) & (np.abs(bias) <= largest)
    x, y = bias[known], values[known]
    if len(x) < 3 * FEWEST:
        raise CannotTellError(
            f"only {len(x)} points within {1e3 * largest:.3g} mV: too few for a second derivative"
        )
    noise = noise_of(bias, values)
    width = resolution(temperature, modulation)
    spacing = float(np.median(np.diff(x)))
    if spacing > width / 2:
        raise CannotTellError(
            f"points {spacing * 1e6:.3g} uV apart do not resolve what temperature and modulation let "
            f"through ({width * 1e6:.3g} uV): measure at least twice as densely"
        )
    for factor in WINDOWS:
        half = max(factor * width, (FEWEST // 2 + 0.5) * spacing)
        operator = _operator(x.tobytes(), half)
        std = noise * np.sqrt(np.sum(operator**2, axis=1))
        told = np.isfinite(std)
        if told.any() and float(np.median(std[told])) * width**2 / 8 < QUIET:
            break
    if not told.any():
        raise CannotTellError(
            f"the window of {half * 2e6:.3g} uV that noise asks for is wider than the range up to "
            f"{largest * 1e6:.3g} uV: nothing can be told of the second derivative"
        )
    operator = operator[told]
    return Curvature(x[told], operator @ y, std[told], operator, noise, half)


@lru_cache(maxsize=128)
def _operator(places: bytes, half: float) -> Array:
    """Return the matrix of minus the second derivative; rows without enough points are NaN."""
    x = np.frombuffer(places)
    operator = np.zeros((len(x), len(x)))
    for row, centre in enumerate(x):
        inside = np.flatnonzero(np.abs(x - centre) <= half)
        lopsided = min(centre - x[inside[0]], x[inside[-1]] - centre) < half / 2
        if len(inside) < FEWEST or lopsided:
            operator[row] = math.nan
            continue
        powers = np.vander((x[inside] - centre) / half, ORDER + 1, increasing=True)
        operator[row, inside] = -2 * np.linalg.pinv(powers)[2] / half**2
    return operator

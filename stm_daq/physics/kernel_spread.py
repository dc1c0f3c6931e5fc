"""Compiled: the spectral conductance of a contact, spread as moments to a uniform grid of energies."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import inner

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]

type Contact = tuple[float, float, float, float, float, float, float, float]
"""gap (eV), kT (eV), reflection R, broadening (eV), modulation (V peak), noise (V rms), exponent and
reference (eV) of the background |E/reference|^exponent."""

STEP = 0.25
"""Grid step in units of `unit_of`: interpolation errors below 1e-6 of the normal conductance."""
PANEL = 3.0
"""Largest width of an energy panel in units of `unit_of`."""
SMALLEST_GAP = 1e-9
"""In units of `unit_of`; smaller gaps are computed at this one, which is the normal state."""
REACH = 4
"""Lagrange interpolation uses the REACH nearest grid points on each side."""

SIGMA, BY_R, BY_BROADENING, BY_EXPONENT = range(4)
"""Rows of moments: sigma and its derivatives."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(2 * REACH)


def _lagrange() -> Array:
    """Coefficients, highest power first, of the weights of the grid points -3 .. 4 at s in [0, 1)."""
    points = np.arange(1 - REACH, REACH + 1)
    rows = []
    for point in points:
        others = points[points != point]
        rows.append(np.poly(others) / np.prod(point - others))
    return np.array(rows)


_LAGRANGE = _lagrange()


@inner()
def unit_of(contact: Contact) -> float:
    """Energy over which the window is smooth: kT or the rms noise, whichever is larger."""
    return max(contact[1], contact[5])


@inner()
def spectral_conductance(
    x: float, gap: float, broadening: float, reflection: float
) -> tuple[float, float, float]:
    """sigma and its derivatives d/dR, d/d(broadening) at E = gap + x >= 0.

    With w = E + i broadening, a = gap / (w + sqrt(w^2 - gap^2)), A = |a|^2:
    sigma = (1 + A)(1 - R A) / |1 - R a^2|^2.
    """
    energy = gap + x
    square = x * (x + 2.0 * gap) - broadening * broadening
    cross = 2.0 * energy * broadening
    size = math.sqrt(square * square + cross * cross)
    large = math.sqrt(0.5 * (size + abs(square)))
    small = 0.5 * cross / large
    root_re = large if square > 0.0 else small
    root_im = small if square > 0.0 else large
    re = energy + root_re
    im = broadening + root_im
    norm = re * re + im * im
    a_re = gap * re / norm
    a_im = -gap * im / norm
    amplitude = gap * gap / norm
    a2_re = a_re * a_re - a_im * a_im
    a2_im = 2.0 * a_re * a_im
    one_minus = 1.0 - reflection * amplitude
    numerator = (1.0 + amplitude) * one_minus
    denominator = (1.0 - reflection * a2_re) ** 2 + (reflection * a2_im) ** 2
    sigma = numerator / denominator
    by_r = (
        -amplitude * (1.0 + amplitude) - sigma * 2.0 * (reflection * amplitude * amplitude - a2_re)
    ) / denominator
    slope = -2.0 * amplitude * root_im / size
    a2_slope = 2.0 * (a2_im * root_re - a2_re * root_im) / size
    by_g = (
        slope * (one_minus - reflection * (1.0 + amplitude))
        - sigma * 2.0 * reflection * (reflection * amplitude * slope - a2_slope)
    ) / denominator
    return sigma, by_r, by_g


@inner(fastmath={"contract"})
def places(energy: Array, step: float, cells: Index, weights: Array) -> None:
    """Grid cell of every |energy| and Lagrange weights (8, n) in it; those of NaN are NaN.

    The weights are those of the grid points -3 .. 4 about the cell; `cells` (n,) and `weights` are
    filled.
    """
    count = len(energy)
    for n in range(count):
        position = abs(energy[n]) / step
        cells[n] = int(position) if position < 1e15 else 0
        weights[7, n] = position - cells[n]
    for i in range(8):
        row, c = weights[i], _LAGRANGE[i]
        c0, c1, c2, c3, c4, c5, c6, c7 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
        for n in range(count):
            s = weights[7, n]
            row[n] = ((((((c0 * s + c1) * s + c2) * s + c3) * s + c4) * s + c5) * s + c6) * s + c7


@inner()
def _nodes(contact: Contact, top: float, cusp: bool) -> tuple[Array, Array]:
    """Distances from the gap of the nodes of the quadrature up to energy `top`, and their weights.

    Panels in u with E = gap -+ u^2, graded towards the gap down to the narrowest structure. With
    `cusp` those below the gap are also graded towards zero energy.
    """
    gap, _, reflection, broadening, _, _, _, _ = contact
    width = PANEL * unit_of(contact)
    finest = max(0.5 * (1.0 - reflection) * math.sqrt(0.5 * gap), math.sqrt(broadening))
    finest = max(finest, 1e-5 * math.sqrt(gap))
    room = 16 * (96 + 2 * int(max(top, gap) / width))
    distance, weight = np.empty(room), np.empty(room)
    count = 0
    for side in (-1.0, 1.0):
        last = math.sqrt(gap if side < 0.0 else max(top - gap, 0.0))
        u = 0.0
        while u < last:
            limit = min(math.sqrt(u * u + width), u + max(finest, 2.0 * u))
            if side < 0.0 and cusp and last - u > 1e-6 * min(math.sqrt(width), last):
                limit = min(limit, u + 0.75 * (last - u))
            half = 0.5 * (min(limit, last) - u)
            for k in range(8):
                at = u + half + half * NODES[k]
                distance[count] = side * at * at
                weight[count] = 2.0 * half * WEIGHTS[k] * at
                count += 1
            u = min(limit, last)
    return distance[:count], weight[:count]


@inner()
def moments_of(cells: int, band: int, contact: Contact, rows: int) -> tuple[Array, int]:
    """Moments (rows, size) on the grid, and the index of zero energy.

    M_m = integral of sigma(E) L_m(E) dE with the Lagrange polynomials L_m of the grid points, for
    biases up to `cells` and windows of `band` steps; likewise for the derivatives of sigma.
    """
    gap, kt, reflection, broadening, modulation, noise, exponent, reference = contact
    unit = unit_of(contact)
    gap = max(gap, SMALLEST_GAP * unit)
    contact = (gap, kt, reflection, broadening, modulation, noise, exponent, reference)
    cusp = exponent > 0.0 or rows > BY_EXPONENT
    distance, weight = _nodes(contact, (cells + band + REACH) * STEP * unit, cusp)
    count = len(weight)
    values = np.empty((rows, count))
    for n in range(count):
        energy = gap + distance[n]
        sigma, by_r, by_g = spectral_conductance(distance[n], gap, broadening, reflection)
        share = weight[n]
        if cusp:
            logarithm = math.log(energy / reference)
            share *= math.exp(exponent * logarithm)
            if rows > BY_EXPONENT:
                values[BY_EXPONENT, n] = share * sigma * logarithm
        values[SIGMA, n] = share * sigma
        if rows > 1:
            values[BY_R, n] = share * by_r
            values[BY_BROADENING, n] = share * by_g
        distance[n] = energy
    centre = cells + band + 2 * REACH
    moments = np.zeros((rows, 2 * centre + 1))
    used = BY_BROADENING if rows == BY_EXPONENT and broadening == 0.0 else rows
    _spread(distance, values, used, STEP * unit, centre, moments)
    return moments, centre


@inner(fastmath={"contract"})
def _spread(
    energy: Array, values: Array, rows: int, step: float, centre: int, moments: Array
) -> None:
    """Add nodes to the first rows of moments by Lagrange interpolation.

    Then the negative energies: sigma is even.
    """
    count = len(energy)
    cells, shares = np.empty(count, dtype=np.int64), np.empty((8, count))
    places(energy, step, cells, shares)
    for n in range(count):
        first = centre + cells[n] + 1 - REACH
        if first + 8 >= moments.shape[1]:
            continue
        for m in range(rows):
            near, value = moments[m, first : first + 8], values[m, n]
            for i in range(8):
                near[i] += shares[i, n] * value
    for m in range(rows):
        line = moments[m]
        line[centre] *= 2.0
        for k in range(1, centre + 1):
            line[centre + k] += line[centre - k]
            line[centre - k] = line[centre + k]

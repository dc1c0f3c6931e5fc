"""Compiled part of `sis`: the density of states of one electrode as moments on a uniform grid.

Panels of Gauss-Legendre nodes, graded towards the gap, are spread to the grid by 8-point Lagrange
interpolation, as in `kernel`; what is then done with the moments (correlation, smearing) is right for
every singularity of the density of states, as long as the outcome is smooth on the grid's scale.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import entry, inner
from stm_daq.physics.kernel_spread import NODES, REACH, WEIGHTS, places

type Array = NDArray[np.float64]

ROWS = 7
"""N, N f, E N, E N f, E N df/dE, dN/d(broadening), dN/d(broadening) f."""


@inner()
def density(x: float, gap: float, broadening: float) -> tuple[float, float]:
    """Dynes density of states Re w/sqrt(w^2 - gap^2) and d/d(broadening) at E = gap + x >= 0."""
    w = complex(gap + x, broadening)
    square = complex(x * (x + 2.0 * gap) - broadening**2, 2.0 * (gap + x) * broadening)
    if broadening == 0.0:
        return ((gap + x) / math.sqrt(square.real) if x > 0.0 else 0.0), 0.0
    root = np.sqrt(square)
    return (w / root).real, (-1j * gap * gap / (square * root)).real


@inner()
def _edges(gap: float, broadening: float, kt: float, step: float, top: float, below: bool) -> Array:
    """Edges in t of the panels: E = gap cos(t) below the gap, gap cosh(t) above it, up to `top`."""
    finest = max(math.sqrt(2.0 * broadening / gap), 1e-5)
    narrow = min(3.0 * kt, 6.0 * step)
    edges = np.zeros(96 + 2 * int(max(top, gap) / (6.0 * step)) + 2 * int(80.0 * kt / narrow))
    count = 1
    t = 0.0
    last = 0.5 * math.pi if below else math.acosh(max(top / gap, 1.0))
    while t < last:
        energy = gap * (math.cos(t) if below else math.cosh(t))
        width = (narrow if energy < 40.0 * kt else 6.0 * step) / gap
        if below:
            if energy > 40.0 * kt:
                width = min(width, (energy - 40.0 * kt) / gap + narrow / gap)
            floor = math.cos(t) - width
            limit = math.acos(floor) if floor > 0.0 else last
        else:
            limit = math.acosh(math.cosh(t) + width)
        t = min(t + min(max(finest, 2.0 * t), 2.0), limit, last)
        edges[count] = t
        count += 1
    return edges[:count]


@entry()
def electrode(gap: float, broadening: float, kt: float, step: float, moments: Array) -> None:
    """Add the moments of an electrode, see ROWS, to `moments`, whose middle is energy zero.

    A first dimension of 2 leaves out the rows that only derivatives need.
    """
    rows, size = moments.shape
    centre = size // 2
    top = (centre - REACH - 1) * step
    gap = max(gap, 1e-9 * step)
    values = np.empty(ROWS)
    mirrored = np.empty(ROWS)
    distance, weight, energies = np.empty(8), np.empty(8), np.empty(8)
    cells, shares = np.empty(8, dtype=np.int64), np.empty((8, 8))
    for side in range(2):
        below = side == 0
        edges = _edges(gap, broadening, kt, step, top, below)
        for p in range(len(edges) - 1):
            half = 0.5 * (edges[p + 1] - edges[p])
            middle = 0.5 * (edges[p + 1] + edges[p])
            for k in range(8):
                t = middle + half * NODES[k]
                if below:
                    distance[k] = -2.0 * gap * math.sin(0.5 * t) ** 2
                    weight[k] = half * WEIGHTS[k] * gap * math.sin(t)
                else:
                    distance[k] = 2.0 * gap * math.sinh(0.5 * t) ** 2
                    weight[k] = half * WEIGHTS[k] * gap * math.sinh(t)
                energies[k] = gap + distance[k]
            places(energies, step, cells, shares)
            for k in range(8):
                energy = energies[k]
                if energy > top:
                    continue
                states, by_g = density(distance[k], gap, broadening)
                _fill(values, mirrored, weight[k] * states, weight[k] * by_g, energy, kt)
                for m in range(rows):
                    for i in range(8):
                        place = cells[k] - 3 + i
                        moments[m, centre + place] += shares[i, k] * values[m]
                        moments[m, centre - place] += shares[i, k] * mirrored[m]


@inner()
def _fill(
    values: Array, mirrored: Array, states: float, by_g: float, energy: float, kt: float
) -> None:
    """The rows of one node, and of the node at -energy, where f is 1 - f."""
    f = 1.0 / (1.0 + math.exp(energy / kt))
    values[0] = states
    values[1] = states * f
    values[2] = states * energy
    values[3] = values[2] * f
    values[4] = -values[2] * f * (1.0 - f) / kt
    values[5] = by_g
    values[6] = by_g * f
    mirrored[0] = states
    mirrored[1] = states * (1.0 - f)
    mirrored[2] = -values[2]
    mirrored[3] = -values[2] * (1.0 - f)
    mirrored[4] = -values[4]
    mirrored[5] = by_g
    mirrored[6] = by_g * (1.0 - f)


@entry(fastmath={"contract"})
def gather(bias: Array, step: float, cells: int, wave: Array, parity: float, out: Array) -> None:
    """Interpolate a periodic wave, known from bias 0 on, at |bias| <= cells steps.

    `parity` gives the sign at negative bias.
    """
    first, weights = np.empty(len(bias), dtype=np.int64), np.empty((8, len(bias)))
    places(bias, step, first, weights)
    for n in range(len(bias)):
        total = 0.0
        for i in range(8):
            total += weights[i, n] * wave[(first[n] + i + 1 - REACH) % len(wave)]
        out[n] = total if bias[n] >= 0.0 else parity * total

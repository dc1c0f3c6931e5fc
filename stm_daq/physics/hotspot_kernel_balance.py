"""Compiled heat balance of a radial profile, its linear response, and its growing modes.

The heat equation in its stationary form (temperatures in Tc, lengths in z0, drive J in j*),

    n lam^2 (1/r) d/dr [r K(T) dT/dr] = Q(T) - J^2 h(r) R(T),   T' = 0 at r = 0 and far away,

as finite elements: heat flows between neighbouring nodes by the difference of the integral of K, the
phonons take Q at the nodes, and the heating of an element is averaged over it exactly, the
temperature rising linearly from one node to the next. Without that average a steep front would stick
to the nodes, and the curve of solutions would have false folds.

The linear response is tridiagonal. For a steady state its number of negative eigenvalues is that of
growing axisymmetric modes, and equals the number of negative pivots of the elimination.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot_kernel_film import (
    FLUX,
    Q_SLOPE,
    Film,
    K,
    Q,
    look_up,
    mean_heating,
)
from stm_daq.physics.kernel_cache import inner

type Array = NDArray[np.float64]

type Mesh = tuple[Array, Array, Array, Array]
"""link (n - 1,): n lam^2 r/dr; area (n,): of the nodes over 2 pi; and the integral of h r over each
element (n - 1,), weighted to its left and to its right node."""

type Balance = tuple[Array, Array, Array, Array, Array, Array]
"""Properties (ROWS, n); excess of cooling over heating, its derivatives by the temperature of the node
before, of the node itself, of the node after, and by log J (n,)."""


@inner()
def balance(film: Film, mesh: Mesh, square: float, t: Array, out: Balance) -> None:
    """Excess of cooling over heating at every node and its derivatives; `square` is J^2."""
    link, area, left, right = mesh
    at, excess, before, itself, after, by_drive = out
    look_up(film, t, at)
    for i in range(len(t)):
        excess[i] = area[i] * at[Q, i]
        itself[i] = area[i] * at[Q_SLOPE, i]
        by_drive[i] = 0.0
    for i in range(len(link)):
        first, second, corner, cross, opposite = mean_heating(at, t, i)
        p, q = 2.0 * square * left[i], 2.0 * square * right[i]
        flow = link[i] * (at[FLUX, i] - at[FLUX, i + 1])
        excess[i] += flow - p * first
        excess[i + 1] -= flow + q * second
        by_drive[i] -= 2.0 * p * first
        by_drive[i + 1] -= 2.0 * q * second
        itself[i] += link[i] * at[K, i] - p * corner
        itself[i + 1] += link[i] * at[K, i + 1] - q * opposite
        after[i] = -link[i] * at[K, i + 1] - p * cross
        before[i + 1] = -link[i] * at[K, i] - q * cross


@inner()
def eliminate(out: Balance, extra: Array, step: Array, slope: Array) -> int:
    """Newton step -excess and response -by_drive, solved; the number of negative pivots.

    `extra` (n,) is added to the diagonal: area/dt for an implicit step in time, 0 for steady states.
    """
    _, excess, before, itself, after, by_drive = out
    last = len(step) - 1
    negative = 0
    pivot = itself[0] + extra[0]
    for i in range(last + 1):
        if i > 0:
            ratio = before[i] / pivot
            pivot = itself[i] + extra[i] - ratio * after[i - 1]
            excess[i] -= ratio * excess[i - 1]
            by_drive[i] -= ratio * by_drive[i - 1]
        if pivot < 0.0:
            negative += 1
        itself[i] = 1.0 / pivot
    step[last], slope[last] = -excess[last] * itself[last], -by_drive[last] * itself[last]
    for i in range(last - 1, -1, -1):
        step[i] = -(excess[i] + after[i] * step[i + 1]) * itself[i]
        slope[i] = -(by_drive[i] + after[i] * slope[i + 1]) * itself[i]
    return negative

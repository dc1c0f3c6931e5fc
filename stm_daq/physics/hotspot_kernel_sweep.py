"""Compiled sweep of the drive: a stable profile is followed, and develops in time where it ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot_kernel_balance import Mesh
from stm_daq.physics.hotspot_kernel_film import Film
from stm_daq.physics.hotspot_kernel_solve import advance, largest, newton, relax, workspace
from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]


@inner()
def describe(radius: Array, t: Array, row: Array) -> None:
    """Write T(0), the highest T and the radii between which the film is normal (NaN: nowhere)."""
    top = 0
    inside, outside = math.nan, math.nan
    for i in range(len(t)):
        if t[i] > t[top]:
            top = i
        if i > 0 and (t[i] >= 1.0) != (t[i - 1] >= 1.0):
            place = radius[i - 1] + (1.0 - t[i - 1]) / (t[i] - t[i - 1]) * (
                radius[i] - radius[i - 1]
            )
            if t[i] >= 1.0:
                inside = place if math.isnan(inside) else inside
            else:
                outside = place
    if t[0] >= 1.0:
        inside = 0.0
    row[0], row[1], row[2], row[3] = t[0], t[top], inside, outside


@entry()
def sweep(
    film: Film, mesh: Mesh, radius: Array, drives: Array, t: Array, rows: Array, states: Array
) -> int:
    """Follow a stable profile over `drives` (m,), in place; the number of drives done.

    What `describe` gives goes into rows (m, 4), the profiles into states (m, n) or (0, n). Where the
    branch ends, the profile develops in time to the next stable one.
    """
    n = len(t)
    out = workspace(n)
    slope, old, guess = np.zeros(n), t.copy(), np.empty(n)
    if not relax(film, mesh, drives[0], t, out):
        return 0
    ready = False
    for k in range(len(drives)):
        for i in range(n):
            old[i] = t[i]
        if ready:
            advance(t, math.log(drives[k] / drives[k - 1]), slope, film[0][0, 0])
        for i in range(n):
            guess[i] = t[i]
        modes = newton(film, mesh, drives[k], t, out, slope)
        for i in range(n):
            guess[i] -= t[i]
        ready = modes == 0 and largest(guess) < 0.05
        if not ready:
            for i in range(n):
                t[i] = old[i]
            if not relax(film, mesh, drives[k], t, out):
                return k
        describe(radius, t, rows[k])
        if len(states) > 0:
            for i in range(n):
                states[k, i] = t[i]
    return len(drives)

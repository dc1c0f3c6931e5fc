"""How a hot spot develops in time: the time-dependent solution of eq. (1)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.errors import OutOfRangeError
from stm_daq.physics import microwave_film
from stm_daq.physics.hotspot_profile import HotSpot

type Array = NDArray[np.float64]

CELLS = 2000
"""Of the table of the heat content."""
TOLERANCE = 1e-4
"""Tc; error of one step in time."""


def development(spot: HotSpot, times: ArrayLike, drives: ArrayLike, start: ArrayLike) -> Array:
    """Temperatures of a film whose drive changes with time.

        C(T) dT/dt = lam^2 (1/r) d/dr [r K(T) dT/dr] - [Q(T, T_ph) - J(t)^2 h(r) Re 1/sigma] / n

    C is :func:`stm_daq.physics.microwave_film.specific_heat`. The field follows the drive at once.

    Parameters
    ----------
    spot : HotSpot
        Film and tip.
    times : array_like, shape (m,)
        Rising, in c(Tc)/(n Sigma Tc^(n-1)) = Lambda^2/D (9 ps for InOx, 5 ps for NbN).
    drives : array_like, shape (m,) or ()
        j*, at `times`, and linear between them.
    start : array_like, shape (k,)
        Temperatures at the nodes ``spot.mesh.radius`` at the first time, Tc.

    Returns
    -------
    ndarray, shape (m, k)
        Tc.

    Raises
    ------
    OutOfRangeError
        If times do not rise, a drive is negative, or `start` is not of the mesh's shape.
    """
    from stm_daq.physics import hotspot_kernel_time as kernel

    t = np.ascontiguousarray(times, dtype=np.float64)
    j = np.ascontiguousarray(np.broadcast_to(np.asarray(drives, dtype=np.float64), t.shape))
    begin = np.asarray(start, dtype=np.float64)
    if t.ndim != 1 or len(t) < 2 or not np.all(np.diff(t) > 0.0):
        raise OutOfRangeError("times must be at least two and rise")
    if not np.all(j >= 0.0) or not np.all(np.isfinite(j)):
        raise OutOfRangeError("drives must be finite and not negative, in j*")
    if begin.shape != spot.mesh.radius.shape:
        raise OutOfRangeError(
            f"the start has shape {begin.shape}, the mesh {spot.mesh.radius.shape} nodes"
        )
    lowest = spot.film.phonon_temperature
    states = np.empty((len(t), len(begin)))
    states[0] = np.maximum(begin, lowest)
    done = kernel.development(*spot.compiled, _heat(lowest), t, j, TOLERANCE, states)
    if done < len(t):
        raise ArithmeticError(f"steps in time became too short at time {t[done]}")
    return states


@lru_cache(maxsize=8)
def _heat(lowest: float) -> Array:
    """Heat content from `lowest` to Tc on a uniform grid, shape (CELLS + 1,)."""
    edges = np.linspace(lowest, 1.0, CELLS + 1)
    x, w = np.polynomial.legendre.leggauss(3)
    width = edges[1] - edges[0]
    inside = edges[:-1, None] + 0.5 * width * (1.0 + x)
    capacity = microwave_film.specific_heat(inside) @ (0.5 * width * w)
    return np.append(0.0, np.cumsum(capacity))

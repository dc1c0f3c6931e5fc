"""Compiled search for the steady radial profile near a guess, and for the one that time leads to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot_kernel_balance import Balance, Mesh, balance, eliminate
from stm_daq.physics.hotspot_kernel_film import Q_SLOPE, ROWS, Film, K
from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]

MOST = 20000
"""Implicit steps of a developing profile: at slow microwaves its front has hundreds of z0 to go."""
SETTLED = 1e-6
"""Tc; Newton's method ends when a step is shorter: the error that remains is its square."""


@inner()
def workspace(n: int) -> Balance:
    """Arrays for `balance` of n nodes."""
    return (
        np.empty((ROWS, n)), np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n),
    )  # fmt: skip


@inner()
def largest(values: Array) -> float:
    """Largest absolute value; NaN counts as infinite."""
    found = 0.0
    for value in values:
        if not abs(value) <= found:
            found = abs(value) if value == value else math.inf
    return found


@inner()
def advance(t: Array, share: float, step: Array, lowest: float) -> None:
    """Add a share of a step; colder than the phonons is halfway to them."""
    for i in range(len(t)):
        new = t[i] + share * step[i]
        t[i] = new if new >= lowest else 0.5 * (t[i] + lowest)


@inner()
def newton(film: Film, mesh: Mesh, drive: float, t: Array, out: Balance, slope: Array) -> int:
    """Solve for the profile at a drive, from `t` on; growing modes, or -1 if it fails."""
    lowest = film[0][0, 0]
    step, nothing = np.empty(len(t)), np.zeros(len(t))
    for _ in range(12):
        balance(film, mesh, drive * drive, t, out)
        modes: int = eliminate(out, nothing, step, slope)
        size = largest(step)
        if size > 0.3:
            return -1
        advance(t, 1.0, step, lowest)
        if size < SETTLED:
            return modes
    return -1


@inner()
def relax(film: Film, mesh: Mesh, drive: float, t: Array, out: Balance) -> bool:
    """Let the profile `t` develop, by implicit steps, until it is steady and stable.

    The heat capacity only sets the pace. Here it is such that cold places, which conduct and cool
    exponentially little, keep pace with warm ones; from one steady state to the next the temperature
    rises or falls everywhere, so that the end does not depend on it.
    """
    area = mesh[1]
    n = len(t)
    extra, step, slope = np.empty(n), np.empty(n), np.empty(n)
    interval = 0.1
    for _ in range(MOST):
        balance(film, mesh, drive * drive, t, out)
        for i in range(n):
            extra[i] = area[i] * (out[0][K, i] + out[0][Q_SLOPE, i]) / interval
        modes = eliminate(out, extra, step, slope)
        size = largest(step)
        if modes > 0 or size > 0.2:
            interval *= 0.25
            continue
        advance(t, 1.0, step, film[0][0, 0])
        if size < SETTLED and interval > 1e6:
            return True
        interval *= 2.0 if size < 0.05 else 1.0
    return False


@entry()
def settle(film: Film, mesh: Mesh, drive: float, t: Array) -> int:
    """Solve for the steady profile near `t` at a drive, in place; growing modes, or -1."""
    modes: int = newton(film, mesh, drive, t, workspace(len(t)), np.empty(len(t)))
    return modes


@entry()
def develop(film: Film, mesh: Mesh, drive: float, t: Array) -> bool:
    """Let the profile `t` develop at a drive until it is steady and stable, in place."""
    steady: bool = relax(film, mesh, drive, t, workspace(len(t)))
    return steady

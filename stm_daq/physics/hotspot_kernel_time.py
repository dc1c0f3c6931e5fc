"""Compiled development of a radial profile in time, with the true heat capacity.

    n C(T) dT/dt = n lam^2 (1/r) d/dr [r K dT/dr] - Q + J^2 h R,   t in c(Tc)/(n Sigma Tc^(n-1))

Implicit steps of Euler's method for the heat content, which conserve energy; each is taken once whole
and once in halves, from which follow the error and a value of second order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot_kernel_balance import Balance, Mesh, balance, eliminate
from stm_daq.physics.hotspot_kernel_film import Film
from stm_daq.physics.hotspot_kernel_solve import advance, largest, workspace
from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]


@inner()
def content(heat: Array, lowest: float, t: float) -> tuple[float, float]:
    """Heat content and capacity at `t`; `heat` is the content on a uniform grid, `lowest` to Tc."""
    cells = len(heat) - 1
    if t >= 1.0:
        return heat[cells] + 0.5 * (t * t - 1.0), t
    width = (1.0 - lowest) / cells
    k = min(int((t - lowest) / width), cells - 1)
    capacity = (heat[k + 1] - heat[k]) / width
    return heat[k] + capacity * (t - lowest - k * width), capacity


@inner()
def step_in_time(
    film: Film, mesh: Mesh, heat: Array, drive: float, interval: float, t: Array, out: Balance
) -> bool:
    """One implicit step of `t` (n,), in place; whether it succeeded."""
    n, lowest = len(t), film[0][0, 0]
    before, extra, step, slope = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        before[i] = content(heat, lowest, t[i])[0]
    for _ in range(8):
        balance(film, mesh, drive * drive, t, out)
        for i in range(n):
            stored, capacity = content(heat, lowest, t[i])
            rate = film[1] * mesh[1][i] / interval
            out[1][i] += rate * (stored - before[i])
            extra[i] = rate * capacity
        eliminate(out, extra, step, slope)
        size = largest(step)
        if not size < 0.5:
            return False
        advance(t, 1.0, step, lowest)
        if size < 1e-8:
            return True
    return False


@inner()
def step_twice(
    film: Film,
    mesh: Mesh,
    heat: Array,
    drives: tuple[float, float],
    length: float,
    t: Array,
    out: Balance,
) -> float:
    """A step of `t` (n,) to second order, in place if it succeeds; its error, infinite if it fails.

    `drives` are those at the middle and at the end of the step.
    """
    whole, halves = t.copy(), t.copy()
    good = step_in_time(film, mesh, heat, drives[1], length, whole, out)
    good = good and step_in_time(film, mesh, heat, drives[0], 0.5 * length, halves, out)
    good = good and step_in_time(film, mesh, heat, drives[1], 0.5 * length, halves, out)
    if not good:
        return math.inf
    error = 0.0
    for i in range(len(t)):
        error = max(error, abs(halves[i] - whole[i]))
        t[i] = max(2.0 * halves[i] - whole[i], film[0][0, 0])
    return error


@entry()
def development(
    film: Film,
    mesh: Mesh,
    heat: Array,
    times: Array,
    drives: Array,
    tolerance: float,
    states: Array,
) -> int:
    """Fill states (m, n) at `times` (m,) from states[0] on; the number of times reached.

    The drive goes linearly from each of `drives` (m,) to the next. `tolerance` is the error of a step.
    """
    out = workspace(states.shape[1])
    t = states[0].copy()
    span = times[len(times) - 1] - times[0]
    interval = 1e-3 * span
    for k in range(1, len(times)):
        now, rate = times[k - 1], (drives[k] - drives[k - 1]) / (times[k] - times[k - 1])
        while now < times[k]:
            last = now + interval >= times[k]
            length = times[k] - now if last else interval
            middle = drives[k - 1] + rate * (now + 0.5 * length - times[k - 1])
            new = t.copy()
            both = (middle, middle + 0.5 * rate * length)
            error = step_twice(film, mesh, heat, both, length, new, out)
            factor = min(2.0, max(0.2, 0.8 * math.sqrt(tolerance / max(error, 1e-9))))
            if error > tolerance:
                interval = factor * length
                if length < 1e-12 * span:
                    return k
                continue
            now = times[k] if last else now + length
            t = new
            interval = max(interval, factor * length) if last else factor * length
        for i in range(len(t)):
            states[k, i] = t[i]
    return len(times)

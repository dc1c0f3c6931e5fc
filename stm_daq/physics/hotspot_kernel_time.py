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
    n = states.shape[1]
    lowest = film[0][0, 0]
    out = workspace(n)
    t, whole, halves = states[0].copy(), np.empty(n), np.empty(n)
    interval = 1e-3 * (times[len(times) - 1] - times[0])
    for k in range(1, len(times)):
        now, rate = times[k - 1], (drives[k] - drives[k - 1]) / (times[k] - times[k - 1])
        while now < times[k]:
            last = now + interval >= times[k]
            length = times[k] - now if last else interval
            for i in range(n):
                whole[i] = halves[i] = t[i]
            middle = drives[k - 1] + rate * (now + 0.5 * length - times[k - 1])
            final = drives[k - 1] + rate * (now + length - times[k - 1])
            good = step_in_time(film, mesh, heat, final, length, whole, out)
            good = good and step_in_time(film, mesh, heat, middle, 0.5 * length, halves, out)
            good = good and step_in_time(film, mesh, heat, final, 0.5 * length, halves, out)
            error = 0.0
            for i in range(n):
                error = max(error, abs(halves[i] - whole[i]))
            if not good or error > tolerance:
                interval = (
                    0.5 * length
                    if not good
                    else length * max(0.2, 0.8 * math.sqrt(tolerance / error))
                )
                if length < 1e-12 * (times[len(times) - 1] - times[0]):
                    return k
                continue
            now = times[k] if last else now + length
            for i in range(n):
                t[i] = max(2.0 * halves[i] - whole[i], lowest)
            grown = min(2.0, 0.8 * math.sqrt(tolerance / max(error, 1e-3 * tolerance))) * length
            interval = max(interval, grown) if last else grown
        for i in range(n):
            states[k, i] = t[i]
    return len(times)

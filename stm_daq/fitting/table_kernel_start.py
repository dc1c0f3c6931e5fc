"""Compiled search for starts: the most alike template of each spectrum, and a clearly different one."""

from __future__ import annotations

import numpy as np
from numba import njit

from stm_daq.fitting.table_kernel_rows import FOUR, add_product


@njit(cache=True, error_model="numpy")
def choose(z, templates, lift, scale, groups, apart, chosen, best):  # type: ignore[no-untyped-def]
    """The best template of each spectrum, and the best one of those with a clearly different gap.

    Parameters
    ----------
    z (p, >= m), templates (m, t) : components; p and m are multiples of 4
    lift (t,), scale (p,) : scale times lift is added to the overlap
    groups : logarithms of the gaps; templates come in groups of one gap
    apart : smallest difference of these logarithms for the second one
    chosen, best : (p, 2) numbers of the templates and what they reach, filled; the same twice
        where there is no other gap
    """
    each = templates.shape[1] // len(groups)
    match = np.empty((FOUR, templates.shape[1]), dtype=np.float32)
    highest = np.empty(len(groups), dtype=np.float32)
    for p in range(0, len(z), FOUR):
        match[:] = 0.0
        for k in range(0, len(templates), 4):
            add_product(z[p : p + FOUR], k, templates[k : k + 4], match)
        for row in range(FOUR):
            _lift(match[row], scale[p + row], lift)
            for g in range(len(groups)):
                highest[g] = _highest(match[row, g * each : (g + 1) * each])
            first, other = _two(highest, groups, apart)
            best[p + row, 0], best[p + row, 1] = highest[first], highest[other]
            for k, g in enumerate((first, other)):
                here = match[row, g * each : (g + 1) * each]
                chosen[p + row, k] = g * each + np.argmax(here)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _lift(match, scale, lift):  # type: ignore[no-untyped-def]
    for t in range(len(lift)):
        match[t] += scale * lift[t]


@njit(cache=True, error_model="numpy", fastmath=True)
def _highest(values):  # type: ignore[no-untyped-def]
    """Largest value; there are no NaN."""
    highest = values[0]
    for t in range(len(values)):
        highest = max(highest, values[t])
    return highest


@njit(cache=True)
def _two(highest, groups, apart):  # type: ignore[no-untyped-def]
    """The best group, and the best one far from it (or the same again)."""
    first = int(np.argmax(highest))
    other = -1
    for g in range(len(groups)):
        far = abs(groups[g] - groups[first]) > apart
        if far and (other < 0 or highest[g] > highest[other]):
            other = g
    return first, first if other < 0 else other

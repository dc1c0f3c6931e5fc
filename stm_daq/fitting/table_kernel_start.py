"""Compiled search for starts: the most alike template of each spectrum, and a clearly different one."""

from __future__ import annotations

import numpy as np

from stm_daq.fitting.table_kernel_rows import add_product
from stm_daq.fitting.table_kernel_sizes import FOUR
from stm_daq.physics.kernel_cache import entry, inner


@entry()
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
        for row in range(FOUR):
            line = match[row]
            for t in range(len(lift)):
                line[t] = scale[p + row] * lift[t]
        for k in range(0, len(templates), 4):
            add_product(z[p : p + FOUR], k, templates[k : k + 4], match)
        for row in range(FOUR):
            for g in range(len(groups)):
                highest[g] = _highest(match[row, g * each : (g + 1) * each])
            first, other = _two(highest, groups, apart)
            best[p + row, 0], best[p + row, 1] = highest[first], highest[other]
            for k, g in enumerate((first, other)):
                chosen[p + row, k] = _where(match[row], g * each, highest[g])


@inner(fastmath=True)
def _highest(values):  # type: ignore[no-untyped-def]
    """Largest value; there are no NaN."""
    highest = values[0]
    for t in range(len(values)):
        highest = max(highest, values[t])
    return highest


@inner()
def _where(values, first, value):  # type: ignore[no-untyped-def]
    """The first place, from `first` on, of a value that is there."""
    while values[first] < value:
        first += 1
    return first


@inner()
def _two(highest, groups, apart):  # type: ignore[no-untyped-def]
    """The best group, and the best one far from it (or the same again)."""
    first = int(np.argmax(highest))
    other = -1
    for g in range(len(groups)):
        far = abs(groups[g] - groups[first]) > apart
        if far and (other < 0 or highest[g] > highest[other]):
            other = g
    return first, first if other < 0 else other

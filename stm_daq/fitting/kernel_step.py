"""Compiled: one step of a bounded Levenberg-Marquardt search."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import inner

type Array = NDArray[np.float64]


@inner()
def bounded_step(
    matrix: Array,
    vector: Array,
    damping: float,
    position: Array,
    lower: Array,
    upper: Array,
    step: Array,
    scratch: Array,
) -> float:
    """Levenberg-Marquardt step inside the bounds; returns the decrease of chi-square it predicts.

    Where the step would leave the bounds, the parameter that meets its bound first goes there; the
    others are solved again with it there, and so on. The prediction may be negative: then more
    damping is needed. `scratch` has count + 3 rows.
    """
    count = len(vector)
    held = scratch[count + 2]
    for i in range(count):
        held[i] = 0.0
    for _ in range(count + 1):
        for i in range(count):
            if held[i] == 0.0:
                step[i] = 0.0
        _solve_others(matrix, vector, damping, held, step, scratch)
        first, least = -1, 1.0
        for i in range(count):
            room = (upper[i] if step[i] > 0.0 else lower[i]) - position[i]
            if held[i] == 0.0 and abs(step[i]) * least > abs(room):
                first, least = i, abs(room / step[i])
        if first < 0:
            break
        step[first] = (upper[first] if step[first] > 0.0 else lower[first]) - position[first]
        held[first] = 1.0
    predicted = 0.0
    for i in range(count):
        product = 2.0 * vector[i]
        for k in range(count):
            product -= matrix[i, k] * step[k]
        predicted += product * step[i]
    return predicted


@inner()
def _solve_others(
    matrix: Array, vector: Array, damping: float, held: Array, step: Array, scratch: Array
) -> None:
    """Solve the damped equations for the parameters not held, scaled to a unit diagonal.

    By Cholesky's method; pivots are kept positive. A held parameter is a row of the unit matrix.
    """
    count = len(vector)
    unit, right = scratch[count], scratch[count + 1]
    for i in range(count):
        unit[i] = math.sqrt(matrix[i, i]) + 1e-300
        right[i] = vector[i]
        for k in range(count):
            right[i] -= matrix[i, k] * step[k]
        right[i] = 0.0 if held[i] else right[i] / unit[i]
        for k in range(i):
            apart = held[i] + held[k] > 0.0
            scratch[i, k] = 0.0 if apart else matrix[i, k] / (unit[i] * unit[k])
        scratch[i, i] = 1.0 + damping
    for i in range(count):
        for k in range(i):
            for m in range(k):
                scratch[i, k] -= scratch[i, m] * scratch[k, m]
            scratch[i, k] /= scratch[k, k]
            scratch[i, i] -= scratch[i, k] * scratch[i, k]
        scratch[i, i] = math.sqrt(max(scratch[i, i], 1e-14))
        for m in range(i):
            right[i] -= scratch[i, m] * right[m]
        right[i] /= scratch[i, i]
    for i in range(count - 1, -1, -1):
        for m in range(i + 1, count):
            right[i] -= scratch[m, i] * right[m]
        right[i] /= scratch[i, i]
        if not held[i]:
            step[i] = right[i] / unit[i]

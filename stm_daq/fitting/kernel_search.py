"""Compiled search for the minimum of chi-square: bounded Levenberg-Marquardt, many spectra a call.

The fitted curve is G(V) = scale g(V - offset) [1 + slope (V - offset)]; `theta` of a spectrum holds
the m search coordinates of g, then scale, offset (V), slope (1/V) and the current's offset. The model
is handed in as an address of compiled code, so that this file is compiled once for all models and
never holds a stale copy of one.

An outlier may be given less weight: with z the normalised residual, chi-square is the sum of
rho(z^2) and a point's weight is multiplied by rho'(z^2) (iteratively reweighted least squares).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from stm_daq.physics import kernel

type Array = NDArray[np.float64]
type Counts = NDArray[np.int64]

MOST_STEPS = 60
LINEAR, SOFT_L1, HUBER, CAUCHY = range(4)
FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Sums may be taken in any order; NaN and infinity keep their meaning."""

_F = types.float64
_LINE, _ROWS, _BLOCK = _F[::1], _F[:, ::1], _F[:, :, ::1]
EVALUATE = types.FunctionType(types.void(_LINE, _LINE, types.int64[:, ::1], _F, _F, _ROWS))
"""Signature of `stm_daq.physics.kernel.evaluate_channels`."""


class Compiled(types.WrapperAddressProtocol):
    """Address of a compiled function, looked up once."""

    def __init__(self, function: Any, signature: Any) -> None:
        found = function.get_compile_result(signature)
        self._signature = signature
        self._library = found.library  # keeps the code alive
        self._address = found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name)

    def __wrapper_address__(self) -> int:
        return int(self._address)

    def signature(self) -> Any:
        """Types of arguments and result."""
        return self._signature


@cache
def compiled() -> Compiled:
    """The compiled models."""
    return Compiled(kernel.evaluate_channels, EVALUATE.signature)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def rho(square: float, loss: int, knee: float) -> tuple[float, float]:
    """rho(z^2) and rho'(z^2) of a loss with its knee at z = `knee`."""
    x = square / (knee * knee)
    if loss == SOFT_L1:
        root = math.sqrt(1.0 + x)
        return 2.0 * knee * knee * (root - 1.0), 1.0 / root
    if loss == HUBER and x > 1.0:
        root = math.sqrt(x)
        return knee * knee * (2.0 * root - 1.0), 1.0 / root
    if loss == CAUCHY:
        return knee * knee * math.log1p(x), 1.0 / (1.0 + x)
    return square, 1.0


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _linearise(
    shifted: Array,
    values: Array,
    weight: Array,
    columns: Array,
    theta: Array,
    free: Counts,
    robust: tuple[int, float],
    rows: Array,
    residual: Array,
    matrix: Array,
    vector: Array,
) -> float:
    """Chi-square; fills residual = values - curve, J^T W J and J^T W residual.

    `columns` is the model at `shifted` = bias - offset; `rows` is scratch space (2 free, n).
    """
    size, count, shape = len(shifted), len(free), len(theta) - 4
    scale, slope = theta[shape], theta[shape + 2]
    for i in range(count):
        row, k = rows[i], free[i]
        if k < shape:
            for n in range(size):
                row[n] = scale * (1.0 + slope * shifted[n]) * columns[1 + k, n]
        elif k == shape:
            for n in range(size):
                row[n] = (1.0 + slope * shifted[n]) * columns[0, n]
        elif k == shape + 1:
            for n in range(size):
                tilt = 1.0 + slope * shifted[n]
                row[n] = -scale * (columns[shape + 1, n] * tilt + columns[0, n] * slope)
        elif k == shape + 2:
            for n in range(size):
                row[n] = scale * columns[0, n] * shifted[n]
        else:
            row[:size] = 0.0
    for n in range(size):
        residual[n] = values[n] - scale * columns[0, n] * (1.0 + slope * shifted[n])
    return _equations(size, weight, robust, rows, residual, matrix, vector)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _equations(
    size: int,
    weight: Array,
    robust: tuple[int, float],
    rows: Array,
    residual: Array,
    matrix: Array,
    vector: Array,
) -> float:
    """Chi-square and normal equations of the Jacobian in the first half of `rows`."""
    count = len(vector)
    loss, knee = robust
    chi_square = 0.0
    used = rows[2 * count]
    if loss == LINEAR:
        used[:size] = weight[:size]
        for n in range(size):
            chi_square += weight[n] * residual[n] * residual[n]
    else:
        for n in range(size):
            cost, share = rho(weight[n] * residual[n] * residual[n], loss, knee)
            chi_square += cost
            used[n] = weight[n] * share
    for i in range(count):
        row, weighted = rows[i], rows[count + i]
        total = 0.0
        for n in range(size):
            weighted[n] = row[n] * used[n]
            total += weighted[n] * residual[n]
        vector[i] = total
        for k in range(i + 1):
            other = rows[k]
            total = 0.0
            for n in range(size):
                total += weighted[n] * other[n]
            matrix[i, k] = total
            matrix[k, i] = total
    return chi_square


@njit(cache=True, error_model="numpy")
def _bounded_step(
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

    A parameter that the step would carry over a bound goes to the bound; the others are solved
    again with it there. `scratch` has count + 3 rows.
    """
    count = len(vector)
    held = scratch[count + 2]
    held[:] = 0.0
    for _ in range(count + 1):
        for i in range(count):
            if held[i] == 0.0:
                step[i] = 0.0
        _solve_others(matrix, vector, damping, held, step, scratch)
        inside = True
        for i in range(count):
            target = position[i] + step[i]
            if held[i] == 0.0 and not lower[i] <= target <= upper[i]:
                step[i] = (lower[i] if target < lower[i] else upper[i]) - position[i]
                held[i] = 1.0
                inside = False
        if inside:
            break
    predicted = 0.0
    for i in range(count):
        product = 2.0 * vector[i]
        for k in range(count):
            product -= matrix[i, k] * step[k]
        predicted += product * step[i]
    return predicted


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def _curve(evaluate, model, bias, theta, shifted, columns):  # type: ignore[no-untyped-def]
    """Shift the bias by the offset and evaluate the model there."""
    places, modulation, noise = model
    shape = len(theta) - 4
    for n in range(len(bias)):
        shifted[n] = bias[n] - theta[shape + 1]
    evaluate(shifted, theta[:shape], places, modulation, noise, columns)


@njit(cache=True, error_model="numpy")
def _descend_one(  # type: ignore[no-untyped-def]
    evaluate, model, robust, data, limits, tolerance, fresh, theta, matrix, vector, columns, work
):
    """Descend in one spectrum; returns chi-square, what the final step would gain, and its damping.

    The final step, too small to matter, is left in the last row of the scratch space.
    """
    bias, values, weight, residual = data
    free, lower, upper = limits
    rows, scratch, there, shifted, other_residual = work
    size, count = len(bias), len(free)
    step, position = scratch[count + 3], scratch[count + 4]
    other_vector, other_matrix = np.empty(count), np.empty((count, count))
    trial = theta.copy()
    here = columns
    if fresh:
        for i in range(count):
            theta[free[i]] = min(max(theta[free[i]], lower[i]), upper[i])
        _curve(evaluate, model, bias, theta, shifted, here)
    for n in range(size):
        shifted[n] = bias[n] - theta[len(theta) - 3]
    chi_square = _linearise(
        shifted, values, weight, here, theta, free, robust, rows, residual, matrix, vector
    )
    damping, predicted = 1e-3, 0.0
    for _ in range(MOST_STEPS):
        for i in range(count):
            position[i] = theta[free[i]]
        predicted = _bounded_step(matrix, vector, damping, position, lower, upper, step, scratch)
        if predicted < tolerance * max(1.0, chi_square / (size - count)) or damping > 1e8:
            break
        trial[:] = theta
        for i in range(count):
            trial[free[i]] = min(max(position[i] + step[i], lower[i]), upper[i])
        _curve(evaluate, model, bias, trial, shifted, there)
        chi = _linearise(
            shifted, values, weight, there, trial, free, robust, rows, other_residual,
            other_matrix, other_vector,
        )  # fmt: skip
        gained = (chi_square - chi) / predicted
        if gained > 0.0:
            chi_square = chi
            theta[:], residual[:] = trial, other_residual
            matrix[:], vector[:] = other_matrix, other_vector
            here, there = there, here
        if gained > 0.75:
            damping *= 0.1
        elif not gained >= 0.25:
            damping = max(damping * 8.0, 1e-4)
    columns[:] = here
    return chi_square, predicted, damping


@njit(
    types.void(
        EVALUATE, types.Tuple((types.int64[:, ::1], _F, _F)), types.Tuple((types.int64, _F)),
        _ROWS, _ROWS, _ROWS, types.int64[::1], types.int64[::1], _LINE, _LINE,
        _F, types.boolean, types.boolean[::1],
        _ROWS, _LINE, _BLOCK, _ROWS, _ROWS, _ROWS, types.boolean[::1],
    ),
    cache=True,
    error_model="numpy",
)  # fmt: skip
def descend(  # type: ignore[no-untyped-def]
    evaluate, model, robust, bias, values, weight, counts, free, lower, upper, tolerance, last,
    wanted, theta, chi_square, matrix, vector, columns, residual, converged,
):  # fmt: skip
    """Descend from `theta` until the next step would lower chi-square by less than `tolerance`.

    The tolerance is relative to the reduced chi-square where that exceeds 1. Of p spectra those
    `wanted` are searched. A spectrum whose chi_square is infinite is evaluated first; the others
    continue from their `columns`, with weights that may have changed. With `last` the final small
    step is taken without another evaluation.

    Parameters
    ----------
    evaluate, model : compiled model; its places and the modulation and noise of the bias (V)
    robust : (loss, knee)
    bias, values, weight : (p, n), ascending; the first counts[p] points are used
    free, lower, upper : (f,) positions in theta, and bounds
    theta (p, m + 4), chi_square (p,), matrix (p, f, f), vector (p, f), columns (p, (m + 2) n),
    residual (p, n), converged (p,) : where the search stands, changed in place
    """
    count, height = len(free), theta.shape[1] - 2
    rows = np.empty((2 * count + 1, bias.shape[1]))
    scratch = np.zeros((count + 5, count))
    limits = (free, lower, upper)
    for p in range(len(theta)):
        if not wanted[p]:
            continue
        size = counts[p]
        here = columns[p, : height * size].reshape((height, size))
        work = (rows, scratch, np.empty_like(here), np.empty(size), np.empty(size))
        data = (bias[p, :size], values[p, :size], weight[p, :size], residual[p, :size])
        fresh = math.isinf(chi_square[p])
        chi_square[p], predicted, damping = _descend_one(
            evaluate, model, robust, data, limits, tolerance, fresh, theta[p], matrix[p],
            vector[p], here, work,
        )  # fmt: skip
        enough = tolerance * max(1.0, chi_square[p] / (size - count))
        converged[p] = predicted < enough and damping < 1.0
        if last and converged[p]:
            chi_square[p] -= predicted
            for i in range(count):
                moved = theta[p, free[i]] + scratch[count + 3, i]
                theta[p, free[i]] = min(max(moved, lower[i]), upper[i])

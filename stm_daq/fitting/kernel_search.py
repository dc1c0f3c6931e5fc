"""Compiled search for the minimum of chi-square: bounded Levenberg-Marquardt, many spectra a call.

The fitted curve is G(V) = scale g(V - offset) [1 + slope (V - offset)]; `theta` of a spectrum holds
the m search coordinates of g, then scale, offset (V), slope (1/V) and the current's offset. The model
is handed in as an address of compiled code, so that it is compiled once for all uses.

An outlier may be given less weight: with z the normalised residual, chi-square is the sum of
rho(z^2) and a point's weight is multiplied by rho'(z^2) (iteratively reweighted least squares).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from stm_daq.fitting.kernel_step import bounded_step
from stm_daq.physics import kernel
from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]
type Counts = NDArray[np.int64]

MOST_STEPS = 60
DAMPING = 1e-3
"""Of the first step of a new search."""
SURE = 1e-6
"""Damping of a search that goes on: it is near the minimum."""
LINEAR, SOFT_L1, HUBER, CAUCHY = range(4)
FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Sums may be taken in any order; NaN and infinity keep their meaning."""

_F = types.float64
_LINE, _ROWS, _PLACES = _F[::1], _F[:, ::1], types.int64[:, ::1]
EVALUATE = types.FunctionType(types.void(_LINE, _LINE, _PLACES, _F, _F, types.boolean, _ROWS))
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


@entry(fastmath=FAST)
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


@inner(fastmath=FAST)
def _jacobian(
    size: int, shifted: Array, columns: Array, theta: Array, free: Counts, rows: Array
) -> None:
    """Derivatives of the curve by the free parameters, into the first rows.

    `columns` is the model at `shifted` = bias - offset.
    """
    shape = len(theta) - 4
    scale, slope = theta[shape], theta[shape + 2]
    for i in range(len(free)):
        k, row = free[i], rows[i]
        source, factor, constant, linear = 0, 0.0, 0.0, 0.0
        if k < shape:
            source, factor = 1 + k, scale
        elif k == shape:
            factor = 1.0
        elif k == shape + 1:
            source, factor, constant = shape + 1, -scale, -scale * slope
        elif k == shape + 2:
            linear = scale
        for n in range(size):
            own = factor * (1.0 + slope * shifted[n]) * columns[source, n]
            row[n] = own + (constant + linear * shifted[n]) * columns[0, n]


@inner(fastmath=FAST)
def _equations(
    size: int,
    weight: Array,
    robust: tuple[int, float],
    rows: Array,
    residual: Array,
    matrix: Array,
    vector: Array,
) -> float:
    """Chi-square, J^T W J and J^T W residual of the Jacobian in the first half of `rows`."""
    count = len(vector)
    used, chi_square = rows[2 * count], 0.0
    if robust[0] == LINEAR:
        for n in range(size):
            used[n] = weight[n]
            chi_square += weight[n] * residual[n] * residual[n]
    else:
        for n in range(size):
            cost, share = rho(weight[n] * residual[n] * residual[n], robust[0], robust[1])
            chi_square += cost
            used[n] = weight[n] * share
    for i in range(count):
        row, weighted, total = rows[i], rows[count + i], 0.0
        for n in range(size):
            weighted[n] = row[n] * used[n]
            total += weighted[n] * residual[n]
        vector[i] = total
        for k in range(i + 1):
            other, total = rows[k], 0.0
            for n in range(size):
                total += weighted[n] * other[n]
            matrix[i, k] = total
            matrix[k, i] = total
    return chi_square


@inner(fastmath=FAST)
def _look(  # type: ignore[no-untyped-def]
    evaluate, model, robust, size, bias, values, weight, theta, free, fresh, shifted, rows,
    columns, residual, matrix, vector,
):  # fmt: skip
    """Chi-square at theta; fills columns (those of the model if `fresh`), residual and equations."""
    shape = len(theta) - 4
    scale, slope = theta[shape], theta[shape + 2]
    for n in range(len(bias)):  # what is behind the last point does not matter
        shifted[n] = bias[min(n, size - 1)] - theta[shape + 1]
    if fresh:
        evaluate(shifted, theta[:shape], model[0], model[1], model[2], False, columns)
    for n in range(size):
        residual[n] = values[n] - scale * columns[0, n] * (1.0 + slope * shifted[n])
    _jacobian(size, shifted, columns, theta, free, rows)
    return _equations(size, weight, robust, rows, residual, matrix, vector)


@inner()
def _go(theta: Array, free: Counts, lower: Array, upper: Array, step: Array, out: Array) -> None:
    """Go a step from theta, within the bounds."""
    for k in range(len(theta)):
        out[k] = theta[k]
    for i in range(len(free)):
        out[free[i]] = min(max(theta[free[i]] + step[i], lower[i]), upper[i])


@inner()
def _copy(source: Array, target: Array) -> None:
    for i in range(len(target)):
        for n in range(target.shape[1]):
            target[i, n] = source[i, n]


@entry(no_cfunc_wrapper=True)
def descend(  # type: ignore[no-untyped-def]
    evaluate, model, robust, bias, values, weight, counts, free, lower, upper, leap, tolerance, last,
    wanted, theta, chi_square, matrix, vector, columns, residual, converged,
):  # fmt: skip
    """Descend from `theta` until the next step would lower chi-square by less than `tolerance`.

    The tolerance is relative to the reduced chi-square where that exceeds 1. Of p spectra those
    `wanted` are searched. A spectrum whose chi_square is infinite is evaluated first; the others
    continue from their `columns`, with weights that may have changed. With `last` the final small
    step is taken without another evaluation, and the columns are not kept.

    Parameters
    ----------
    evaluate, model : compiled model; its places and the modulation and noise of the bias (V)
    robust : (loss, knee)
    bias, values, weight : (p, n), ascending; the first counts[p] points are used
    free, lower, upper : (f,) positions in theta, and bounds
    leap : (f,) factors by which parameters may change in one step
    theta (p, m + 4), chi_square (p,), matrix (p, f, f), vector (p, f), columns (p, m + 2, n),
    residual (p, n), converged (p,) : where the search stands, changed in place
    """
    count, points, height = len(free), bias.shape[1], columns.shape[1]
    scratch, rows = np.zeros((count + 5, count)), np.empty((2 * count + 1, points))
    step, position, shifted = scratch[count + 3], scratch[count + 4], np.empty(points)
    low, high = np.empty(count), np.empty(count)
    # two places: `here` is the better one, `there` the next to look at
    thetas, sides, errors = np.empty((2, height + 2)), np.empty((2, count)), np.empty((2, points))
    squares, models = np.empty((2, count, count)), np.empty((2, height, points))
    for p in range(len(theta)):
        if not wanted[p]:
            continue
        size, here, there, fresh = counts[p], 0, 0, math.isinf(chi_square[p])
        for i in range(count):
            step[i] = 0.0
        _go(theta[p], free, lower, upper, step, thetas[0])
        if not fresh:
            _copy(columns[p], models[0])
        best, predicted, enough, damping = math.inf, 1.0, 0.0, DAMPING if fresh else SURE
        for attempt in range(MOST_STEPS):
            chi = _look(
                evaluate, model, robust, size, bias[p], values[p], weight[p], thetas[there], free,
                fresh, shifted, rows, models[there], errors[there], squares[there], sides[there],
            )  # fmt: skip
            gained, fresh = (best - chi) / predicted, True
            if attempt > 0 and gained > 0.75:
                damping *= 0.1
            elif not gained >= 0.25:
                damping = max(damping * 8.0, 1e-4)
            if gained > 0.0:
                best, here, there = chi, there, 1 - there
            for i in range(count):
                position[i] = thetas[here, free[i]]
                near = leap[i] < math.inf
                low[i] = max(lower[i], position[i] / leap[i]) if near else lower[i]
                high[i] = min(upper[i], position[i] * leap[i]) if near else upper[i]
            predicted = -1.0
            while predicted < 0.0 and damping < 1e8:
                predicted = bounded_step(
                    squares[here], sides[here], damping, position, low, high, step, scratch
                )
                if predicted < 0.0:
                    damping = max(damping * 8.0, 1e-4)
            enough = tolerance * max(1.0, best / (size - count))
            if predicted < enough or damping >= 1e8:
                break
            _go(thetas[here], free, lower, upper, step, thetas[there])
        converged[p] = predicted < enough and damping < 1.0
        if not (last and converged[p]):
            predicted = 0.0
            for i in range(count):
                step[i] = 0.0
        chi_square[p] = best - predicted
        _go(thetas[here], free, lower, upper, step, theta[p])
        if not last:
            _copy(models[here], columns[p])
        _copy(squares[here], matrix[p])
        for i in range(count):
            vector[p, i] = sides[here, i]
        for n in range(points):
            residual[p, n] = errors[here, n]

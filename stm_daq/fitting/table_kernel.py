"""Compiled fits in the reduced space of a table: spline, start and bounded Levenberg-Marquardt search.

A spectrum is projected once on a few dozen orthonormal curves; what is left of it is a vector `z`.
The model of these is scale * sum_q offset^q S_q c(x), where x are the (up to three) coordinates of the
table and c the coefficients of a cubic spline. `theta` of a spectrum holds x, scale and offset.
Components behind a rank that depends on temperature vanish and are left out.

Single precision serves where only differences of order of the noise matter; sums end in double.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stm_daq.fitting.kernel_step import bounded_step

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Index = NDArray[np.int64]

AXES = 3
SCALE, OFFSET = 3, 4
SIZE = 5
"""Length of `theta`."""
MOST_STEPS = 30
LEAP = 3.0
"""How much more a second search may gain than the first one did."""
DISTINCT = 9.0
"""Squared distance, in standard deviations, of a second minimum from the first."""
FAST = {"contract", "reassoc", "nsz", "arcp"}


@njit(cache=True, error_model="numpy", fastmath=FAST)
def cubic(  # type: ignore[no-untyped-def]
    place, cells, value, slope
):
    """First of the four B-splines that are not 0 at `place` (in knots), their values and slopes."""
    cell = min(max(int(place), 0), cells - 1)
    t = place - cell
    s = 1.0 - t
    value[0] = s * s * s / 6.0
    value[1] = (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0
    value[2] = (4.0 - 6.0 * s * s + 3.0 * s * s * s) / 6.0
    value[3] = t * t * t / 6.0
    slope[0] = -0.5 * s * s
    slope[1] = 0.5 * t * (3.0 * t - 4.0)
    slope[2] = 0.5 * s * (4.0 - 3.0 * s)
    slope[3] = 0.5 * t * t
    return cell


@njit(cache=True, error_model="numpy", fastmath=FAST)
def spline(  # type: ignore[no-untyped-def]
    coefficients, lowest, step, ranks, theta, weights, line, out
):
    """Coefficients and derivatives by the coordinates into out (4, r); returns the rank.

    `coefficients` (n0, n1, n2, r); `lowest`, `step` (3,) of the knots; `ranks` by cell of axis 1.
    """
    first = np.empty(AXES, dtype=np.int64)
    for axis in range(AXES):
        place = (theta[axis] - lowest[axis]) / step[axis]
        cells = coefficients.shape[axis] - 3
        first[axis] = cubic(place, cells, weights[axis, 0], weights[axis, 1])
        inverse = np.float32(1.0 / step[axis])
        for i in range(4):
            weights[axis, 1, i] *= inverse
    rank = ranks[first[1]]
    w0, w1, w2, w3 = weights[2, 0, 0], weights[2, 0, 1], weights[2, 0, 2], weights[2, 0, 3]
    d0, d1, d2, d3 = weights[2, 1, 0], weights[2, 1, 1], weights[2, 1, 2], weights[2, 1, 3]
    out[:, :rank] = 0.0
    for i in range(4):
        line[:, :rank] = 0.0
        for j in range(4):
            near = coefficients[first[0] + i, first[1] + j]
            p0, p1 = near[first[2]], near[first[2] + 1]
            p2, p3 = near[first[2] + 2], near[first[2] + 3]
            w, d = weights[1, 0, j], weights[1, 1, j]
            for k in range(rank):
                value = w0 * p0[k] + w1 * p1[k] + w2 * p2[k] + w3 * p3[k]
                slope = d0 * p0[k] + d1 * p1[k] + d2 * p2[k] + d3 * p3[k]
                line[0, k] += w * value
                line[1, k] += d * value
                line[2, k] += w * slope
        w, d = weights[0, 0, i], weights[0, 1, i]
        for k in range(rank):
            out[0, k] += w * line[0, k]
            out[1, k] += d * line[0, k]
            out[2, k] += w * line[1, k]
            out[3, k] += w * line[2, k]
    return rank


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _shift(powers, heights, rank, offset, curves, rows):  # type: ignore[no-untyped-def]
    """Rows of the model: value, derivatives by coordinates, by offset; returns how many components.

    `powers` (q, R, r) are S_q; component k reaches down to row heights[k].
    """
    height = heights[rank - 1]
    orders = len(powers)
    rows[:, :height] = 0.0
    for k in range(height):
        v0, v1, v2, v3 = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
        v4 = np.float32(0.0)
        for m in range(rank):
            total = powers[orders - 1, k, m]
            slope = np.float32(0.0)
            for q in range(orders - 2, -1, -1):
                slope = slope * offset + total
                total = total * offset + powers[q, k, m]
            v0 += total * curves[0, m]
            v1 += total * curves[1, m]
            v2 += total * curves[2, m]
            v3 += total * curves[3, m]
            v4 += slope * curves[0, m]
        rows[0, k], rows[1, k], rows[2, k], rows[3, k], rows[4, k] = v0, v1, v2, v3, v4
    return height


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _linearise(  # type: ignore[no-untyped-def]
    table, basis, z, theta, free, work, matrix, vector
):
    """Chi-square of the reduced space in the unit of z, and how many components are not 0.

    Fills J^T J, J^T residual and, in `work`, the model and its derivatives.
    """
    coefficients, lowest, step, ranks = table
    plain, powers, heights = basis
    weights, line, curves, rows, residual, _ = work
    rank = spline(coefficients, lowest, step, ranks, theta, weights, line, curves)
    scale = np.float32(theta[SCALE])
    if plain:
        height, model = rank, curves
    else:
        height = _shift(powers, heights, rank, np.float32(theta[OFFSET]), curves, rows)
        model = rows
    chi_square = np.float32(0.0)
    for k in range(height):
        residual[k] = z[k] - scale * model[0, k]
        chi_square += residual[k] * residual[k]
    for k in range(height, heights[-1]):
        chi_square += z[k] * z[k]
    for a in range(len(free)):
        factor_a = np.float32(1.0) if free[a] == SCALE else scale
        one = model[_row(free[a])]
        total = np.float32(0.0)
        for k in range(height):
            total += one[k] * residual[k]
        vector[a] = factor_a * total
        for b in range(a + 1):
            factor = factor_a * (np.float32(1.0) if free[b] == SCALE else scale)
            two = model[_row(free[b])]
            total = np.float32(0.0)
            for k in range(height):
                total += one[k] * two[k]
            matrix[a, b] = factor * total
            matrix[b, a] = matrix[a, b]
    return float(chi_square), height


@njit(cache=True)
def _row(parameter: int) -> int:
    """Row of the model that holds the derivative by a parameter, apart from the scale."""
    if parameter == SCALE:
        return 0
    return parameter + 1 if parameter < AXES else 4


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _fitted(plain, theta, free, step, height, work):  # type: ignore[no-untyped-def]
    """Components of the curve after a last small step, by the derivatives before it."""
    model, fitted = work[2] if plain else work[3], work[5]
    fitted[:] = 0.0
    scale = np.float32(theta[SCALE])
    for k in range(height):
        fitted[k] = scale * model[0, k]
    for a in range(len(free)):
        factor = np.float32(step[a]) * (np.float32(1.0) if free[a] == SCALE else scale)
        row = model[_row(free[a])]
        for k in range(height):
            fitted[k] += factor * row[k]


@njit(cache=True, error_model="numpy")
def _descend(  # type: ignore[no-untyped-def]
    table, basis, z, theta, free, lower, upper, tolerance, ceiling, work, solve, matrix, vector
):
    """Bounded search from theta; returns chi-square and whether it settled.

    It is given up where a step still promises no better than `ceiling`. Of a search that settled
    the components of the curve are in `work`.
    """
    scratch, other_matrix, other_vector, trial = solve
    fresh = True
    count = len(free)
    step, position = scratch[count + 3], scratch[count + 4]
    chi_square, height = _linearise(table, basis, z, theta, free, work, matrix, vector)
    damping = 1e-3
    for _ in range(MOST_STEPS):
        for a in range(count):
            position[a] = theta[free[a]]
        predicted = bounded_step(matrix, vector, damping, position, lower, upper, step, scratch)
        if chi_square - predicted > ceiling or damping > 1e8:
            return chi_square, False
        trial[:] = theta
        for a in range(count):
            trial[free[a]] = min(max(position[a] + step[a], lower[a]), upper[a])
        if predicted < tolerance:
            if not fresh:
                _, height = _linearise(table, basis, z, theta, free, work, matrix, vector)
            _fitted(basis[0], theta, free, step, height, work)
            theta[:] = trial
            return chi_square - predicted, damping < 1.0
        chi, height = _linearise(table, basis, z, trial, free, work, other_matrix, other_vector)
        gained = (chi_square - chi) / predicted
        if gained > 0.0:
            chi_square = chi
            theta[:], matrix[:], vector[:] = trial, other_matrix, other_vector
        fresh = gained > 0.0
        if gained > 0.75:
            damping *= 0.1
        elif not gained >= 0.25:
            damping = max(damping * 8.0, 1e-4)
    return chi_square, False


@njit(cache=True, error_model="numpy")
def _workspace(rank, height, count):  # type: ignore[no-untyped-def]
    single = np.float32
    work = (
        np.empty((AXES, 2, 4), single), np.empty((3, rank), single), np.empty((4, rank), single),
        np.empty((SIZE, height), single), np.empty(max(rank, height), single),
        np.empty(height, single),
    )  # fmt: skip
    solve = (
        np.zeros((count + 5, count)),
        np.empty((count, count)),
        np.empty(count),
        np.empty(SIZE),
    )
    return work, solve


@njit(cache=True, error_model="numpy")
def search(  # type: ignore[no-untyped-def]
    table, basis, z, weight, free, lower, upper, tolerance, rival, started, promise,
    theta, chi_square, matrix, vector, settled, other, fitted,
):  # fmt: skip
    """Search the minimum of every spectrum from one start, and perhaps from a second one.

    The second start is tried where its promise is not worse than the first minimum by more than
    `rival` and LEAP times what the first search gained.

    Parameters
    ----------
    table : coefficients, lowest and step of the knots, ranks
    basis : whether z is in the basis of the table itself; S_q; heights
    z (p, >= R), weight (p,) : projections, and by what their squares are to be multiplied
    free, lower, upper : (f,)
    tolerance, rival : decrease of chi-square at which a search stops; excess over the first
        minimum at which the second search is given up
    started, promise : (p, 5) second starts; (2, p) chi-square of both starts less that of no curve,
        in units of z
    theta (p, 5), chi_square (p,), matrix (p, f, f), vector (p, f), settled (p,) : filled; theta
        comes with the first start
    other : (p,) chi-square of a second minimum, infinite if there is none
    fitted : (p, R) components of the curves found; only where settled
    """
    count, height = len(free), fitted.shape[1]
    work, solve = _workspace(table[0].shape[3], height, count)
    second_matrix, second_vector = np.empty((count, count)), np.empty(count)
    second = np.empty(SIZE)
    for p in range(len(z)):
        stop, more = tolerance / weight[p], rival / weight[p]
        chi, good = _descend(
            table, basis, z[p], theta[p], free, lower, upper, stop, math.inf, work, solve,
            matrix[p], vector[p],
        )  # fmt: skip
        fitted[p] = work[5]
        other[p] = math.inf
        square = 0.0
        for k in range(height):
            square += z[p, k] * z[p, k]
        here = chi - square
        gained = max(promise[0, p] - here, 0.0)
        if promise[1, p] < here + more + LEAP * gained:
            second[:] = started[p]
            chi2, good2 = _descend(
                table, basis, z[p], second, free, lower, upper, stop, chi + more,
                work, solve, second_matrix, second_vector,
            )  # fmt: skip
            if good2:
                distance = 0.0
                for a in range(count):
                    for b in range(count):
                        change = second[free[b]] - theta[p, free[b]]
                        distance += (second[free[a]] - theta[p, free[a]]) * matrix[p, a, b] * change
                if chi2 < chi or not good:
                    theta[p], matrix[p], vector[p] = second, second_matrix, second_vector
                    fitted[p] = work[5]
                    chi, chi2, good = chi2, chi, True
                if distance * weight[p] > DISTINCT:
                    other[p] = chi2 * weight[p]
        chi_square[p], settled[p] = chi * weight[p], good
        matrix[p] *= weight[p]
        vector[p] *= weight[p]


@njit(cache=True, error_model="numpy", fastmath=FAST)
def choose_starts(match, lift, groups, apart, chosen, best_two):  # type: ignore[no-untyped-def]
    """Best template of each spectrum, and the best one of those with a clearly different gap.

    `match` (p, t): overlap, to which `lift` (t,) is added; templates come in groups of one gap,
    `groups` their logarithms; `chosen` and what they
    reach, `best_two` (2, p), are filled. Without another gap both are the same.
    """
    each = match.shape[1] // len(groups)
    best = np.empty(len(groups), dtype=np.float32)
    for p in range(len(match)):
        for g in range(len(groups)):
            highest = np.float32(-1e30)
            for t in range(g * each, (g + 1) * each):
                highest = max(highest, match[p, t] + lift[t])
            best[g] = highest
        top = np.argmax(best)
        rival = -1
        for g in range(len(groups)):
            if abs(groups[g] - groups[top]) > apart and (rival < 0 or best[g] > best[rival]):
                rival = g
        if rival < 0:
            rival = int(top)
        best_two[0, p], best_two[1, p] = best[top], best[rival]
        chosen[0, p] = _where(match[p], lift, top * each, each, best[top])
        chosen[1, p] = _where(match[p], lift, rival * each, each, best[rival])


@njit(cache=True)
def _where(match, lift, begin, each, value):  # type: ignore[no-untyped-def]
    for t in range(begin, begin + each):
        if match[t] + lift[t] >= value:
            return t
    return begin


@njit(cache=True, error_model="numpy", fastmath=FAST)
def expand(table, theta, out):  # type: ignore[no-untyped-def]
    """Coefficients (p, r) at theta (p, 5), zero behind the rank."""
    coefficients, lowest, step, ranks = table
    size = coefficients.shape[3]
    work, _ = _workspace(size, 1, 1)
    out[:] = 0.0
    for p in range(len(theta)):
        rank = spline(coefficients, lowest, step, ranks, theta[p], work[0], work[1], work[2])
        for k in range(rank):
            out[p, k] = work[2][0, k]


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def normalise(rows, values, single, unit):  # type: ignore[no-untyped-def]
    """Rows (p, n) over their mean magnitude `unit` (p,), which is NaN where all points are equal."""
    size = rows.shape[1]
    for p in range(len(rows)):
        total, low, high = 0.0, rows[p, 0], rows[p, 0]
        for n in range(size):
            total += abs(rows[p, n])
            low, high = min(low, rows[p, n]), max(high, rows[p, n])
        unit[p] = total / size if high > low else math.nan
        inverse = 1.0 / unit[p]
        for n in range(size):
            values[p, n] = rows[p, n] * inverse
            single[p, n] = values[p, n]

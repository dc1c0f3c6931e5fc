"""Compiled bounded Levenberg-Marquardt search in the reduced space of a table.

A spectrum is projected once on a few dozen orthonormal curves; what is left of it is a vector `z`.
The model of these is scale * sum_q offset^q S_q c(x), where x are the (up to three) coordinates of the
table and c the coefficients of its splines. `theta` of a spectrum holds x, scale and offset. Without
an offset, and with the weights for which the table was made, S is the unit matrix (no `powers`).
Components behind a rank that depends on temperature vanish and are left out.

Single precision serves where only differences of order of the noise matter; steps are solved in double.
"""

from __future__ import annotations

import math

import numpy as np

from stm_daq.fitting.kernel_step import bounded_step
from stm_daq.fitting.table_kernel_rows import FAST, add_product
from stm_daq.fitting.table_kernel_sizes import AXES, LANES, OFFSET, ROWS, SCALE, SIZE
from stm_daq.fitting.table_kernel_spline import spline
from stm_daq.physics.kernel_cache import entry, inner

MOST_STEPS = 30
LEAP = 3.0
"""How much more a second search may gain than the first one did."""
DISTINCT = 9.0
"""Squared distance, in standard deviations, of a second minimum from the first."""
RESIDUAL = 5
"""Row of `sums` of products with the residual; the others are those of the model's rows."""


@inner(fastmath=FAST)
def shift(powers, rank, height, offset, curves, mixed, rows):  # type: ignore[no-untyped-def]
    """Rows (5, R) of the model, derivatives by coordinates and by offset, from curves (4, r).

    `powers` (q, r, R) are S_q transposed, of which `height` columns matter for this rank; `mixed`
    (8, R) is scratch space: sum_q offset^q S_q and its derivative, four rows at a time.
    """
    orders = len(powers)
    rows[:, :height] = 0.0
    for m in range(0, rank, 4):
        for i in range(4):
            total, slope = mixed[i], mixed[4 + i]
            highest = powers[orders - 1, m + i]
            for k in range(height):
                total[k] = highest[k]
                slope[k] = 0.0
            for q in range(orders - 2, -1, -1):
                lower = powers[q, m + i]
                for k in range(height):
                    slope[k] = slope[k] * offset + total[k]
                    total[k] = total[k] * offset + lower[k]
        add_product(curves, m, mixed[:4, :height], rows[:4, :height])
        if orders > 1:
            row = rows[4]
            for i in range(4):
                slope, factor = mixed[4 + i], curves[0, m + i]
                for k in range(height):
                    row[k] += factor * slope[k]


@inner(fastmath=FAST)
def _overlaps(rows, height, sums):  # type: ignore[no-untyped-def]
    """Products of value and derivatives by the coordinates into the lower triangle of sums (6, 6)."""
    v, a, b, c = rows[0], rows[1], rows[2], rows[3]
    zero = np.float32(0.0)
    vv, va, vb, vc, aa, ab, ac = zero, zero, zero, zero, zero, zero, zero
    bb, bc, cc = zero, zero, zero
    for k in range(height):
        vv += v[k] * v[k]
        va += v[k] * a[k]
        vb += v[k] * b[k]
        vc += v[k] * c[k]
        aa += a[k] * a[k]
        ab += a[k] * b[k]
        ac += a[k] * c[k]
        bb += b[k] * b[k]
        bc += b[k] * c[k]
        cc += c[k] * c[k]
    sums[0, 0] = vv
    sums[1, 0], sums[1, 1] = va, aa
    sums[2, 0], sums[2, 1], sums[2, 2] = vb, ab, bb
    sums[3, 0], sums[3, 1], sums[3, 2], sums[3, 3] = vc, ac, bc, cc


@inner(fastmath=FAST)
def _offset_overlaps(rows, height, sums):  # type: ignore[no-untyped-def]
    """Products of the derivative by the offset with all rows into sums (6, 6)."""
    v, a, b, c, o = rows[0], rows[1], rows[2], rows[3], rows[4]
    zero = np.float32(0.0)
    ov, oa, ob, oc, oo = zero, zero, zero, zero, zero
    for k in range(height):
        ov += o[k] * v[k]
        oa += o[k] * a[k]
        ob += o[k] * b[k]
        oc += o[k] * c[k]
        oo += o[k] * o[k]
    sums[4, 0], sums[4, 1], sums[4, 2], sums[4, 3], sums[4, 4] = ov, oa, ob, oc, oo


@inner(fastmath=FAST)
def _misses(z, scale, rows, height, sums):  # type: ignore[no-untyped-def]
    """Products of the residual with the rows and itself into the last row of sums (6, 6)."""
    v, a, b, c, o = rows[0], rows[1], rows[2], rows[3], rows[4]
    zero = np.float32(0.0)
    rv, ra, rb, rc, ro, rr = zero, zero, zero, zero, zero, zero
    for k in range(height):
        r = z[k] - scale * v[k]
        rv += r * v[k]
        ra += r * a[k]
        rb += r * b[k]
        rc += r * c[k]
        ro += r * o[k]
        rr += r * r
    for k in range(height, rows.shape[1]):
        rr += z[k] * z[k]
    sums[5, 0], sums[5, 1], sums[5, 2] = rv, ra, rb
    sums[5, 3], sums[5, 4], sums[5, 5] = rc, ro, rr


@inner()
def _equations(z, scale, rows, height, free, sums, matrix, vector):  # type: ignore[no-untyped-def]
    """Chi-square in the unit of z; fills J^T J and J^T residual."""
    _overlaps(rows, height, sums)
    if free[-1] == OFFSET:
        _offset_overlaps(rows, height, sums)
    _misses(z, np.float32(scale), rows, height, sums)
    for a in range(len(free)):
        i = _row(free[a])
        factor = 1.0 if i == 0 else scale
        vector[a] = factor * sums[5, i]
        for b in range(a + 1):
            k = _row(free[b])
            both = factor * (1.0 if k == 0 else scale)
            matrix[a, b] = both * sums[max(i, k), min(i, k)]
            matrix[b, a] = matrix[a, b]
    return float(sums[5, 5])


@inner()
def _row(parameter: int) -> int:
    """Row of the model that holds the derivative by a parameter, apart from the scale."""
    if parameter == SCALE:
        return 0
    return parameter + 1 if parameter < AXES else 4


@inner()
def _rows(  # type: ignore[no-untyped-def]
    coefficients, knots, ranks, powers, heights, theta, weights, lines, curves, mixed, rows
):
    """Rows (5, R) of the model at theta; returns how many components are not 0."""
    if len(powers) == 0:
        return spline(coefficients, knots, ranks, theta, weights, lines, rows)
    rank = spline(coefficients, knots, ranks, theta, weights, lines, curves)
    height = heights[rank - 1]
    shift(powers, rank, height, np.float32(theta[OFFSET]), curves, mixed, rows)
    return height


@inner(fastmath=FAST)
def _fitted(theta, free, step, height, rows, fitted):  # type: ignore[no-untyped-def]
    """Components of the curve after a last small step, by the derivatives before it."""
    scale = np.float32(theta[SCALE])
    value = rows[0]
    for k in range(height, len(fitted)):
        fitted[k] = 0.0
    for k in range(height):
        fitted[k] = scale * value[k]
    for a in range(len(free)):
        i = _row(free[a])
        factor = np.float32(step[a]) * (np.float32(1.0) if i == 0 else scale)
        row = rows[i]
        for k in range(height):
            fitted[k] += factor * row[k]


@inner()
def _descend(  # type: ignore[no-untyped-def]
    coefficients, knots, ranks, powers, heights, z, theta, known, free, lower, upper,
    tolerance, ceiling, weights, lines, curves, mixed, rows, sums, scratch, other_matrix,
    other_vector, trial, matrix, vector, fitted,
):  # fmt: skip
    """Bounded search from theta; returns chi-square, whether it settled, components of the curve.

    It is given up where a step still promises no better than `ceiling`. Of a search that settled
    the components of the curve are in `fitted`. If their number at theta is `known`, `rows` hold
    the model there.
    """
    count, fresh, height = len(free), True, known
    step, position = scratch[count + 3], scratch[count + 4]
    if not known:
        height = _rows(
            coefficients, knots, ranks, powers, heights, theta, weights, lines, curves, mixed, rows
        )
    chi_square = _equations(z, theta[SCALE], rows, height, free, sums, matrix, vector)
    damping = 1e-3
    for _ in range(MOST_STEPS):
        for a in range(count):
            position[a] = theta[free[a]]
        predicted = _step(matrix, vector, damping, position, lower, upper, step, scratch)
        if chi_square - predicted > ceiling or damping > 1e8:
            break
        _copy(theta, trial)
        for a in range(count):
            trial[free[a]] = min(max(position[a] + step[a], lower[a]), upper[a])
        if predicted < tolerance:
            if not fresh:
                height = _rows(
                    coefficients, knots, ranks, powers, heights, theta, weights, lines, curves,
                    mixed, rows,
                )  # fmt: skip
            _fitted(theta, free, step, height, rows, fitted)
            _copy(trial, theta)
            return chi_square - predicted, damping < 1.0, height
        height = _rows(
            coefficients, knots, ranks, powers, heights, trial, weights, lines, curves, mixed, rows
        )
        chi = _equations(z, trial[SCALE], rows, height, free, sums, other_matrix, other_vector)
        gained = (chi_square - chi) / predicted
        if gained > 0.0:
            chi_square = chi
            _copy(trial, theta)
            _copy(other_vector, vector)
            for a in range(count):
                for c in range(count):
                    matrix[a, c] = other_matrix[a, c]
        fresh = gained > 0.0
        if gained > 0.75:
            damping *= 0.1
        elif not gained >= 0.25:
            damping = max(damping * 8.0, 1e-4)
    return chi_square, False, 0


@inner()
def _step(matrix, vector, damping, position, lower, upper, step, scratch):  # type: ignore[no-untyped-def]
    """As `bounded_step`, and quicker where the step meets no bound, as it mostly does."""
    count = len(vector)
    for i in range(count):
        for k in range(i + 1):
            total = matrix[i, k] * (1.0 + damping) if i == k else matrix[i, k]
            for m in range(k):
                total -= scratch[i, m] * scratch[k, m] * scratch[count, m]
            if k < i:
                scratch[i, k] = total / scratch[count, k]
            elif total < 1e-12 * matrix[i, i]:
                return bounded_step(matrix, vector, damping, position, lower, upper, step, scratch)
            else:
                scratch[count, i] = total
        total = vector[i]
        for m in range(i):
            total -= scratch[i, m] * step[m]
        step[i] = total
    for i in range(count - 1, -1, -1):
        step[i] /= scratch[count, i]
        for m in range(i + 1, count):
            step[i] -= scratch[m, i] * step[m]
        if not lower[i] <= position[i] + step[i] <= upper[i]:
            return bounded_step(matrix, vector, damping, position, lower, upper, step, scratch)
    predicted = 0.0
    for i in range(count):
        product = 2.0 * vector[i]
        for k in range(count):
            product -= matrix[i, k] * step[k]
        predicted += product * step[i]
    return predicted


@inner()
def _copy(source, target):  # type: ignore[no-untyped-def]
    """Faster than a slice for the few numbers there are."""
    for k in range(len(target)):
        target[k] = source[k]


@inner()
def _begin(chosen, scale, places, stored, heights, theta, rows):  # type: ignore[no-untyped-def]
    """Put theta and the rows of the model at a template; returns how many components are not 0."""
    for a in range(AXES):
        theta[a] = places[chosen, a]
    theta[SCALE], theta[OFFSET] = scale, 0.0
    for i in range(ROWS):
        row, known = rows[i], stored[chosen, i]
        for k in range(heights[chosen]):
            row[k] = known[k]
    return heights[chosen]


@entry()
def search(  # type: ignore[no-untyped-def]
    coefficients, knots, ranks, powers, heights, stored, stored_heights, places,
    z, weight, free, lower, upper, tolerance, rival, fresh, starts, scales, promise,
    theta, chi_square, matrix, vector, settled, other, terms, smooth, fitted, depth,
):  # fmt: skip
    """Search the minimum of every spectrum from one start, and perhaps from a second one.

    The second start is tried where its promise is not worse than the first minimum by more than
    `rival` and LEAP times what the first search gained.

    Parameters
    ----------
    coefficients, knots, ranks : of the table
    powers, heights : S_q of the basis and its components by rank
    stored (t, 5, R), stored_heights (t,), places (t, 3) : rows of the model at templates, how many
        components are not 0, and coordinates
    z (p, >= R), weight (p,) : projections, and by what their squares are to be multiplied
    free, lower, upper : (f,)
    tolerance, rival : decrease of chi-square at which a search stops; excess over the first
        minimum at which the second search is given up
    fresh : whether to begin at the first template, not where theta is
    starts, scales, promise : (p, 2) templates of both starts, their scales, and their chi-square
        less that of no curve, in units of z
    theta (p, 5), chi_square (p,), matrix (p, f, f), vector (p, f), settled (p,) : filled
    other : (p,) chi-square of a second minimum, infinite if there is none
    terms, smooth : overlaps with smooth curves behind the components in z, and (p,) by how much
        chi-square of the best smooth curve exceeds that of the model
    fitted (p, R), depth (p,) : components of the curves found, and how many are not 0
    """
    count, height, single = len(free), stored.shape[2], np.float32
    weights, lines = np.empty((AXES, 2, 4), single), np.empty((3, 4 * LANES), single)
    curves, mixed = (
        np.empty((4, coefficients.shape[2] * LANES), single),
        np.empty((8, height), single),
    )
    rows, sums, scratch = (
        np.zeros((5, height), single),
        np.zeros((6, 6), single),
        np.zeros((count + 5, count)),
    )
    other_matrix, other_vector, trial = np.empty((count, count)), np.empty(count), np.empty(SIZE)
    second, second_matrix, second_vector = np.empty(SIZE), np.empty((count, count)), np.empty(count)
    second_fitted = np.empty(height, single)
    for p in range(len(weight)):
        stop, more = tolerance / weight[p], rival / weight[p]
        known = 0
        if fresh:
            known = _begin(
                starts[p, 0], scales[p, 0], places, stored, stored_heights, theta[p], rows
            )
        chi, good, depth[p] = _descend(
            coefficients, knots, ranks, powers, heights, z[p], theta[p], known, free, lower, upper,
            stop, math.inf, weights, lines, curves, mixed, rows, sums, scratch, other_matrix,
            other_vector, trial, matrix[p], vector[p], fitted[p],
        )  # fmt: skip
        other[p] = math.inf
        square = _square(z[p, :height])
        here = chi - square
        gained = max(promise[p, 0] - here, 0.0)
        if promise[p, 1] < here + more + LEAP * gained:
            known = _begin(starts[p, 1], scales[p, 1], places, stored, stored_heights, second, rows)
            chi2, good2, deep = _descend(
                coefficients, knots, ranks, powers, heights, z[p], second, known, free, lower,
                upper, stop, chi + more, weights, lines, curves, mixed, rows, sums, scratch,
                other_matrix, other_vector, trial, second_matrix, second_vector, second_fitted,
            )  # fmt: skip
            if good2:
                distance = _distance(second, theta[p], free, matrix[p])
                if chi2 < chi or not good:
                    theta[p], matrix[p], vector[p] = second, second_matrix, second_vector
                    fitted[p], depth[p] = second_fitted, deep
                    chi, chi2, good = chi2, chi, True
                if distance * weight[p] > DISTINCT:
                    other[p] = chi2 * weight[p]
        for k in range(height, height + terms):
            square -= z[p, k] * z[p, k]
        smooth[p] = (square - chi) * weight[p]
        chi_square[p], settled[p] = chi * weight[p], good
        for a in range(count):
            vector[p, a] *= weight[p]
            for c in range(count):
                matrix[p, a, c] *= weight[p]


@inner(fastmath=FAST)
def _square(values):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for value in values:
        total += value * value
    return float(total)


@inner()
def _distance(one, two, free, matrix):  # type: ignore[no-untyped-def]
    """Squared distance of two points in the metric of the normal matrix."""
    distance = 0.0
    for a in range(len(free)):
        for b in range(len(free)):
            distance += (one[free[a]] - two[free[a]]) * matrix[a, b] * (one[free[b]] - two[free[b]])
    return distance

"""Compiled parts of the fit: start values, noise, normal equations, the bounded step.

Parameters are held in one vector in the order gap (eV), ln(temperature/K), reflection R,
broadening (eV), scale, offset (V), slope (1/V); see `stm_daq.fitting.models`. The fitted curve is

    G(V) = scale g(V - offset) [1 + slope (V - offset)].
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

type Array = NDArray[np.float64]

BINS = 64
"""Bins of |V - offset| in which spectra are compared with templates."""
LAG = 3
"""Points so far apart that their noise is independent."""


@njit(cache=True, error_model="numpy")
def symmetry_centre(uniform: Array, lowest: float, step: float, reach: float) -> float:
    """Bias about which a spectrum on a uniform grid is most nearly even, apart from a slope.

    Tries every point and midpoint within `reach` of the middle of the range; the mean square of the
    odd part, its slope removed, is least at the centre (refined by a parabola).
    """
    size = len(uniform)
    span = min(int(2.0 * reach / step), size - 9)
    misfit = np.full(2 * span + 1, np.inf)
    for trial in range(-span, span + 1):
        total = size - 1 + trial  # i + j of mirrored points
        pairs, squares, moment, spread = 0, 0.0, 0.0, 0.0
        for j in range(total // 2 + 1, min(total, size - 1) + 1):
            i = total - j
            odd = uniform[j] - uniform[i]
            distance = j - 0.5 * total
            squares += odd * odd
            moment += odd * distance
            spread += distance * distance
            pairs += 1
        misfit[trial + span] = (squares - moment * moment / spread) / pairs
    best = int(np.argmin(misfit))
    shift = 0.0
    if 0 < best < 2 * span:
        curvature = misfit[best - 1] - 2.0 * misfit[best] + misfit[best + 1]
        if curvature > 0.0:
            shift = 0.5 * (misfit[best - 1] - misfit[best + 1]) / curvature
    return lowest + 0.5 * step * (size - 1 + best - span + shift)


@njit(cache=True, error_model="numpy")
def folded(bias: Array, values: Array, weight: Array, centre: float, largest: float) -> Array:
    """Sums of weight and weight * value in BINS bins of |bias - centre| up to `largest`: (2, BINS)."""
    sums = np.zeros((2, BINS))
    for n in range(len(bias)):
        position = int(abs(bias[n] - centre) / largest * BINS)
        if position < BINS:
            sums[0, position] += weight[n]
            sums[1, position] += weight[n] * values[n]
    return sums


@njit(cache=True, error_model="numpy")
def raw_variance(bias: Array, values: Array, centre: float, floor: float) -> Array:
    """Variance of every point from second differences of a spectrum, which lose a smooth signal."""
    terms = len(bias) - 2
    square = np.empty(terms)
    place = np.empty(terms)
    for n in range(terms):
        square[n] = (values[n] - 2.0 * values[n + 1] + values[n + 2]) ** 2 / 6.0
        place[n] = abs(bias[n + 1] - centre)
    return _growing_variance(bias, square, place, centre, floor)


@njit(cache=True, error_model="numpy")
def residual_variance(bias: Array, residual: Array, centre: float, floor: float) -> Array:
    """Variance of every point from differences of residuals LAG points apart.

    Differences lose what is smooth, so that a wrong model is not taken for noise; the lag is beyond
    the reach of a lock-in's filter, which makes the noise of neighbours alike.
    """
    terms = len(bias) - LAG
    square = np.empty(terms)
    place = np.empty(terms)
    for n in range(terms):
        square[n] = 0.5 * (residual[n + LAG] - residual[n]) ** 2
        place[n] = abs(0.5 * (bias[n] + bias[n + LAG]) - centre)
    return _growing_variance(bias, square, place, centre, floor)


@njit(cache=True, error_model="numpy")
def neighbour_correlation(residual: Array, weight: Array) -> float:
    """Correlation of the noise of neighbouring points, from 0 to 0.9.

    One minus the power of differences of neighbours over that of points LAG apart: what is smooth
    hardly matters to either.
    """
    near, far = 0.0, 0.0
    for n in range(len(residual) - LAG):
        here = residual[n] * math.sqrt(weight[n])
        near += (residual[n + 1] * math.sqrt(weight[n + 1]) - here) ** 2
        far += (residual[n + LAG] * math.sqrt(weight[n + LAG]) - here) ** 2
    if far <= 0.0:
        return 0.0
    return min(max(1.0 - near / far, 0.0), 0.9)


@njit(cache=True, error_model="numpy")
def _growing_variance(
    bias: Array, square: Array, place: Array, centre: float, floor: float
) -> Array:
    """Variance a + b |bias - centre| (b: shot noise) from unbiased single estimates at `place`.

    Estimates beyond four standard deviations (spikes, edges) are pulled in. At least `floor`.
    """
    constant, linear = max(np.median(square) / 0.4549, floor), 0.0
    for _ in range(6):
        constant, linear = _line(place, square, constant, linear, floor)
    variance = np.empty(len(bias))
    for n in range(len(bias)):
        variance[n] = max(constant + linear * abs(bias[n] - centre), floor)
    return variance


@njit(cache=True, error_model="numpy")
def _line(
    place: Array, square: Array, constant: float, linear: float, floor: float
) -> tuple[float, float]:
    """One reweighted least-squares step for square ~ constant + linear place, both >= 0."""
    s0, s1, s2, t0, t1, total = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for n in range(len(place)):
        variance = max(constant + linear * place[n], floor)
        weight = 1.0 / (variance * variance)
        value = min(square[n], 16.0 * variance)
        s0 += weight
        s1 += weight * place[n]
        s2 += weight * place[n] * place[n]
        t0 += weight * value
        t1 += weight * value * place[n]
        total += value
    determinant = s0 * s2 - s1 * s1
    if determinant <= 1e-12 * s0 * s2:
        return t0 / s0, 0.0
    linear = (s0 * t1 - s1 * t0) / determinant
    constant = (t0 - linear * s1) / s0
    if linear < 0.0:
        return t0 / s0, 0.0
    least = 0.02 * total / len(place)  # an amplifier is never silent
    if constant < least:
        return least, max((t1 - least * s1) / s2, 0.0)
    return constant, linear


@njit(cache=True, error_model="numpy")
def normal_equations(
    shifted: Array,
    values: Array,
    weight: Array,
    columns: Array,
    theta: Array,
    free: NDArray[np.int64],
    residual: Array,
) -> tuple[float, Array, Array]:
    """Chi-square, J^T W J and J^T W (values - curve); leaves values - curve in `residual`.

    `shifted` is bias - offset, `columns` the output of `stm_daq.physics.kernel.evaluate` there.
    """
    count = len(free)
    matrix = np.zeros((count, count))
    vector = np.zeros(count)
    chi_square = 0.0
    scale, slope = theta[4], theta[6]
    row = np.empty(7)
    for n in range(len(shifted)):
        tilt = 1.0 + slope * shifted[n]
        g = columns[0, n]
        for k in range(4):
            row[k] = scale * tilt * columns[1 + k, n]
        row[4] = g * tilt
        row[5] = -scale * (columns[5, n] * tilt + g * slope)
        row[6] = scale * g * shifted[n]
        difference = values[n] - scale * g * tilt
        residual[n] = difference
        chi_square += weight[n] * difference * difference
        for i in range(count):
            weighted = weight[n] * row[free[i]]
            vector[i] += weighted * difference
            for k in range(i + 1):
                matrix[i, k] += weighted * row[free[k]]
    for i in range(count):
        for k in range(i):
            matrix[k, i] = matrix[i, k]
    return chi_square, matrix, vector


@njit(cache=True, error_model="numpy")
def bounded_step(
    matrix: Array, vector: Array, damping: float, position: Array, lower: Array, upper: Array
) -> tuple[Array, float]:
    """Levenberg-Marquardt step inside the bounds, and the decrease of chi-square it predicts.

    A parameter that the step would carry over a bound goes to the bound; the others are solved
    again with it there.
    """
    count = len(vector)
    step = np.zeros(count)
    held = np.zeros(count, dtype=np.bool_)
    for _ in range(count + 1):
        for i in range(count):
            if not held[i]:
                step[i] = 0.0
        _solve_others(matrix, vector, damping, held, step)
        inside = True
        for i in range(count):
            target = position[i] + step[i]
            if not held[i] and not lower[i] <= target <= upper[i]:
                step[i] = (lower[i] if target < lower[i] else upper[i]) - position[i]
                held[i] = True
                inside = False
        if inside:
            break
    predicted = 2.0 * np.dot(vector, step) - np.dot(step, matrix @ step)
    return step, predicted


@njit(cache=True, error_model="numpy")
def _solve_others(
    matrix: Array, vector: Array, damping: float, held: NDArray[np.bool_], step: Array
) -> None:
    """Solve the damped equations for the parameters not held, scaled to a unit diagonal."""
    index = np.flatnonzero(~held)
    count = len(index)
    scaled = np.empty((count, count))
    unit = np.empty(count)
    right = np.empty(count)
    for i in range(count):
        unit[i] = math.sqrt(matrix[index[i], index[i]]) + 1e-300
        right[i] = (vector[index[i]] - np.dot(matrix[index[i]], step)) / unit[i]
        for k in range(i + 1):
            scaled[i, k] = matrix[index[i], index[k]] / (unit[i] * unit[k])
        scaled[i, i] = 1.0 + damping
    _cholesky_solve(scaled, right)
    for i in range(count):
        step[index[i]] = right[i] / unit[i]


@njit(cache=True, error_model="numpy")
def _cholesky_solve(matrix: Array, right: Array) -> None:
    """Solve matrix x = right in place; only the lower triangle is read. Pivots are kept positive."""
    count = len(right)
    for i in range(count):
        for k in range(i):
            for m in range(k):
                matrix[i, k] -= matrix[i, m] * matrix[k, m]
            matrix[i, k] /= matrix[k, k]
            matrix[i, i] -= matrix[i, k] * matrix[i, k]
        matrix[i, i] = math.sqrt(max(matrix[i, i], 1e-14))
    for i in range(count):
        for m in range(i):
            right[i] -= matrix[i, m] * right[m]
        right[i] /= matrix[i, i]
    for i in range(count - 1, -1, -1):
        for m in range(i + 1, count):
            right[i] -= matrix[m, i] * right[m]
        right[i] /= matrix[i, i]


@njit(cache=True, error_model="numpy")
def smooth_power(residual: Array, weight: Array, blocks: int) -> float:
    """Sum over blocks of (sum of normalised residuals)^2 / points: about `blocks` for white noise."""
    size = len(residual)
    power = 0.0
    for b in range(blocks):
        first, last = b * size // blocks, (b + 1) * size // blocks
        total = 0.0
        for n in range(first, last):
            total += residual[n] * math.sqrt(weight[n])
        power += total * total / (last - first)
    return power


@njit(cache=True, error_model="numpy")
def polynomial_equations(
    x: Array, values: Array, weight: Array, terms: int
) -> tuple[Array, Array, float]:
    """Normal matrix, right-hand side and sum of weight values^2 for a polynomial, lowest power first."""
    matrix = np.zeros((terms, terms))
    vector = np.zeros(terms)
    total = 0.0
    moments = np.zeros(2 * terms - 1)
    for n in range(len(x)):
        power = weight[n]
        for k in range(2 * terms - 1):
            moments[k] += power
            if k < terms:
                vector[k] += power * values[n]
            power *= x[n]
        total += weight[n] * values[n] * values[n]
    for i in range(terms):
        for k in range(terms):
            matrix[i, k] = moments[i + k]
    return matrix, vector, total

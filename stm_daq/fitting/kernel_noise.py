"""Compiled estimates from residuals: the noise of every point, and signs that a model is wrong.

All functions take many spectra: rows of arrays (p, n) of which the first counts[p] points are used.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]
type Counts = NDArray[np.int64]

LAG = 3
"""Points so far apart that their noise is independent."""
DIAGNOSES = 4
"""Columns of `diagnose`: correlation of neighbours, power of blocks, blocks, deviate of runs."""


def weights_before(
    bias: Array, values: Array, counts: Counts, centre: Array, clip: float, floor: float, out: Array
) -> None:
    """Inverse variance of every point from second differences, which lose a smooth signal."""
    _weights(bias, values, counts, centre, True, clip, floor, out)


def weights_after(
    bias: Array,
    residual: Array,
    counts: Counts,
    centre: Array,
    clip: float,
    floor: float,
    out: Array,
) -> None:
    """Inverse variance of every point from differences of residuals LAG points apart.

    Differences lose what is smooth, so that a wrong model is not taken for noise; the lag is beyond
    the reach of a lock-in's filter, which makes the noise of neighbours alike.
    """
    _weights(bias, residual, counts, centre, False, clip, floor, out)


@entry(no_cfunc_wrapper=True)
def _weights(
    bias: Array,
    rows: Array,
    counts: Counts,
    centre: Array,
    bent: bool,
    clip: float,
    floor: float,
    out: Array,
) -> None:
    """Inverse variances of points from second differences (`bent`) or from those LAG points apart.

    The variance is a + b |bias - centre| (b: shot noise); single estimates beyond `clip` times that
    (spikes, edges) are pulled in. At least `floor`.
    """
    points = bias.shape[1]
    square, place, order = np.empty(points), np.empty(points), np.empty(points)
    for p in range(len(rows)):
        terms = counts[p] - (2 if bent else LAG)
        for n in range(terms):
            if bent:
                square[n] = (rows[p, n] - 2.0 * rows[p, n + 1] + rows[p, n + 2]) ** 2 / 6.0
                place[n] = abs(bias[p, n + 1] - centre[p])
            else:
                square[n] = 0.5 * (rows[p, n + LAG] - rows[p, n]) ** 2
                place[n] = abs(0.5 * (bias[p, n] + bias[p, n + LAG]) - centre[p])
            order[n] = square[n]
        constant, linear = max(_middle(order, terms) / 0.4549, floor), 0.0
        for _ in range(6):
            before, growth = constant, linear
            constant, linear = _line(place, square, terms, constant, linear, clip, floor)
            change = abs(constant - before) + abs(linear - growth) * abs(bias[p, 0] - centre[p])
            if change < 1e-3 * constant:
                break
        for n in range(out.shape[1]):
            out[p, n] = 1.0 / max(constant + linear * abs(bias[p, n] - centre[p]), floor)


@inner()
def _middle(values: Array, count: int) -> float:
    """The median (of an even number the upper one) of the first values, which are rearranged."""
    first, last, middle = 0, count - 1, count // 2
    while first < last:  # quickselect, C. A. R. Hoare, Commun. ACM 4, 321 (1961)
        pivot, i, k = values[middle], first, last
        while i <= k:
            while values[i] < pivot:
                i += 1
            while pivot < values[k]:
                k -= 1
            if i <= k:
                values[i], values[k] = values[k], values[i]
                i += 1
                k -= 1
        if k < middle:
            first = i
        if middle < i:
            last = k
    return float(values[middle])


@inner(fastmath={"contract", "reassoc"})
def _line(
    place: Array,
    square: Array,
    count: int,
    constant: float,
    linear: float,
    clip: float,
    floor: float,
) -> tuple[float, float]:
    """One reweighted least-squares step for square ~ constant + linear place, both >= 0."""
    s0, s1, s2, t0, t1, total = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for n in range(count):
        variance = max(constant + linear * place[n], floor)
        weight = 1.0 / (variance * variance)
        value = min(square[n], clip * variance)
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
    least = 0.02 * total / count  # an amplifier is never silent
    if constant < least:
        return least, max((t1 - least * s1) / s2, 0.0)
    return constant, linear


@entry(no_cfunc_wrapper=True)
def diagnose(residual: Array, weight: Array, counts: Counts, blocks: int, out: Array) -> None:
    """What residuals tell of each spectrum, into out (p, DIAGNOSES).

    * the correlation of the noise of neighbours, 0 to 0.9: one minus the power of differences of
      neighbours over that of points LAG apart; what is smooth hardly matters to either;
    * the sum over blocks of (sum of normalised residuals)^2 / points: about `blocks` if white;
    * the number of blocks;
    * how many standard deviations the number of runs of one sign exceeds that of such noise
      (A. Wald, J. Wolfowitz, Ann. Math. Stat. 11, 147 (1940); neighbours of correlation c have
      different signs with probability arccos(c)/pi).
    """
    normal = np.empty(residual.shape[1])
    for p in range(len(residual)):
        size = counts[p]
        for n in range(size):
            normal[n] = residual[p, n] * math.sqrt(weight[p, n])
        near, far, changes = 0.0, 0.0, 0
        for n in range(size - 1):
            changes += (normal[n] > 0.0) != (normal[n + 1] > 0.0)
            if n < size - LAG:
                near += (normal[n + 1] - normal[n]) ** 2
                far += (normal[n + LAG] - normal[n]) ** 2
        alike = min(max(1.0 - near / far, 0.0), 0.9) if far > 0.0 else 0.0
        used, power = min(blocks, size // 6), 0.0
        for b in range(used):
            first, last, total = b * size // used, (b + 1) * size // used, 0.0
            for n in range(first, last):
                total += normal[n]
            power += total * total / (last - first)
        chance = math.acos(alike) / math.pi
        spread = math.sqrt(chance * (1.0 - chance) * (size - 1))
        out[p, 0], out[p, 1], out[p, 2] = alike, power, used
        out[p, 3] = (changes - chance * (size - 1)) / spread


@entry(fastmath={"contract", "reassoc"}, no_cfunc_wrapper=True)
def polynomial_equations(
    x: Array, values: Array, weight: Array, counts: Counts, matrix: Array, vector: Array, out: Array
) -> None:
    """Normal equations of polynomials in x: matrix (p, t, t), vector (p, t), lowest power first.

    `out` (p,) takes the sums of weight values^2.
    """
    terms = vector.shape[1]
    moments = np.empty(2 * terms - 1)
    for p in range(len(values)):
        for k in range(terms):
            vector[p, k] = 0.0
            moments[k] = moments[terms - 1 + k] = 0.0
        total = 0.0
        for n in range(counts[p]):
            power = weight[p, n]
            for k in range(2 * terms - 1):
                moments[k] += power
                if k < terms:
                    vector[p, k] += power * values[p, n]
                power *= x[p, n]
            total += weight[p, n] * values[p, n] * values[p, n]
        for i in range(terms):
            for k in range(terms):
                matrix[p, i, k] = moments[i + k]
        out[p] = total

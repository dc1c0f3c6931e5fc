"""Compiled estimates from residuals: the noise of every point, and signs that a model is wrong.

All functions take many spectra: rows of arrays (p, n) of which the first counts[p] points are used.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Counts = NDArray[np.int64]

LAG = 3
"""Points so far apart that their noise is independent."""
DIAGNOSES = 4
"""Columns of `diagnose`: correlation of neighbours, power of blocks, blocks, deviate of runs."""


@njit(cache=True, error_model="numpy")
def weights_before(
    bias: Array, values: Array, counts: Counts, centre: Array, clip: float, floor: float, out: Array
) -> None:
    """Inverse variance of every point from second differences, which lose a smooth signal."""
    for p in range(len(values)):
        terms = counts[p] - 2
        square, place = np.empty(terms), np.empty(terms)
        row = values[p]
        for n in range(terms):
            square[n] = (row[n] - 2.0 * row[n + 1] + row[n + 2]) ** 2 / 6.0
            place[n] = abs(bias[p, n + 1] - centre[p])
        _growing_variance(bias[p, : counts[p]], square, place, centre[p], clip, floor, out[p])


@njit(cache=True, error_model="numpy")
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
    for p in range(len(residual)):
        terms = counts[p] - LAG
        square, place = np.empty(terms), np.empty(terms)
        row = residual[p]
        for n in range(terms):
            square[n] = 0.5 * (row[n + LAG] - row[n]) ** 2
            place[n] = abs(0.5 * (bias[p, n] + bias[p, n + LAG]) - centre[p])
        _growing_variance(bias[p, : counts[p]], square, place, centre[p], clip, floor, out[p])


@njit(cache=True, error_model="numpy")
def _growing_variance(
    bias: Array, square: Array, place: Array, centre: float, clip: float, floor: float, out: Array
) -> None:
    """Inverse of a variance a + b |bias - centre| (b: shot noise) from single estimates at `place`.

    Estimates beyond `clip` times the variance (spikes, edges) are pulled in. At least `floor`.
    """
    constant, linear = max(np.median(square) / 0.4549, floor), 0.0
    for _ in range(6):
        before, growth = constant, linear
        constant, linear = _line(place, square, constant, linear, clip, floor)
        change = abs(constant - before) + abs(linear - growth) * abs(bias[0] - centre)
        if change < 1e-3 * constant:
            break
    for n in range(len(bias)):
        out[n] = 1.0 / max(constant + linear * abs(bias[n] - centre), floor)


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _line(
    place: Array, square: Array, constant: float, linear: float, clip: float, floor: float
) -> tuple[float, float]:
    """One reweighted least-squares step for square ~ constant + linear place, both >= 0."""
    s0, s1, s2, t0, t1, total = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for n in range(len(place)):
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
    least = 0.02 * total / len(place)  # an amplifier is never silent
    if constant < least:
        return least, max((t1 - least * s1) / s2, 0.0)
    return constant, linear


@njit(cache=True, error_model="numpy")
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
    for p in range(len(residual)):
        size = counts[p]
        normal = residual[p, :size] * np.sqrt(weight[p, :size])
        near, far, changes = 0.0, 0.0, 0
        for n in range(size - 1):
            changes += (normal[n] > 0.0) != (normal[n + 1] > 0.0)
            if n < size - LAG:
                near += (normal[n + 1] - normal[n]) ** 2
                far += (normal[n + LAG] - normal[n]) ** 2
        alike = min(max(1.0 - near / far, 0.0), 0.9) if far > 0.0 else 0.0
        used = min(blocks, size // 6)
        power = 0.0
        for b in range(used):
            first, last = b * size // used, (b + 1) * size // used
            power += np.sum(normal[first:last]) ** 2 / (last - first)
        chance = math.acos(alike) / math.pi
        spread = math.sqrt(chance * (1.0 - chance) * (size - 1))
        out[p, 0] = alike
        out[p, 1] = power
        out[p, 2] = used
        out[p, 3] = (changes - chance * (size - 1)) / spread


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def polynomial_equations(
    x: Array, values: Array, weight: Array, counts: Counts, matrix: Array, vector: Array, out: Array
) -> None:
    """Normal equations of polynomials in x: matrix (p, t, t), vector (p, t), lowest power first.

    `out` (p,) takes the sums of weight values^2.
    """
    terms = vector.shape[1]
    moments = np.empty(2 * terms - 1)
    for p in range(len(values)):
        moments[:] = 0.0
        vector[p] = 0.0
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

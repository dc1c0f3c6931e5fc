"""Compiled search for start values: the centre of symmetry, then the most alike template.

Spectra are rows of arrays (p, n), ascending in bias, of which the first counts[p] points are used.
They are compared with templates in BINS bins of |bias - centre|.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Counts = NDArray[np.int64]

BINS = 64
"""Bins of |V - offset| in which spectra are compared with templates."""
STARTS = 2
"""Start values of a spectrum."""
SWEEPS = 20
"""Rounds of the linear step from a template: enough for correlations up to 0.95."""


@njit(cache=True, error_model="numpy")
def centres(bias: Array, values: Array, counts: Counts, reach: float, out: Array) -> None:
    """Bias about which each spectrum is most nearly even; 0 if it covers one polarity only."""
    uniform = np.empty(bias.shape[1])
    for p in range(len(values)):
        size = counts[p]
        first, last = bias[p, 0], bias[p, size - 1]
        out[p] = 0.0
        if abs(first + last) > 0.2 * (last - first):
            continue
        step = (last - first) / (size - 1)
        left = 0
        for n in range(size):
            place = first + n * step
            while left < size - 2 and bias[p, left + 1] < place:
                left += 1
            width = bias[p, left + 1] - bias[p, left]
            share = min((place - bias[p, left]) / width, 1.0) if width > 0.0 else 0.0
            uniform[n] = values[p, left] + share * (values[p, left + 1] - values[p, left])
        out[p] = _symmetry_centre(uniform[:size], first, step, reach)


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _symmetry_centre(uniform: Array, lowest: float, step: float, reach: float) -> float:
    """Bias about which a spectrum on a uniform grid is most nearly even, apart from a slope.

    Tries every point and midpoint within `reach` of the middle of the range; the mean square of the
    odd part, its slope removed, is least at the centre (refined by a parabola).
    """
    size = len(uniform)
    span = max(min(int(2.0 * reach / step), size - 9), 0)
    misfit = np.full(2 * span + 1, np.inf)
    mirrored = uniform[::-1].copy()
    for trial in range(-span, span + 1):
        total = size - 1 + trial  # i + j of mirrored points
        first, last = total // 2 + 1, min(total, size - 1)
        pairs, squares, moment, spread = last - first + 1, 0.0, 0.0, 0.0
        right = uniform[first : last + 1]
        left = mirrored[size - 1 - total + first : size - total + last]
        for k in range(pairs):
            odd = right[k] - left[k]
            distance = first + k - 0.5 * total
            squares += odd * odd
            moment += odd * distance
            spread += distance * distance
        misfit[trial + span] = (squares - moment * moment / spread) / pairs
    best = int(np.argmin(misfit))
    shift = 0.0
    if 0 < best < 2 * span:
        curvature = misfit[best - 1] - 2.0 * misfit[best] + misfit[best + 1]
        if curvature > 0.0:
            shift = 0.5 * (misfit[best - 1] - misfit[best + 1]) / curvature
    return lowest + 0.5 * step * (size - 1 + best - span + shift)


@njit(cache=True, error_model="numpy")
def rank(
    bias: Array,
    values: Array,
    weight: Array,
    counts: Counts,
    centre: Array,
    largest: float,
    templates: Single,
    slopes: Single,
    boxes: Array,
    apart: float,
    held: Array,
    starts: Array,
    misfit: Array,
) -> None:
    """Start values of each spectrum from its most alike templates, refined by one linear step.

    Parameters
    ----------
    bias, values, weight, counts, centre : spectra, inverse variances, lengths, offsets
    largest : float
        |bias - centre| of the last bin's edge, V.
    templates : (k, BINS) conductance; slopes : (k, m, BINS) derivatives by the coordinates
    boxes : (k, 3, m) lowest coordinates to try from each template, its own, and highest
    apart : float
        Ratio of the first coordinates that makes the second start different.
    held : (p, m)
        Coordinates that are fixed at their own value in each spectrum, else NaN; templates with
        another value in their box are passed over, if any are left.
    starts : (p, STARTS, m + 1)
        Takes coordinates and scale.
    misfit : (p, STARTS)
        Takes chi-square in the bins after the linear step.
    """
    shape = boxes.shape[2]
    sums = np.empty((2, BINS))
    single = np.empty((2, BINS), dtype=np.float32)
    gain = np.empty(len(templates))
    for p in range(len(values)):
        _fold(bias[p], values[p], weight[p], counts[p], centre[p], largest, sums)
        single[:] = sums
        _gains(templates, single, gain)
        _pass_over(boxes, held[p], gain)
        best = int(np.argmax(gain))
        for s in range(STARTS):
            if s == 1:
                for t in range(len(gain)):
                    ratio = boxes[t, 1, 0] / boxes[best, 1, 0] if shape > 0 else 1.0
                    if 1.0 / apart < ratio < apart:
                        gain[t] = -math.inf
            t = int(np.argmax(gain))
            misfit[p, s] = _refine(templates[t], slopes[t], boxes[t], sums, held[p], starts[p, s])
            if gain[t] == -math.inf:
                misfit[p, s] = math.inf


@njit(cache=True)
def _pass_over(boxes: Array, held: Array, gain: Array) -> None:
    """Pass over templates that cannot have the values held, unless that leaves none."""
    if not np.isfinite(held).any():
        return
    left = gain.copy()
    for k in range(len(held)):
        if math.isfinite(held[k]):
            for t in range(len(gain)):
                if not boxes[t, 0, k] <= held[k] <= boxes[t, 2, k]:
                    left[t] = -math.inf
    if np.max(left) > -math.inf:
        gain[:] = left


@njit(cache=True, error_model="numpy")
def _fold(
    bias: Array, values: Array, weight: Array, size: int, centre: float, largest: float, sums: Array
) -> None:
    """Sums of weight and weight * value in bins of |bias - centre| up to `largest`."""
    sums[:] = 0.0
    factor = BINS / largest
    for n in range(size):
        position = int(abs(bias[n] - centre) * factor)
        if position < BINS:
            sums[0, position] += weight[n]
            sums[1, position] += weight[n] * values[n]


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _gains(templates: Single, sums: Single, gain: Array) -> None:
    """By how much each template, best scaled, lowers chi-square; negative if its scale is."""
    for t in range(len(templates)):
        norm, overlap = np.float32(0.0), np.float32(0.0)
        for b in range(BINS):
            value = templates[t, b]
            norm += sums[0, b] * value * value
            overlap += sums[1, b] * value
        gain[t] = overlap * abs(overlap) / norm


@njit(cache=True, error_model="numpy")
def _refine(
    template: Single, slopes: Single, box: Array, sums: Array, held: Array, start: Array
) -> float:
    """Gauss-Newton step from a template inside its box; returns the chi-square it predicts.

    `box` (3, m) holds lowest, template's and highest coordinates. The equations are solved one
    parameter at a time, again and again, which keeps each in its box.
    """
    count = box.shape[1] + 1
    norm, overlap, square = 0.0, 0.0, 0.0
    for b in range(BINS):
        norm += sums[0, b] * template[b] * template[b]
        overlap += sums[1, b] * template[b]
        if sums[0, b] > 0.0:
            square += sums[1, b] * sums[1, b] / sums[0, b]
    scale = overlap / norm
    matrix, vector = np.zeros((count, count)), np.zeros(count)
    rows = np.empty((count, BINS))
    for i in range(count):
        for b in range(BINS):
            rows[i, b] = template[b] if i == count - 1 else scale * slopes[i, b]
            vector[i] += rows[i, b] * (sums[1, b] - scale * sums[0, b] * template[b])
        for k in range(i + 1):
            for b in range(BINS):
                matrix[i, k] += sums[0, b] * rows[i, b] * rows[k, b]
            matrix[k, i] = matrix[i, k]
    step = np.zeros(count)
    for _ in range(SWEEPS):
        for i in range(count):
            pull = vector[i] + matrix[i, i] * step[i]
            for k in range(count):
                pull -= matrix[i, k] * step[k]
            step[i] = pull / (matrix[i, i] + 1e-300)
            if i < count - 1:
                wish = held[i] if math.isfinite(held[i]) else box[1, i] + step[i]
                step[i] = min(max(wish, box[0, i]), box[2, i]) - box[1, i]
    start[: count - 1] = box[1] + step[: count - 1]
    start[count - 1] = scale + step[count - 1]
    chi_square = square - scale * overlap
    for i in range(count):
        chi_square -= 2.0 * vector[i] * step[i]
        for k in range(count):
            chi_square += step[i] * matrix[i, k] * step[k]
    return chi_square

"""Compiled search for start values: the centre of symmetry, then the most alike template.

Spectra are rows of arrays (p, n), ascending in bias, of which the first counts[p] points are used.
They are compared with templates in BINS bins of |bias - centre|.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Counts = NDArray[np.int64]

BINS = 64
"""Bins of |V - offset| in which spectra are compared with templates."""
STARTS = 2
"""Start values of a spectrum."""
SWEEPS = 20
"""Rounds of the linear step from a template: enough for correlations up to 0.95."""
SETTLED = 0.1
"""Chi-square of the last round below which there is no other."""


@entry(no_cfunc_wrapper=True)
def centres(bias: Array, values: Array, counts: Counts, reach: float, out: Array) -> None:
    """Bias within `reach` about which each spectrum is most nearly even.

    0 if it covers little more than one polarity.
    """
    uniform, mirrored = np.empty(bias.shape[1]), np.empty(bias.shape[1])
    for p in range(len(values)):
        size = counts[p]
        first, last = bias[p, 0], bias[p, size - 1]
        out[p] = 0.0
        if min(-first, last) < 2.0 * reach:
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
            mirrored[size - 1 - n] = uniform[n]
        middle = 0.5 * (first + last)
        low = max(math.ceil(2.0 * (-reach - middle) / step), 9 - size)
        high = min(math.floor(2.0 * (reach - middle) / step), size - 9)
        out[p] = middle + 0.5 * step * _symmetry(uniform, mirrored, size, low, high)


@inner()
def _symmetry(uniform: Array, mirrored: Array, size: int, low: int, high: int) -> float:
    """Twice the distance, in points, of the centre of symmetry from the middle: low to high.

    Tries every point and midpoint; the mean square of the odd part, its slope removed, is least at
    the centre (refined by a parabola).
    """
    best, before, after, least, last = low, math.inf, math.inf, math.inf, math.inf
    for trial in range(low, high + 1):
        misfit = _oddness(uniform, mirrored, size, trial)
        if misfit < least:
            best, before, least, after = trial, last, misfit, math.inf
        elif trial == best + 1:
            after = misfit
        last = misfit
    curvature = before - 2.0 * least + after
    if not 0.0 < curvature < math.inf:
        return best
    return best + 0.5 * (before - after) / curvature


@inner(fastmath={"contract", "reassoc"})
def _oddness(uniform: Array, mirrored: Array, size: int, trial: int) -> float:
    """Mean square of the odd part about a centre, a slope removed."""
    total = size - 1 + trial  # i + j of mirrored points
    first, last = total // 2 + 1, min(total, size - 1)
    pairs, squares, moment, spread = last - first + 1, 0.0, 0.0, 0.0
    right, left = uniform[first:], mirrored[size - 1 - total + first :]
    for k in range(pairs):
        odd = right[k] - left[k]
        distance = first + k - 0.5 * total
        squares += odd * odd
        moment += odd * distance
        spread += distance * distance
    return (squares - moment * moment / spread) / pairs


@entry(no_cfunc_wrapper=True)
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
        Takes chi-square in the bins after the linear step; infinite if there is no such start.
    """
    sums, single = np.empty((2, BINS)), np.empty((2, BINS), dtype=np.float32)
    gain, count = np.empty(len(templates)), boxes.shape[2] + 1
    scratch = np.empty((count + 2, count)), np.empty((count, BINS))
    for p in range(len(values)):
        _fold(bias[p], values[p], weight[p], counts[p], centre[p], largest, sums, single)
        _gains(templates, single, gain)
        best = 0
        for s in range(STARTS):
            chosen = _highest(boxes, gain, held[p], best, 0.0 if s == 0 else apart)
            if s == 0 and chosen < 0:  # none can have the values held
                chosen = _highest(boxes, gain, boxes[0, 1, :0], best, 0.0)
            misfit[p, s] = math.inf
            if chosen >= 0:
                misfit[p, s] = _refine(
                    templates[chosen], slopes[chosen], boxes[chosen], sums, held[p], scratch,
                    starts[p, s],
                )  # fmt: skip
            else:
                for k in range(count):
                    starts[p, s, k] = starts[p, 0, k]
            best = max(chosen, 0)


@inner()
def _highest(boxes: Array, gain: Array, held: Array, best: int, apart: float) -> int:
    """The template of highest gain whose box has the values held (NaN: any); -1 if there is none.

    With `apart` its first coordinate must differ from that of `best` by that factor.
    """
    found, highest = -1, -math.inf
    for t in range(len(gain)):
        if gain[t] > highest:
            ratio = boxes[t, 1, 0] / boxes[best, 1, 0] if boxes.shape[2] > 0 else 1.0
            good = apart == 0.0 or ratio * apart <= 1.0 or ratio >= apart
            for k in range(len(held)):
                good = good and not (held[k] < boxes[t, 0, k] or held[k] > boxes[t, 2, k])
            if good:
                found, highest = t, gain[t]
    return found


@inner()
def _fold(
    bias: Array,
    values: Array,
    weight: Array,
    size: int,
    centre: float,
    largest: float,
    sums: Array,
    single: Single,
) -> None:
    """Sums of weight and weight * value in bins of |bias - centre| up to `largest`."""
    for b in range(BINS):
        sums[0, b] = sums[1, b] = 0.0
    for n in range(size):
        position = int(abs(bias[n] - centre) * (BINS / largest))
        if position < BINS:
            sums[0, position] += weight[n]
            sums[1, position] += weight[n] * values[n]
    for b in range(BINS):
        single[0, b], single[1, b] = sums[0, b], sums[1, b]


@inner(fastmath={"contract", "reassoc"})
def _gains(templates: Single, sums: Single, gain: Array) -> None:
    """By how much each template, best scaled, lowers chi-square; negative if its scale is."""
    for t in range(len(templates)):
        norm, overlap = np.float32(0.0), np.float32(0.0)
        for b in range(BINS):
            value = templates[t, b]
            norm += sums[0, b] * value * value
            overlap += sums[1, b] * value
        gain[t] = overlap * abs(overlap) / norm


@inner(fastmath={"contract", "reassoc"})
def _refine(  # type: ignore[no-untyped-def]
    template, slopes, box, sums, held, scratch, start
) -> float:
    """Gauss-Newton step from a template inside its box; returns the chi-square it predicts.

    `box` (3, m) holds lowest, template's and highest coordinates. The equations are solved one
    parameter at a time, again and again, which keeps each in its box.
    """
    (matrix, rows), last = scratch, len(start) - 1
    vector, step = matrix[last + 1], matrix[last + 2]
    norm, overlap, chi_square = 0.0, 0.0, 0.0
    for b in range(BINS):
        norm += sums[0, b] * template[b] * template[b]
        overlap += sums[1, b] * template[b]
    scale = overlap / norm
    for b in range(BINS):
        if sums[0, b] > 0.0:
            error = sums[1, b] - scale * sums[0, b] * template[b]
            chi_square += error * error / sums[0, b]
    for i in range(last + 1):
        vector[i] = step[i] = 0.0
        for b in range(BINS):
            rows[i, b] = template[b] if i == last else scale * slopes[i, b]
            vector[i] += rows[i, b] * (sums[1, b] - scale * sums[0, b] * template[b])
        for k in range(i + 1):
            total = 0.0
            for b in range(BINS):
                total += sums[0, b] * rows[i, b] * rows[k, b]
            matrix[i, k] = matrix[k, i] = total
    for _ in range(SWEEPS):
        moved = 0.0
        for i in range(last + 1):
            pull, before = vector[i] + matrix[i, i] * step[i], step[i]
            for k in range(last + 1):
                pull -= matrix[i, k] * step[k]
            step[i] = pull / (matrix[i, i] + 1e-300)
            if i < last:
                wish = held[i] if math.isfinite(held[i]) else box[1, i] + step[i]
                step[i] = min(max(wish, box[0, i]), box[2, i]) - box[1, i]
            moved += matrix[i, i] * (step[i] - before) ** 2
        if moved < SETTLED:
            break
    for i in range(last + 1):
        start[i] = step[i] + (scale if i == last else box[1, i])
        chi_square -= 2.0 * vector[i] * step[i]
        for k in range(last + 1):
            chi_square += step[i] * matrix[i, k] * step[k]
    return chi_square

"""Compiled sums of residuals at both polarities: `fold`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

type Array = NDArray[np.float64]

COLUMNS = 4
"""Columns of `fold`: power, blocks, and powers of near and far differences."""

LAG = 3
"""Points so far apart that their noise is independent."""


@njit(cache=True, error_model="numpy")
def fold(
    bias: Array,
    normal: Array,
    counts: NDArray[np.int64],
    centre: Array,
    largest: float,
    most: int,
    least: int,
    out: Array,
) -> None:
    """What residuals of each spectrum sum up to in blocks of |bias - centre|, into out (p, COLUMNS).

    * the sum over blocks of (sum of residuals)^2 / points;
    * the number of blocks that have points: at most `most`, with `least` points on average;
    * the powers of differences of neighbours, and of points LAG apart, in the outer half of the range.

    Arguments are those of `stm_daq.fitting.residuals.even_deviation`.
    """
    sums, points = np.empty(most), np.empty(most)
    for p in range(len(normal)):
        size = 0
        for n in range(counts[p]):
            if abs(bias[p, n] - centre[p]) < largest:
                size += 1
        blocks = max(min(size // least, most), 1)
        sums[:] = 0.0
        points[:] = 0.0
        near, far = 0.0, 0.0
        for n in range(counts[p]):
            distance = abs(bias[p, n] - centre[p])
            if not distance < largest:  # or NaN
                continue
            block = int(distance * blocks / largest)
            sums[block] += normal[p, n]
            points[block] += 1.0
            if distance > 0.5 * largest and n + LAG < counts[p]:
                beyond = abs(bias[p, n + LAG] - centre[p])
                if 0.5 * largest < beyond < largest:
                    near += (normal[p, n + 1] - normal[p, n]) ** 2
                    far += (normal[p, n + LAG] - normal[p, n]) ** 2
        power, filled = 0.0, 0
        for block in range(blocks):
            if points[block] > 0.0:
                power += sums[block] ** 2 / points[block]
                filled += 1
        out[p, 0], out[p, 1], out[p, 2], out[p, 3] = power, max(filled, 1), near, far

"""Compiled work on the rows of a map, the same for every row wherever it stands.

Products of matrices are here because those of a library round a row differently by how many others
there are: results must not depend on how a map is split into tiles. A product of four rows at a time
is nearly as fast.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.table_kernel_sizes import FOUR
from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Index = NDArray[np.int64]

FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Sums may be taken in any order; NaN and infinity keep their meaning."""


@entry(fastmath=FAST)
def normalise(rows: Array, single: Single, unit: Array) -> None:
    """Rows (p, n) over their mean magnitude `unit` (p,), which is NaN where all points are equal."""
    size = rows.shape[1]
    for p in range(len(rows)):
        row, out = rows[p], single[p]
        first, total, spread = row[0], 0.0, 0.0
        for n in range(size):
            total += abs(row[n])
            spread += abs(row[n] - first)
        unit[p] = total / size if spread > 0.0 else math.nan
        inverse = 1.0 / unit[p]
        for n in range(size):
            out[n] = row[n] * inverse


@entry(fastmath=FAST)
def project(rows: Single, curves: Single, out: Single) -> None:
    """Overlaps out (p, r) of rows (p, n) with curves (r, n); p a multiple of 4, r of 2."""
    for p in range(0, len(rows), FOUR):
        a, b, c, d = rows[p], rows[p + 1], rows[p + 2], rows[p + 3]
        for r in range(0, len(curves), 2):
            x, y = curves[r], curves[r + 1]
            ax, bx, cx, dx = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
            ay, by, cy, dy = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for n in range(len(x)):
                ax += a[n] * x[n]
                bx += b[n] * x[n]
                cx += c[n] * x[n]
                dx += d[n] * x[n]
                ay += a[n] * y[n]
                by += b[n] * y[n]
                cy += c[n] * y[n]
                dy += d[n] * y[n]
            out[p, r], out[p + 1, r], out[p + 2, r], out[p + 3, r] = ax, bx, cx, dx
            out[p, r + 1], out[p + 1, r + 1], out[p + 2, r + 1], out[p + 3, r + 1] = ay, by, cy, dy


@inner(fastmath={"contract", "nsz"})
def add_product(left: Single, at: int, right: Single, out: Single) -> None:
    """out (4, n) += left[:4, at : at + 4] @ right (4, n)."""
    a0, a1, a2, a3 = left[0, at], left[0, at + 1], left[0, at + 2], left[0, at + 3]
    b0, b1, b2, b3 = left[1, at], left[1, at + 1], left[1, at + 2], left[1, at + 3]
    c0, c1, c2, c3 = left[2, at], left[2, at + 1], left[2, at + 2], left[2, at + 3]
    d0, d1, d2, d3 = left[3, at], left[3, at + 1], left[3, at + 2], left[3, at + 3]
    r0, r1, r2, r3 = right[0], right[1], right[2], right[3]
    a, b, c, d = out[0], out[1], out[2], out[3]
    for n in range(len(r0)):
        a[n] = (((a[n] + a0 * r0[n]) + a1 * r1[n]) + a2 * r2[n]) + a3 * r3[n]
        b[n] = (((b[n] + b0 * r0[n]) + b1 * r1[n]) + b2 * r2[n]) + b3 * r3[n]
        c[n] = (((c[n] + c0 * r0[n]) + c1 * r1[n]) + c2 * r2[n]) + c3 * r3[n]
        d[n] = (((d[n] + d0 * r0[n]) + d1 * r1[n]) + d2 * r2[n]) + d3 * r3[n]


@entry()
def combine(left: Single, depth: Index, right: Single, out: Single) -> None:
    """Product out (p, n) of left (p, k) and right (k, n); p and k multiples of 4.

    Of row p only the first depth[p] components are not 0, a multiple of 4.
    """
    for p in range(0, len(left), FOUR):
        four, sums = left[p : p + FOUR], out[p : p + FOUR]
        sums[:] = 0.0
        for k in range(0, depth[p : p + FOUR].max(), 4):
            add_product(four, k, right[k : k + 4], sums)

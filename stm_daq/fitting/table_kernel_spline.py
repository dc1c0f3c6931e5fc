"""Compiled evaluation of a table: cubic splines of the coefficients of its basis.

Coefficients (n0, n1, r / LANES, n2 LANES) are stored so that LANES of them, at four neighbouring knots
of the last axis, are neighbours in memory: what one evaluation needs, in 16 pieces each.
"""

from __future__ import annotations

import numpy as np

from stm_daq.fitting.table_kernel_rows import FAST
from stm_daq.fitting.table_kernel_sizes import AXES, LANES
from stm_daq.physics.kernel_cache import entry, inner


@entry(fastmath=FAST)
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


@inner(fastmath=FAST)
def spline(coefficients, knots, ranks, theta, weights, lines, out):  # type: ignore[no-untyped-def]
    """Coefficients and derivatives by the coordinates into out (4, r); returns the rank.

    Arrays come one by one: taking them out of a tuple costs as much as some of the sums.

    Parameters
    ----------
    coefficients : see above
    knots : (3, 2) lowest and step along each axis
    ranks : by cell of axis 1
    theta : (>= 3,)
    weights, lines : (3, 2, 4) and (3, 4 LANES), scratch space
    """
    cells = coefficients.shape[3] // LANES - 3
    first = _weights(theta[0], knots[0], coefficients.shape[0] - 3, weights[0])
    second = _weights(theta[1], knots[1], coefficients.shape[1] - 3, weights[1])
    third = _weights(theta[2], knots[2], cells, weights[2])
    rank = ranks[second]
    for block in range(rank // LANES):
        _contract(coefficients, first, second, third, block, weights, lines)
        _close(lines, weights, block * LANES, out)
    return rank


@inner(fastmath=FAST)
def _weights(place, knots, cells, weights):  # type: ignore[no-untyped-def]
    """Weights (2, 4) of values and derivatives along one axis; returns the first knot."""
    cell = cubic((place - knots[0]) / knots[1], cells, weights[0], weights[1])
    inverse = np.float32(1.0 / knots[1])
    for i in range(4):
        weights[1, i] *= inverse
    return cell


@inner(fastmath=FAST)
def _contract(knots, i, j, n, block, weights, lines):  # type: ignore[no-untyped-def]
    """Sums over the knots of axes 0 and 1: value and derivatives by both, at four knots of axis 2.

    All sixteen pieces in one loop, so that each sum is written once.
    """
    w, x, y, z = weights[1, 0, 0], weights[1, 0, 1], weights[1, 0, 2], weights[1, 0, 3]
    dw, dx, dy, dz = weights[1, 1, 0], weights[1, 1, 1], weights[1, 1, 2], weights[1, 1, 3]
    wa, wb, wc, wd = weights[0, 0, 0], weights[0, 0, 1], weights[0, 0, 2], weights[0, 0, 3]
    da, db, dc, dd = weights[0, 1, 0], weights[0, 1, 1], weights[0, 1, 2], weights[0, 1, 3]
    n, e = n * LANES, (n + 4) * LANES
    a0, a1 = knots[i, j, block, n:e], knots[i, j + 1, block, n:e]
    a2, a3 = knots[i, j + 2, block, n:e], knots[i, j + 3, block, n:e]
    b0, b1 = knots[i + 1, j, block, n:e], knots[i + 1, j + 1, block, n:e]
    b2, b3 = knots[i + 1, j + 2, block, n:e], knots[i + 1, j + 3, block, n:e]
    c0, c1 = knots[i + 2, j, block, n:e], knots[i + 2, j + 1, block, n:e]
    c2, c3 = knots[i + 2, j + 2, block, n:e], knots[i + 2, j + 3, block, n:e]
    d0, d1 = knots[i + 3, j, block, n:e], knots[i + 3, j + 1, block, n:e]
    d2, d3 = knots[i + 3, j + 2, block, n:e], knots[i + 3, j + 3, block, n:e]
    line, by0, by1 = lines[0], lines[1], lines[2]
    for m in range(4 * LANES):
        a = w * a0[m] + x * a1[m] + y * a2[m] + z * a3[m]
        b = w * b0[m] + x * b1[m] + y * b2[m] + z * b3[m]
        c = w * c0[m] + x * c1[m] + y * c2[m] + z * c3[m]
        d = w * d0[m] + x * d1[m] + y * d2[m] + z * d3[m]
        line[m] = wa * a + wb * b + wc * c + wd * d
        by0[m] = da * a + db * b + dc * c + dd * d
        a = dw * a0[m] + dx * a1[m] + dy * a2[m] + dz * a3[m]
        b = dw * b0[m] + dx * b1[m] + dy * b2[m] + dz * b3[m]
        c = dw * c0[m] + dx * c1[m] + dy * c2[m] + dz * c3[m]
        d = dw * d0[m] + dx * d1[m] + dy * d2[m] + dz * d3[m]
        by1[m] = wa * a + wb * b + wc * c + wd * d


@inner(fastmath=FAST)
def _close(lines, weights, at, out):  # type: ignore[no-untyped-def]
    """Sums over the four knots of axis 2, into LANES columns of `out`."""
    lanes = lines.shape[1] // 4  # a number known beforehand would keep the compiler from vectors
    for row in range(3):
        a, b = lines[row, :lanes], lines[row, lanes : 2 * lanes]
        c, d = lines[row, 2 * lanes : 3 * lanes], lines[row, 3 * lanes :]
        wa, wb, wc, wd = weights[2, 0, 0], weights[2, 0, 1], weights[2, 0, 2], weights[2, 0, 3]
        sums = out[row, at : at + lanes]
        for k in range(lanes):
            sums[k] = wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k]
        if row == 0:
            wa, wb, wc, wd = weights[2, 1, 0], weights[2, 1, 1], weights[2, 1, 2], weights[2, 1, 3]
            sums = out[3, at : at + lanes]
            for k in range(lanes):
                sums[k] = wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k]


@entry()
def expand(coefficients, knots, ranks, theta, out):  # type: ignore[no-untyped-def]
    """Coefficients and derivatives out (p, 4, r) at theta (p, 3), 0 behind the rank."""
    weights, lines = np.empty((AXES, 2, 4), np.float32), np.empty((3, 4 * LANES), np.float32)
    out[:] = 0.0
    for p in range(len(theta)):
        spline(coefficients, knots, ranks, theta[p], weights, lines, out[p])

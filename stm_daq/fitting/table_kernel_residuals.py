"""Compiled: what residuals tell of the spectra of a map, in single precision and vector loops.

The same as `kernel_noise.diagnose` and `kernel_even.fold` find, where no point is missing.
"""

from __future__ import annotations

import math

import numpy as np

from stm_daq.fitting.kernel_noise import LAG
from stm_daq.fitting.table_kernel_rows import FAST
from stm_daq.physics.kernel_cache import entry, inner


@entry()
def diagnose(  # type: ignore[no-untyped-def]
    rows, curves, roots, factor, blocks, bias, centre, largest, folded, least, chi_square, out
):
    """Chi-square of every spectrum and signs of a wrong model.

    Parameters
    ----------
    rows, curves (>= p, n) : spectra and what was fitted
    roots, factor (p,) : the root of the weights is factor times roots, (1, n) or (p, n)
    blocks : of neighbouring points, see `kernel_noise.diagnose`
    bias (n,), centre (p,), largest, folded, least : see `kernel_even.fold`
    chi_square (p,), out (p, SIGNS) : filled
    """
    normal = np.empty(rows.shape[1], dtype=np.float32)
    edges = np.empty(2 * folded + 1, dtype=np.int64)
    outer = np.empty(2, dtype=np.int64)
    used = 0
    for p in range(len(chi_square)):
        root = roots[min(p, len(roots) - 1)]
        chi_square[p] = _normalise(rows[p], curves[p], root, factor[p], normal)
        _neighbours(normal, blocks, out[p])
        if p == 0 or centre[p] != centre[p - 1]:
            used = _find_edges(bias, centre[p], largest, folded, least, edges, outer)
        _fold(normal, used, edges, outer, out[p])


@inner(fastmath=FAST)
def _normalise(row, curve, root, factor, normal):  # type: ignore[no-untyped-def]
    """Residuals over standard deviations; returns the sum of their squares."""
    total = np.float32(0.0)
    for n in range(len(normal)):
        normal[n] = (row[n] - curve[n]) * (root[n] * factor)
        total += normal[n] * normal[n]
    return total


@inner(fastmath=FAST)
def _differences(normal, first, last):  # type: ignore[no-untyped-def]
    """Powers of differences of neighbours, and of points LAG apart, from points first to last."""
    near, far = np.float32(0.0), np.float32(0.0)
    for n in range(first, last):
        one, three = normal[n + 1] - normal[n], normal[n + LAG] - normal[n]
        near += one * one
        far += three * three
    return near, far


@inner(fastmath=FAST)
def _neighbours(normal, blocks, out):  # type: ignore[no-untyped-def]
    """The columns of `kernel_noise.diagnose`."""
    size = len(normal)
    changes = np.int32(0)
    for n in range(size - 1):
        changes += np.int32(normal[n] * normal[n + 1] < np.float32(0.0))
    near, far = _differences(normal, 0, size - LAG)
    used, power = min(blocks, size // 6), 0.0
    for b in range(used):
        power += _square_of_sum(normal, b * size // used, (b + 1) * size // used)
    alike = min(max(1.0 - near / far, 0.0), 0.9) if far > 0.0 else 0.0
    chance = math.acos(alike) / math.pi
    spread = math.sqrt(chance * (1.0 - chance) * (size - 1))
    out[0], out[1], out[2] = alike, power, used
    out[3] = (changes - chance * (size - 1)) / spread


@inner(fastmath=FAST)
def _square_of_sum(normal, first, last):  # type: ignore[no-untyped-def]
    """Square of the sum of some points, per point."""
    total = np.float32(0.0)
    for n in range(first, last):
        total += normal[n]
    return total * total / (last - first)


@inner()
def _find_edges(bias, centre, largest, folded, least, edges, outer):  # type: ignore[no-untyped-def]
    """First points of the blocks of `kernel_even.fold` along the bias; returns their number.

    `outer` takes the first point of the inner half of the range and the first one behind it.
    """
    size = 0
    for n in range(len(bias)):
        size += abs(bias[n] - centre) < largest
    used = max(min(size // least, folded), 1)
    outer[0] = outer[1] = 0
    k = 0
    for n in range(len(bias)):
        away = bias[n] - centre
        block = int(abs(away) * used / largest)
        number = used + block if away > 0.0 else used - 1 - block
        while k <= min(number, 2 * used):
            edges[k] = n
            k += 1
        outer[0] += away < -0.5 * largest
        outer[1] += away <= 0.5 * largest
    edges[k:] = len(bias)
    return used


@inner(fastmath=FAST)
def _fold(normal, used, edges, outer, out):  # type: ignore[no-untyped-def]
    """The columns of `kernel_even.fold`."""
    power, filled = 0.0, 0
    for block in range(used):
        right, left = used + block, used - 1 - block
        total = np.float32(0.0)
        for n in range(edges[right], edges[right + 1]):
            total += normal[n]
        for n in range(edges[left], edges[left + 1]):
            total += normal[n]
        points = edges[right + 1] - edges[right] + edges[left + 1] - edges[left]
        if points > 0:
            power += total * total / points
            filled += 1
    near, far = _differences(normal, edges[0], outer[0] - LAG)
    near_too, far_too = _differences(normal, outer[1], edges[2 * used] - LAG)
    out[4], out[5], out[6], out[7] = power, max(filled, 1), near + near_too, far + far_too

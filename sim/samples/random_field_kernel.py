"""Compiled loops of :mod:`sim.samples.random_field`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Cells = NDArray[np.int64]

_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_FACTOR_1, _FACTOR_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_TO_53_BITS = np.uint64(11)


@njit(cache=True)
def _mix(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> _SHIFT_1)) * _FACTOR_1
    x = (x ^ (x >> _SHIFT_2)) * _FACTOR_2
    return x ^ (x >> _SHIFT_3)


@njit(cache=True)
def cell_uniform(i: int, j: int, key: np.uint64) -> float:
    """Uniform number in (0, 1) of cell (i, j)."""
    x = _mix(np.uint64(i) * _FACTOR_1 + key)
    x = _mix(x ^ (np.uint64(j) * _FACTOR_2))
    return (np.float64(x >> _TO_53_BITS) + 0.5) * 2.0**-53


@njit(cache=True)
def cell_normal(i: int, j: int, key: np.uint64) -> float:
    """Standard normal number of cell (i, j), by the method of Box and Muller."""
    radius = math.sqrt(-2.0 * math.log(cell_uniform(i, j, key)))
    return radius * math.cos(2.0 * math.pi * cell_uniform(i, j, ~key))


@njit(cache=True)
def uniform(i: Cells, j: Cells, key: np.uint64) -> Array:
    """One number for each cell."""
    out = np.empty(i.size)
    for n in range(i.size):
        out[n] = cell_uniform(i[n], j[n], key)
    return out


@njit(cache=True)
def normal(i: Cells, j: Cells, key: np.uint64) -> Array:
    """One number for each cell."""
    out = np.empty(i.size)
    for n in range(i.size):
        out[n] = cell_normal(i[n], j[n], key)
    return out


@njit(cache=True)
def smooth_noise(x: Array, y: Array, length: float, key: np.uint64) -> Array:
    """Bilinear interpolation between the corners of each cell, normalised to variance 1."""
    out = np.empty(x.size)
    for n in range(x.size):
        u, v = x[n] / length, y[n] / length
        i, j = math.floor(u), math.floor(v)
        total, square = 0.0, 0.0
        for p in range(2):
            for q in range(2):
                weight = (1.0 - abs(u - i - p)) * (1.0 - abs(v - j - q))
                total += weight * cell_normal(i + p, j + q, key)
                square += weight * weight
        out[n] = total / math.sqrt(square)
    return out


@njit(cache=True)
def nearest_points(
    x: Array, y: Array, pitch: float, key: np.uint64
) -> tuple[Cells, Cells, Array, Array]:
    """The two nearest of the lattice's points, which stay 0.15 of a cell off its edges."""
    size = x.size
    cell_i, cell_j = np.empty(size, np.int64), np.empty(size, np.int64)
    first, second = np.full(size, np.inf), np.full(size, np.inf)
    for n in range(size):
        u, v = x[n] / pitch, y[n] / pitch
        i0, j0 = math.floor(u), math.floor(v)
        for i in range(i0 - 1, i0 + 2):
            for j in range(j0 - 1, j0 + 2):
                du = i + 0.15 + 0.7 * cell_uniform(i, j, key) - u
                dv = j + 0.15 + 0.7 * cell_uniform(i, j, ~key) - v
                distance = pitch * math.sqrt(du * du + dv * dv)
                if distance < first[n]:
                    second[n] = first[n]
                    first[n], cell_i[n], cell_j[n] = distance, i, j
                elif distance < second[n]:
                    second[n] = distance
    return cell_i, cell_j, first, second


@njit(cache=True)
def plane_waves(x: Array, y: Array, waves: Array) -> Array:
    """Sum of cos(kx x + ky y + phase) over the columns of `waves`, shape (3, m)."""
    out = np.zeros(x.size)
    for n in range(x.size):
        for m in range(waves.shape[1]):
            out[n] += math.cos(waves[0, m] * x[n] + waves[1, m] * y[n] + waves[2, m])
    return out

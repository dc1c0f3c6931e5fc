"""Random fields that extend without end: every place has its value, decided by the seed alone.

Nothing is stored: a number is worked out from the integers of a lattice cell by a mixing function
(the finaliser of SplitMix64), so that any place can be visited in any order.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.samples import random_field_kernel as kernel

type Array = NDArray[np.float64]
type Cells = NDArray[np.int64]

ROUGHNESS_LENGTH = 4e-9
"""Distance between independent heights of a rough surface, m."""


@lru_cache(maxsize=256)
def stream_key(seed: int, name: str) -> np.uint64:
    """Return the key of the random numbers called `name` in a world with this seed."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))


def uniform(i: Cells, j: Cells, key: np.uint64) -> Array:
    """Return numbers uniform in (0, 1), one for each cell (i, j), shape (n,)."""
    numbers: Array = kernel.uniform(i, j, key)
    return numbers


def normal(i: Cells, j: Cells, key: np.uint64) -> Array:
    """Return standard normal numbers, one for each cell (i, j), shape (n,)."""
    numbers: Array = kernel.normal(i, j, key)
    return numbers


def smooth_noise(x: Array, y: Array, length: float, key: np.uint64) -> Array:
    """Return a continuous random field of mean 0 and variance 1.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        m.
    length : float
        Distance between independent values, m.
    """
    field: Array = kernel.smooth_noise(x, y, length, key)
    return field


def rough_surface(x: Array, y: Array, rms: float, seed: int) -> Array:
    """Return a flat surface with this rms roughness (m) at positions (m) of any one shape."""
    flat = smooth_noise(np.ravel(x), np.ravel(y), ROUGHNESS_LENGTH, stream_key(seed, "roughness"))
    surface: Array = (rms * flat).reshape(np.shape(x))
    return surface


def nearest_points(
    x: Array, y: Array, pitch: float, key: np.uint64
) -> tuple[Cells, Cells, Array, Array]:
    """Find the two nearest points of a jittered square lattice (one point in every cell).

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        m.
    pitch : float
        Size of a cell, m.

    Returns
    -------
    i, j : ndarray of int, shape (n,)
        Cell of the nearest point: the identity of the Voronoi grain that (x, y) belongs to.
    first, second : ndarray, shape (n,)
        Distances to the nearest and second nearest point, m.
    """
    i, j, first, second = kernel.nearest_points(x, y, pitch, key)
    return i, j, first, second

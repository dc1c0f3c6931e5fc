"""Smooth Gaussian random fields without end, with a given correlation length.

A field is a sum of plane waves, ``f(r) = sqrt(2/N) sum cos(k_i r + phase_i)``, whose wave vectors
are drawn from the spectrum of the wanted correlation, here ``exp(-(r/length)^2)``: mean 0, variance
1, isotropic, the same at every place for the same seed, in whatever order places are visited.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from sim.samples import random_field_kernel as kernel

type Array = NDArray[np.float64]

WAVES = 256
"""Plane waves in a field."""


class GaussianField:
    """One random field.

    Parameters
    ----------
    seed : int
        Of the world.
    name : str
        Fields of different names are independent.
    length : float
        Distance at which the correlation has fallen to 1/e, m.
    """

    def __init__(self, seed: int, name: str, length: float) -> None:
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        rng = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
        # the length of k is Rayleigh distributed; one wave from each of WAVES equal shares of it
        share = (np.arange(WAVES) + rng.random(WAVES)) / WAVES
        size = 2 / length * np.sqrt(-np.log1p(-share))
        direction = 2 * math.pi * rng.random(WAVES)
        phase = 2 * math.pi * rng.random(WAVES)
        self._waves = np.stack([size * np.cos(direction), size * np.sin(direction), phase])

    def __call__(self, x: Array, y: Array) -> Array:
        """Return the field at positions (m) of any one shape."""
        flat = kernel.plane_waves(np.ravel(x), np.ravel(y), self._waves)
        values: Array = (math.sqrt(2 / WAVES) * flat).reshape(np.shape(x))
        return values


def remaining_length(length: float, shared: float, shared_length: float) -> float:
    """Return the correlation length (m) of what a field has besides a shared part.

    Parameters
    ----------
    length : float
        Correlation length of the whole field, m.
    shared : float
        Part of its variance that is in the shared field, 0 to 1.
    shared_length : float
        Correlation length of the shared field, m.

    Raises
    ------
    ValueError
        If no field can be the remainder.
    """
    left = math.exp(-1) - shared * math.exp(-((length / shared_length) ** 2))
    if not 0 < left < 1 - shared:
        raise ValueError(
            f"a field with correlation length {length:g} m cannot share {shared:.0%} of its variance"
            f" with one of {shared_length:g} m; take a weaker cross-correlation or closer lengths"
        )
    return length / math.sqrt(-math.log(left / (1 - shared)))

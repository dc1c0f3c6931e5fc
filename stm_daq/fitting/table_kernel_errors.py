"""Compiled inverses of many small normal matrices."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import entry

type Array = NDArray[np.float64]

LEAST = 1e-12
"""What is added to the diagonal, of which 1 is the scale."""


@entry()
def covariances(matrices: Array, factor: Array, sigma: Array, correlation: Array) -> None:
    """Standard deviations (p, f) and correlations (p, f, f) of normal matrices (p, f, f).

    Covariances are multiplied by `factor` (p,). A parameter that is not determined gets a huge, finite
    deviation. By Cholesky's method, inverse = inverse(L)^T inverse(L).
    """
    count = matrices.shape[1]
    unit, low = np.empty(count), np.zeros((count, count))
    for p in range(len(matrices)):
        for i in range(count):
            unit[i] = math.sqrt(max(matrices[p, i, i], 1e-300))
        for i in range(count):
            for k in range(i + 1):
                total = matrices[p, i, k] / (unit[i] * unit[k])
                for m in range(k):
                    total -= low[i, m] * low[k, m]
                low[i, k] = total / low[k, k] if k < i else math.sqrt(max(total + LEAST, LEAST))
        for i in range(count):  # inverse of the triangle, in its place
            low[i, i] = 1.0 / low[i, i]
            for k in range(i):
                total = 0.0
                for m in range(k, i):
                    total -= low[i, m] * low[m, k]
                low[i, k] = total * low[i, i]
        for i in range(count):
            for k in range(i + 1):
                total = 0.0
                for m in range(i, count):
                    total += low[m, i] * low[m, k]
                correlation[p, i, k] = total
            sigma[p, i] = math.sqrt(correlation[p, i, i])
        for i in range(count):
            for k in range(i + 1):
                correlation[p, i, k] /= sigma[p, i] * sigma[p, k]
                correlation[p, k, i] = correlation[p, i, k]
        for i in range(count):
            sigma[p, i] *= math.sqrt(factor[p]) / unit[i]

"""Signs in the residuals that a model misses something even in the bias, as most physics is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

BLOCKS = 32
"""Blocks of |bias - offset| in which residuals of both polarities are summed."""

LEAST = 6
"""Points of a block, on average."""


def even_deviation(
    bias: Array, normal: Array, counts: NDArray[np.int64], centre: Array, largest: float
) -> tuple[Array, Array]:
    """Normal deviate, and power over that of noise, of sums over blocks of |bias - centre|.

    Whatever a wrong model misses at both polarities adds up in these sums, noise does not. How
    alike neighbours are, as a lock-in's filter makes them, is taken from the outer half of the
    range: near the gap a misfit a few points wide would look like that.

    Parameters
    ----------
    bias : ndarray, shape (p, n)
        Ascending; points whose bias is NaN do not count.
    normal : ndarray, shape (p, n)
        Residuals over standard deviations; the first counts[p] are used.
    centre : ndarray, shape (p,)
        Bias offsets, V.
    largest : float
        Largest |bias|, V.
    """
    from stm_daq.fitting import kernel_even

    out = np.empty((len(normal), kernel_even.COLUMNS))
    kernel_even.fold(bias, normal, counts, centre, largest, BLOCKS, LEAST, out)
    power, blocks, near, far = out.T
    alike = np.clip(1.0 - near / np.where(far > 0.0, far, np.inf), 0.0, 0.9)
    power = power / blocks * (1.0 - alike) / (1.0 + alike)
    return deviate(power, blocks), power


def deviate(power: Array, degrees: Array) -> Array:
    """Normal deviate of chi-square over its degrees of freedom.

    E. B. Wilson, M. M. Hilferty, PNAS 17, 684 (1931).
    """
    width = 2.0 / (9.0 * degrees)
    return np.asarray((np.cbrt(power) - (1.0 - width)) / np.sqrt(width))

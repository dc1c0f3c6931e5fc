"""The lock-in's low-pass filter, taken out of a spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


def forget(conductance: Array, memory: Array) -> Array:
    """Undo the memory of the lock-in's low-pass filter.

    When a point of a staircase is sampled the filter has not quite forgotten the points before:
    y[n] = sum_k memory[k] g[n - k]. Solved for g from the first point on, which was measured after a
    long wait at the same bias. This takes the lag out of the spectrum, and with it most of the
    correlation of the noise of neighbouring points, which has passed through the same filter.

    Parameters
    ----------
    conductance : array, shape (n,)
        In the order in which it was measured. NaN points stay NaN and are bridged.
    memory : array, shape (m,)
        Weights of the present and earlier points; their sum is 1. ``[1]``: no memory.

    Returns
    -------
    array, shape (n,)
    """
    from scipy.linalg import solve_banded

    known = np.isfinite(conductance)
    if len(memory) == 1 or not known.any():
        return conductance
    points = np.arange(len(conductance))
    bridged = np.interp(points, points[known], conductance[known])
    bands = np.repeat(memory[:, None], len(points), axis=1)
    settled = solve_banded((len(memory) - 1, 0), bands, bridged - bridged[0])
    return np.where(known, bridged[0] + settled, np.nan)


def remember(conductance: Array, memory: Array) -> Array:
    """Lag a spectrum as the lock-in does; undoes :func:`forget`."""
    change = np.convolve(conductance - conductance[0], memory)
    return np.asarray(conductance[0] + change[: len(conductance)])

"""Refuse input that cannot be meant, with a word on what to give instead."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Array = NDArray[np.float64]

HIGHEST_BIAS = 1.0
"""V. No gap needs more: larger values mean that the bias is not in V."""


def check_conductance(conductance: ArrayLike, shape: tuple[int, ...]) -> Array:
    """The conductance as a real vector of the bias's shape."""
    if np.iscomplexobj(conductance):
        raise ValueError("conductance is complex: give the in-phase channel only")
    values = np.asarray(conductance, dtype=np.float64)
    if values.shape != shape:
        raise ValueError(
            f"conductance has shape {values.shape} but bias {shape}: give one value for every bias"
        )
    return values


def check_bias(bias: Array, modulation: float) -> None:
    """Bias a vector in V, modulation a peak in V."""
    if bias.ndim != 1:
        raise ValueError(f"bias has shape {bias.shape}: give a vector in V")
    finite = bias[np.isfinite(bias)]
    if len(np.unique(finite)) < 2:
        raise ValueError("bias has fewer than two different values")
    if np.max(np.abs(finite)) > HIGHEST_BIAS:
        raise ValueError(
            f"bias reaches {np.max(np.abs(finite)):.3g}, more than {HIGHEST_BIAS:g} V: too wide to "
            "show a superconducting gap, or not in V but in mV"
        )
    if not 0.0 <= modulation <= np.ptp(finite):
        raise ValueError(
            f"modulation of {modulation:.3g} V does not suit the bias range: give its peak in V"
        )


def noise_in_order(
    noise: ArrayLike | None, shape: tuple[int, ...], order: NDArray[np.int64]
) -> Array | None:
    """Standard deviation of every point in the order of the bias; None if not given."""
    if noise is None:
        return None
    deviation = np.asarray(noise, dtype=np.float64)
    if deviation.shape not in ((), shape):
        raise ValueError(f"noise has shape {deviation.shape}: give a number or shape {shape}")
    if not np.all(deviation > 0):
        raise ValueError("noise must be positive: give the standard deviation of the conductance")
    return np.broadcast_to(deviation, shape)[order]

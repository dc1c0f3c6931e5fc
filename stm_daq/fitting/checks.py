"""Refuse input that cannot be meant, with a word on what to give instead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.fitting.models import Choice

type Array = NDArray[np.float64]

HIGHEST_BIAS = 1.0
"""V. No gap needs more: larger values mean that the bias is not in V."""


def check_stack(conductance: ArrayLike) -> Array:
    """The conductance as real numbers with at least one axis."""
    if np.iscomplexobj(conductance):
        raise ValueError("conductance is complex: give the in-phase channel only")
    values = np.asarray(conductance, dtype=np.float64)
    if values.ndim == 0:
        raise ValueError("conductance is a single number: give one value for every bias")
    return values


def check_bias(bias: ArrayLike, shape: tuple[int, ...], modulation: float) -> Array:
    """The bias in V, a vector or of the conductance's `shape`; modulation a peak in V."""
    volts = np.asarray(bias, dtype=np.float64)
    if volts.shape not in (shape[-1:], shape):
        raise ValueError(
            f"conductance has shape {shape} but bias {volts.shape}: give one value for every bias"
        )
    finite = volts[np.isfinite(volts)]
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
    return volts


def check_noise(noise: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    """Standard deviation of every point as rows (p, n); None if not given."""
    if noise is None:
        return None
    deviation = np.asarray(noise, dtype=np.float64)
    if deviation.shape not in ((), shape[-1:], shape):
        raise ValueError(
            f"noise has shape {deviation.shape}: give a number or shape {shape[-1:]} or {shape}"
        )
    if np.any(deviation <= 0):
        raise ValueError("noise must be positive: give the standard deviation of the conductance")
    return np.broadcast_to(deviation, shape).reshape(-1, shape[-1])


def check_fixed(choice: Choice, leading: tuple[int, ...]) -> Choice:
    """The choice with fixed values as numbers, or vectors over the flattened stack."""
    flat = {}
    for name, value in choice.fixed.items():
        if value.ndim and value.shape != leading:
            raise ValueError(
                f"fixed {name} has shape {value.shape}: give a number or one for each of {leading}"
            )
        flat[name] = value.reshape(-1) if value.ndim else value
    return replace(choice, fixed=flat)

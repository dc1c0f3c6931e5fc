"""Refuse input that cannot be meant, with a word on what to give instead."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.fitting.models import Choice, family
from stm_daq.physics.btk import K_B

type Array = NDArray[np.float64]

HIGHEST_BIAS = 1.0
"""V. No gap needs more: larger values mean that the bias is not in V."""


def check_stack(conductance: ArrayLike) -> Array:
    """The conductance as real numbers with at least one axis."""
    values = _real(conductance, "conductance", "give the in-phase channel only")
    if values.ndim == 0:
        raise ValueError("conductance is a single number: give one value for every bias")
    return values


def _real(values: ArrayLike, name: str, advice: str) -> Array:
    """Numbers as double precision; masked ones are NaN."""
    wrong = f"{name} is not an array of numbers of one shape"
    try:
        is_complex = np.iscomplexobj(values)
    except ValueError:  # rows of different lengths
        raise ValueError(wrong) from None
    if is_complex:
        raise ValueError(f"{name} is complex: {advice}")
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(wrong) from None


def check_bias(
    bias: ArrayLike, shape: tuple[int, ...], modulation: float, voltage_noise: float = 0.0
) -> Array:
    """The bias in V, a vector or of the conductance's `shape`, that the smearing (V) suits."""
    volts = _real(bias, "bias", "give real numbers in V")
    if volts.shape not in (shape[-1:], shape):
        raise ValueError(
            f"conductance has shape {shape} but bias {volts.shape}: give one value for every bias"
        )
    finite = volts[np.isfinite(volts)]
    if volts.size and len(np.unique(finite)) < 2:
        raise ValueError("bias has fewer than two different values")
    if not volts.size:
        if volts.shape[-1] == 0:
            raise ValueError("bias has no values: give at least some ten")
        raise ValueError("the stack is empty, and so is its bias: give bias as a vector")
    if np.max(np.abs(finite)) > HIGHEST_BIAS:
        raise ValueError(
            f"bias reaches {np.max(np.abs(finite)):.3g}, more than {HIGHEST_BIAS:g} V: too wide to "
            "show a superconducting gap, or not in V but in mV"
        )
    for name, value, what in (("modulation", modulation, "peak"), ("noise", voltage_noise, "rms")):
        if value > np.ptp(finite):
            raise ValueError(
                f"{name} of {value:.3g} V does not suit the bias range: give its {what} in V"
            )
    return volts


def check_smearing(modulation: float, voltage_noise: float) -> None:
    """Modulation and noise of the bias: numbers that are not negative."""
    for name, value in (("modulation", modulation), ("voltage_noise", voltage_noise)):
        if np.ndim(value) or not (np.isreal(value) and 0.0 <= value < HIGHEST_BIAS):
            what = "peak in V" if name == "modulation" else "rms in V"
            raise ValueError(f"{name} of {value}: give one number, its {what}")


def check_memory(memory: ArrayLike) -> None:
    """Weights of a filter: a vector, the present point the heaviest, their sum 1."""
    weights = np.asarray(memory, dtype=np.float64)
    sound = weights.ndim == 1 and len(weights) > 0 and np.all(np.isfinite(weights))
    if not sound or weights[0] <= 0.0 or not math.isclose(weights.sum(), 1.0, abs_tol=1e-3):
        raise ValueError(
            f"memory of {weights}: give a vector of weights, that of the present point first and "
            "positive, whose sum is 1"
        )


def check_noise(
    noise: ArrayLike | None, shape: tuple[int, ...], name: str = "noise"
) -> Array | None:
    """Standard deviation of every point as rows (p, n); None if not given."""
    if noise is None:
        return None
    deviation = _real(noise, name, "give a standard deviation")
    if deviation.shape not in ((), shape[-1:], shape):
        raise ValueError(
            f"{name} has shape {deviation.shape}: give a number or shape {shape[-1:]} or {shape}"
        )
    if np.any(deviation <= 0):
        raise ValueError(f"{name} must be positive: give the standard deviation of every point")
    if deviation.size and not np.any(np.isfinite(deviation)):
        raise ValueError(f"{name} has no finite value: leave it out to have it estimated")
    return np.broadcast_to(deviation, shape).reshape(-1, shape[-1])


def check_current(current: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    """The current as rows (p, n); None if not given."""
    if current is None:
        return None
    values = _real(current, "current", "give the dc current")
    if values.shape != shape:
        raise ValueError(
            f"current has shape {values.shape} but conductance {shape}: give one for every point"
        )
    return values.reshape(-1, shape[-1])


def check_fixed(choice: Choice, leading: tuple[int, ...], bias: Array) -> Choice:
    """The choice with fixed values as numbers, or vectors over the flattened stack.

    Values that no spectrum at these biases (V, any shape) could show are refused.
    """
    finite = np.abs(bias[np.isfinite(bias)])
    largest = float(finite.max()) if finite.size else HIGHEST_BIAS
    flat = {}
    for name, value in choice.fixed.items():
        if value.ndim and value.shape != leading:
            raise ValueError(
                f"fixed {name} has shape {value.shape}: give a number or one for each of {leading}"
            )
        _check_range(name, value, largest)
        flat[name] = value.reshape(-1) if value.ndim else value
    return replace(choice, fixed=flat)


def _check_range(name: str, value: Array, largest: float) -> None:
    ranges = {
        "gap": (0.0, largest, "eV, not beyond the bias range"),
        "temperature": (0.0, largest / K_B, "K, with kT inside the bias range"),
        "broadening": (0.0, largest, "eV, not beyond the bias range"),
        "weight": (0.0, 1.0, "a share between 0 and 1"),
        "exponent": (0.0, 2.0, "between 0 and 2"),
        "offset": (-largest, largest, "V, not beyond the bias range"),
        "slope": (-1.0 / largest, 1.0 / largest, "1/V, so small that the background is positive"),
    }
    if family(name) in ranges:
        low, high, what = ranges[family(name)]
        wrong = value[(value < low) | (value > high)]
        if wrong.size:
            raise ValueError(f"fixed {name} of {wrong[0]:.3g}: give {what}")

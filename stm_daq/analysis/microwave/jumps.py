"""Jumps, glitches and noise of one recorded branch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stm_daq.records import Array

ABOVE_NOISE = 6.0
"""A jump stands out of the noise of a difference by this factor."""
SHARE = 0.28
"""... and is this part of the range of the signal,"""
STEEPER = 4.0
"""... and so much steeper than the branch around it."""
AROUND = 4
"""Steps on either side that tell how steep a branch is."""


@dataclass(frozen=True, slots=True)
class Jump:
    """A jump between two neighbouring points (three, if one was taken while it happened)."""

    first: int
    """Number of the last point before it."""
    last: int
    """Number of the first point after it."""
    height: float


def noise_of(signals: list[Array]) -> float:
    """Return the rms noise of one reading, from second differences (median: jumps do not count)."""
    second = np.concatenate([np.diff(signal, 2) for signal in signals])
    spread = 1.4826 * float(np.median(np.abs(second - np.median(second))))
    return spread / math.sqrt(6.0)


def despiked(signal: Array, noise: float, extent: float) -> tuple[Array, list[int]]:
    """Return a branch without single readings that stand apart, and their numbers.

    A reading is one if it differs from both neighbours by more than eight times the noise and a
    twelfth of the range `extent` on the same side, while the neighbours agree with one another.
    """
    clean, spikes = signal.copy(), []
    limit = max(8.0 * noise, extent / 12)
    for k in range(1, len(signal) - 1):
        before, here, after = clean[k - 1], signal[k], signal[k + 1]
        apart = min(abs(here - before), abs(here - after))
        same_side = (here - before) * (here - after) > 0
        if same_side and apart > limit and abs(after - before) < 0.4 * apart:
            clean[k] = (before + after) / 2
            spikes.append(k)
    return clean, spikes


def jumps_of(signal: Array, noise: float, extent: float, power: Array | None = None) -> list[Jump]:
    """Return the jumps of a branch, in order.

    Parameters
    ----------
    signal : array of shape (n,)
        Without spikes.
    noise : float
        rms of one reading.
    extent : float
        Range of the signal over all branches.
    power : array of shape (n,), optional
        Where the points are unevenly spaced, steepness is judged per dB.
    """
    rises = np.diff(signal)
    spacing = np.ones(len(rises)) if power is None else np.abs(np.diff(power))
    slopes = rises / spacing
    height = max(ABOVE_NOISE * np.sqrt(2.0) * noise, SHARE * extent)
    found: list[Jump] = []
    k = 0
    while k < len(rises):
        reach = _reach(rises, k)
        total = float(rises[k : k + reach].sum())
        if abs(total) > height and _is_steep(slopes, k, reach, total, spacing):
            found.append(Jump(k, k + reach, total))
            k += reach
        else:
            k += 1
    return found


def _reach(rises: Array, k: int) -> int:
    """Return 2 if the jump goes on in the next step with the same sign, else 1."""
    if k + 1 < len(rises) and rises[k] * rises[k + 1] > 0:
        larger, smaller = max(abs(rises[k : k + 2])), min(abs(rises[k : k + 2]))
        if smaller > 0.35 * larger:
            return 2
    return 1


def _is_steep(slopes: Array, k: int, reach: int, total: float, spacing: Array) -> bool:
    """Whether the branch is much flatter on both sides of the steps k to k + reach."""
    mean = abs(total) / float(spacing[k : k + reach].sum())
    before = np.abs(slopes[max(k - AROUND, 0) : k])
    after = np.abs(slopes[k + reach : k + reach + AROUND])
    around = [float(np.median(part)) for part in (before, after) if len(part)]
    nearest = [float(part) for part in (*before[-1:], *after[:1])]
    return all(mean > STEEPER * value for value in around) and all(
        mean > 1.5 * value for value in nearest
    )


def switch_interval(signal: Array) -> int | None:
    """Return the number of the point before the largest jump of a branch; None without one.

    Quick and on one branch alone: it decides where a running sweep puts its fine steps.
    """
    if len(signal) < 5 or not np.all(np.isfinite(signal)):
        return None
    extent, noise = float(np.ptp(signal)), noise_of([signal])
    jumps = jumps_of(signal, noise, extent)
    if not jumps:
        return None
    largest = max(jumps, key=lambda jump: abs(jump.height))
    steps = np.abs(np.diff(signal[largest.first : largest.last + 1]))
    return largest.first + int(np.argmax(steps))

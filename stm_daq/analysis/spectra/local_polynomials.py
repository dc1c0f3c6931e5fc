"""Smoothing and differentiation by polynomials through a few neighbouring points, as linear operators.

At every point a polynomial is fitted by least squares to the points next to it; its value and
derivatives there are weighted sums of the data (for even spacing the filters of A. Savitzky, M. J. E.
Golay, Anal. Chem. 36, 1627 (1964); here the spacing may be anything). Being linear, they carry noise
and a model's systematic error exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array

type Whole = NDArray[np.int64]

ENOUGH_ROWS = 30
"""From so many rows on the noise of every point is known by itself."""
POOLED = 10
"""Otherwise the noise is taken from so many points on each side."""
FAR = 4.0
"""Single values further away than so many standard deviations are not noise."""
NORMAL = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""
SAMPLED = 1000
"""About so many rows show the noise, and what error a window makes."""
WIDEST = 12
"""Most points on each side of a window that is chosen."""


def operator(positions: Array, half_widths: Whole | int, order: int, derivative: int) -> Array:
    """Return the matrix that turns data into a derivative of the local polynomial.

    Parameters
    ----------
    positions : ndarray, shape (n,)
        Strictly ascending.
    half_widths : ndarray of int, shape (n,), or int
        Points taken on each side; where the data end, as many are taken in all, from one side.
    order : int
        Of the polynomial; a window must hold more points than that.
    derivative : int
        0: the smoothed value, 1: the slope, ...

    Returns
    -------
    ndarray, shape (n, n)
        ``operator @ data`` has the unit of the data over that of the positions to this power.

    Raises
    ------
    ValueError
        If a window holds no more points than the order.
    """
    count = len(positions)
    halves = np.broadcast_to(half_widths, count)
    if 2 * int(halves.min()) + 1 <= order or 2 * int(halves.max()) + 1 > count:
        raise ValueError(f"windows need {order + 1} to {count} points")
    matrix = np.zeros((count, count))
    for half in np.unique(halves):
        centres = np.flatnonzero(halves == half)
        first = np.clip(centres - half, 0, count - 2 * half - 1)
        windows = first[:, np.newaxis] + np.arange(2 * half + 1)
        distance = positions[windows] - positions[centres, np.newaxis]
        scale = np.abs(distance).max(axis=1, keepdims=True)
        powers = (distance / scale)[..., np.newaxis] ** np.arange(order + 1)
        weights = np.linalg.pinv(powers)[:, derivative] / scale**derivative
        matrix[centres[:, np.newaxis], windows] = weights * math.factorial(derivative)
    return matrix


def white_noise(data: Array, positions: Array, half_width: int = 2, order: int = 3) -> Array:
    """Return the standard deviation of the white noise at every point.

    It is taken from what local polynomials through few points leave over. What all rows have in
    common there is the shape of the curve, not noise; with few rows the noise is instead taken to
    change slowly from point to point.

    Parameters
    ----------
    data : ndarray, shape (m, n)
        Without NaN.
    positions : ndarray, shape (n,)
    half_width, order : int
        Of the local polynomials.

    Returns
    -------
    ndarray, shape (n,)
        Unit of the data. Robust: single points that stand apart do not count.
    """
    rest = np.eye(len(positions)) - operator(positions, half_width, order, 0)
    left = _some(data) @ rest.T
    enough = len(left) >= ENOUGH_ROWS
    if enough:
        left = left - np.median(left, axis=0)
    deviation = left / np.linalg.norm(rest, axis=1)
    if enough:
        return _robust_rms(deviation)
    padded = np.pad(deviation, ((0, 0), (POOLED, POOLED)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * POOLED + 1, axis=1)
    return _robust_rms(np.moveaxis(around, 2, 1).reshape(-1, len(positions)))


def _some(data: Array) -> Array:
    """Return rows from all over the data, so many as tell enough."""
    return data[:: max(len(data) // SAMPLED, 1)]


def _robust_rms(values: Array) -> Array:
    """Return the rms of every column without what stands apart, which a digitiser's steps may not."""
    size = np.abs(values)
    typical = np.maximum(NORMAL * np.median(size, axis=0), size.mean(axis=0))
    within = size <= FAR * typical
    counts = np.maximum(within.sum(axis=0), 1)
    return np.asarray(np.sqrt((np.where(within, values, 0.0) ** 2).sum(axis=0) / counts))


def best_half_widths(data: Array, positions: Array, noise: Array, order: int = 3) -> Whole:
    """Choose for every point the window whose slope has the least mean squared error.

    The error of a window is the noise that it lets through, and its systematic error, see
    :func:`systematic_error`.

    Parameters
    ----------
    data : ndarray, shape (m, n)
        Curves of about the same shape, without NaN.
    positions : ndarray, shape (n,)
    noise : ndarray, shape (n,)
        Standard deviation of the data of one row.
    order : int

    Returns
    -------
    ndarray of int, shape (n,)
    """
    widest = min(WIDEST, (len(positions) - 1) // 4)
    candidates = np.arange(order // 2 + 1, widest + 1, dtype=np.int64)
    errors = []
    for half in candidates.tolist():
        passed = ((operator(positions, half, order, 1) * noise) ** 2).sum(axis=1)
        halves = np.full(len(positions), half)
        errors.append(passed + systematic_error(data, positions, noise, halves, order) ** 2)
    return _without_outliers(candidates[np.argmin(errors, axis=0)])


def systematic_error(
    data: Array, positions: Array, noise: Array, half_widths: Whole, order: int = 3
) -> Array:
    """Return the error that windows make in the slope of curves, rms over the rows.

    It is how far their slope is from that of polynomials two orders higher through as many points,
    less what noise contributes to that difference; zero where it is lost in the noise.

    Parameters are those of :func:`best_half_widths`.

    Returns
    -------
    ndarray, shape (n,)
    """
    higher = np.maximum(half_widths, order // 2 + 2)
    difference = operator(positions, half_widths, order, 1) - operator(
        positions, higher, order + 2, 1
    )
    seen = ((_some(data) @ difference.T) ** 2).mean(axis=0)
    doubt = ((difference * noise) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(seen - doubt, 0.0)))


def _without_outliers(half_widths: Whole) -> Whole:
    """Replace each by the smallest of the middle three around it: chance may make one too wide."""
    padded = np.pad(half_widths, 2, mode="edge")
    around = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return np.asarray(np.minimum(around[:, 2], half_widths))

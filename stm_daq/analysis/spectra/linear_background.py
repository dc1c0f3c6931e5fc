"""A straight line through the conductance outside the gap, and what it does to the errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import CannotTellError

type Array = NDArray[np.float64]

EACH_SIDE = 3
"""So many points on each side of zero bias are needed at least."""


@dataclass(frozen=True, slots=True)
class LinearBackground:
    """b(V) = level (1 + slope V), fitted where |V| is in the window."""

    level: float
    """At zero bias, S."""
    level_std: float
    slope: float
    """Relative, 1/V."""
    slope_std: float
    covariance: Array
    """Of level and level x slope, shape (2, 2)."""
    window: tuple[float, float]
    """From and to which |bias| it was fitted, V."""
    points: int
    """In the window."""
    reduced_chi_square: float
    """Of the points in the window; NaN if their standard deviations were not given."""

    def at(self, bias: Array) -> Array:
        """Return the background at these biases, S."""
        return np.asarray(self.level * (1.0 + self.slope * bias))

    def std_at(self, bias: Array) -> Array:
        """Return the standard deviation of the background at these biases, S."""
        ((a, c), (_, b)) = self.covariance
        return np.asarray(np.sqrt(a + 2.0 * c * bias + b * bias**2))


def fit_background(
    bias: Array, conductance: Array, window: tuple[float, float], std: Array | None = None
) -> LinearBackground:
    """Fit a straight line to a spectrum outside the gap.

    Parameters
    ----------
    bias, conductance : ndarray, shape (n,)
        V, S. NaN points are left out.
    window : (float, float)
        From and to which |bias|, V.
    std : ndarray, shape (n,), optional
        Standard deviations, S. Without them all points in the window count alike, and their scatter
        about the line is their error.

    Raises
    ------
    CannotTellError
        If a side of the window holds fewer than `EACH_SIDE` points, or the line is not positive over
        the whole sweep.
    """
    inside, weight = _chosen(bias, conductance, window, std)
    x, y = bias[inside], conductance[inside]
    matrix = np.stack([np.ones_like(x), x], axis=1)
    covariance = np.linalg.inv(matrix.T @ (weight[:, None] * matrix))
    level, tilt = covariance @ (matrix.T @ (weight * y))
    chi = float(weight @ (y - matrix @ (level, tilt)) ** 2) / (len(x) - 2)
    if std is None:
        covariance = covariance * chi
    if not level > np.max(np.abs(tilt * bias)):
        raise CannotTellError(
            "the line through the conductance outside the gap falls to zero within the sweep: this is "
            "no background to divide by"
        )
    slope = tilt / level
    by_slope = np.array([-slope, 1.0]) / level
    return LinearBackground(
        level=float(level),
        level_std=float(np.sqrt(covariance[0, 0])),
        slope=float(slope),
        slope_std=float(np.sqrt(by_slope @ covariance @ by_slope)),
        covariance=covariance,
        window=window,
        points=len(x),
        reduced_chi_square=float("nan") if std is None else chi,
    )


def divided(
    bias: Array, conductance: Array, std: Array, background: LinearBackground
) -> tuple[Array, Array]:
    """Divide a spectrum by the background that was fitted to it with `std`.

    The points in the window have made the background, so that their errors are not independent of it:
    with y = g/b, b = H g and the linear map H of the fit, dy_i = (dg_i - y_i sum_k H_ik dg_k)/b_i.

    Returns
    -------
    normalised, std : ndarray, shape (n,)
    """
    inside, weight = _chosen(bias, conductance, background.window, std)
    straight = background.at(bias)
    normalised = conductance / straight
    terms = np.stack([np.ones_like(bias), bias], axis=1)
    maps = np.zeros((len(bias), len(bias)))
    maps[:, inside] = terms @ background.covariance @ (terms[inside].T * weight)
    spread = np.where(np.isfinite(std), std, 0.0)
    changes = (np.eye(len(bias)) - normalised[:, None] * maps) * spread / straight[:, None]
    return normalised, np.asarray(np.sqrt(np.sum(changes**2, axis=1)))


def _chosen(
    bias: Array, conductance: Array, window: tuple[float, float], std: Array | None
) -> tuple[NDArray[np.bool_], Array]:
    """Return which points are in the window, shape (n,), and the weights of these."""
    first, last = window
    size = np.abs(bias)
    inside = (size >= first * (1 - 1e-9)) & (size <= last * (1 + 1e-9)) & np.isfinite(conductance)
    if std is not None:
        inside &= np.isfinite(std) & (std > 0.0)
    for side, points in (("negative", inside & (bias < 0)), ("positive", inside & (bias > 0))):
        if np.count_nonzero(points) < EACH_SIDE:
            raise CannotTellError(
                f"{np.count_nonzero(points)} points of {side} bias between {first * 1e3:.3g} and "
                f"{last * 1e3:.3g} mV: a background needs at least {EACH_SIDE} on each side; sweep "
                "further, or choose another window"
            )
    weight = np.ones(int(inside.sum())) if std is None else std[inside] ** -2
    return inside, weight

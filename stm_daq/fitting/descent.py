"""Search for the minimum of chi-square in Python: a current with the conductance, any model.

`kernel_search` does the same for conductances of compiled models, many spectra a call. Here a
spectrum consists of parts, which share the parameters. With g and i the model's normalised
conductance and current, and V' = V - offset,

    G(V) = scale g(V') [1 + slope V']
    I(V) = scale integral_0^V' g(u) [1 + slope u] du + current_offset
         = scale [i(V') (1 + slope V') - slope integral_0^V' i(u) du] + current_offset

where i is the direct current, which the lock-in's modulation smears otherwise than the conductance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.models import Choice

type Array = NDArray[np.float64]

MOST_STEPS = 60


@dataclass(frozen=True)
class Part:
    """Points of one kind, ascending in bias; shapes (n,)."""

    bias: Array
    values: Array
    weight: Array
    """Inverse variances."""
    is_current: bool = False


@dataclass(frozen=True)
class Minimum:
    """Where a search has ended; f free parameters."""

    theta: Array
    chi_square: float
    matrix: Array
    """J^T W J, (f, f)."""
    vector: Array
    """J^T W residual, (f,)."""
    residuals: tuple[Array, ...]
    """Of each part."""
    converged: bool


class Descent:
    """Bounded Levenberg-Marquardt search.

    Parameters
    ----------
    choice : Choice
    lower, upper : ndarray, shape (f,)
        Bounds of the free search coordinates.
    smearing : (float, float)
        Peak of the lock-in modulation and rms of the noise of the bias, V.
    robust : (int, float)
        Number of the loss and its knee, see `kernel_search.rho`.
    """

    def __init__(
        self,
        choice: Choice,
        lower: Array,
        upper: Array,
        smearing: tuple[float, float],
        robust: tuple[int, float],
    ) -> None:
        self._shape, self._free = choice.model.shape, choice.index
        self._lower, self._upper = lower, upper
        self._smearing, self._robust = smearing, robust

    def search(self, parts: tuple[Part, ...], theta: Array, tolerance: float) -> Minimum:
        """Descend until the next step would lower chi-square by less than `tolerance`.

        The tolerance is relative to the reduced chi-square where that exceeds 1. `theta` holds all
        search coordinates, fixed ones too.
        """
        free, here = self._free, theta.copy()
        here[free] = np.clip(here[free], self._lower, self._upper)
        size = sum(len(part.bias) for part in parts) - len(free)
        chi_square, matrix, vector, residuals = self._linearise(parts, here)
        damping, enough = 1e-3, np.inf
        for _ in range(MOST_STEPS):
            low, high = self._lower - here[free], self._upper - here[free]
            step = bounded_step(matrix, vector, damping, low, high)
            predicted = float(step @ (2.0 * vector - matrix @ step))
            enough = tolerance * max(1.0, chi_square / size)
            if predicted < enough or damping > 1e8:
                break
            there = here.copy()
            there[free] = np.clip(here[free] + step, self._lower, self._upper)
            trial = self._linearise(parts, there)
            gained = (chi_square - trial[0]) / predicted
            if gained > 0.0:
                here = there
                chi_square, matrix, vector, residuals = trial
            damping = _next(damping, gained)
        converged = predicted < enough and damping < 1.0
        return Minimum(here, chi_square, matrix, vector, residuals, converged)

    def curve(self, bias: Array, theta: Array, is_current: bool) -> tuple[Array, Array]:
        """Fitted curve (n,) at ascending biases, and its derivatives by the free coordinates (f, n)."""
        size = len(self._shape.names)
        scale, offset, slope, current_offset = theta[size:].tolist()
        shifted = np.ascontiguousarray(bias - offset)
        out = np.empty((size + 2, len(bias)))
        evaluate = self._shape.evaluate_current if is_current else self._shape.evaluate
        evaluate(shifted, theta[:size].copy(), *self._smearing, out)
        by_slope = out[:-1] * shifted
        if is_current:
            by_slope -= _integral(shifted, out[:-1])
        tilted = out[:-1] + slope * by_slope
        by_bias = out[-1] * (1.0 + slope * shifted)
        if not is_current:
            by_bias += out[0] * slope
        rows = np.empty((size + 4, len(bias)))
        rows[:size] = scale * tilted[1:]
        rows[size] = tilted[0]
        rows[size + 1] = -scale * by_bias
        rows[size + 2] = scale * by_slope[0]
        rows[size + 3] = 1.0 if is_current else 0.0
        return scale * tilted[0] + is_current * current_offset, rows[self._free]

    def _linearise(
        self, parts: tuple[Part, ...], theta: Array
    ) -> tuple[float, Array, Array, tuple[Array, ...]]:
        """Chi-square, normal equations and residuals."""
        count = len(self._free)
        matrix, vector, chi_square = np.zeros((count, count)), np.zeros(count), 0.0
        residuals = []
        for part in parts:
            curve, rows = self.curve(part.bias, theta, part.is_current)
            residual = part.values - curve
            cost, share = self._loss(part.weight * np.square(residual))
            weighted = rows * (part.weight * share)
            chi_square += float(cost.sum())
            matrix += weighted @ rows.T
            vector += weighted @ residual
            residuals.append(residual)
        return chi_square, matrix, vector, tuple(residuals)

    def _loss(self, squares: Array) -> tuple[Array, Array]:
        """rho(z^2) and rho'(z^2)."""
        if self._robust[0] == 0:
            return squares, np.ones_like(squares)
        from stm_daq.fitting import kernel_search

        pairs = [kernel_search.rho(square, *self._robust) for square in squares.tolist()]
        cost, share = np.array(pairs).T
        return cost, share


def bounded_step(matrix: Array, vector: Array, damping: float, low: Array, high: Array) -> Array:
    """Damped solution of matrix step = vector between `low` and `high`.

    What would go beyond a bound goes to it; the others are solved again with it there.
    """
    unit = np.sqrt(np.diagonal(matrix)) + 1e-150
    scaled = matrix / unit[:, None] / unit + damping * np.eye(len(unit))
    low, high = low * unit, high * unit
    step, free = np.zeros(len(unit)), np.ones(len(unit), dtype=np.bool_)
    for _ in range(len(unit)):
        right = (vector / unit - scaled @ np.where(free, 0.0, step))[free]
        step[free] = np.linalg.solve(scaled[np.ix_(free, free)] + 1e-14 * np.eye(len(right)), right)
        beyond = free & ((step < low) | (step > high))
        step = np.clip(step, low, high)
        free &= ~beyond
        if not beyond.any() or not free.any():
            break
    return np.asarray(step / unit)


def _next(damping: float, gained: float) -> float:
    """Damping of the next step from the share of the predicted decrease that has come true."""
    if gained > 0.75:
        return damping * 0.1
    return damping if gained >= 0.25 else max(damping * 8.0, 1e-4)


def _integral(x: Array, rows: Array) -> Array:
    """Integrals from 0 to `x` (ascending, (n,)) of rows (k, n) that vanish at 0; trapezoids."""
    zero = int(np.searchsorted(x, 0.0))
    points = np.insert(x, zero, 0.0)
    heights = np.insert(rows, zero, 0.0, axis=1)
    steps = 0.5 * np.diff(points) * (heights[:, 1:] + heights[:, :-1])
    total = np.insert(np.cumsum(steps, axis=1), 0, 0.0, axis=1)
    return np.asarray(np.delete(total - total[:, zero : zero + 1], zero, axis=1))

"""Bounded Levenberg-Marquardt search for the minimum of chi-square."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.btk import K_B

type Array = NDArray[np.float64]

MOST_STEPS = 60


class Search:
    """The least-squares problem of one spectrum, and where its search stands.

    Parameters
    ----------
    bias, values : ndarray, shape (n,)
        V, and conductance in any unit.
    modulation : float
        Peak lock-in modulation, V.
    free : ndarray of int
        Positions of the free parameters in `stm_daq.fitting.models.NAMES`.
    lower, upper : ndarray, shape (7,)
        Bounds of the search coordinates.
    """

    def __init__(
        self,
        bias: Array,
        values: Array,
        modulation: float,
        free: NDArray[np.int64],
        lower: Array,
        upper: Array,
    ) -> None:
        self.bias = bias
        self.values = values
        self._modulation = modulation
        self.free = free
        self.lower = lower[free]
        self.upper = upper[free]
        self.theta = np.zeros(len(lower))
        self.residual = np.empty(len(bias))
        self.chi_square = math.inf
        self.matrix = np.empty((0, 0))
        self.weight = np.empty(0)
        self.converged = False
        self._columns = np.empty((0, 0))
        self._vector = np.empty(0)

    def start(self, theta: Array, weight: Array) -> None:
        """Begin at `theta`, moved inside the bounds, with inverse variances `weight`."""
        self.theta = theta.copy()
        self.theta[self.free] = np.clip(theta[self.free], self.lower, self.upper)
        self._columns = self._evaluate(self.theta)
        self.reweight(weight)

    def reweight(self, weight: Array) -> None:
        """Use other inverse variances from here on."""
        self.weight = weight
        self.chi_square, self.matrix, self._vector = self._linearise(
            self.theta, self._columns, self.residual
        )

    def run(self, tolerance: float) -> None:
        """Descend until the next step would lower chi-square by less than `tolerance`.

        The tolerance is relative to the reduced chi-square where that exceeds 1.
        """
        from stm_daq.fitting import kernel

        damping = 1e-3
        self.converged = False
        for _ in range(MOST_STEPS):
            enough = tolerance * max(1.0, self.reduced_chi_square)
            position = self.theta[self.free]
            step, predicted = kernel.bounded_step(
                self.matrix, self._vector, damping, position, self.lower, self.upper
            )
            if predicted < enough:
                self.converged = damping < 1.0
                return
            trial = self.theta.copy()
            trial[self.free] = np.clip(position + step, self.lower, self.upper)
            gained = self._try(trial) / predicted
            if gained > 0.75:
                damping *= 0.1
            elif gained < 0.25:
                damping = max(damping * 8.0, 1e-4)
            if damping > 1e8:
                return

    @property
    def dof(self) -> int:
        """Points minus free parameters."""
        return len(self.bias) - len(self.free)

    @property
    def reduced_chi_square(self) -> float:
        """Chi-square per degree of freedom."""
        return self.chi_square / self.dof

    def curve(self, bias: Array) -> Array:
        """The fitted curve at any bias, shape of `bias`."""
        from stm_daq.physics import kernel

        shifted = bias - self.theta[5]
        curve = np.empty(len(bias))
        kernel.conductance(shifted, self._junction(self.theta), curve)
        return np.asarray(self.theta[4] * curve * (1.0 + self.theta[6] * shifted))

    def _try(self, trial: Array) -> float:
        """Move to `trial` if that lowers chi-square; return by how much (negative: refused)."""
        columns = self._evaluate(trial)
        residual = np.empty_like(self.residual)
        chi_square, matrix, vector = self._linearise(trial, columns, residual)
        gain = self.chi_square - chi_square
        if gain > 0.0:
            self.theta, self._columns, self.residual = trial, columns, residual
            self.chi_square, self.matrix, self._vector = chi_square, matrix, vector
        return gain

    def _junction(self, theta: Array) -> tuple[float, float, float, float, float]:
        gap, log_temperature, reflection, broadening = theta[:4].tolist()
        return gap, K_B * math.exp(log_temperature), reflection, broadening, self._modulation

    def _evaluate(self, theta: Array) -> Array:
        from stm_daq.physics import kernel

        columns = np.empty((kernel.COLUMNS, len(self.bias)))
        kernel.evaluate(self.bias - theta[5], self._junction(theta), columns)
        return columns

    def _linearise(
        self, theta: Array, columns: Array, residual: Array
    ) -> tuple[float, Array, Array]:
        from stm_daq.fitting import kernel

        result: tuple[float, Array, Array] = kernel.normal_equations(
            self.bias - theta[5], self.values, self.weight, columns, theta, self.free, residual
        )
        return result


def inverse(matrix: Array) -> Array:
    """Inverse of a normal matrix; an undetermined parameter gets a huge, finite variance."""
    unit = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix / np.outer(unit, unit) + 1e-12 * np.eye(len(unit))
    return np.asarray(np.linalg.inv(scaled) / np.outer(unit, unit))

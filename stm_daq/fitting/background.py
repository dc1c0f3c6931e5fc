"""A spectrum without gap: a smooth curve in place of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.solver import inverse

type Array = NDArray[np.float64]

TERMS = 5
"""As many as the BTK model has parameters: a polynomial of fourth degree."""


@dataclass(frozen=True)
class Background:
    """The polynomial that suits a spectrum best."""

    coefficients: Array
    """Of bias / largest, lowest power first."""
    largest: float
    """V."""
    chi_square: float
    at_zero_std: float
    """Standard deviation of the value at zero bias."""

    @property
    def at_zero(self) -> float:
        """Value at zero bias."""
        return float(self.coefficients[0])

    def curve(self, bias: Array) -> Array:
        """The polynomial at any bias (V)."""
        return np.asarray(
            np.polyval(self.coefficients[::-1], bias / self.largest), dtype=np.float64
        )


def smooth_background(bias: Array, values: Array, weight: Array) -> Background:
    """Weighted polynomial fit; `weight` are inverse variances, all arrays (n,)."""
    from stm_daq.fitting import kernel

    largest = float(np.max(np.abs(bias)))
    matrix, vector, total = kernel.polynomial_equations(bias / largest, values, weight, TERMS)
    covariance = inverse(matrix)
    coefficients = covariance @ vector
    return Background(
        coefficients=coefficients,
        largest=largest,
        chi_square=float(total - coefficients @ vector),
        at_zero_std=float(np.sqrt(covariance[0, 0])),
    )

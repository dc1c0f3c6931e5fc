"""A spectrum without gap: a smooth curve in place of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.solver import inverse

type Array = NDArray[np.float64]

DEGREE = 4
"""A polynomial of this degree has as many terms as the BTK model has parameters."""


@dataclass(frozen=True)
class Background:
    """The polynomial that suits a spectrum best."""

    coefficients: Array
    """Of bias / largest, highest power first."""
    largest: float
    """V."""
    chi_square: float
    at_zero_std: float
    """Standard deviation of the value at zero bias."""

    @property
    def at_zero(self) -> float:
        """Value at zero bias."""
        return float(self.coefficients[-1])

    def curve(self, bias: Array) -> Array:
        """The polynomial at any bias (V)."""
        return np.asarray(np.polyval(self.coefficients, bias / self.largest), dtype=np.float64)


def smooth_background(bias: Array, values: Array, weight: Array) -> Background:
    """Weighted polynomial fit; `weight` are inverse variances, all arrays (n,)."""
    largest = float(np.max(np.abs(bias)))
    terms = np.vander(bias / largest, DEGREE + 1)
    weighted = terms * weight[:, None]
    covariance = inverse(weighted.T @ terms)
    coefficients = covariance @ (weighted.T @ values)
    rest = values - terms @ coefficients
    return Background(
        coefficients=coefficients,
        largest=largest,
        chi_square=float(weight @ np.square(rest)),
        at_zero_std=float(np.sqrt(covariance[-1, -1])),
    )

"""Spectra without gap: smooth curves in place of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

TERMS = 5
"""As many as the BTK model has parameters: a polynomial of fourth degree."""


@dataclass(frozen=True)
class Background:
    """The polynomials that suit p spectra best."""

    coefficients: Array
    """Of bias / largest, lowest power first, (p, TERMS)."""
    chi_square: Array
    at_zero_std: Array
    """Standard deviations of the values at zero bias, (p,)."""

    @property
    def at_zero(self) -> Array:
        """Values at zero bias, (p,)."""
        return self.coefficients[:, 0]


def smooth_background(
    bias: Array, values: Array, weight: Array, counts: NDArray[np.int64], largest: float
) -> Background:
    """Weighted polynomial fits; arrays (p, n) of which the first counts[p] points are used."""
    from stm_daq.fitting import kernel_noise

    count = len(values)
    matrix, vector = np.empty((count, TERMS, TERMS)), np.empty((count, TERMS))
    total = np.empty(count)
    kernel_noise.polynomial_equations(bias / largest, values, weight, counts, matrix, vector, total)
    covariance = inverse(matrix)
    coefficients = np.einsum("pij,pj->pi", covariance, vector)
    return Background(
        coefficients=coefficients,
        chi_square=total - np.sum(coefficients * vector, axis=1),
        at_zero_std=np.sqrt(covariance[:, 0, 0]),
    )


def inverse(matrix: Array) -> Array:
    """Inverses of normal matrices (..., f, f).

    A parameter that is not determined gets a huge, finite variance.
    """
    size = matrix.shape[-1]
    unit = np.sqrt(np.maximum(np.diagonal(matrix, axis1=-2, axis2=-1), 1e-280))
    outer = unit[..., :, None] * unit[..., None, :]
    return np.asarray(np.linalg.inv(matrix / outer + 1e-12 * np.eye(size)) / outer)

"""Gaps at several temperatures: gap at zero temperature and transition temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.fitting.background import inverse
from stm_daq.physics import bcs
from stm_daq.physics.btk import K_B


@dataclass(frozen=True)
class GapSeries:
    """The weak-coupling gap(T) that suits a series of spectra best."""

    gap0: float
    """Gap at zero temperature, eV."""
    gap0_std: float
    tc: float
    """Temperature at which the gap closes, K."""
    tc_std: float
    reduced_chi_square: float
    """Standard deviations are multiplied by its square root where it exceeds 1."""
    lowest_normal: float
    """Lowest temperature at which a spectrum showed no gap, K; NaN if all did."""

    @property
    def coupling(self) -> float:
        """2 gap0 / (k Tc); 3.53 at weak coupling."""
        return 2.0 * self.gap0 / (K_B * self.tc)

    def __str__(self) -> str:
        return (
            f"gap closes at {self.tc:.2f} ± {self.tc_std:.2f} K; "
            f"gap at zero temperature {self.gap0 * 1e3:.3f} ± {self.gap0_std * 1e3:.3f} meV; "
            f"2Δ/kTc = {self.coupling:.2f}"
        )


def fit_gap_series(temperature: ArrayLike, gap: ArrayLike, gap_std: ArrayLike) -> GapSeries:
    """Fit gap(T) = gap0 shape(T/Tc) with the BCS shape to gaps of single spectra.

    gap0 and Tc are both free, so that strong coupling only shows in their ratio.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Measured temperatures, K.
    gap, gap_std : array_like, shape (n,)
        eV. NaN gaps (spectra judged "no_gap") are not fitted.

    Returns
    -------
    GapSeries

    Raises
    ------
    ValueError
        If shapes differ, fewer than three gaps are known, a standard deviation is not positive, or
        the gap does not fall enough to see where it closes.
    """
    from scipy.optimize import least_squares

    kelvin, size, std = (np.asarray(a, dtype=np.float64) for a in (temperature, gap, gap_std))
    if not kelvin.shape == size.shape == std.shape or kelvin.ndim != 1:
        raise ValueError("temperature, gap and gap_std must be vectors of the same length")
    known = np.isfinite(kelvin) & np.isfinite(size) & np.isfinite(std)
    normal = kelvin[np.isfinite(kelvin) & ~np.isfinite(size)]
    kelvin, size, std = kelvin[known], size[known], std[known]
    if len(size) < 3 or np.any(std <= 0):
        raise ValueError("a series needs at least three gaps with positive standard deviations")

    def residual(p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((bcs.gap(kelvin, p[0], p[1]) - size) / std)

    highest = float(np.max(size))
    guess = max(highest / (bcs.RATIO * K_B), 1.05 * float(np.max(kelvin)))
    limits = ([0.0, 1e-3 * guess], [10.0 * highest, 20.0 * guess])
    fit = least_squares(residual, [highest, guess], bounds=limits, x_scale=[highest, guess])
    jacobian = np.asarray(fit.jac, dtype=np.float64)
    if not np.all(jacobian.any(axis=0)) or fit.x[1] > 5.0 * np.max(kelvin):
        raise ValueError(
            f"the gap hardly falls up to {np.max(kelvin):.3g} K: measure closer to the transition"
        )
    covariance = inverse(jacobian.T @ jacobian)
    reduced = 2.0 * float(fit.cost) / max(len(size) - 2, 1)
    gap0_std, tc_std = np.sqrt(np.diag(covariance) * max(reduced, 1.0)).tolist()
    return GapSeries(
        gap0=float(fit.x[0]),
        gap0_std=gap0_std,
        tc=float(fit.x[1]),
        tc_std=tc_std,
        reduced_chi_square=reduced,
        lowest_normal=float(np.min(normal)) if len(normal) else float("nan"),
    )

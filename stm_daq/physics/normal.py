"""A contact between normal metals, whose conductance may rise or fall linearly with the bias.

g(V) = 1 + slope V, the first order of the asymmetry that a trapezoidal barrier gives a tunnel
contact (W. F. Brinkman, R. C. Dynes, J. M. Rowell, J. Appl. Phys. 41, 1915 (1970)). Thermal
smearing, modulation and noise leave a straight line as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.physics.btk import check


def conductance(bias: ArrayLike, slope: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Differential conductance relative to that at zero bias.

    Parameters
    ----------
    bias : array_like, shape (..., n) or ()
        V.
    slope : array_like, shape (...)
        1/V, of either sign.

    Returns
    -------
    ndarray, shape (..., n)

    Raises
    ------
    ValueError
        If a bias exceeds `stm_daq.physics.btk.HIGHEST_BIAS`.
    """
    values, tilt = _columns(bias, slope)
    return np.asarray(1.0 + tilt * values)


def current(
    bias: ArrayLike,
    slope: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Direct current in units of the conductance at zero bias times one volt.

    I(V) = V + slope (V^2 + Vm^2/2 + noise^2)/2: a modulation of peak Vm, or noise of that rms, is
    rectified. Parameters, shapes and errors are those of :func:`conductance`.
    """
    values, tilt = _columns(bias, slope)
    _, peak = _columns(bias, modulation)
    _, rms = _columns(bias, noise)
    return np.asarray(values + 0.5 * tilt * (values**2 + 0.5 * peak**2 + rms**2))


def _columns(
    bias: ArrayLike, parameter: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bias, and a parameter with an axis for it."""
    values = np.asarray(bias, dtype=np.float64)
    check(values)
    column = np.asarray(parameter, dtype=np.float64)
    return values, column[..., None] if values.ndim else column

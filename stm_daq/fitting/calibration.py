"""Does a current rise by the integral of the conductance?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

TOLERATED = 0.05
"""Relative difference that is worth a remark."""


def calibration(bias: Array, conductance: Array, current: Array | None) -> Array:
    """Slope of the measured current over the integral of the conductance; 1 if both are right.

    By least squares over all points, so that the noise of single ones hardly matters, and without
    a model. The modulation smears the two differently, but only where the conductance changes.

    Parameters
    ----------
    bias, conductance, current : ndarray, shape (p, n)
        V, S, A; points where one of them is NaN are left out.

    Returns
    -------
    ndarray, shape (p,)
        NaN where fewer than three points are left, or the conductance has no integral.
    """
    ratio = np.full(len(bias), np.nan)
    if current is None:
        return ratio
    for row, (volts, siemens, amperes) in enumerate(zip(bias, conductance, current, strict=True)):
        order = np.argsort(volts, kind="stable")
        order = order[np.isfinite(volts + siemens + amperes)[order]]
        if len(order) < 3:
            continue
        x, g = volts[order], siemens[order]
        steps = 0.5 * np.diff(x) * (g[1:] + g[:-1])
        integral = np.concatenate([[0.0], np.cumsum(steps)])
        integral -= integral.mean()
        power = float(integral @ integral)
        if power > 0.0:
            ratio[row] = float(integral @ amperes[order]) / power
    return ratio

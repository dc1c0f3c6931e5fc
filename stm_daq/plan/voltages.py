"""The list of voltages that the bias source plays for one spectrum."""

from __future__ import annotations

import math

import numpy as np

from stm_daq.plan.model import Sweep
from stm_daq.records import Array


def return_steps(sweep: Sweep, bias_step: float, bias_slew: float) -> int:
    """Return how many steps the way back from the end of a sweep to its start needs.

    Parameters
    ----------
    sweep : Sweep
    bias_step : float
        Largest single step that the station allows, V.
    bias_slew : float
        Fastest change that it allows, V/s; a step may take one dwell.
    """
    span = abs(float(sweep.bias[-1] - sweep.bias[0]))
    largest = min(bias_step, bias_slew * sweep.dwell)
    return math.floor(span / largest * (1 + 1e-9)) + 1  # finer than allowed, whatever the rounding


def list_voltages(sweep: Sweep, bias_step: float, bias_slew: float) -> Array:
    """Return the points of a sweep and a coarser way back, so that the list ends where it began.

    Parameters
    ----------
    sweep : Sweep
    bias_step, bias_slew : float
        Limits of the station, V and V/s; see :func:`return_steps`.

    Returns
    -------
    array of shape (n + m,)
        The n points of the sweep and m steps back, V, all of the same dwell; m is 0 if the sweep
        itself comes back.
    """
    if sweep.directions == 2:
        return sweep.bias
    steps = return_steps(sweep, bias_step, bias_slew)
    back = np.linspace(sweep.bias[-1], sweep.bias[0], steps + 1)[1:]
    return np.concatenate([sweep.bias, back])

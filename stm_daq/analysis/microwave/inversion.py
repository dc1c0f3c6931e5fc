"""From switching powers at several frequencies to the local thermal length or critical temperature.

The two ends of the bistable range, J_up and J_down, depend on hbar omega / kB Tc, Tph / Tc and
Lambda / z0 (:func:`stm_daq.physics.hotspot.switching_drives`). The drive is J j*(Tc), with
j* = sqrt(sigma_N Sigma Tc^n), and reaches the film through a line whose calibration is one number of
decibels per frequency,

    power (dBm) = 20 log10[J j*(Tc) / j*(Tc0)] + calibration (dB) .

The distance of both in dB is free of the calibration; it mostly follows Tc, and tells little of the
thermal length, which needs a calibration (for example from a reference place).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.physics.hotspot import switching_drives
from stm_daq.records import Array

KELVIN_PER_HERTZ = 4.799243073e-11
"""h / kB, K/Hz."""
_VAGUE = 0.3
"""Relative uncertainty from which on the linear error estimate means nothing."""
_STEP = 5e-3
"""Of the logarithm of a quantity, for slopes."""
_UNKNOWN = 1e3
"""Residual of a trial value with which nothing would be bistable."""


@dataclass(frozen=True, slots=True)
class Switching:
    """Switching powers at one frequency."""

    frequency: float
    """Hz."""
    up: float
    """dBm."""
    up_std: float
    down: float
    down_std: float
    calibration: float = 0.0
    """dB, see the module."""
    calibration_std: float = math.inf
    """Infinite: not known, only the distance of both powers counts."""


@dataclass(frozen=True, slots=True)
class Local:
    """What the switching powers say of one place."""

    critical_temperature: float
    """K."""
    critical_temperature_std: float
    """0 if it was given."""
    thermal_length: float
    """m."""
    thermal_length_std: float
    """0 if it was given."""
    chi_square: float
    """Of the fit."""
    freedom: int
    """Degrees of freedom; 0: nothing is left to check the model with."""


def invert(
    switchings: Sequence[Switching],
    *,
    phonon_temperature: float,
    distance: float,
    exponent: int,
    critical_temperature: float,
    thermal_length: float,
    free: tuple[str, ...] = ("critical_temperature", "thermal_length"),
) -> Local:
    """Fit local critical temperature and / or thermal length to switching powers.

    Parameters
    ----------
    switchings : sequence of Switching
    phonon_temperature : float
        K.
    distance : float
        z0, m.
    exponent : int
        n, 5 or 6.
    critical_temperature, thermal_length : float
        Given (K, m), or where the search begins; Tc0 of the calibration is the former.
    free : tuple of str
        What is fitted.

    Raises
    ------
    BadInputError
        If less is known than is to be fitted, if with these values nothing would be bistable, or if
        the result would be vague: critical temperature and thermal length shift the switching powers
        in nearly the same way, so that both follow only from powers known to some 0.005 dB.
    """
    from scipy.optimize import least_squares

    known = sum(2 if math.isfinite(s.calibration_std) else 1 for s in switchings)
    _require_enough(known, free)
    if not phonon_temperature < critical_temperature:
        raise BadInputError("no bistability here: the phonons are not colder than Tc")
    start = {"critical_temperature": critical_temperature, "thermal_length": thermal_length}

    def residuals(logs: Array) -> Array:
        trial = start | {n: start[n] * math.exp(v) for n, v in zip(free, logs, strict=True)}
        shift = 10 * exponent * math.log10(trial["critical_temperature"] / critical_temperature)
        return np.concatenate(
            [
                _misfit(s, trial["critical_temperature"], trial["thermal_length"],
                        phonon_temperature, distance, exponent, shift)
                for s in switchings
            ]
        )  # fmt: skip

    zero = np.zeros(len(free))
    if np.any(np.abs(residuals(zero)) >= _UNKNOWN):
        raise BadInputError("no bistability here: with the values given the film has one state")

    def slopes_at(logs: Array) -> Array:
        """Central differences, wide against the 3e-5 to which the solver knows its drives."""
        steps = _STEP * np.eye(len(free))
        return np.stack(
            [(residuals(logs + h) - residuals(logs - h)) / (2 * _STEP) for h in steps], axis=1
        )

    fit = least_squares(residuals, zero, jac=slopes_at, xtol=1e-6, ftol=1e-8)
    relative = _uncertainty(np.asarray(fit.jac), free)
    values = start | {n: start[n] * math.exp(v) for n, v in zip(free, fit.x, strict=True)}
    std = {n: values[n] * float(relative[k]) for k, n in enumerate(free)}
    return Local(
        values["critical_temperature"],
        std.get("critical_temperature", 0.0),
        values["thermal_length"],
        std.get("thermal_length", 0.0),
        2 * float(fit.cost),
        known - len(free),
    )


def _require_enough(known: int, free: tuple[str, ...]) -> None:
    if not free or not set(free) <= {"critical_temperature", "thermal_length"}:
        raise BadInputError("free is critical_temperature, thermal_length, or both")
    if known < len(free):
        raise BadInputError(f"{known} numbers cannot tell {len(free)}; measure at more frequencies")


def _uncertainty(slopes: Array, free: tuple[str, ...]) -> Array:
    """Return the relative standard deviations of a fit, which must mean something."""
    curvatures, directions = np.linalg.eigh(slopes.T @ slopes)
    with np.errstate(divide="ignore"):
        variances = np.square(directions) @ (1.0 / np.maximum(curvatures, 0.0))
    relative: Array = np.sqrt(variances)
    if not np.all(relative <= _VAGUE):
        raise BadInputError(
            f"these switching powers do not tell {' and '.join(free)}: they are known to no better "
            f"than {100 * np.max(relative):.0f} %; fit one of them, or measure switching powers and "
            "calibration more exactly"
        )
    return relative


def _misfit(
    s: Switching, tc: float, length: float, phonons: float, distance: float, n: int, shift: float
) -> Array:
    """Return what is off in standard deviations: up and down, without what calibration absorbs."""
    found = None
    if phonons < tc:
        found = switching_drives(
            KELVIN_PER_HERTZ * s.frequency / tc, phonons / tc, length / distance, n=n
        )
    if found is None:
        return np.full(2, _UNKNOWN)
    down, up = (20 * math.log10(drive) + shift + s.calibration for drive in found)
    off = np.array([s.up - up, s.down - down])
    weight = np.diag([s.up_std**-2, s.down_std**-2])
    # a common offset with its own uncertainty: marginalised exactly
    prior = 0.0 if math.isinf(s.calibration_std) else s.calibration_std**-2
    ones = np.ones(2)
    together = weight - np.outer(weight @ ones, ones @ weight) / (ones @ weight @ ones + prior)
    values, vectors = np.linalg.eigh(together)
    scaled: Array = np.sqrt(np.maximum(values, 0.0)) * (vectors.T @ off)
    return scaled

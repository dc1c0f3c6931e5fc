"""Settings for spectra from a laboratory, where offset, background and temperature matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from stm_daq.fitting.calibration import TOLERATED, calibration
from stm_daq.fitting.checks import check_current, check_stack
from stm_daq.fitting.judge import EVIDENCE
from stm_daq.fitting.models import MODELS, family
from stm_daq.fitting.result import FitResult
from stm_daq.fitting.spectrum import fit_spectrum


def fit_measured(
    bias: ArrayLike,
    conductance: ArrayLike,
    *,
    temperature: float | None = None,
    current: ArrayLike | None = None,
    model: str | None = None,
    modulation: float = 0.0,
    noise: ArrayLike | None = None,
    fixed: Mapping[str, float] | None = None,
) -> FitResult:
    """Fit a measured dI/dV spectrum with the settings that suit most of them.

    * The *offset* is free: preamplifiers and contacts shift the bias zero.
    * The *slope* is free: density of states and barrier tilt the normal-state conductance by
      some per cent over the sweep, and a fixed flat background would push that into the barrier.
    * The *temperature* is fixed where a thermometer gave it, and a *broadening* is fitted instead:
      the two can hardly be told apart in one spectrum, and a broadening is what lifetime,
      unresolved modulation and a distribution of gaps look like. Without a thermometer the
      temperature is free, stands for all smearing together, and no broadening is fitted.
    * A *barrier* is fitted only if the spectrum asks for one: where the tunnelling limit ("dynes")
      does as well, it is preferred, because a barrier that the data do not determine would make the
      gap uncertain. Name a `model` to overrule this.
    * All points are used. A window around the gap would fix the normal-state conductance less well.

    Parameters
    ----------
    bias : array_like, shape (n,)
        V.
    conductance : array_like, shape (n,)
        dI/dV, S.
    temperature : float, optional
        Of the junction, K, from a thermometer.
    current : array_like, shape (n,), optional
        dc current, A. Only compared with the conductance: where it does not rise by their integral
        within 5 % the flag "calibration" is raised, because then `scale` is wrong by that much (the other
        parameters are not concerned).
    model : str, optional
        A key of `stm_daq.fitting.MODELS`. By default the simpler of "dynes" and "btk+broadening"
        ("btk" if no `temperature` is given) that does as well; the result tells which.
    modulation : float
        Peak amplitude of the lock-in modulation, V.
    noise : float or array_like, shape (n,), optional
        Standard deviation of the conductance, in its unit; by default estimated.
    fixed : mapping, optional
        Parameters not to fit and their values (eV, K, 1, eV, S, V, 1/V).

    Returns
    -------
    FitResult
        As from `fit_spectrum`: where a model with a single gap cannot describe the spectrum,
        "model_inadequate" is raised and standard deviations are multiplied by the square root of
        the misfit.

    Raises
    ------
    ValueError
        As `fit_spectrum`; or if the temperature is not positive.
    """
    if temperature is not None and not temperature > 0:
        raise ValueError(f"temperature of {temperature} K: give a positive number, or None")
    held = dict(fixed or {})
    if temperature is not None:
        held.setdefault("temperature", float(temperature))

    def fitted(name: str) -> FitResult:
        return _fit(bias, conductance, name, held, modulation, noise)

    if model is not None:
        result = fitted(model)
    else:
        result = fitted("btk+broadening" if "temperature" in held else "btk")
        if set(held) <= set(MODELS["dynes"].names):
            tunnel = fitted("dynes")
            if tunnel.chi_square - result.chi_square < EVIDENCE * result.misfit:
                result = tunnel
    if current is not None and _disagree(bias, conductance, current):
        return replace(result, flags=(*result.flags, "calibration"))
    return result


def _disagree(bias: ArrayLike, conductance: ArrayLike, current: ArrayLike) -> bool:
    values = check_stack(conductance)
    amperes = check_current(current, values.shape)
    volts = np.asarray(bias, dtype=np.float64)
    ratio = float(calibration(volts[None], values[None], amperes)[0])
    return abs(ratio - 1.0) > TOLERATED


def _fit(
    bias: ArrayLike,
    conductance: ArrayLike,
    model: str,
    held: Mapping[str, float],
    modulation: float,
    noise: ArrayLike | None,
) -> FitResult:
    """Fit with free offset and slope, and either temperature or broadening."""
    if model not in MODELS:
        raise ValueError(f"unknown model '{model}': use one of {', '.join(MODELS)}")
    names = MODELS[model].shape.names
    fixed = {name: value for name, value in held.items() if name in names or name != "temperature"}
    broadened = model == "btk+broadening" or ("temperature" in fixed and model != "btk")
    wanted = [name for name in names if broadened or family(name) != "broadening"]
    wanted += ["scale", "offset", "slope"] if names else ["scale", "slope"]
    return fit_spectrum(
        bias,
        conductance,
        model=model,
        modulation=modulation,
        fixed=fixed,
        free=[name for name in wanted if name not in fixed],
        noise=noise,
    )

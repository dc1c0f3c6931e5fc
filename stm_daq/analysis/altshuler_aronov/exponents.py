"""Exponents of dI/dV = b |V|^alpha outside the gap, side by side, as in C. Carbillet et al. (2020).

The power law is fitted to dI/dV itself, not to its logarithm, which noise would shift. Each point
counts by its own noise; that the noise of neighbouring points of a derivative is correlated is
taken into account, as the result is carried back to the current, whose noise is not.

A superconductor's density of states comes back to that of the normal state only as E/sqrt(E^2 -
gap^2), which at 5 mV and a gap of 1.2 meV is still 3 % too high: the exponent of the spectrum is
lower than that of the normal state, the more so the larger the gap. `without_gap` gives the exponent
with that factor divided out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.sites import Mask
from stm_daq.analysis.spectra.derivative import Derivative
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

WINDOW = (5e-3, 30e-3)
"""V, as in the paper."""
FEWEST = 8
"""Points on a side."""
FIRST_STEPS, STEPS = 6, 3
"""Of Newton's method, for the mean spectrum and from there for every one."""


@dataclass(frozen=True, slots=True)
class Exponents:
    """Exponents of every spectrum; NaN where the spectrum is missing or not positive."""

    alpha: xr.DataArray
    """Mean of both sides."""
    alpha_std: xr.DataArray
    """Its standard deviation."""
    asymmetry: xr.DataArray
    """Exponent at positive bias less that at negative bias."""
    asymmetry_std: xr.DataArray
    negative: xr.DataArray
    """At negative bias."""
    positive: xr.DataArray
    """At positive bias."""
    prefactor_negative: xr.DataArray
    """b in units of dI/dV at 1 V: S, at negative bias."""
    prefactor_positive: xr.DataArray
    window: tuple[float, float]
    """Where the law was fitted, V."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The law at one side of every whole spectrum, shapes (m,)."""

    alpha: Array
    std: Array
    prefactor: Array


def fit_exponents(
    derivative: Derivative,
    window: tuple[float, float] = WINDOW,
    without_gap: xr.DataArray | None = None,
) -> Exponents:
    """Fit the power law to every spectrum.

    Parameters
    ----------
    derivative : Derivative
    window : tuple of float
        From which to which bias on each side, V.
    without_gap : DataArray, optional
        Gap of every spectrum, eV, over the same map. dI/dV is first divided by the density of states of
        a superconductor with this gap. Spectra whose gap is NaN are left out.

    Raises
    ------
    BadInputError
        If the window is none, or begins inside the gap.
    CannotTellError
        If a side has too few points in the window.
    """
    whole = derivative.whole.copy()
    gap = np.zeros(len(whole))
    if without_gap is not None:
        gap = np.asarray(without_gap.values, dtype=np.float64).ravel()
        whole &= np.isfinite(gap)
    if not 0 < window[0] < window[1]:
        raise BadInputError(
            f"the window of the exponent goes from {window[0]:g} to {window[1]:g} V"
        )
    if whole.any() and gap[whole].max() >= window[0]:
        raise BadInputError(
            f"the window of the exponent begins at {window[0] * 1e3:.3g} mV, inside the gap of "
            f"{gap[whole].max() * 1e3:.3g} meV"
        )
    minus, plus = (_side(derivative, whole, gap, window, sign) for sign in (-1.0, 1.0))
    std = np.hypot(minus.std, plus.std)

    def mapped(values: Array, meaning: str, unit: str = "") -> xr.DataArray:
        spread = np.full(len(whole), np.nan)
        spread[whole] = values
        return derivative.map(spread, units=unit, long_name=meaning)

    return Exponents(
        alpha=mapped((minus.alpha + plus.alpha) / 2, "exponent"),
        alpha_std=mapped(std / 2, "standard deviation: exponent"),
        asymmetry=mapped(plus.alpha - minus.alpha, "asymmetry of the exponent"),
        asymmetry_std=mapped(std, "standard deviation: asymmetry of the exponent"),
        negative=mapped(minus.alpha, "exponent at negative bias"),
        positive=mapped(plus.alpha, "exponent at positive bias"),
        prefactor_negative=mapped(minus.prefactor, "prefactor at negative bias", "S"),
        prefactor_positive=mapped(plus.prefactor, "prefactor at positive bias", "S"),
        window=window,
    )


def _side(
    derivative: Derivative, whole: Mask, gap: Array, window: tuple[float, float], sign: float
) -> _Side:
    bias = derivative.bias
    low, high = window
    inside = (sign * bias >= low * (1 - 1e-9)) & (sign * bias <= high * (1 + 1e-9))
    if inside.sum() < FEWEST:
        side = "positive" if sign > 0 else "negative"
        raise CannotTellError(
            f"Only {inside.sum()} points lie between {low * 1e3:.3g} and {high * 1e3:.3g} mV at {side} "
            "bias: the exponent needs a wider sweep, or another `report: exponent_window:`."
        )
    voltage = np.abs(bias[inside])
    std = derivative.std.values[inside]
    measured = derivative.conductance.values.reshape(len(whole), -1)[whole][:, inside]
    states = voltage / np.sqrt(voltage**2 - gap[whole, np.newaxis] ** 2)
    log_voltage = np.log(voltage)
    centre = float(np.average(log_voltage, weights=1 / std**2))
    height, alpha, weights = _power_law(measured / states, log_voltage - centre, states / std)
    carried = (weights / states) @ derivative.operator[inside]
    spread = np.linalg.norm(carried * derivative.noise, axis=1)
    poor = ~(height > 0) | ~np.isfinite(alpha)
    alpha = np.where(poor, np.nan, alpha)
    spread = np.where(poor, np.nan, spread)
    with np.errstate(over="ignore", invalid="ignore"):
        prefactor = np.where(poor, np.nan, height * np.exp(-alpha * centre))
    return _Side(alpha, spread, prefactor)


def _power_law(values: Array, x: Array, precision: Array) -> tuple[Array, Array, Array]:
    """Fit ``height exp(alpha x)`` to every row by least squares.

    Parameters
    ----------
    values : ndarray, shape (m, k)
    x : ndarray, shape (k,)
    precision : ndarray, shape (m, k)
        One over the standard deviation.

    Returns
    -------
    height, alpha : ndarray, shape (m,)
    weights : ndarray, shape (m, k)
        How alpha changes with each of `values`.
    """
    square = precision**2
    mean, typical = values.mean(axis=0, keepdims=True), square.mean(axis=0, keepdims=True)
    height, alpha = np.average(mean, axis=1, weights=typical), np.zeros(1)
    with np.errstate(all="ignore"):  # what diverges is NaN and is told by the caller
        for _ in range(FIRST_STEPS):
            height, alpha, _ = _step(mean, x, typical, height, alpha)
        for _ in range(STEPS):
            height, alpha, weights = _step(values, x, square, height, alpha)
    return height, alpha, weights


def _step(
    values: Array, x: Array, square: Array, height: Array, alpha: Array
) -> tuple[Array, Array, Array]:
    """Make one step of the Gauss-Newton method; parameters as of :func:`_power_law`."""
    shape = np.exp(alpha[:, np.newaxis] * x)
    model = height[:, np.newaxis] * shape
    weighted = square * shape
    a = (weighted * shape).sum(axis=1)
    b = (weighted * model) @ x
    c = (square * model**2) @ x**2
    weights = weighted * (a[:, np.newaxis] * height[:, np.newaxis] * x - b[:, np.newaxis])
    weights /= (a * c - b**2)[:, np.newaxis]
    left = values - model
    change = (weights * left).sum(axis=1)
    rise = ((weighted * left).sum(axis=1) - b * change) / a
    return height + rise, alpha + change, weights

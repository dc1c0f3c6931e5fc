"""The superconductor of Bardeen, Cooper and Schrieffer: tunnelling, and gap against temperature.

Phys. Rev. 108, 1175 (1957). Tunnelling sees the density of states N(E) = |E|/sqrt(E^2 - gap^2)
above the gap and none below: I. Giaever, K. Megerle, Phys. Rev. 122, 1101 (1961).

Temperature dependence: with y = gap/kT the gap equation reads

    ln(gap/gap0) = -2 integral over s from 0 to infinity of 1/(1 + exp(y cosh s)),

which gives gap/gap0, and T/Tc = (gap/gap0) (gap0/kTc) / y, for any y without solving anything.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.physics.btk import K_B, smeared

RATIO = 1.763876988
"""gap0/(k Tc) = pi exp(-gamma) at weak coupling."""

SERIES = 0.02
"""Below this gap/kT the gap equation is replaced by its expansion, exact to 1e-8 there."""


def conductance(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Differential conductance of a normal tip on a BCS superconductor.

    g(V) = integral of N(E) [-df/dE](E - V) dE. Two temperatures are in play, and only one smears:
    `temperature` is that of the electrons of the normal tip. That of the sample enters through the
    gap alone (:func:`gap`). An effective tip temperature above that of the bath stands for whatever
    else smears alike, noise of the bias above all: the variance of the thermal window is
    (pi^2/3)(kT)^2. With a `noise` of its own, the temperature is the real one.

    It is :func:`stm_daq.physics.dynes.conductance` with zero broadening. Where the tails inside the
    gap are higher than any temperature makes them, Dynes is the model: broadening fills the gap
    algebraically, temperature only exponentially.

    Parameters, shapes, accuracy and errors are those of :func:`stm_daq.physics.btk.conductance`.
    """
    return smeared(bias, gap, temperature, 1.0, 0.0, modulation, noise, dc=False)


def current(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Direct current of a normal tip on a BCS superconductor, see :func:`conductance`.

    I(V) = integral of N(E) [f(E - V) - f(E)] dE, in units of the normal-state conductance times one
    volt; at zero temperature sqrt(V^2 - gap^2) beyond the gap.
    """
    return smeared(bias, gap, temperature, 1.0, 0.0, modulation, noise, dc=True)


def gap(
    temperature: ArrayLike,
    gap0: ArrayLike,
    tc: ArrayLike,
    *,
    formula: Literal["bcs", "sheahen"] = "bcs",
) -> NDArray[np.float64]:
    """Gap at `temperature`; zero at and above `tc`.

    Parameters
    ----------
    temperature, tc : array_like
        K; broadcast.
    gap0 : array_like
        Gap at zero temperature, eV. Independent of `tc`, so that a strong-coupling ratio can be used.
    formula : {"bcs", "sheahen"}
        "bcs": the weak-coupling gap equation, tabulated once, within 1e-6 of its value.
        "sheahen": gap0 sqrt(cos(pi t^2/2)), T. P. Sheahen, Phys. Rev. 149, 368 (1966), which is
        within 0.022 `gap0` of it.

    Returns
    -------
    ndarray
        eV.

    Raises
    ------
    ValueError
        If a temperature is negative, `tc` is not positive, or `formula` is unknown.
    """
    scale = np.asarray(gap0, dtype=np.float64)
    return np.asarray(scale * _reduced_gap(temperature, tc, formula))


def gap_at_zero(
    gap: ArrayLike,
    temperature: ArrayLike,
    tc: ArrayLike,
    *,
    formula: Literal["bcs", "sheahen"] = "bcs",
) -> NDArray[np.float64]:
    """Gap at zero temperature from that at `temperature` and the known `tc`, whatever the ratio.

    The inverse of :func:`gap` in `gap0`.

    Parameters
    ----------
    gap : array_like
        eV.
    temperature, tc : array_like
        K; all three broadcast.

    Returns
    -------
    ndarray
        eV. NaN at and above `tc`, where there is no gap to tell from, and where `gap` is not
        positive.

    Raises
    ------
    ValueError
        If a temperature is negative, `tc` is not positive, or `formula` is unknown.
    """
    measured = np.asarray(gap, dtype=np.float64)
    shape = _reduced_gap(temperature, tc, formula)
    solvable = (shape > 0.0) & (measured > 0.0)
    return np.where(solvable, measured / np.where(solvable, shape, 1.0), np.nan)


def gap_at_zero_bcs(gap: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    """Gap at zero temperature if gap0 = RATIO k Tc, with Tc unknown.

    The gap equation gives it without searching: gap0 = gap exp(2 integral of 1/(1 + exp(y cosh s))),
    y = gap/kT. For small y it is RATIO kT [1 + 7 zeta(3) y^2 / (8 pi^2)]: nearly independent of the
    gap, so that an error of the gap hardly matters but one of the temperature fully does.

    Parameters
    ----------
    gap : array_like
        eV.
    temperature : array_like
        K; broadcasts.

    Returns
    -------
    ndarray
        eV. NaN where `gap` is not positive: any Tc below the temperature would do.

    Raises
    ------
    ValueError
        If a temperature is negative.
    """
    measured, kelvin = np.broadcast_arrays(
        np.asarray(gap, dtype=np.float64), np.asarray(temperature, dtype=np.float64)
    )
    if np.any(kelvin < 0):
        raise ValueError("temperature must not be negative, in K")
    kt = K_B * kelvin
    result = np.where(measured > 0.0, measured, np.nan)
    warm = (measured > 0.0) & (kt > measured / 40.0)  # else exp(-40): the gap is that at zero
    y = measured[warm] / kt[warm]
    small = RATIO * kt[warm] * (1.0 + 7.0 * 1.2020569031595942 / (8.0 * np.pi**2) * y**2)
    exact = measured[warm] / _from_gap_equation(np.maximum(y, SERIES))
    result[warm] = np.where(y < SERIES, small, exact)
    return result


def _reduced_gap(
    temperature: ArrayLike, tc: ArrayLike, formula: Literal["bcs", "sheahen"]
) -> NDArray[np.float64]:
    """gap/gap0."""
    kelvin = np.asarray(temperature, dtype=np.float64)
    critical = np.asarray(tc, dtype=np.float64)
    if np.any(kelvin < 0) or np.any(critical <= 0):
        raise ValueError("temperature must not be negative and tc must be positive, in K")
    reduced = np.minimum(kelvin / critical, 1.0)
    if formula == "sheahen":
        shape = np.sqrt(np.maximum(np.cos(0.5 * np.pi * reduced**2), 0.0))
        return np.asarray(np.where(reduced < 1.0, shape, 0.0))
    if formula != "bcs":
        raise ValueError(f"unknown gap formula '{formula}': use 'bcs' or 'sheahen'")
    depth, shape = _table()
    return np.asarray(np.interp(np.sqrt(1.0 - reduced), depth, shape))


@lru_cache(maxsize=1)
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """sqrt(1 - T/Tc), in which the gap is linear near Tc, and gap/gap0."""
    y = np.concatenate([np.linspace(0.01, 8.0, 4800), np.linspace(8.05, 40.0, 640)])
    shape = _from_gap_equation(y)
    depth = np.sqrt(1.0 - RATIO * shape / y)
    return np.concatenate([[0.0], depth, [1.0]]), np.concatenate([[0.0], shape, [1.0]])


def _from_gap_equation(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """gap/gap0 where gap/kT is `y`, at least 0.01."""
    s = np.linspace(0.0, 10.0, 161)  # the trapezoid rule is exact to 1e-12 for this integrand
    with np.errstate(over="ignore"):
        occupation = 1.0 / (1.0 + np.exp(y[:, None] * np.cosh(s)))
    integral = (occupation.sum(axis=1) - 0.5 * occupation[:, 0]) * (s[1] - s[0])
    return np.asarray(np.exp(-2.0 * integral))

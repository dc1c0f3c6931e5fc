"""Conductance and current of a normal-metal/superconductor contact of any transparency.

Blonder, Tinkham, Klapwijk, Phys. Rev. B 25, 4515 (1982); the broadening enters as E -> E + i Gamma
(Plecenik et al., Phys. Rev. B 49, 10016 (1994)). With the reflection R = Z^2/(1 + Z^2),

    sigma(E) = (1 + |a|^2)(1 - R |a|^2) / |1 - R a^2|^2,   a = gap / (w + sqrt(w^2 - gap^2)),

w = E + i Gamma, is (1 + Z^2)[1 + A(E) - B(E)] in one formula, relative to the normal state. R -> 1
is the Dynes density of states, and BCS for Gamma = 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

K_B = 8.617333262e-5
"""Boltzmann constant, eV/K."""

LOWEST_TEMPERATURE = 0.01
"""K. Colder junctions are computed at this temperature: 0.9 ueV of thermal energy."""

HIGHEST_BIAS = 1.0
"""V. Larger values are refused: no gap is that large, so the unit must be wrong."""


def reflection(barrier: ArrayLike) -> NDArray[np.float64]:
    """Normal-state reflection probability R = Z^2/(1 + Z^2) of a barrier of strength Z; 1 for inf."""
    if np.any(np.less(barrier, 0.0)):
        raise ValueError("barrier must not be negative")
    square = np.square(np.asarray(barrier, dtype=np.float64))
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(1.0 / (1.0 + 1.0 / square))


def conductance(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    barrier: ArrayLike,
    broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Differential conductance as a lock-in measures it, relative to the normal state.

    g(V) = integral of sigma(E) [-df/dE](E - V) dE, averaged over the modulation with the weight
    (2/pi Vm^2) sqrt(Vm^2 - v^2) and over Gaussian noise of the bias. Tends to 1 at high bias.

    Parameters
    ----------
    bias : array_like, shape (..., n) or ()
        V; any order and spacing. NaN gives NaN.
    gap, broadening : array_like, shape (...)
        eV.
    temperature : array_like, shape (...)
        Of the electrons on the normal side, K. Below `LOWEST_TEMPERATURE` that value is used.
    barrier : array_like, shape (...)
        Dimensionless barrier strength Z; infinite for a tunnel junction.
    modulation : array_like, shape (...)
        Peak amplitude of the sinusoidal modulation of the bias, V.
    noise : array_like, shape (...)
        Standard deviation (rms) of Gaussian noise of the bias, faster than the measurement, V.

    Returns
    -------
    ndarray, shape (..., n)
        The parameters broadcast against the leading axes of `bias`. Absolute error below 1e-5
        (typically 1e-7) of the normal-state conductance. NaN where a parameter is NaN.

    Raises
    ------
    ValueError
        If a parameter is negative, one other than `barrier` infinite, or a bias exceeds
        `HIGHEST_BIAS`.
    """
    mirror = reflection(barrier)
    return smeared(bias, gap, temperature, mirror, broadening, modulation, noise, dc=False)


def current(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    barrier: ArrayLike,
    broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Direct current, in units of the normal-state conductance times one volt.

    I(V) = integral of sigma(E) [f(E - V) - f(E)] dE, computed by its own quadrature (not from
    `conductance`). With a modulation it is the mean over one period of I(V + Vm sin(wt)), which is
    what an ammeter shows, and with noise the mean over that. Tends to V plus the excess current at
    high bias.

    Parameters, errors and shapes are those of :func:`conductance`.

    Returns
    -------
    ndarray, shape (..., n)
        V (times the normal-state conductance in S: A). Absolute error below 1e-5 gap.
    """
    mirror = reflection(barrier)
    return smeared(bias, gap, temperature, mirror, broadening, modulation, noise, dc=True)


def smeared(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    reflection: ArrayLike,
    broadening: ArrayLike,
    modulation: ArrayLike,
    noise: ArrayLike = 0.0,
    exponent: ArrayLike = 0.0,
    reference: ArrayLike = 1.0,
    *,
    dc: bool,
) -> NDArray[np.float64]:
    """Conductance, or current if `dc`, for a reflection probability instead of a barrier.

    sigma(E) may be multiplied by a background |E/reference|^exponent (reference in eV); the other
    parameters, errors and shapes are those of :func:`conductance`.
    """
    from stm_daq.physics import kernel

    columns = (gap, temperature, reflection, broadening, modulation, noise, exponent, reference)
    values = np.atleast_1d(np.asarray(bias, dtype=np.float64))
    shape = np.broadcast(*columns).shape
    leading = np.broadcast_shapes(shape, values.shape[:-1])
    parameters = np.empty((*leading, len(columns)))
    for column, value in enumerate(columns):
        parameters[..., column] = value
    parameters[..., 1] = K_B * np.maximum(parameters[..., 1], LOWEST_TEMPERATURE)
    check(values, *columns)
    points = values.shape[-1]
    if values.ndim > 1:
        values = np.broadcast_to(values, (*leading, points))
    rows = np.ascontiguousarray(values).reshape(-1, points)
    out = np.empty((*leading, points))
    kernel.many(rows, parameters.reshape(-1, len(columns)), dc, out.reshape(-1, points))
    return out if np.ndim(bias) else out[..., 0]


def check(bias: NDArray[np.float64], *parameters: ArrayLike) -> None:
    """Refuse values that no junction has.

    Raises
    ------
    ValueError
        If a parameter is negative or infinite, or a bias exceeds `HIGHEST_BIAS`.
    """
    for value in parameters:
        if np.any(np.less(value, 0)):
            raise ValueError(
                "gap, temperature, barrier, broadening, modulation and noise must not be negative"
            )
        if np.any(np.isinf(value)):
            raise ValueError("gap, temperature, broadening, modulation and noise must be finite")
    if np.any(np.abs(bias) > HIGHEST_BIAS):
        raise ValueError(
            f"bias of {np.nanmax(np.abs(bias)):.3g} V: bias must be in V, at most {HIGHEST_BIAS} V"
        )

"""Two contacts in parallel that differ in barrier or gap: a rough contact, two bands, two grains.

g(V) = w g1(V) + (1 - w) g2(V), where the weight w is the first channel's part of the normal-state
conductance, and g1, g2 are those of `stm_daq.physics.btk`. Equal gaps and two barriers describe a
contact of uneven transparency; equal barriers and two gaps a two-band superconductor such as MgB2
(A. Brinkman et al., Phys. Rev. B 65, 180517(R) (2002)).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.physics import btk


def conductance(
    bias: ArrayLike,
    gap1: ArrayLike,
    gap2: ArrayLike,
    temperature: ArrayLike,
    barrier1: ArrayLike,
    barrier2: ArrayLike,
    weight: ArrayLike,
    broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Differential conductance relative to the normal state.

    Parameters
    ----------
    gap1, gap2 : array_like, shape (...)
        eV.
    barrier1, barrier2 : array_like, shape (...)
        Z of each channel; both infinite for tunnelling into two densities of states.
    weight : array_like, shape (...)
        Part of the normal-state conductance in the first channel, 0 to 1.

    The other parameters, which the channels share, shapes, accuracy and errors are those of
    :func:`stm_daq.physics.btk.conductance`.

    Raises
    ------
    ValueError
        Also if a weight is below 0 or above 1.
    """
    shared = (temperature, broadening, modulation, noise)
    return _mixed(btk.conductance, bias, (gap1, gap2), (barrier1, barrier2), weight, *shared)


def current(
    bias: ArrayLike,
    gap1: ArrayLike,
    gap2: ArrayLike,
    temperature: ArrayLike,
    barrier1: ArrayLike,
    barrier2: ArrayLike,
    weight: ArrayLike,
    broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Direct current in units of the normal-state conductance times one volt.

    I(V) = w I1(V) + (1 - w) I2(V). Parameters, shapes and errors are those of :func:`conductance`.
    """
    shared = (temperature, broadening, modulation, noise)
    return _mixed(btk.current, bias, (gap1, gap2), (barrier1, barrier2), weight, *shared)


def _mixed(
    single: Callable[..., NDArray[np.float64]],
    bias: ArrayLike,
    gaps: tuple[ArrayLike, ArrayLike],
    barriers: tuple[ArrayLike, ArrayLike],
    weight: ArrayLike,
    temperature: ArrayLike,
    broadening: ArrayLike,
    modulation: ArrayLike,
    noise: ArrayLike,
) -> NDArray[np.float64]:
    share = np.asarray(weight, dtype=np.float64)
    if np.any(share < 0) or np.any(share > 1):
        raise ValueError("weight must not be below 0 or above 1")
    first, second = (
        single(bias, gap, temperature, barrier, broadening, modulation, noise)
        for gap, barrier in zip(gaps, barriers, strict=True)
    )
    if np.ndim(bias):
        share = share[..., None]
    return np.asarray(share * first + (1.0 - share) * second)

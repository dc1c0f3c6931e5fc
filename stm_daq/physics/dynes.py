"""Tunnelling into a superconductor with a broadened BCS density of states.

R. C. Dynes, V. Narayanamurti, J. P. Garno, Phys. Rev. Lett. 41, 1509 (1978):
N(E) = |Re (E + i Gamma)/sqrt((E + i Gamma)^2 - gap^2)|, the limit R -> 1 of `stm_daq.physics.btk`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.physics.btk import smeared


def conductance(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Differential conductance relative to the normal state; zero broadening is BCS.

    g(V) = integral of N(E) [-df/dE](E - V) dE, averaged over modulation and noise.

    Parameters, shapes, accuracy and errors are those of :func:`stm_daq.physics.btk.conductance`.
    """
    return smeared(bias, gap, temperature, 1.0, broadening, modulation, noise, dc=False)


def current(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Direct current in units of the normal-state conductance times one volt.

    I(V) = integral of N(E) [f(E - V) - f(E)] dE, averaged over modulation and noise. Tends to V:
    tunnelling has no excess current.

    Parameters, shapes, accuracy and errors are those of :func:`stm_daq.physics.btk.current`.
    """
    return smeared(bias, gap, temperature, 1.0, broadening, modulation, noise, dc=True)

"""A superconductor whose density of states is depleted by electrons that repel each other.

In a disordered film the interaction lowers the density of states about the Fermi energy over far
more than the gap: B. L. Altshuler, A. G. Aronov, in Electron-Electron Interactions in Disordered
Systems (1985); measured as dI/dV ~ |V|^alpha with alpha = 0.26-0.43 from 5 to 30 mV in NbN films
of 2 nm by C. Carbillet et al., Phys. Rev. B 102, 024504 (2020). A power law is what an ohmic
environment gives (dynamical Coulomb blockade).

The depletion belongs to the electrons, so it multiplies the spectral conductance before thermal
smearing, modulation and noise:

    g(V) = integral of sigma(E) |E/E0|^alpha [-df/dE](E - V) dE,

with sigma of `stm_daq.physics.btk`. The unit of g is the conductance that the normal state would
have at V = E0 without smearing, not that at infinite bias, where the law does not hold. At zero gap g
is the normal state: at V = 0 it is the thermal average of |E/E0|^alpha, not zero. That the
superconductor keeps the exponent of its normal state is a description, not a theory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.physics.btk import reflection, smeared


def conductance(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    barrier: ArrayLike,
    exponent: ArrayLike,
    broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
    *,
    reference: ArrayLike = 0.01,
) -> NDArray[np.float64]:
    """Differential conductance relative to the normal state at `reference`.

    Parameters
    ----------
    barrier : array_like, shape (...)
        Z; infinite gives the Dynes density of states (BCS without broadening).
    exponent : array_like, shape (...)
        alpha; zero is no background.
    reference : array_like, shape (...)
        E0, eV.

    The others, shapes, accuracy (relative to the largest background in the range) and errors are
    those of :func:`stm_daq.physics.btk.conductance`.

    Raises
    ------
    ValueError
        Also if `exponent` is negative or `reference` not positive.
    """
    mirror = _checked(barrier, reference)
    return smeared(
        bias, gap, temperature, mirror, broadening, modulation, noise, exponent, reference, dc=False
    )


def current(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    barrier: ArrayLike,
    exponent: ArrayLike,
    broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
    *,
    reference: ArrayLike = 0.01,
) -> NDArray[np.float64]:
    """Direct current in units of one volt times the normal-state conductance at `reference`.

    I(V) = integral of sigma(E) |E/E0|^alpha [f(E - V) - f(E)] dE; without gap, V |V/E0|^alpha /
    (1 + alpha) far above kT. Parameters, shapes and errors are those of :func:`conductance`.
    """
    mirror = _checked(barrier, reference)
    return smeared(
        bias, gap, temperature, mirror, broadening, modulation, noise, exponent, reference, dc=True
    )


def _checked(barrier: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    if np.any(np.less_equal(reference, 0)):
        raise ValueError("reference must be positive, in eV")
    return reflection(barrier)

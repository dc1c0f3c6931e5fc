"""Kinetic inductance of a thin dirty superconducting film, from its resistance and gap.

D. C. Mattis, J. Bardeen, Phys. Rev. 111, 412 (1958), at frequencies far below the gap; the form at low
temperature is Eq. 1 of J. Lorenz et al., "Spatial homogeneity of superconducting order parameter in
NbN films grown by atomic layer deposition".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.physics.btk import K_B

PLANCK_OVER_CHARGE = 4.135667696923859e-15
"""h / e, V s: Planck's constant for energies in eV (exact in SI 2019)."""


def sheet_inductance(
    resistance: ArrayLike, gap: ArrayLike, temperature: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Kinetic inductance of a square.

    L = h R / (2 pi^2 gap) / tanh(gap / 2kT), which is hbar R / (pi gap) at low temperature. The last
    factor is the share of the electrons that superconduct; at a gap of 10 kT it differs from 1 by
    1e-4, and near Tc, where the gap closes, L grows as 2 h R kT / (pi^2 gap^2).

    Parameters
    ----------
    resistance : array_like
        Of a square in the normal state, ohm.
    gap : array_like
        At `temperature`, eV.
    temperature : array_like
        Of the film, K. Not that of the tip.

    Returns
    -------
    ndarray
        H; the arguments broadcast.

    Raises
    ------
    ValueError
        If a resistance or a temperature is negative, or a gap is not positive.
    """
    ohms, energy, kelvin = (np.asarray(a, dtype=np.float64) for a in (resistance, gap, temperature))
    if np.any(ohms < 0) or np.any(kelvin < 0) or np.any(energy <= 0):
        raise ValueError(
            "resistance and temperature must not be negative, the gap must be positive"
        )
    with np.errstate(divide="ignore"):
        share = np.tanh(energy / (2.0 * K_B * kelvin))
    return np.asarray(PLANCK_OVER_CHARGE * ohms / (2.0 * np.pi**2 * energy * share))

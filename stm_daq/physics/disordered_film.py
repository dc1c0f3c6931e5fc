"""A disordered film whose electrons repel each other: density of states and gap against resistance.

A. M. Finkelstein; B. L. Altshuler, A. G. Aronov; in the form of C. Carbillet et al., Phys. Rev. B 102,
024504 (2020), Eqs. 1-3 and appendices B, C. The resistance quantum is R_Q = h/e^2 (their 25.8 kohm).
Energies in eV, so that a bias in V has the same number.

Their own numbers, from these formulas: Eq. 1 gives 0.290 (they 0.29). In Eq. 2, eV over hbar D / l^2
is 98 for their V = 10 mV, D = 0.5 cm^2/s, l = 18 nm (they "about 70"), so that a spread of 0.028 of
the exponent means 0.99 kohm (they 1.1). Eq. 3 with 1.1 kohm, 300 K and a gap of 12 K, as in their
appendix, is 0.075 (they 0.074), but with their gap of 1.2 meV = 13.9 K it is 0.065.
"""

from __future__ import annotations

import math

RESISTANCE_QUANTUM = 25812.807459
"""h/e^2, ohm."""
H_BAR = 6.582119569e-16
"""eV s."""
K_B = 8.617333262e-5
"""eV/K."""


def exponent(sheet_resistance: float, bias: float, plasma_energy: float) -> float:
    """Return the exponent of the density of states, alpha = -d S/d ln E, at a bias.

        alpha(V) = R / (2 pi R_Q) ln(hbar omega_0 / eV)                                    (Eq. 1)

    Parameters
    ----------
    sheet_resistance : float
        R, ohm.
    bias : float
        V, between zero and the plasma energy.
    plasma_energy : float
        hbar omega_0, eV.

    Raises
    ------
    ValueError
        If the bias is not between zero and the plasma energy, where the law does not hold.
    """
    return sheet_resistance * _per_ohm(bias, plasma_energy)


def sheet_resistance(exponent: float, bias: float, plasma_energy: float) -> float:
    """Return the sheet resistance (ohm) that has this exponent: Eq. 1 the other way round."""
    return exponent / _per_ohm(bias, plasma_energy)


def _per_ohm(bias: float, plasma_energy: float) -> float:
    if not 0 < bias < plasma_energy:
        raise ValueError(f"a bias of {bias:g} V is not between zero and {plasma_energy:g} eV")
    return math.log(plasma_energy / bias) / (2 * math.pi * RESISTANCE_QUANTUM)


def log_action(
    energy: float, sheet_resistance: float, plasma_energy: float, scattering_time: float
) -> float:
    """Return S(E), by which the density of states is exp(-S) of that without interaction.

        S = R / (4 pi R_Q) (ln^2(hbar omega_0 / E) - ln^2(omega_0 tau))                   (Eq. B3)

    Parameters
    ----------
    energy : float
        From the Fermi energy, eV.
    sheet_resistance : float
        Ohm.
    plasma_energy : float
        eV.
    scattering_time : float
        tau, s; S is zero at hbar / tau.
    """
    high = math.log(plasma_energy * scattering_time / H_BAR)
    return (
        sheet_resistance
        / (4 * math.pi * RESISTANCE_QUANTUM)
        * (math.log(plasma_energy / energy) ** 2 - high**2)
    )


def resistance_by_exponent(bias: float, diffusion: float, length: float) -> float:
    """Return by how many ohm the local sheet resistance differs for a unit of the local exponent.

        delta alpha = delta rho / (2 pi R_Q) ln(eV / (hbar D / l^2))                       (Eq. 2)

    Parameters
    ----------
    bias : float
        V.
    diffusion : float
        D, m^2/s.
    length : float
        Correlation length l of the resistance, so of the exponent, m.

    Raises
    ------
    ValueError
        If an electron of this energy diffuses further than the length: the formula then does not
        hold.
    """
    ratio = bias / thouless_energy(diffusion, length)
    if not ratio > 1:
        raise ValueError(
            f"at {bias:g} V electrons spread over more than the correlation length of {length:g} m"
        )
    return 2 * math.pi * RESISTANCE_QUANTUM / math.log(ratio)


def thouless_energy(diffusion: float, length: float) -> float:
    """Return hbar D / l^2, eV (D in m^2/s, l in m)."""
    return H_BAR * diffusion / length**2


def gap_by_resistance(gap: float, debye_temperature: float) -> float:
    """Return the relative change of the gap for an ohm more of the local sheet resistance.

        delta gap / gap = -delta rho / (6 pi R_Q) ln^3(k_B theta_D / gap)                  (Eq. 3)

    Parameters
    ----------
    gap : float
        eV.
    debye_temperature : float
        K. The cut-off is known roughly only, so this number to about 50 %.

    Raises
    ------
    ValueError
        If the gap is not between zero and the Debye energy.
    """
    cut_off = K_B * debye_temperature
    if not 0 < gap < cut_off:
        raise ValueError(f"a gap of {gap:g} eV is not between zero and {cut_off:g} eV")
    return -(math.log(cut_off / gap) ** 3) / (6 * math.pi * RESISTANCE_QUANTUM)


def coherence_length(gap: float, diffusion: float) -> float:
    """Return sqrt(hbar D / gap), m: shorter than the patches, or the gap cannot follow them."""
    return math.sqrt(H_BAR * diffusion / gap)

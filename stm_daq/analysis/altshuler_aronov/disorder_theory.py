"""Measured gaps and exponents of a film against the theory of its disorder.

From C. Carbillet et al., Phys. Rev. B 102, 024504 (2020): the sheet resistance tells the exponent
(Eq. 1), the spread of the exponent that of the local resistance (Eq. 2), and this the spread of the gap
(Eq. 3, A. M. Finkelstein), with a correlation of -1 between gap and exponent: what is missing to that
has another origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stm_daq.errors import CannotTellError
from stm_daq.physics import disordered_film as film


@dataclass(frozen=True, slots=True)
class Material:
    """What is known of the film from elsewhere."""

    sheet_resistance: float
    """Ohm."""
    plasma_energy: float
    """eV."""
    diffusion: float
    """m^2/s."""
    debye_temperature: float
    """K."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its standard deviation."""

    value: float
    std: float = math.nan


@dataclass(frozen=True, slots=True)
class Measured:
    """What the maps say."""

    gap: Value
    """Mean, eV."""
    gap_sigma: Value
    """Relative."""
    exponent: Value
    exponent_sigma: Value
    exponent_length: Value
    """Correlation length, m."""
    slope: Value
    """Relative change of the gap for a unit of the exponent, by regression; NaN if not known."""


@dataclass(frozen=True, slots=True)
class Theory:
    """What the theory expects, with standard deviations from the measured numbers it starts from."""

    bias: float
    """Representative of the window of the exponent: its geometric mean, V."""
    exponent: Value
    """Eq. 1, from the sheet resistance."""
    sheet_resistance: Value
    """Eq. 1 the other way round, from the mean exponent, ohm."""
    resistance_sigma: Value
    """Eq. 2, from the spread of the exponent, ohm."""
    gap_sigma: Value
    """Eq. 3, relative, from the spread of the resistance. To about 50 %: the cut-off is not well
    known."""
    slope: Value
    """Eqs. 2 and 3: relative change of the gap for a unit of the exponent."""
    coherence_length: float
    """m; theory and measurement can be compared where it is well below the length of the patches."""


def expectation(measured: Measured, material: Material, window: tuple[float, float]) -> Theory:
    """Work out what the theory expects.

    Parameters
    ----------
    measured : Measured
    material : Material
    window : tuple of float
        Where the exponent was fitted, V.

    Raises
    ------
    CannotTellError
        If a formula does not hold for these numbers; the text says which and why.
    """
    bias = math.sqrt(window[0] * window[1])
    try:
        expected = film.exponent(material.sheet_resistance, bias, material.plasma_energy)
        ohms = film.sheet_resistance(1.0, bias, material.plasma_energy)
        length = measured.exponent_length
        by_exponent = film.resistance_by_exponent(bias, material.diffusion, length.value)
        by_resistance = film.gap_by_resistance(measured.gap.value, material.debye_temperature)
    except ValueError as reason:
        raise CannotTellError(f"The theory of disorder cannot be compared: {reason}.") from None
    # by_exponent goes as 1 / ln(length^2 ...), by_resistance as ln^3(... / gap)
    log = math.log(bias / film.thouless_energy(material.diffusion, length.value))
    of_length = 2 * length.std / length.value / log
    cut_off = math.log(film.K_B * material.debye_temperature / measured.gap.value)
    of_gap = 3 * measured.gap.std / measured.gap.value / cut_off
    alpha, sigma = measured.exponent, measured.exponent_sigma
    of_sigma = _relative(sigma.std / sigma.value, of_length)
    resistance = Value(sigma.value * by_exponent, sigma.value * by_exponent * of_sigma)
    slope = by_resistance * by_exponent
    spread = resistance.value * -by_resistance
    return Theory(
        bias=bias,
        exponent=Value(expected),
        sheet_resistance=Value(alpha.value * ohms, alpha.std * ohms),
        resistance_sigma=resistance,
        gap_sigma=Value(spread, spread * _relative(of_sigma, of_gap)),
        slope=Value(slope, abs(slope) * _relative(of_length, of_gap)),
        coherence_length=film.coherence_length(measured.gap.value, material.diffusion),
    )


def _relative(*parts: float) -> float:
    """Add relative standard deviations in quadrature; those that are not known do not count."""
    return math.hypot(*(part for part in parts if math.isfinite(part)))

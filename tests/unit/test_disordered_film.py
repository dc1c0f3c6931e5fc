"""Theory of a disordered film: its limits, its derivatives, the numbers of the paper."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stm_daq.analysis.altshuler_aronov.disorder_theory import Material, Measured, Value, expectation
from stm_daq.errors import CannotTellError
from stm_daq.physics import disordered_film as film

DIFFUSION, LENGTH, PLASMA = 0.5e-4, 18e-9, 10.0
"""m^2/s, m, eV: of the paper."""


def test_the_exponent_of_the_paper():
    assert film.exponent(6800, 0.01, PLASMA) == pytest.approx(0.29, abs=0.001)
    assert film.sheet_resistance(0.29, 0.01, PLASMA) == pytest.approx(6800, rel=0.01)


def test_the_exponent_is_the_slope_of_the_action():
    energy, step = 0.012, 1e-5
    high, low = (
        film.log_action(energy * math.exp(sign * step), 6800, PLASMA, 1.7e-15) for sign in (1, -1)
    )
    slope = -(high - low) / (2 * step)
    assert slope == pytest.approx(film.exponent(6800, energy, PLASMA), rel=1e-6)


def test_there_is_no_suppression_at_the_scattering_rate_nor_without_resistance():
    rate = film.H_BAR / 1.7e-15
    assert film.log_action(rate, 6800, PLASMA, 1.7e-15) == pytest.approx(0, abs=1e-12)
    assert film.exponent(0.0, 0.01, PLASMA) == 0
    assert film.exponent(6800, 9.999999, PLASMA) == pytest.approx(0, abs=1e-6)


def test_a_uniform_change_is_the_limit_of_a_long_correlation():
    """With patches as large as the field spreads, Eq. 2 has to become the derivative of Eq. 1."""
    length = math.sqrt(film.H_BAR * DIFFUSION / 3e-5)
    narrow, wide = (film.resistance_by_exponent(0.01, DIFFUSION, x) for x in (LENGTH, length))
    uniform = film.sheet_resistance(1.0, 0.01, PLASMA)
    assert narrow > wide > uniform
    reaching = math.sqrt(
        film.H_BAR * DIFFUSION / (0.01 * 0.01 / PLASMA)
    )  # hbar D / l^2 = V^2 / omega
    assert film.resistance_by_exponent(0.01, DIFFUSION, reaching) == pytest.approx(uniform)


def test_the_spreads_of_the_paper_within_its_rounding():
    ohms = 0.028 * film.resistance_by_exponent(0.01, DIFFUSION, LENGTH)
    assert ohms == pytest.approx(990, rel=0.01)
    assert ohms == pytest.approx(1100, rel=0.11)
    as_in_appendix = -1100 * film.gap_by_resistance(12 * film.K_B, 300)
    assert as_in_appendix == pytest.approx(0.074, rel=0.025)
    assert -1100 * film.gap_by_resistance(1.2e-3, 300) == pytest.approx(0.0654, rel=0.005)
    assert film.thouless_energy(DIFFUSION, LENGTH) == pytest.approx(0.1016e-3, rel=0.001)
    assert film.coherence_length(1.2e-3, DIFFUSION) == pytest.approx(5.2e-9, rel=0.01)


def test_a_gap_at_the_debye_energy_does_not_feel_the_resistance():
    assert film.gap_by_resistance(0.9999 * 300 * film.K_B, 300) == pytest.approx(0, abs=1e-12)
    assert film.gap_by_resistance(0.5e-3, 300) < film.gap_by_resistance(1.2e-3, 300) < 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: film.exponent(6800, 0.0, PLASMA), "not between zero and 10 eV"),
        (lambda: film.exponent(6800, 11.0, PLASMA), "not between"),
        (lambda: film.resistance_by_exponent(1e-5, DIFFUSION, LENGTH), "spread over more"),
        (lambda: film.gap_by_resistance(0.1, 300), "not between zero and"),
    ],
)
def test_formulas_refuse_where_they_do_not_hold(call, text):
    with pytest.raises(ValueError, match=text):
        call()


MATERIAL = Material(6800, PLASMA, DIFFUSION, 300)
MEASURED = Measured(
    Value(1.2e-3, 1e-5), Value(0.057, 0.004), Value(0.35, 0.003), Value(0.028, 0.002),
    Value(18e-9, 2e-9), Value(-1.1, 0.1),
)  # fmt: skip


def test_the_expectation_is_that_of_the_formulas():
    found = expectation(MEASURED, MATERIAL, (5e-3, 30e-3))
    assert found.bias == pytest.approx(12.247e-3, rel=1e-4)
    assert found.exponent.value == film.exponent(6800, found.bias, PLASMA)
    assert film.exponent(found.sheet_resistance.value, found.bias, PLASMA) == pytest.approx(0.35)
    ohms = film.resistance_by_exponent(found.bias, DIFFUSION, 18e-9)
    assert found.resistance_sigma.value == pytest.approx(0.028 * ohms)
    by_ohm = film.gap_by_resistance(1.2e-3, 300)
    assert found.gap_sigma.value == pytest.approx(-by_ohm * 0.028 * ohms)
    assert found.slope.value == pytest.approx(by_ohm * ohms)


def test_uncertainties_are_those_of_many_measurements():
    rng = np.random.default_rng(1)
    spread = []
    for _ in range(4000):
        drawn = [
            Value(v.value + v.std * rng.standard_normal())
            for v in (MEASURED.gap, MEASURED.exponent, MEASURED.exponent_sigma)
        ]
        length = Value(18e-9 + 2e-9 * rng.standard_normal())
        one = replace(
            MEASURED,
            gap=drawn[0],
            exponent=drawn[1],
            exponent_sigma=drawn[2],
            exponent_length=length,
        )
        found = expectation(one, MATERIAL, (5e-3, 30e-3))
        spread.append(
            (
                found.sheet_resistance.value,
                found.resistance_sigma.value,
                found.gap_sigma.value,
                found.slope.value,
            )
        )
    stated = expectation(MEASURED, MATERIAL, (5e-3, 30e-3))
    found = (stated.sheet_resistance, stated.resistance_sigma, stated.gap_sigma, stated.slope)
    assert np.std(spread, axis=0) == pytest.approx([v.std for v in found], rel=0.08)


def test_a_formula_that_does_not_hold_is_told():
    short = replace(MEASURED, exponent_length=Value(1e-9))
    with pytest.raises(CannotTellError, match="spread over more than the correlation length"):
        expectation(short, MATERIAL, (5e-3, 30e-3))

"""Tunnelling between two superconductors."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from stm_daq.physics import btk, dynes, sis

BIAS = np.linspace(-3e-3, 3e-3, 121)


def states(energy: float, gap: float, broadening: float) -> tuple[float, float]:
    """Dynes density of states and its slope."""
    w = complex(abs(energy), broadening)
    square = w * w - gap * gap
    slope = (-gap * gap / (square * np.sqrt(square))).real
    return (w / np.sqrt(square)).real, slope * math.copysign(1.0, energy)


def by_quadrature(v, gap, kelvin, tip_gap, broadening, tip_broadening):
    """Current and conductance at one bias from the integral over energy."""
    kt = btk.K_B * kelvin

    def occupied(energy: float) -> float:
        return 1 / (1 + math.exp(min(energy / kt, 600.0)))

    def passing(energy: float) -> tuple[float, float]:
        sample, _ = states(energy, gap, broadening)
        tip, slope = states(energy - v, tip_gap, tip_broadening)
        f = occupied(energy - v)
        window = f - occupied(energy)
        return sample * tip * window, sample * (tip * f * (1 - f) / kt - slope * window)

    low, high = min(0.0, v) - 35 * kt, max(0.0, v) + 35 * kt
    marks = {-gap, gap, v - tip_gap, v + tip_gap, 0.0, v}
    edges = [low, *sorted(m for m in marks if low < m < high), high]
    total = np.zeros(2)
    for a, b in itertools.pairwise(edges):
        for k, tolerance in enumerate((1e-11, 1e-7)):
            total[k] += quad(lambda e, k=k: passing(e)[k], a, b, limit=400, epsabs=tolerance)[0]
    return total


@pytest.mark.parametrize(
    "junction",
    [
        (0.6e-3, 0.5, 0.4e-3, 2e-5, 1e-5),
        (0.6e-3, 1.5, 0.6e-3, 6e-6, 6e-6),
        (0.6e-3, 0.05, 0.4e-3, 2e-5, 2e-5),
        (0.6e-3, 2.0, 0.4e-3, 1e-4, 1e-6),
        (1.2e-3, 0.3, 0.3e-3, 3e-5, 1e-5),
    ],
)
def test_current_and_conductance_are_the_integrals_over_energy(junction):
    total, difference = junction[0] + junction[2], junction[0] - junction[2]
    bias = np.array([0.0, 5e-5, difference, -5e-4, total - 2e-5, total, total + 1e-5, 3e-3])
    expected = np.array([by_quadrature(v, *junction) for v in bias])
    g = sis.conductance(bias, *junction)
    assert sis.current(bias, *junction) == pytest.approx(expected[:, 0], abs=1e-6 * junction[0])
    assert g == pytest.approx(expected[:, 1], abs=1e-5 * max(np.max(g), 3.0))


@pytest.mark.parametrize("modulation", [0.0, 6e-5])
@pytest.mark.parametrize("noise", [0.0, 3e-5])
@pytest.mark.parametrize("broadening", [2e-5, 3e-4])
def test_a_normal_tip_is_the_case_of_dynes(broadening, noise, modulation):
    one = (0.6e-3, 0.5, 0.0, broadening, 0.0, modulation, noise)
    expected = dynes.conductance(BIAS, 0.6e-3, 0.5, broadening, modulation, noise)
    assert sis.conductance(BIAS, *one) == pytest.approx(expected, abs=3e-6)
    expected = dynes.current(BIAS, 0.6e-3, 0.5, broadening, modulation, noise)
    assert sis.current(BIAS, *one) == pytest.approx(expected, abs=2e-6 * 0.6e-3)


def test_no_gaps_are_ohmic():
    for gap in (0.0, 1e-12):
        assert sis.conductance(BIAS, gap, 1.0, gap, 1e-5, 0.0) == pytest.approx(1.0, abs=1e-6)
        assert sis.current(BIAS, gap, 1.0, gap) == pytest.approx(BIAS, abs=1e-9)


def test_the_current_jumps_at_the_sum_of_the_gaps():
    """pi/2 sqrt(gap tip_gap), Tinkham (3.83) ff.; nothing flows below at zero temperature."""
    gap, tip_gap = 0.6e-3, 0.4e-3
    before, after = sis.current([0.990e-3, 1.006e-3], gap, 0.0, tip_gap)
    assert before == pytest.approx(0.0, abs=1e-9)
    assert after == pytest.approx(0.5 * math.pi * math.sqrt(gap * tip_gap), rel=1e-2)
    g = sis.conductance(np.linspace(0.99e-3, 1.01e-3, 4001), gap, 0.0, tip_gap)
    assert np.sum(g) * 5e-9 == pytest.approx(after - before, rel=2e-2)  # a narrow, high peak


def test_thermally_excited_quasiparticles_meet_at_the_difference():
    """A cusp of the current at |gap - tip_gap| that vanishes with temperature."""
    bias = np.linspace(0.05e-3, 0.4e-3, 141)
    warm = sis.current(bias, 0.6e-3, 1.5, 0.4e-3, noise=2e-6)
    assert bias[np.argmax(warm)] == pytest.approx(0.2e-3, abs=1e-5)
    assert np.max(sis.current(bias, 0.6e-3, 0.2, 0.4e-3, noise=2e-6)) < 1e-3 * np.max(warm)


def test_modulation_averages_the_current_over_a_period():
    phase = 2 * np.pi * (np.arange(400) + 0.5) / 400
    bias, junction, peak = 0.97e-3, (0.6e-3, 0.5, 0.4e-3, 2e-5, 1e-5), 0.1e-3
    swept = sis.current(bias + peak * np.cos(phase), *junction)
    assert sis.current(bias, *junction, peak) == pytest.approx(np.mean(swept), rel=1e-6)
    lockin = 2 * np.mean(swept * np.cos(phase)) / peak
    assert sis.conductance(bias, *junction, peak) == pytest.approx(lockin, rel=1e-5)


def test_least_noise_no_longer_matters_once_there_is_broadening(monkeypatch):
    junction = (0.6e-3, 0.5, 0.4e-3, 6e-6, 6e-6)
    usual = sis.conductance(BIAS, *junction)
    monkeypatch.setattr(sis, "LEAST_NOISE", 5e-7)
    assert sis.conductance(BIAS, *junction) == pytest.approx(usual, abs=1e-5 * np.max(usual))


def test_parameters_broadcast_and_nan_stays_where_it_is():
    g = sis.conductance(BIAS, [[0.5e-3], [0.7e-3]], [0.5, 1.0, math.nan], 0.3e-3, 2e-5, 2e-5)
    assert g.shape == (2, 3, 121)
    assert np.array_equal(g[1, 0], sis.conductance(BIAS, 0.7e-3, 0.5, 0.3e-3, 2e-5, 2e-5))
    assert np.isnan(g[:, 2]).all()
    assert sis.current(1e-3, 0.5e-3, 0.5, 0.3e-3, 2e-5).shape == ()
    lost = sis.conductance([math.nan, 1e-3], 0.5e-3, 0.5, 0.3e-3, 2e-5)
    assert np.array_equal(np.isnan(lost), [True, False])


@pytest.mark.parametrize("change", [{"tip_gap": -1e-3}, {"temperature": math.inf}, {"bias": 4.0}])
@pytest.mark.parametrize("function", [sis.conductance, sis.current])
def test_impossible_values_are_refused(function, change):
    arguments = {"bias": [1e-3], "gap": 1e-3, "temperature": 1.0, "tip_gap": 1e-3} | change
    with pytest.raises(ValueError, match="must"):
        function(**arguments)


@settings(max_examples=40, deadline=None)
@given(
    gap=st.floats(0, 2e-3),
    tip_gap=st.floats(0, 2e-3),
    kelvin=st.floats(0, 20),
    broadening=st.floats(0, 1e-3),
    tip_broadening=st.floats(0, 1e-3),
    modulation=st.floats(0, 3e-4),
    noise=st.floats(0, 1e-4),
)
def test_any_junction_is_finite_even_and_symmetric(
    gap, tip_gap, kelvin, broadening, tip_broadening, modulation, noise
):
    bias = np.array([-3e-3, -gap - tip_gap, -abs(gap - tip_gap), 0.0, gap + tip_gap, 3e-3])
    g = sis.conductance(bias, gap, kelvin, tip_gap, broadening, tip_broadening, modulation, noise)
    swapped = sis.conductance(
        -bias, tip_gap, kelvin, gap, tip_broadening, broadening, modulation, noise
    )
    i = sis.current(bias, gap, kelvin, tip_gap, broadening, tip_broadening, modulation, noise)
    assert np.all(np.isfinite(g))
    assert np.all(np.isfinite(i))
    assert g == pytest.approx(swapped, abs=1e-4 * np.max(g))
    assert i[0] == pytest.approx(-i[-1], abs=1e-12)
    assert i[3] == pytest.approx(0.0, abs=1e-9)

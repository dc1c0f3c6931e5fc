"""BTK and Dynes spectra against other ways of computing them."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, trapezoid

from stm_daq.physics import btk, dynes, kernel

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "btk.json"
BIAS = np.linspace(-4e-3, 4e-3, 81)


def andreev(energy: float, gap: float, barrier: float) -> float:
    """(1 + Z^2)(1 + A - B) from table II of Phys. Rev. B 25, 4515, without broadening."""
    z2 = barrier**2
    if energy < gap:
        a = gap**2 / (energy**2 + (gap**2 - energy**2) * (1 + 2 * z2) ** 2)
        b = 1 - a
    else:
        u2 = 0.5 * (1 + math.sqrt(energy**2 - gap**2) / energy)
        v2 = 1 - u2
        gamma2 = (u2 + z2 * (u2 - v2)) ** 2
        a = u2 * v2 / gamma2
        b = (u2 - v2) ** 2 * z2 * (1 + z2) / gamma2
    return (1 + z2) * (1 + a - b)


def by_quadrature(bias: float, gap: float, kelvin: float, barrier: float) -> float:
    kt = btk.K_B * kelvin

    def integrand(energy: float) -> float:
        x = (energy - bias) / kt
        return andreev(abs(energy), gap, barrier) / (4 * kt * math.cosh(0.5 * x) ** 2)

    low, high = bias - 30 * kt, bias + 30 * kt
    edges = [low, *sorted(e for e in (-gap, gap) if low < e < high), high]
    pieces = itertools.pairwise(edges)
    return sum(quad(integrand, a, b, limit=300, epsabs=1e-11)[0] for a, b in pieces)


@pytest.mark.parametrize("barrier", [0.0, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("kelvin", [0.3, 2.0])
def test_conductance_is_the_integral_of_andreev_and_normal_reflection(barrier, kelvin):
    bias = np.array([0.0, 0.2e-3, 0.59e-3, -0.6e-3, 0.7e-3, 3e-3])
    expected = [by_quadrature(v, 0.6e-3, kelvin, barrier) for v in bias]
    assert btk.conductance(bias, 0.6e-3, kelvin, barrier) == pytest.approx(expected, abs=2e-6)


@pytest.mark.skipif(not REFERENCE.exists(), reason="no reference values beside the repository")
def test_reference_values():
    reference = json.loads(REFERENCE.read_text())
    bias = 1e-3 * np.array(reference["V_mV"])
    for case in reference["sets"]:
        gap, broadening, modulation = (1e-3 * case[key] for key in ("D", "G", "Vm"))
        if case["model"] == "btk":
            g = btk.conductance(bias, gap, case["T"], case["Z"], broadening, modulation)
        else:
            g = dynes.conductance(bias, gap, case["T"], broadening, modulation)
        assert np.max(np.abs(g - case["g"])) < 2e-6, case["name"]


@pytest.mark.parametrize("broadening", [0.0, 0.05e-3])
@pytest.mark.parametrize("barrier", [0.0, 0.5, 3.0, 1e3])
@pytest.mark.parametrize("kelvin", [0.0, 0.5, 3.0])
def test_current_is_the_integral_of_the_conductance(kelvin, barrier, broadening):
    bias = np.linspace(0, 4e-3, 40001)
    g = btk.conductance(bias, 0.6e-3, kelvin, barrier, broadening)
    integral = [trapezoid(g[: n + 1], bias[: n + 1]) for n in range(0, 40001, 4000)]
    current = btk.current(bias[::4000], 0.6e-3, kelvin, barrier, broadening)
    assert current == pytest.approx(integral, abs=5e-6 * 0.6e-3)


def test_modulation_averages_the_current_over_a_period():
    phase = 2 * np.pi * (np.arange(400) + 0.5) / 400
    bias, gap, kelvin, barrier, peak = 0.5e-3, 0.6e-3, 0.5, 1.0, 0.14e-3
    swept = btk.current(bias + peak * np.cos(phase), gap, kelvin, barrier)
    dc = btk.current(bias, gap, kelvin, barrier, modulation=peak)
    lockin = btk.conductance(bias, gap, kelvin, barrier, modulation=peak)
    assert dc == pytest.approx(np.mean(swept), rel=1e-6)
    assert lockin == pytest.approx(2 * np.mean(swept * np.cos(phase)) / peak, rel=1e-6)


def test_currents_at_zero_temperature_have_a_closed_form():
    gap, barrier = 0.6e-3, 1.2
    s, k = 1 + 2 * barrier**2, 2 * barrier * math.sqrt(1 + barrier**2)
    inside = np.array([0.1e-3, 0.5e-3])
    expected = (1 + s) * gap / (s * k) * np.arctanh(k * inside / (s * gap))
    assert btk.current(inside, gap, 0.0, barrier) == pytest.approx(expected, rel=1e-3)
    excess = btk.current(5e-3, gap, 0.0, 0.0) - 5e-3  # 4/3 gap at full transparency, far away
    assert excess == pytest.approx(4 / 3 * gap - gap**2 / (4 * 5e-3), rel=1e-2)


def test_zero_temperature_is_the_spectral_conductance():
    bias = np.array([0.0, 0.2e-3, 0.5e-3, 1.0e-3, 3e-3])
    expected = [andreev(v, 0.6e-3, 1.0) for v in bias]
    assert btk.conductance(bias, 0.6e-3, 0.0, 1.0) == pytest.approx(expected, rel=3e-4)
    assert btk.conductance(0.0, 0.6e-3, 0.0, 0.0) == pytest.approx(2.0)


def test_thick_barrier_is_dynes():
    g = btk.conductance(BIAS, 0.6e-3, 0.5, 3e3, 0.05e-3)
    assert g == pytest.approx(dynes.conductance(BIAS, 0.6e-3, 0.5, 0.05e-3), abs=1e-5)
    x = (BIAS + 0.05e-3j) / np.sqrt((BIAS + 0.05e-3j) ** 2 - 0.6e-3**2)
    assert dynes.conductance(BIAS, 0.6e-3, 0.0, 0.05e-3) == pytest.approx(np.abs(x.real), abs=2e-3)


def test_no_gap_is_ohmic():
    for gap in (0.0, 1e-12):
        assert btk.conductance(BIAS, gap, 1.0, 1.0, modulation=1e-4) == pytest.approx(1.0)
        assert btk.current(BIAS, gap, 1.0, 1.0) == pytest.approx(BIAS, abs=1e-9)


def test_high_bias_is_ohmic():
    for barrier in (0.0, 1.0, 5.0):
        g = btk.conductance([-0.1, 0.1], 0.6e-3, 1.0, barrier)
        assert g == pytest.approx(1.0, abs=1e-4)


def test_parameters_broadcast():
    gap = np.array([[0.4e-3], [0.8e-3]])
    kelvin = np.array([0.5, 1.0, 2.0])
    g = btk.conductance(BIAS, gap, kelvin, 1.0)
    assert g.shape == (2, 3, 81)
    assert np.array_equal(g[1, 2], btk.conductance(BIAS, 0.8e-3, 2.0, 1.0))
    shifted = BIAS + np.array([[0.0], [1e-4]])
    assert np.array_equal(
        btk.conductance(shifted, 0.4e-3, 1.0, 1.0)[1], btk.conductance(shifted[1], 0.4e-3, 1.0, 1.0)
    )
    assert btk.current(1e-3, 0.4e-3, 1.0, 1.0).shape == ()


def test_nan_goes_where_it_belongs():
    g = btk.conductance([0.0, math.nan], [0.6e-3, math.nan], 1.0, 1.0)
    assert np.array_equal(np.isnan(g), [[False, True], [True, True]])


@pytest.mark.parametrize("change", [{"gap": -1e-3}, {"temperature": -1.0}, {"bias": [4.0]}])
@pytest.mark.parametrize("function", [btk.conductance, btk.current])
def test_impossible_values_are_refused(function, change):
    arguments = {"bias": [1e-3], "gap": 1e-3, "temperature": 1.0, "barrier": 1.0} | change
    with pytest.raises(ValueError, match="must"):
        function(**arguments)


@settings(max_examples=60, deadline=None)
@given(
    gap=st.floats(0, 3e-3),
    kelvin=st.floats(0, 20),
    barrier=st.floats(0, 1e4),
    broadening=st.floats(0, 1e-3),
    modulation=st.floats(0, 3e-4),
)
def test_any_junction_is_finite_even_and_conducts(gap, kelvin, barrier, broadening, modulation):
    bias = np.array([-2e-3, -gap, 0.0, gap, 2e-3])
    g = btk.conductance(bias, gap, kelvin, barrier, broadening, modulation)
    i = btk.current(bias, gap, kelvin, barrier, broadening, modulation)
    assert np.all(np.isfinite(g))
    assert np.all(g > -1e-4)
    assert g[::-1] == pytest.approx(g, abs=1e-9)
    assert i[::-1] == pytest.approx(-i, abs=1e-12)


@pytest.mark.parametrize("modulation", [0.0, 1.4e-4])
@pytest.mark.parametrize(("reflection", "broadening"), [(0.2, 2e-5), (0.8, 1e-4), (1.0, 5e-5)])
def test_derivatives(reflection, broadening, modulation):
    bias = np.linspace(-2.1e-3, 3e-3, 41)
    point = [0.6e-3, btk.K_B * 0.9, reflection, broadening]
    steps = [1e-8, point[1] * 1e-5, -1e-5, 1e-9]

    def value(parameters, v=bias):
        out = np.empty((kernel.COLUMNS, len(v)))
        kernel.evaluate(v, (*parameters, modulation), out)
        return out

    columns = value(point)
    for k, step in enumerate(steps):
        moved = [p + step * (i == k) for i, p in enumerate(point)]
        back = [p - step * (i == k) * (k != 2) for i, p in enumerate(point)]
        width = step * (1 if k == 2 else 2) / (point[1] if k == 1 else 1)
        slope = (value(moved)[0] - value(back)[0]) / width
        tolerance = 3e-4 * np.max(np.abs(slope))
        assert columns[1 + k] == pytest.approx(slope, abs=tolerance)
    slope = (value(point, bias + 1e-8)[0] - value(point, bias - 1e-8)[0]) / 2e-8
    assert columns[5] == pytest.approx(slope, abs=1e-4 * np.max(np.abs(slope)))

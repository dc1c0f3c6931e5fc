"""A sample made of a topograph and measured spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim.samples.measured import Measured

BIAS = np.linspace(-5e-3, 5e-3, 401)
REAL = Path(__file__).parents[2] / "../shared/realdata/nbse2_tunnel_70mK_TomDvir"


def dip(depth):
    return 2e-8 * (1 - depth * np.exp(-((BIAS / 1e-3) ** 2)))


@pytest.fixture
def sample():
    heights = np.tile(np.linspace(0.0, 4e-9, 64), (32, 1))
    spectra = [(4.0, BIAS, dip(0.2)), (0.5, BIAS, dip(0.9)), (2.0, BIAS, dip(0.5))]
    return Measured(heights, (40e-9, 20e-9), spectra)


def test_the_surface_is_the_topograph_centred_on_the_origin(sample):
    x = np.array([-10e-9, 0.0, 10e-9])
    assert sample.height(x, 0 * x) == pytest.approx([1e-9, 2e-9, 3e-9], rel=0.02)


def test_the_surface_is_mirrored_at_its_edges(sample):
    inside, outside = np.array([19e-9]), np.array([21e-9])
    assert sample.height(inside, 0 * inside) == pytest.approx(sample.height(outside, 0 * outside))


def test_valleys_are_cold_and_hills_are_hot(sample):
    temperatures = [sample.junction(x, 0.0, 0.1).temperature for x in (-19.9e-9, 0.0, 19.9e-9)]
    assert temperatures == pytest.approx([0.5, 2.0, 4.0], abs=0.1)
    assert set(sample.junction(0.0, 0.0, 0.1).truth) == {"temperature"}


def test_a_junction_has_the_measured_curve_normalised(sample):
    junction = sample.junction(0.0, 0.0, 0.1)
    bias = np.array([-4.5e-3, 0.0, 4.5e-3])
    assert junction.conductance(bias, 0.0) == pytest.approx([1.0, 0.5, 1.0], abs=0.01)


def test_the_current_is_the_integral_of_the_conductance(sample):
    junction = sample.junction(-19.9e-9, 0.0, 0.1)
    bias = np.linspace(-8e-3, 8e-3, 3201)  # also beyond what was measured
    slope = np.gradient(junction.current(bias, 0.0), bias)
    assert slope == pytest.approx(junction.conductance(bias, 0.0), abs=0.01)
    assert junction.current(np.array([0.0]), 0.0) == pytest.approx([0.0], abs=1e-9)


def test_modulation_averages_over_the_curvature(sample):
    """For a parabola g = a + b V^2 the lock-in measures a + b (V^2 + Vm^2 / 4)."""
    parabola = 1.0 + 1e5 * BIAS**2
    flat = Measured(np.zeros((4, 4)), (1e-9, 1e-9), [(1.0, BIAS, parabola)])
    junction = flat.junction(0.0, 0.0, 0.1)
    bias, peak = np.linspace(-3e-3, 3e-3, 7), 1e-3
    norm = junction.conductance(np.array([0.0]), 0.0)[0]
    expected = norm * (1.0 + 1e5 * (bias**2 + peak**2 / 4))
    assert junction.conductance(bias, peak) == pytest.approx(expected, rel=1e-4)
    mean = norm * (bias + 1e5 * (bias**3 / 3 + bias * peak**2 / 2))
    assert junction.current(bias, peak) == pytest.approx(mean, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize(
    ("heights", "spectra", "text"),
    [
        ([[0.0, np.nan]], [(1.0, BIAS, dip(0.5))], "complete map"),
        ([[0.0, 1.0]], [], "at least one"),
        ([[0.0, 1.0]], [(1.0, BIAS, -dip(0.5))], "no positive conductance"),
        ([[0.0, 1.0]], [(1.0, BIAS + 9e-3, dip(0.5))], "around zero"),
        ([[0.0, 1.0]], [(1.0, [0.0, np.nan], [1.0, 1.0])], "fewer than three"),
    ],
)
def test_unusable_data_are_refused(heights, spectra, text):
    with pytest.raises(ValueError, match=text):
        Measured(heights, (1e-9, 1e-9), spectra)


def test_real_spectra_of_niobium_diselenide():
    files = sorted(REAL.glob("nbse2_*.csv"))
    if not files:
        pytest.skip("the measured spectra are not on this machine")
    spectra = []
    for file in files:
        table = np.genfromtxt(file, delimiter=",", skip_header=1)
        spectra.append((table[:, 0].mean(), table[:, 1] * 1e-3, table[:, 2] * 1e-6))
    heights = np.random.default_rng(1).normal(0.0, 1e-9, (64, 64))
    sample = Measured(heights, (20e-9, 20e-9), spectra)
    dips = {}
    for x in np.linspace(-10e-9, 10e-9, 41):
        junction = sample.junction(x, 0.0, 0.1)
        dips[junction.temperature] = junction.conductance(np.array([-0.15e-3]), 0.0)[0]
    assert min(dips) < 3.0
    assert dips[min(dips)] < dips[max(dips)] < 1.1  # the gap fills as the sample warms

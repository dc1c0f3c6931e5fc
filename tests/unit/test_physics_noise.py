"""Cold, modulated and noisy spectra against adaptive quadrature of another form of the integrand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from stm_daq.physics import btk, dynes

GAP = 0.6e-3
BIAS = np.array([0.0, 0.13e-3, 0.58e-3, 0.6e-3, -0.62e-3, 1.7e-3])


def andreev(energy: float, barrier: float, broadening: float) -> float:
    """(1 + Z^2)(1 + |a|^2 - |b|^2) with the amplitudes a, b of BTK at complex energy (Plecenik)."""
    w = complex(abs(energy), max(broadening, 1e-18))
    root = np.sqrt(w * w - GAP * GAP) / w
    if math.isinf(barrier):
        return abs((1 / root).real)
    u2, v2, z2 = 0.5 * (1 + root), 0.5 * (1 - root), barrier**2
    gamma = u2 + z2 * (u2 - v2)
    a2 = abs(u2 * v2 / gamma**2)
    b2 = z2 * (1 + z2) * abs((u2 - v2) / gamma) ** 2
    return (1 + z2) * (1 + a2 - b2)


def by_quadrature(v, kelvin, barrier, broadening, modulation, noise):
    """Conductance at one bias; the window is averaged over 120 phases, then over the noise."""
    kt = btk.K_B * kelvin
    angle = np.pi * (np.arange(120) + 0.5) / 120
    shift = modulation * np.cos(angle)
    weight = np.sin(angle) ** 2 / 60
    if noise:
        spread = np.linspace(-7, 7, 141) * noise
        density = np.exp(-0.5 * (spread / noise) ** 2)
        shift = (shift[:, None] + spread).ravel()
        weight = (weight[:, None] * density / density.sum()).ravel()
    if not modulation:
        shift, weight = (spread, density / density.sum()) if noise else (np.zeros(1), np.ones(1))

    def integrand(energy: float) -> float:
        x = np.clip((energy - v - shift) / (2 * kt), -300, 300)
        return float(
            andreev(energy, barrier, broadening) * (weight @ np.cosh(x) ** -2.0) / (4 * kt)
        )

    reach = 40 * kt + modulation + 7 * noise
    marks = {s * GAP + d for s in (-1, 1) for d in (-10 * broadening, 0.0, 10 * broadening)}
    marks |= {v - modulation, v, v + modulation, 0.0}
    low, high = v - reach, v + reach
    edges = [low, *sorted(m for m in marks if low < m < high), high]
    pieces = itertools.pairwise(edges)
    return sum(quad(integrand, a, b, limit=200, epsabs=1e-9, epsrel=1e-7)[0] for a, b in pieces)


@pytest.mark.parametrize("modulation", [0.0, 70e-6])
@pytest.mark.parametrize("broadening", [0.0, 2e-5])
@pytest.mark.parametrize("barrier", [0.0, 0.8, math.inf])
@pytest.mark.parametrize("kelvin", [0.05, 0.3])
def test_cold_spectra(kelvin, barrier, broadening, modulation):
    expected = [by_quadrature(v, kelvin, barrier, broadening, modulation, 0.0) for v in BIAS]
    g = btk.conductance(BIAS, GAP, kelvin, barrier, broadening, modulation)
    assert g == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("modulation", [0.0, 70e-6])
@pytest.mark.parametrize("noise", [5e-6, 30e-6, 120e-6])
@pytest.mark.parametrize("barrier", [0.5, math.inf])
def test_noise_is_one_more_average(barrier, noise, modulation):
    bias = BIAS[[0, 3]]
    expected = [by_quadrature(v, 0.2, barrier, 1e-5, modulation, noise) for v in bias]
    g = btk.conductance(bias, GAP, 0.2, barrier, 1e-5, modulation, noise)
    assert g == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("noise", [1e-6, 3e-5, 3e-4])
def test_noise_averages_the_current(noise):
    spread = np.linspace(-7, 7, 201)
    density = np.exp(-0.5 * spread**2)
    swept = btk.current(BIAS[:, None] + noise * spread, GAP, 0.3, 0.7)
    expected = swept @ density / density.sum()
    assert btk.current(BIAS, GAP, 0.3, 0.7, noise=noise) == pytest.approx(expected, abs=1e-6 * GAP)


def test_noise_comes_in_gently():
    quiet = dynes.conductance(BIAS, GAP, 0.3, 1e-5, 5e-5)
    assert dynes.conductance(BIAS, GAP, 0.3, 1e-5, 5e-5, 1e-9) == pytest.approx(quiet, abs=1e-6)


def test_noise_looks_like_a_higher_temperature():
    """Equal variance: (pi kT)^2/3 = noise^2; what is left is of fourth order."""
    bias, kelvin, noise = np.linspace(-2e-3, 2e-3, 81), 0.2, 50e-6
    warmer = math.sqrt(kelvin**2 + 3 * (noise / (math.pi * btk.K_B)) ** 2)
    noisy = btk.conductance(bias, GAP, kelvin, 0.4, 2e-4, noise=noise)
    effect = np.max(np.abs(noisy - btk.conductance(bias, GAP, kelvin, 0.4, 2e-4)))
    left = np.max(np.abs(noisy - btk.conductance(bias, GAP, warmer, 0.4, 2e-4)))
    assert effect > 1e-3
    assert left < 0.2 * effect


@settings(max_examples=40, deadline=None)
@given(
    kelvin=st.floats(0, 10),
    barrier=st.floats(0, 100) | st.just(math.inf),
    broadening=st.floats(0, 1e-3),
    modulation=st.floats(0, 3e-4),
    noise=st.floats(0, 5e-4),
)
def test_smearing_keeps_the_sum(kelvin, barrier, broadening, modulation, noise):
    """No smearing changes the current far away by more than its curvature there."""
    far = np.array([-0.05, 0.05])
    still = btk.current(far, GAP, kelvin, barrier, broadening)
    moved = btk.current(far, GAP, kelvin, barrier, broadening, modulation, noise)
    assert moved == pytest.approx(still, abs=2e-5 * GAP)

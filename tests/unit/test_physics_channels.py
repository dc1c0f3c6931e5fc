"""Two channels, Altshuler-Aronov background, BCS tunnelling and the normal state."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, trapezoid

from stm_daq.physics import altshuler_aronov, bcs, btk, dynes, normal, two_channel

BIAS = np.linspace(-4e-3, 4e-3, 81)
CONTACT = {"broadening": 2e-5, "modulation": 5e-5, "noise": 1e-5}


@pytest.mark.parametrize("quantity", ["conductance", "current"])
def test_weights_of_one_and_zero_are_single_contacts(quantity):
    both, single = getattr(two_channel, quantity), getattr(btk, quantity)
    first = single(BIAS, 0.4e-3, 0.7, 0.3, **CONTACT)
    second = single(BIAS, 0.9e-3, 0.7, 2.0, **CONTACT)
    shared = (0.4e-3, 0.9e-3, 0.7, 0.3, 2.0)
    assert np.array_equal(both(BIAS, *shared, 1.0, **CONTACT), first)
    assert np.array_equal(both(BIAS, *shared, 0.0, **CONTACT), second)
    mixed = both(BIAS, *shared, [0.25, 0.5], **CONTACT)
    assert mixed[0] == pytest.approx(0.25 * first + 0.75 * second)
    assert both(1e-3, *shared, 0.5).shape == ()


def test_infinite_barriers_are_two_densities_of_states():
    g = two_channel.conductance(BIAS, 2.3e-3, 7e-3, 4.2, math.inf, math.inf, 0.9, 1e-4)
    expected = 0.9 * dynes.conductance(BIAS, 2.3e-3, 4.2, 1e-4)
    expected = expected + 0.1 * dynes.conductance(BIAS, 7e-3, 4.2, 1e-4)
    assert g == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_impossible_weights_are_refused(weight):
    with pytest.raises(ValueError, match="weight must"):
        two_channel.conductance(BIAS, 1e-3, 1e-3, 1.0, 1.0, 2.0, weight)


@pytest.mark.parametrize("quantity", ["conductance", "current"])
@pytest.mark.parametrize("barrier", [0.5, math.inf])
def test_exponent_zero_is_no_background(quantity, barrier):
    with_background = getattr(altshuler_aronov, quantity)
    g = with_background(BIAS, 0.6e-3, 0.4, barrier, 0.0, **CONTACT)
    assert np.array_equal(g, getattr(btk, quantity)(BIAS, 0.6e-3, 0.4, barrier, **CONTACT))


@pytest.mark.parametrize("kelvin", [0.05, 1.0])
@pytest.mark.parametrize("exponent", [0.05, 0.35, 1.0])
def test_the_background_is_smeared_by_temperature(exponent, kelvin):
    """Without gap: the thermal average of |E/E0|^alpha; at V = 0 known by the zeta function."""
    kt = btk.K_B * kelvin

    def integrand(energy: float, v: float) -> float:
        x = min(abs(energy - v) / (2 * kt), 300.0)
        return abs(energy / 0.01) ** exponent / (4 * kt * math.cosh(x) ** 2)

    bias = np.array([0.0, 3 * kt, 2e-3])
    expected = []
    for v in bias:
        edges = sorted({v - 40 * kt, v + 40 * kt} | ({0.0} if v < 40 * kt else set()))
        pieces = itertools.pairwise(edges)
        expected.append(sum(quad(integrand, a, b, (v,), limit=200)[0] for a, b in pieces))
    g = altshuler_aronov.conductance(bias, 0.0, kelvin, 1.0, exponent)
    assert g == pytest.approx(expected, abs=2e-6)


def test_the_background_has_the_slope_it_was_given():
    """From 5 to 30 mV, as measured in NbN; the gap raises it by its own tail only."""
    bias = np.geomspace(5e-3, 30e-3, 40)
    for gap, tolerance in ((0.0, 1e-3), (1.2e-3, 2e-2)):
        g = altshuler_aronov.conductance(bias, gap, 0.3, math.inf, 0.35)
        slope = np.polyfit(np.log(bias), np.log(g), 1)[0]
        assert slope == pytest.approx(0.35, abs=tolerance)
    assert altshuler_aronov.conductance(0.02, 0.0, 0.3, 1.0, 0.35, reference=0.02) == pytest.approx(
        1.0, abs=1e-5
    )


def test_current_on_the_background_is_the_integral_of_the_conductance():
    bias = np.linspace(0, 6e-3, 60001)
    arguments = (0.6e-3, 0.3, 1.0, 0.4, 1e-5)
    g = altshuler_aronov.conductance(bias, *arguments)
    i = altshuler_aronov.current(bias[::6000], *arguments)
    integral = [trapezoid(g[: n + 1], bias[: n + 1]) for n in range(0, 60001, 6000)]
    assert i == pytest.approx(integral, abs=5e-6 * 0.6e-3)
    far = altshuler_aronov.current(0.02, 0.0, 0.3, 1.0, 0.4)
    assert far == pytest.approx(0.02 * 2**0.4 / 1.4, rel=1e-4)


@pytest.mark.parametrize(("exponent", "reference"), [(-0.1, 0.01), (0.3, 0.0), (math.inf, 0.01)])
def test_impossible_backgrounds_are_refused(exponent, reference):
    with pytest.raises(ValueError, match="must"):
        altshuler_aronov.conductance(BIAS, 1e-3, 1.0, 1.0, exponent, reference=reference)


@settings(max_examples=40, deadline=None)
@given(
    gap=st.floats(0, 3e-3),
    kelvin=st.floats(0, 20),
    barrier=st.floats(0, 100) | st.just(math.inf),
    exponent=st.floats(0, 2),
    broadening=st.floats(0, 1e-3),
    modulation=st.floats(0, 3e-4),
    noise=st.floats(0, 3e-4),
)
def test_any_contact_on_a_background(gap, kelvin, barrier, exponent, broadening, modulation, noise):
    bias = np.array([-2e-3, -gap, 0.0, gap, 2e-3])
    arguments = (gap, kelvin, barrier, exponent, broadening, modulation, noise)
    g = altshuler_aronov.conductance(bias, *arguments)
    i = altshuler_aronov.current(bias, *arguments)
    assert np.all(np.isfinite(g))
    assert np.all(g > -1e-4)
    assert g[::-1] == pytest.approx(g, abs=1e-9)
    assert i[::-1] == pytest.approx(-i, abs=1e-12)


def test_bcs_is_dynes_without_broadening():
    assert np.array_equal(
        bcs.conductance(BIAS, 0.6e-3, 0.4, 5e-5, 1e-5),
        dynes.conductance(BIAS, 0.6e-3, 0.4, 0.0, 5e-5, 1e-5),
    )
    assert np.array_equal(
        bcs.current(BIAS, 0.6e-3, 0.4, 5e-5), btk.current(BIAS, 0.6e-3, 0.4, math.inf, 0.0, 5e-5)
    )
    cold = bcs.current([0.5e-3, 1e-3], 0.6e-3, 0.0)
    assert cold == pytest.approx([0.0, 0.8e-3], abs=2e-6 * 0.6e-3)


def test_below_the_gap_temperature_fills_exponentially_and_broadening_evenly():
    """g(0) = sqrt(2 pi gap/kT) exp(-gap/kT) at low temperature; Gamma/gap with broadening."""
    gap, kt = 1e-3, btk.K_B * 0.8
    expected = math.sqrt(2 * math.pi * gap / kt) * math.exp(-gap / kt)
    assert bcs.conductance(0.0, gap, 0.8) == pytest.approx(expected, rel=0.1)
    assert dynes.conductance(0.0, gap, 0.1, 1e-6) == pytest.approx(1e-3, rel=1e-2)


@settings(max_examples=40, deadline=None)
@given(
    gap=st.floats(0, 2e-3),
    kelvin=st.floats(0, 10),
    broadening=st.floats(0, 3e-4),
    modulation=st.floats(0, 3e-4),
    noise=st.floats(0, 1e-4),
)
def test_tunnelling_conserves_states(gap, kelvin, broadening, modulation, noise):
    """The integral of g - 1 over all bias vanishes: what the gap removes piles up beside it.

    What a finite range lacks is known: the integral of N is Re sqrt((V + i Gamma)^2 - gap^2).
    """
    far = 0.05
    current = dynes.current(far, gap, kelvin, broadening, modulation, noise)
    expected = np.sqrt(complex(far, broadening) ** 2 - gap**2).real
    assert current == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("barrier", [0.0, 1.0])
def test_andreev_reflection_adds_states(barrier):
    """An excess current proportional to the gap, whatever smears it."""
    far = 0.5
    excess = [btk.current(far, gap, 0.5, barrier, 0.0, 5e-5, 1e-5) - far for gap in (5e-4, 1e-3)]
    assert excess[1] == pytest.approx(2 * excess[0], rel=1e-2)
    if barrier == 0.0:
        assert excess[1] == pytest.approx(4 / 3 * 1e-3, rel=1e-2)


def test_normal_state_with_slope():
    assert np.array_equal(normal.conductance(BIAS), np.ones(81))
    g = normal.conductance(BIAS, [[10.0], [-20.0]])
    assert g.shape == (2, 1, 81)
    assert g[1, 0] == pytest.approx(1 - 20 * BIAS)
    assert normal.conductance(1e-3, 10.0) == pytest.approx(1.01)


def test_a_sloping_contact_rectifies_modulation_and_noise():
    phase = 2 * np.pi * np.arange(64) / 64
    swept = normal.current(1e-3 + 2e-4 * np.cos(phase), 30.0)
    assert normal.current(1e-3, 30.0, modulation=2e-4) == pytest.approx(np.mean(swept), rel=1e-12)
    assert normal.current(0.0, 30.0, noise=1e-4) == pytest.approx(15.0 * 1e-8)


def test_a_bias_in_millivolts_is_refused():
    with pytest.raises(ValueError, match="must be in V"):
        normal.conductance([4.0])

"""The gap against the gap equation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import zeta

from stm_daq.physics import bcs
from stm_daq.physics.btk import K_B


@pytest.mark.parametrize("reduced", [0.1, 0.35, 0.6, 0.9, 0.99, 0.9999])
def test_the_gap_solves_the_gap_equation(reduced):
    """ln(gap/gap0) = -2 int dxi f(E)/E with E^2 = xi^2 + gap^2; gap and kT in units of gap0."""
    kt = reduced / bcs.RATIO

    def imbalance(gap: float) -> float:
        def integrand(xi: float) -> float:
            energy = math.hypot(xi, gap)
            return 1.0 / (energy * (1.0 + math.exp(min(energy / kt, 700.0))))

        edges = (0.0, gap, 5 * gap, gap + 3 * kt, gap + 60 * kt)
        pieces = itertools.pairwise(edges)
        return math.log(gap) + 2.0 * sum(quad(integrand, a, b, epsabs=1e-13)[0] for a, b in pieces)

    expected = brentq(imbalance, 1e-4, 1.0 + 1e-9)
    assert bcs.gap(reduced * 5.0, 1e-3, 5.0) == pytest.approx(1e-3 * expected, abs=1e-9)


def test_limits():
    assert bcs.gap([0.0, 0.05], 1e-3, 4.7) == pytest.approx(1e-3, rel=1e-9)
    assert np.array_equal(bcs.gap([4.7, 9.0], 1e-3, 4.7), [0.0, 0.0])
    near = bcs.gap(4.7 * (1 - 1e-4), 1e-3, 4.7)  # 1.7367 sqrt(1 - t)
    assert near == pytest.approx(1e-3 * 1.7367 * 1e-2, rel=2e-3)
    assert pytest.approx(math.pi * math.exp(-np.euler_gamma), rel=1e-9) == bcs.RATIO


def test_the_gap_falls():
    gap = bcs.gap(np.linspace(0, 5, 2001), 1e-3, 4.9)
    assert np.all(np.diff(gap) <= 0)


def test_sheahen_is_close():
    kelvin = np.linspace(0, 4.9, 300)
    sheahen = bcs.gap(kelvin, 1e-3, 4.9, formula="sheahen")
    assert sheahen == pytest.approx(bcs.gap(kelvin, 1e-3, 4.9), abs=2.2e-5)
    assert sheahen[100] == pytest.approx(
        1e-3 * math.sqrt(math.cos(0.5 * math.pi * (kelvin[100] / 4.9) ** 2))
    )


@pytest.mark.parametrize(
    "arguments", [(-1.0, 1e-3, 4.7), (1.0, 1e-3, 0.0)], ids=["temperature", "tc"]
)
def test_impossible_temperatures_are_refused(arguments):
    with pytest.raises(ValueError, match="temperature must not"):
        bcs.gap(*arguments)


@settings(max_examples=100, deadline=None)
@given(gap0=st.floats(1e-5, 5e-3), reduced=st.floats(0, 0.9999), ratio=st.floats(1.5, 2.5))
def test_gap_at_zero_undoes_gap(gap0, reduced, ratio):
    tc = gap0 / (ratio * K_B)
    for formula in ("bcs", "sheahen"):
        measured = bcs.gap(reduced * tc, gap0, tc, formula=formula)
        found = bcs.gap_at_zero(measured, reduced * tc, tc, formula=formula)
        assert found == pytest.approx(gap0, rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(gap0=st.floats(1e-5, 5e-3), reduced=st.floats(0, 0.999999))
def test_gap_at_zero_bcs_undoes_gap_at_weak_coupling(gap0, reduced):
    tc = gap0 / (bcs.RATIO * K_B)
    measured = bcs.gap(reduced * tc, gap0, tc)
    assert bcs.gap_at_zero_bcs(measured, reduced * tc) == pytest.approx(gap0, rel=1e-6)


def test_the_expansion_near_tc_joins_the_gap_equation():
    y = bcs.SERIES * np.array([0.5, 1 - 1e-9, 1 + 1e-9, 2.0])
    found = bcs.gap_at_zero_bcs(y * K_B, 1.0) / (bcs.RATIO * K_B)
    assert found == pytest.approx(1 + 7 * zeta(3) / (8 * np.pi**2) * y**2, abs=2e-7)
    assert abs(found[2] - found[1]) < 1e-8


def test_no_gap_tells_no_gap_at_zero():
    assert np.isnan(bcs.gap_at_zero([0.0, -1e-3, 1e-3, 1e-3], [1.0, 1.0, 4.7, 6.0], 4.7)).all()
    assert np.isnan(bcs.gap_at_zero_bcs([0.0, -1e-3, math.nan], 1.0)).all()
    assert bcs.gap_at_zero([[1e-3], [2e-3]], [0.0, 1.0, 2.0], 4.7).shape == (2, 3)
    assert bcs.gap_at_zero_bcs([[1e-3], [2e-3]], [0.0, 1.0, 2.0]).shape == (2, 3)
    assert bcs.gap_at_zero_bcs(1e-3, 0.0) == 1e-3


def test_gap_at_zero_refuses_what_gap_refuses():
    with pytest.raises(ValueError, match="temperature must not"):
        bcs.gap_at_zero(1e-3, -1.0, 4.7)
    with pytest.raises(ValueError, match="temperature must not"):
        bcs.gap_at_zero_bcs(1e-3, -1.0)
    with pytest.raises(ValueError, match="unknown gap formula"):
        bcs.gap_at_zero(1e-3, 1.0, 4.7, formula="linear")

"""The gap against the gap equation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from stm_daq.physics import bcs


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

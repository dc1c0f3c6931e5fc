"""The lock-in's low-pass filter against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gammainc

from sim.devices.lock_in_filter import LowPass

TAU = 3e-3


def quiet(times: np.ndarray, targets: np.ndarray, poles: int) -> np.ndarray:
    low_pass = LowPass(np.random.default_rng(0))
    low_pass.settle(0.0)
    return low_pass.run(
        np.diff(times, prepend=0.0), targets.astype(complex), np.zeros(len(times)), TAU, poles
    )


@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_step_response(poles: int) -> None:
    """The response of n equal poles to a step is the incomplete gamma function P(n, t/tau)."""
    times = np.cumsum(np.random.default_rng(1).uniform(0, TAU, 40))
    output = quiet(times, np.full(40, 2.0 + 1j), poles)
    assert output == pytest.approx((2 + 1j) * gammainc(poles, times / TAU), rel=1e-12)


@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_staircase_is_a_sum_of_steps(poles: int) -> None:
    times = 4e-3 * np.arange(1, 31)
    targets = np.random.default_rng(2).normal(size=30)
    jumps = np.diff(targets, prepend=0.0)
    ages = (times[:, None] - (times - 4e-3)[None, :]) / TAU
    expected = (jumps * gammainc(poles, np.maximum(ages, 0))).sum(axis=1)
    assert quiet(times, targets, poles).real == pytest.approx(expected, rel=1e-10, abs=1e-12)


def noise(poles: int, step: float, count: int, density: float = 3.0) -> np.ndarray:
    low_pass = LowPass(np.random.default_rng(3))
    low_pass.settle(0.0)
    durations = np.full(count, step)
    durations[0] = 50 * TAU
    ones = np.ones(count)
    return low_pass.run(durations, 0 * ones.astype(complex), density * ones, TAU, poles)


@pytest.mark.parametrize(("poles", "bandwidth"), [(1, 1 / 4), (2, 1 / 8), (3, 3 / 32), (4, 5 / 64)])
@pytest.mark.parametrize("step", [0.01 * TAU, TAU, 8 * TAU])
def test_equivalent_noise_bandwidth(poles: int, bandwidth: float, step: float) -> None:
    """The bandwidths that the SR830's manual gives, in units of 1/tau, however it is sampled."""
    count = 400_000
    found = noise(poles, step, count)
    expected = 9.0 * bandwidth / TAU
    independent = count * min(step / (4 * TAU), 1.0)
    tolerance = 5 * math.sqrt(2 / independent)
    assert np.mean(found.real**2) == pytest.approx(expected, rel=tolerance)
    assert np.mean(found.imag**2) == pytest.approx(expected, rel=tolerance)
    assert abs(np.mean(found.real * found.imag)) < tolerance * expected


@pytest.mark.parametrize("poles", [1, 2, 4])
def test_noise_is_correlated_as_the_filter_says(poles: int) -> None:
    """Autocorrelation of n-pole noise: integral of h(s) h(s + t), normalised."""
    s = np.linspace(0, 40, 200_001)
    h = s ** (poles - 1) * np.exp(-s) / math.factorial(poles - 1)
    found = noise(poles, 0.5 * TAU, 400_000).real
    for lag in (1, 2, 4):
        shift = round(lag * 0.5 / (s[1] - s[0]))
        expected = np.dot(h[:-shift], h[shift:]) / np.dot(h, h)
        measured = np.mean(found[lag:] * found[:-lag]) / np.mean(found**2)
        assert measured == pytest.approx(expected, abs=0.012)

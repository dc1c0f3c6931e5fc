"""Scatter of fitted values and of maps: what is noise of the fits, and what is the film."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stm_daq.analysis.space.map_spread import noise_of_map, spread_of_map
from stm_daq.analysis.space.spread import fwhm, spread_of
from stm_daq.errors import BadInputError, CannotTellError

from .random_maps import as_map, fields


def test_nothing_but_fit_noise_is_not_called_inhomogeneous():
    """400 seeds at the 5 % level: three binomial standard deviations are 3.3 %."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(400):
        std = 0.02 * np.exp(0.4 * rng.standard_normal(60))
        found.append(spread_of(1.2 + std * rng.standard_normal(60), std))
    assert 0.017 < np.mean([s.p_value < 0.05 for s in found]) < 0.083
    assert np.mean([s.intrinsic == 0 for s in found]) > 0.4
    assert np.mean([s.intrinsic_limit > 0 for s in found]) == 1.0


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_intrinsic_sigma_and_its_error(sigma):
    rng = np.random.default_rng(2)
    found = []
    for _ in range(100):
        std = np.exp(0.3 * rng.standard_normal(150))
        found.append(spread_of(rng.normal(0, np.hypot(std, sigma)), std))
    values = np.array([s.intrinsic for s in found])
    assert math.sqrt(np.mean(values**2)) == pytest.approx(sigma, rel=0.05)
    inside = [abs(s.intrinsic - sigma) < 2 * s.intrinsic_std for s in found if s.intrinsic > 0]
    assert np.mean(inside) > 0.88
    assert np.mean([s.intrinsic_limit > sigma for s in found]) > 0.88


def test_few_values_are_not_biased():
    rng = np.random.default_rng(3)
    values = [spread_of(rng.normal(0, 2, 12), np.full(12, 0.1)).intrinsic ** 2 for _ in range(400)]
    assert np.mean(values) == pytest.approx(4 - 0.01, rel=0.08)


def test_the_limit_holds_where_there_is_no_scatter():
    """Profile likelihood: 95 % of the limits lie above a true sigma of a third of the noise."""
    rng = np.random.default_rng(4)
    limits = [
        spread_of(rng.normal(0, math.hypot(1, 0.33), 100), np.ones(100)).intrinsic_limit
        for _ in range(300)
    ]
    assert 0.91 < np.mean(np.array(limits) > 0.33) <= 0.99


def test_outliers_are_counted_and_left_out():
    rng = np.random.default_rng(5)
    values = rng.normal(0.6, 0.05, 500)
    values[:10] = 5.0
    found = spread_of(values, np.full(500, 0.01))
    assert found.outliers == 10
    assert found.count == 490
    assert found.sigma == pytest.approx(0.05, rel=0.1)
    assert found.gauss_sigma == pytest.approx(0.05, rel=0.12)
    assert found.gauss_mean == pytest.approx(0.6, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(1e-6, 1e6), shift=st.floats(-10, 10))
def test_units_do_not_matter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    std = rng.uniform(0.5, 1.5, 40)
    values = rng.normal(0, np.hypot(std, 1))
    one, two = spread_of(values, std), spread_of(scale * (values + shift), scale * std)
    assert two.intrinsic == pytest.approx(scale * one.intrinsic, rel=1e-5, abs=1e-6 * scale)
    assert two.intrinsic_limit == pytest.approx(scale * one.intrinsic_limit, rel=1e-5)
    assert two.p_value == pytest.approx(one.p_value, rel=1e-4, abs=1e-12)
    assert two.sigma == pytest.approx(scale * one.sigma, rel=1e-6)


def test_without_stated_errors_nothing_is_said_of_noise():
    found = spread_of(np.random.default_rng(6).normal(size=50))
    assert math.isnan(found.noise)
    assert math.isnan(found.intrinsic)
    assert math.isnan(found.p_value)


def test_values_that_cannot_tell():
    with pytest.raises(CannotTellError, match="3 values"):
        spread_of(np.arange(3.0), np.ones(3))
    with pytest.raises(CannotTellError, match="equal"):
        spread_of(np.full(50, 0.6), np.ones(50))
    with pytest.raises(CannotTellError, match="0 values"):
        spread_of(np.full(50, np.nan))
    with pytest.raises(BadInputError):
        spread_of(np.arange(50.0), np.ones(49))


def test_fwhm_of_a_normal_distribution():
    values = np.random.default_rng(1).normal(0.6, 0.05, 20_000)
    assert fwhm(values) == pytest.approx(2.355 * 0.05, rel=0.05)
    assert math.isnan(fwhm(np.full(100, 0.6)))
    assert math.isnan(fwhm(values[:5]))


@pytest.mark.parametrize("length", [4, 10])
def test_noise_is_told_from_a_smooth_film(length):
    rng = np.random.default_rng(7)
    film = 0.1 * fields((48, 48), length, rng, 1)[0]
    noise = noise_of_map(as_map(film + 0.05 * rng.standard_normal((48, 48))))
    assert noise.std == pytest.approx(0.05, abs=3 * noise.std_error)
    assert noise.std_error < 0.003


def test_the_error_of_the_noise_is_its_scatter():
    rng = np.random.default_rng(8)
    found = [noise_of_map(as_map(rng.standard_normal((30, 40)))) for _ in range(150)]
    scatter = np.std([n.std for n in found])
    assert scatter == pytest.approx(np.mean([n.std_error for n in found]), rel=0.2)
    line = [noise_of_map(as_map(rng.standard_normal((1, 300)))) for _ in range(150)]
    assert np.mean([n.std for n in line]) == pytest.approx(1, abs=0.02)
    assert np.std([n.std for n in line]) == pytest.approx(
        np.mean([n.std_error for n in line]), rel=0.3
    )


def test_grain_boundaries_are_not_noise():
    rng = np.random.default_rng(9)
    grains = np.kron(rng.normal(0, 1, (6, 6)), np.ones((10, 10)))
    noise = noise_of_map(as_map(grains + 0.05 * rng.standard_normal(grains.shape)))
    assert noise.std < 0.075


def test_too_small_errors_do_not_make_a_film_inhomogeneous():
    rng = np.random.default_rng(10)
    found = []
    for _ in range(100):
        std = 0.02 * np.exp(0.3 * rng.standard_normal((30, 30)))
        values = 1 + std * rng.standard_normal(std.shape)
        found.append(spread_of_map(as_map(values), as_map(0.6 * std)))
    assert np.mean([s.stated.p_value < 0.05 for s in found]) == 1.0
    assert np.mean([s.p_value < 0.05 for s in found]) < 0.13
    assert np.mean([s.noise.factor for s in found]) == pytest.approx(1 / 0.6, rel=0.03)
    limits = np.array([s.neighbours.intrinsic_limit for s in found])
    assert np.median(limits) < 0.015


def test_a_pattern_below_the_noise_is_found():
    rng = np.random.default_rng(11)
    film = 0.4 * fields((48, 48), 5, rng, 1)[0]
    found = spread_of_map(
        as_map(film + rng.standard_normal(film.shape)), as_map(np.full(film.shape, 0.5))
    )
    assert found.p_value < 1e-4
    assert found.neighbours.intrinsic == pytest.approx(
        np.std(film), abs=3 * found.neighbours.intrinsic_std
    )
    without = spread_of_map(as_map(film + rng.standard_normal(film.shape)))
    assert math.isnan(without.noise.factor)
    assert math.isnan(without.stated.intrinsic)
    assert without.neighbours.intrinsic == pytest.approx(
        np.std(film), abs=3 * without.neighbours.intrinsic_std
    )


def test_scattered_single_pixels_do_not_tell_the_noise():
    values = np.full((20, 20), np.nan)
    values[::2, ::2] = np.random.default_rng(12).normal(size=(10, 10))
    with pytest.raises(CannotTellError, match="all their neighbours"):
        noise_of_map(as_map(values))

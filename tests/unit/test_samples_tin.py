"""The granular TiN film has the statistics that its description promises."""

from __future__ import annotations

import numpy as np
import pytest

from sim.samples.random_field import nearest_points, smooth_noise, stream_key
from sim.samples.tin import TinFilm, TinFilm25

SEEDS = (1, 2, 3)
BOLTZMANN_EV, BCS_RATIO = 8.617333e-5, 1.764


def places(side=500e-9, points=300):
    line = np.linspace(-side / 2, side / 2, points)
    return np.meshgrid(line, line)


@pytest.fixture(scope="module", params=SEEDS)
def film(request):
    return TinFilm(request.param).properties(*places())


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


def test_gap_has_the_mean_and_width_of_the_paper(film):
    gap = film.gap * 1e3
    assert gap.mean() == pytest.approx(0.60, abs=0.03)
    counts, edges = np.histogram(gap, np.arange(0.2, 1.2, 0.03))
    above = edges[:-1][counts > counts.max() / 2]
    assert above[-1] - above[0] + 0.03 == pytest.approx(0.15, abs=0.05)
    assert gap.min() > 0.3
    assert gap.max() < 1.1


def test_surface_is_about_four_nanometres_rough(film):
    assert np.ptp(film.height) == pytest.approx(4e-9, abs=0.6e-9)


def test_temperature_covers_the_range_of_the_paper(film):
    low, median, high = np.percentile(film.temperature, [0, 50, 100])
    assert 0.5 < low < 0.7
    assert 1.0 < median < 1.6
    assert 2.5 < high < 3.5


def test_higher_grains_have_smaller_gaps_and_are_warmer(film):
    assert correlation(film.height, film.gap) < -0.5
    assert correlation(film.height, film.temperature) > 0.4
    assert abs(correlation(film.height, film.barrier)) < 0.05


def test_barrier_scatters_over_the_range_of_the_paper(film):
    assert film.barrier.min() > 0
    assert film.barrier.max() <= 3.5
    low, high = np.percentile(film.barrier, [5, 95])
    assert low < 0.8
    assert high > 2.2


def test_every_junction_is_superconducting_at_its_own_temperature(film):
    """The ratio of gap and temperature implies T / Tc, found here by bisection."""
    ratio = film.gap / (BCS_RATIO * BOLTZMANN_EV * film.temperature)
    low, high = np.full(ratio.shape, 1e-3), np.ones(ratio.shape)
    for _ in range(40):
        reduced = 0.5 * (low + high)
        colder = np.tanh(1.74 * np.sqrt(1 / reduced - 1)) / reduced > ratio
        low, high = np.where(colder, reduced, low), np.where(colder, high, reduced)
    assert np.all(reduced < 0.87)
    zero_gap = BCS_RATIO * BOLTZMANN_EV * film.temperature / reduced
    assert 0.4e-3 < zero_gap.min() < zero_gap.max() < 0.9e-3


def test_zero_bias_peaks_sit_in_a_few_patches_of_a_few_nanometres():
    x, y = places(side=200e-9, points=400)  # 0.5 nm a pixel
    patch = TinFilm(1).properties(x, y).barrier < 0.1
    assert 0.005 < patch.mean() < 0.05
    longest = 0
    for row in patch:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
        longest = max([longest, *(edges[1::2] - edges[::2])])
    assert 4 <= longest <= 16


def test_grains_are_up_to_twenty_nanometres_wide():
    film = TinFilm(1)
    side = 500e-9
    x, y = places(side=side, points=500)
    i, j, _, _ = nearest_points(x.ravel(), y.ravel(), film.pitch, stream_key(1, "grains"))
    _, sizes = np.unique(np.stack([i, j]), axis=1, return_counts=True)
    diameters = 2 * np.sqrt(sizes * (side / 500) ** 2 / np.pi)
    assert np.percentile(diameters, 50) == pytest.approx(19e-9, abs=3e-9)
    assert diameters.max() < 32e-9


def test_the_gap_jumps_from_grain_to_grain():
    film = TinFilm(1)
    x = np.arange(0, 100e-9, 0.1e-9)
    i, j, _, _ = nearest_points(x, 0 * x, film.pitch, stream_key(1, "grains"))
    here = film.properties(x, 0 * x)
    boundary = (np.diff(i) != 0) | (np.diff(j) != 0)
    steps = np.abs(np.diff(here.gap))
    assert boundary.sum() >= 3
    assert np.median(steps[boundary]) > 5 * np.median(steps[~boundary])
    assert np.abs(np.diff(here.height)).max() < 0.5e-9  # the surface itself has no cliffs


def test_a_film_is_decided_by_its_seed():
    x, y = places(points=20)
    first, again, other = (TinFilm(seed).properties(x, y) for seed in (1, 1, 2))
    assert np.array_equal(first.gap, again.gap)
    assert np.array_equal(first.barrier, again.barrier)
    assert correlation(first.gap, other.gap) < 0.3


def test_places_can_be_visited_in_any_order_and_shape():
    film = TinFilm(4)
    x, y = places(points=7)
    whole = film.properties(x, y)
    assert whole.gap.shape == (7, 7)
    single = film.junction(float(x[2, 5]), float(y[2, 5]), 0.5)
    assert single.gap == whole.gap[2, 5]
    assert single.temperature == whole.temperature[2, 5]
    assert single.barrier == whole.barrier[2, 5]
    assert np.array_equal(film.height(x, y), whole.height)


def test_a_warm_stage_closes_the_gap():
    x, y = places(points=30)
    film = TinFilm(1)
    cold, warm, hot = (film.properties(x, y, stage) for stage in (0.5, 2.5, 6.0))
    assert np.all(warm.gap < cold.gap)
    assert np.all(warm.temperature > cold.temperature)
    assert np.all(hot.gap < 1e-8)
    assert np.all(hot.temperature >= 6.0)


def test_smooth_noise_has_unit_variance_and_its_length():
    x, y = places(side=1e-6, points=500)  # 2 nm a pixel
    noise = smooth_noise(x.ravel(), y.ravel(), 10e-9, stream_key(1, "test")).reshape(x.shape)
    assert noise.mean() == pytest.approx(0.0, abs=0.05)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    assert correlation(noise[:, 1:], noise[:, :-1]) > 0.8
    assert abs(correlation(noise[:, 20:], noise[:, :-20])) < 0.1


@pytest.fixture(scope="module", params=SEEDS)
def thin_film(request):
    return TinFilm25(request.param).properties(*places())


def test_the_thin_film_has_the_gap_of_the_paper(thin_film):
    gap = thin_film.gap * 1e3
    assert gap.mean() == pytest.approx(0.42, rel=0.05)
    assert 2.355 * gap.std() == pytest.approx(0.25, rel=0.1)
    counts, edges = np.histogram(gap, np.arange(0.05, 1.2, 0.03))
    above = edges[:-1][counts > counts.max() / 2]
    assert above[-1] - above[0] + 0.03 == pytest.approx(0.25, abs=0.05)


def test_the_thin_film_is_two_nanometres_rough(thin_film):
    assert np.ptp(thin_film.height) == pytest.approx(2e-9, rel=0.1)


def test_gaps_of_the_thin_film_fall_with_height_and_barrier_its_temperature_with_nothing(thin_film):
    assert correlation(thin_film.height, thin_film.gap) < -0.4
    assert correlation(thin_film.barrier, thin_film.gap) < -0.25
    assert abs(correlation(thin_film.height, thin_film.temperature)) < 0.1
    assert thin_film.temperature.std() < 0.15


def test_grains_of_the_thin_film_are_up_to_ten_nanometres_wide():
    film, side = TinFilm25(1), 250e-9
    x, y = places(side=side, points=500)
    i, j, _, _ = nearest_points(x.ravel(), y.ravel(), film.pitch, stream_key(1, "grains"))
    _, sizes = np.unique(np.stack([i, j]), axis=1, return_counts=True)
    diameters = 2 * np.sqrt(sizes * (side / 500) ** 2 / np.pi)
    assert np.percentile(diameters, 90) == pytest.approx(10e-9, rel=0.15)


def test_rms_mean_and_width_of_the_thick_film_are_within_a_tenth(film):
    gap = film.gap * 1e3
    assert gap.mean() == pytest.approx(0.6, rel=0.05)
    assert 2.355 * gap.std() == pytest.approx(0.15, rel=0.1)

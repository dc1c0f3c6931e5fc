"""Fits of lines: the gap of the mean, the gaps of the spectra, how they scatter and run."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.analysis.line.line_fits import fit_average, fit_line
from stm_daq.analysis.line.line_spectra import average_spectrum, line_of
from stm_daq.analysis.space.along_line import course_along
from stm_daq.analysis.space.gaussian_histogram import gaussian_histogram
from stm_daq.analysis.space.spread import spread_of
from stm_daq.errors import CannotTellError
from stm_daq.physics import bcs
from stm_daq.physics.btk import K_B

PLACES = 2e-9 * np.arange(200)


def test_gap_tip_temperature_and_background_of_the_mean(uniform):
    line = line_of(uniform)
    average = average_spectrum(line)
    found = fit_average(line, average)
    assert found.ok
    assert found.gap == pytest.approx(2.02e-3, abs=4 * found.gap_std)
    assert found.temperature == pytest.approx(1.73, abs=4 * found.temperature_std)
    assert found.gap_std == pytest.approx(found.gap_fit_std, rel=0.5)  # nothing but noise
    assert found.slope == pytest.approx(0.0, abs=4 * found.slope_std)
    pull = (average.normalised - found.curve) / average.normalised_std
    assert np.std(pull) == pytest.approx(1.0, abs=0.2)


def test_a_modulation_taken_from_peak_to_peak_costs_temperature(make):
    """A lock-in at 150 uV peak smears by its peak, not by what lies between its peaks."""
    line = line_of(make(40).assign_attrs(modulation=0.0))
    biases, gap = line.bias, 2.02e-3
    phase = 2 * np.pi * (np.arange(400) + 0.5) / 400
    peak = 150e-6
    current = bcs.current((biases[:, None] + peak * np.sin(phase)).ravel(), gap, 1.73)
    lockin = 2 * np.mean(current.reshape(-1, 400) * np.sin(phase), axis=1) / peak
    rng = np.random.default_rng(3)
    spectra = 1e-7 * (lockin + 0.01 * rng.standard_normal((40, len(biases))))
    run = make(40).assign_attrs(modulation=peak)
    run.conductance.values[0] = spectra[:, ::-1]
    right, wrong = (line_of(run, m) for m in (None, 2 * peak))
    fits = [fit_average(one, average_spectrum(one)) for one in (right, wrong)]
    assert fits[0].temperature == pytest.approx(1.73, abs=4 * fits[0].temperature_std)
    assert fits[1].temperature < 1.6


def test_the_scatter_of_the_gaps_smears_the_mean_but_not_the_spectra(film):
    line = line_of(film)
    found, fits = fit_average(line, average_spectrum(line)), fit_line(line)
    smeared = 3 * (np.std(film.true_gap.values) / (np.pi * K_B)) ** 2
    assert found.temperature**2 == pytest.approx(1.73**2 + smeared, rel=0.01)
    assert np.mean(fits.temperature) == pytest.approx(1.73, abs=0.003)
    assert found.gap == pytest.approx(float(film.true_gap.mean()), abs=found.gap_std)
    assert 3e-6 < found.gap_std < 12e-6  # some 30 grains of 40 ueV
    assert found.gap_fit_std < 0.3 * found.gap_std


def test_the_gaps_of_the_spectra_are_the_true_ones(film):
    fits = fit_line(line_of(film))
    assert fits.note == "90 of 90 fits with bcs are trusted"
    pull = (fits.gap - film.true_gap.values[0]) / fits.gap_std
    assert np.std(pull) == pytest.approx(1.0, abs=0.25)
    dynes = fit_line(line_of(film), "dynes")
    assert dynes.gap == pytest.approx(fits.gap, rel=1e-3)


def test_the_film_scatters_as_in_truth_once_fit_noise_is_taken_out(make):
    """Noisy spectra: two thirds of the width are fit noise."""
    run = make(80, sigma=10e-6, noise=0.4, seed=8)
    fits = fit_line(line_of(run))
    found = spread_of(fits.gap, fits.gap_std)
    truth = float(np.std(run.true_gap.values, ddof=1))
    assert found.sigma > 1.3 * truth
    assert found.intrinsic == pytest.approx(truth, abs=2.5 * found.intrinsic_std)
    assert found.intrinsic < found.sigma


def test_fit_noise_is_not_called_inhomogeneity(make):
    """Films with one gap everywhere: hardly any is called inhomogeneous at the 5 % level."""
    called, limits = 0, []
    for seed in range(12):
        fits = fit_line(line_of(make(40, seed=seed)))
        found = spread_of(fits.gap, fits.gap_std)
        called += found.p_value < 0.05
        limits.append(found.intrinsic_limit / found.noise)
    assert called <= 2
    assert np.median(limits) < 0.8


def test_a_line_without_gap_gives_none(make):
    flat = make(40, gap=1e-7)
    with pytest.raises(CannotTellError, match=r"0 of 40 fits .* no_gap"):
        fit_line(line_of(flat))
    line = line_of(flat)
    with pytest.raises(CannotTellError, match="cannot be described by bcs: no_gap"):
        fit_average(line, average_spectrum(line))


def test_a_selection_of_the_spectra_is_not_the_line(make):
    mixed = make(40)
    mixed.conductance.values[0, :25] = make(25, gap=1e-7).conductance.values[0]
    with pytest.raises(CannotTellError, match=r"15 of 40 .*selection"):
        fit_line(line_of(mixed))


def test_a_window_within_the_gap_is_refused(uniform):
    line = line_of(uniform)
    with pytest.raises(CannotTellError, match=r"within 1\.5 gaps"):
        fit_average(line, average_spectrum(line, (2.5e-3, 8e-3)))


@pytest.mark.parametrize("count", [50, 200])
def test_the_gaussian_of_a_histogram_is_that_of_the_values(count):
    rng = np.random.default_rng(5)
    found = [gaussian_histogram(rng.normal(2.02, 0.04, count)) for _ in range(150)]
    sigma = np.array([f.sigma for f in found])
    assert sigma.mean() == pytest.approx(0.04, rel=0.03)
    assert sigma.std() == pytest.approx(np.mean([f.sigma_std for f in found]), rel=0.25)
    assert np.mean([f.mean for f in found]) == pytest.approx(2.02, abs=0.002)
    at = (found[0].edges[1:] + found[0].edges[:-1]) / 2
    assert found[0].expected(at).sum() == pytest.approx(count, rel=0.05)


def test_a_histogram_leaves_out_what_lies_far_off():
    values = np.r_[np.random.default_rng(6).normal(2.0, 0.04, 100), 9.0, np.nan]
    found = gaussian_histogram(values)
    assert found.outliers == 1
    assert found.sigma == pytest.approx(0.04, rel=0.3)
    with pytest.raises(CannotTellError, match="9 values"):
        gaussian_histogram(values[:9])
    with pytest.raises(CannotTellError, match="the same"):
        gaussian_histogram(np.full(50, 2.0))


def test_a_trend_is_found_and_grains_are_not_called_one():
    rng = np.random.default_rng(7)
    grains = np.repeat(rng.standard_normal((40, 67)), 3, axis=1)[:, :200]
    called = np.mean([course_along(PLACES, g).trend_p < 0.05 for g in grains])
    assert called <= 0.15
    sloped = course_along(PLACES, grains[0] + 3e7 * PLACES)
    assert sloped.trend == pytest.approx(3e7, abs=3 * sloped.trend_std)
    assert sloped.trend_p < 0.01
    assert sloped.independent == pytest.approx(67, rel=0.35)
    assert sloped.length == pytest.approx(
        4e-9, rel=0.6
    )  # a triangle of 6 nm falls to 1/e at 3.8 nm


def test_independent_gaps_have_no_course():
    rng = np.random.default_rng(8)
    found = [course_along(PLACES, rng.standard_normal(200)) for _ in range(60)]
    assert np.mean([f.neighbours_p < 0.05 for f in found]) < 0.15
    assert np.mean([f.trend_p < 0.05 for f in found]) < 0.15
    assert np.median([f.independent for f in found]) > 120
    assert np.isnan([f.length for f in found]).mean() > 0.8


def test_missing_spectra_do_not_matter_to_a_course():
    rng = np.random.default_rng(9)
    values = np.repeat(rng.standard_normal(50), 4)
    holes = values.copy()
    holes[rng.permutation(200)[:100]] = np.nan
    whole, half = course_along(PLACES, values), course_along(PLACES, holes)
    assert half.neighbours == pytest.approx(whole.neighbours, abs=0.25)
    assert half.trend == pytest.approx(whole.trend, abs=3 * whole.trend_std)
    assert half.independent < 80
    every_other = np.where(np.arange(200) % 2, np.nan, values)
    assert np.isnan(course_along(PLACES, every_other).neighbours_p)


def test_what_has_no_course():
    values = np.random.default_rng(10).standard_normal(200)
    with pytest.raises(CannotTellError, match="3 values"):
        course_along(PLACES[:3], values[:3])
    with pytest.raises(CannotTellError, match="not known"):
        course_along(np.full(200, np.nan), values)
    with pytest.raises(CannotTellError, match="evenly"):
        course_along(PLACES**2, values)
    with pytest.raises(CannotTellError, match="the same"):
        course_along(PLACES, np.full(200, 2.0))

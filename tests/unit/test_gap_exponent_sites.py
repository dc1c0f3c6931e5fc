"""Gap and exponent of every site: closed forms, the twin's model, uncertainties, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.altshuler_aronov.coherence_peaks import find_peaks
from stm_daq.analysis.altshuler_aronov.exponents import fit_exponents
from stm_daq.analysis.altshuler_aronov.gap_exponent_maps import gap_exponent_maps
from stm_daq.analysis.altshuler_aronov.peak_shift import without_shift
from stm_daq.analysis.spectra.derivative import differentiate
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics import altshuler_aronov

FINE = np.linspace(0.8e-3, 2e-3, 49)
BIAS = np.concatenate([
    np.linspace(-31e-3, -3e-3, 51)[:-1], np.linspace(-3e-3, -2e-3, 11)[:-1], -FINE[::-1][:-1],
    np.linspace(-0.8e-3, 0.8e-3, 17)[:-1], FINE[:-1], np.linspace(2e-3, 3e-3, 11)[:-1],
    np.linspace(3e-3, 31e-3, 51),
])  # fmt: skip
SCALE, NOISE = 2e-8, 2.5e-13
"""S; A."""


def run_of(current, temperature=0.3, **attributes):
    """Make a run of one row of sites, without modulation."""
    rows = np.atleast_2d(current)
    return xr.Dataset(
        {
            "current": (("y", "x", "bias"), rows[np.newaxis]),
            "stage_temperature": (("y", "x"), np.full((1, len(rows)), temperature)),
        },
        {"bias": ("bias", BIAS)},
        attributes,
    )


def film(gap=1.2e-3, exponent=0.35, count=None, temperature=0.3, broadening=6e-5, seed=1):
    """Noisy currents of sites with these gaps (eV) and exponents."""
    gap, exponent = np.broadcast_arrays(gap, exponent)
    rows = SCALE * altshuler_aronov.current(BIAS, gap, temperature, np.inf, exponent, broadening)
    rows = np.repeat(np.atleast_2d(rows), count or 1, axis=0)
    return rows + NOISE * np.random.default_rng(seed).standard_normal(rows.shape)


def power_law(exponent, count=1, noise=0.0, offset=0.0, seed=1):
    """Current of dI/dV = 20 nS |V / 10 mV|^alpha, with another exponent at positive bias if `offset`."""
    alpha = np.where(BIAS > 0, exponent + offset, exponent)
    rows = SCALE * BIAS * np.abs(BIAS / 0.01) ** alpha / (1 + alpha)
    return rows + noise * np.random.default_rng(seed).standard_normal((count, len(BIAS)))


# -- exponents ----------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 0.1, 0.35, 0.9])
def test_the_exponent_of_a_power_law_is_found(exponent):
    found = fit_exponents(differentiate(run_of(power_law(exponent))))
    assert found.alpha.item() == pytest.approx(exponent, abs=2e-4)
    prefactor = SCALE * 0.01**-exponent
    assert found.prefactor_positive.item() == pytest.approx(prefactor, rel=1e-3)
    assert found.prefactor_negative.item() == pytest.approx(prefactor, rel=1e-3)


def test_stated_uncertainties_of_exponents_are_honest():
    found = fit_exponents(differentiate(run_of(power_law(0.35, 2000, NOISE))))
    pulls = (found.alpha - 0.35) / found.alpha_std
    assert float(pulls.std()) == pytest.approx(1.0, abs=0.06)
    assert abs(float(pulls.mean())) < 0.5  # the windows' own error
    pulls = found.asymmetry / found.asymmetry_std
    assert float(pulls.std()) == pytest.approx(1.0, abs=0.06)


def test_both_sides_are_told_apart():
    found = fit_exponents(differentiate(run_of(power_law(0.30, 50, NOISE, offset=0.02))))
    assert float(found.negative.mean()) == pytest.approx(0.30, abs=1e-3)
    assert float(found.positive.mean()) == pytest.approx(0.32, abs=1e-3)
    assert float(found.asymmetry.mean()) == pytest.approx(0.02, abs=1e-3)
    assert float(found.alpha.mean()) == pytest.approx(0.31, abs=1e-3)


def test_the_gap_lowers_the_exponent_and_is_taken_out():
    derivative = differentiate(run_of(film(count=50)))
    plain = fit_exponents(derivative)
    assert float(plain.alpha.mean()) == pytest.approx(0.34, abs=2e-3)
    gap = xr.full_like(plain.alpha, 1.2e-3)
    free = fit_exponents(derivative, without_gap=gap)
    assert float(free.alpha.mean()) == pytest.approx(0.35, abs=5e-4)


def test_sites_without_gap_and_spectra_that_are_not_positive_have_no_exponent():
    rows = power_law(0.35, 40, NOISE)
    rows[3] = -rows[3]
    derivative = differentiate(run_of(rows))
    found = fit_exponents(derivative)
    assert np.isnan(found.alpha.values[0, 3])
    assert np.isfinite(np.delete(found.alpha.values[0], 3)).all()
    gap = xr.full_like(found.alpha, 1e-3)
    gap[0, 5] = np.nan
    found = fit_exponents(derivative, without_gap=gap)
    assert np.isnan(found.alpha.values[0, 5])


def test_windows_that_do_not_suit_are_refused():
    derivative = differentiate(run_of(film(count=40)))
    with pytest.raises(CannotTellError, match="points lie between 40 and 60 mV"):
        fit_exponents(derivative, (40e-3, 60e-3))
    with pytest.raises(BadInputError, match="goes from"):
        fit_exponents(derivative, (30e-3, 5e-3))
    gap = xr.full_like(derivative.conductance.isel(bias=0, drop=True), 6e-3)
    with pytest.raises(BadInputError, match="inside the gap of 6 meV"):
        fit_exponents(derivative, without_gap=gap)


# -- peaks --------------------------------------------------------------------------------------


def test_peaks_lie_between_the_points_with_honest_uncertainties():
    gaps = np.linspace(1.1e-3, 1.3e-3, 600)
    found = find_peaks(differentiate(run_of(film(gaps))), 5e-3)
    distance, std = found.gap.values[0], found.gap_std.values[0]
    known = np.isfinite(distance)
    assert known.mean() > 0.95
    slope, offset = np.polyfit(gaps[known], distance[known], 1)
    assert slope == pytest.approx(1.0, abs=0.06)
    rest = distance[known] - slope * gaps[known] - offset
    assert rest.std() < 20e-6 < np.median(np.diff(FINE))
    robust = 1.4826 * np.median(np.abs(rest) / std[known])
    assert robust == pytest.approx(1.0, abs=0.12)
    assert abs(float(np.nanmean(found.centre))) < 2e-6


def test_an_offset_of_the_bias_is_the_middle_and_no_part_of_the_gap():
    gaps = np.full(200, 1.2e-3)
    centred = find_peaks(differentiate(run_of(film(gaps))), 5e-3)
    rows = SCALE * altshuler_aronov.current(BIAS - 50e-6, gaps, 0.3, np.inf, 0.35, 6e-5)
    rows = rows + NOISE * np.random.default_rng(4).standard_normal(rows.shape)
    moved = find_peaks(differentiate(run_of(rows)), 5e-3)
    assert float(moved.centre.mean()) == pytest.approx(50e-6, abs=4e-6)
    assert float(moved.gap.mean()) == pytest.approx(float(centred.gap.mean()), abs=5e-6)


@pytest.mark.parametrize(("temperature", "broadening"), [(0.1, 3e-5), (0.3, 6e-5), (0.8, 6e-5)])
def test_the_shift_of_the_peaks_is_quantified_and_taken_out(temperature, broadening):
    gaps = np.linspace(1.1e-3, 1.3e-3, 400)
    run = run_of(film(gaps, temperature=temperature, broadening=broadening), temperature)
    derivative = differentiate(run)
    peaks = find_peaks(derivative, 5e-3)
    found = without_shift(run, derivative, peaks, 0.35)
    error = found.gap.values[0] - gaps
    assert np.nanmean(peaks.gap.values[0] - gaps) > 20e-6
    assert abs(np.nanmean(error)) < 4e-6
    assert found.shift == pytest.approx(np.nanmean(peaks.gap.values[0] - gaps), abs=6e-6)
    assert 0 < found.shift_by_physics < found.shift
    assert found.broadening == pytest.approx(broadening, abs=6e-6)
    assert np.nanmedian(np.abs(error / found.gap_std.values[0])) < 1.0


def test_the_colder_and_sharper_the_less_physics_shifts_the_peaks():
    shifts = []
    for temperature, broadening in ((0.05, 1e-5), (0.2, 3e-5), (0.5, 8e-5)):
        gaps = np.linspace(1.15e-3, 1.25e-3, 200)
        run = run_of(film(gaps, temperature=temperature, broadening=broadening), temperature)
        derivative = differentiate(run)
        found = without_shift(run, derivative, find_peaks(derivative, 5e-3), 0.35)
        shifts.append(found.shift_by_physics)
    assert 0 < shifts[0] < shifts[1] < shifts[2]
    assert shifts[0] < 15e-6


def test_spectra_without_peaks_have_no_gap():
    derivative = differentiate(run_of(power_law(0.35, 40, NOISE)))
    with pytest.raises(CannotTellError, match="no coherence peaks"):
        find_peaks(derivative, 5e-3)
    with pytest.raises(CannotTellError, match="does not reach to ±50 mV"):
        find_peaks(derivative, 50e-3)


def test_peaks_lost_in_the_noise_are_not_given():
    rows = film(count=100)
    rows += 3e-11 * np.random.default_rng(5).standard_normal(rows.shape)
    with pytest.raises(CannotTellError, match=r"lost in the noise|no coherence peaks"):
        find_peaks(differentiate(run_of(rows)), 5e-3)


def test_without_a_temperature_the_distance_of_the_peaks_has_to_do():
    run = run_of(film(np.linspace(1.1e-3, 1.3e-3, 100)), np.nan)
    found = gap_exponent_maps(run)
    assert found.gaps is None
    assert "temperature of the stage" in found.remark
    assert found.gap is found.peaks.gap
    with pytest.raises(BadInputError, match="must not be negative"):
        without_shift(run, found.derivative, found.peaks, -0.1)


def test_a_model_that_does_not_describe_the_spectra_corrects_nothing():
    """A second gap in every spectrum, at a third of the first."""
    both = film(np.full(200, 1.2e-3)) + 0.7 * film(np.full(200, 0.4e-3), seed=2)
    found = gap_exponent_maps(run_of(both))
    assert found.gaps is None
    assert "No broadened gap describes" in found.remark


def test_spectra_most_of_which_have_no_peaks_are_not_half_a_map():
    rows = film(np.full(200, 1.2e-3))
    rows[:120] = power_law(0.35, 120, NOISE)
    with pytest.raises(CannotTellError, match=r"Only .* of 200 spectra have two coherence peaks"):
        find_peaks(differentiate(run_of(rows)), 5e-3)

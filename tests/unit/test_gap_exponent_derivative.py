"""dI/dV from the current: closed forms, honest errors, windows."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.spectra.derivative import against_lock_in, differentiate
from stm_daq.analysis.spectra.local_polynomials import (
    best_half_widths,
    operator,
    systematic_error,
    white_noise,
)
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics import dynes

UNEVEN = np.concatenate(
    [np.linspace(-3, -1, 20), np.linspace(-0.9, 0.9, 30), np.linspace(1, 3, 20)]
)
BIAS = np.linspace(-5e-3, 5e-3, 161)
CONDUCTANCE = 2e-8
"""S."""


def run_of(rows, bias=BIAS, **attributes):
    """Make a run of one row of sites."""
    return xr.Dataset(
        {"current": (("y", "x", "bias"), rows[np.newaxis])},
        {"bias": ("bias", bias)},
        {"metadata": json.dumps({"current": "measured"}), **attributes},
    )


def film(count=200, noise=2e-13, seed=1, bias=BIAS):
    """Currents of a superconductor with noise, and dI/dV without."""
    true = CONDUCTANCE * dynes.conductance(bias, 1.2e-3, 0.5, 0.1e-3)
    rows = CONDUCTANCE * dynes.current(bias, 1.2e-3, 0.5, 0.1e-3)
    rng = np.random.default_rng(seed)
    return rows + noise * rng.standard_normal((count, len(bias))), true


@pytest.mark.parametrize("derivative", [0, 1, 2, 3])
@pytest.mark.parametrize("half", [2, 5])
def test_polynomials_up_to_the_order_are_exact_at_any_spacing(derivative, half):
    curve = np.polynomial.Polynomial([1.0, -2.0, 0.5, 0.3])
    found = operator(UNEVEN, half, 3, derivative) @ curve(UNEVEN)
    expected = curve.deriv(derivative)(UNEVEN) if derivative else curve(UNEVEN)
    assert found == pytest.approx(expected, abs=1e-9)


def test_an_even_grid_gives_the_filter_of_savitzky_and_golay():
    from scipy.signal import savgol_coeffs

    x = np.arange(21) * 0.25
    row = operator(x, 3, 3, 1)[10, 7:14]
    assert row == pytest.approx(savgol_coeffs(7, 3, 1, 0.25, use="dot"), abs=1e-12)


def test_windows_that_cannot_hold_the_polynomial_are_refused():
    with pytest.raises(ValueError, match="windows need 4 to"):
        operator(UNEVEN, 1, 3, 1)


@pytest.mark.parametrize("count", [1, 200])
def test_the_noise_is_found_from_one_spectrum_or_many(count):
    rows, _ = film(count)
    noise = white_noise(rows, BIAS)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(2e-13, rel=0.25 if count == 1 else 0.03)


def test_single_glitches_are_not_noise():
    rows, _ = film()
    rows[::20, 30] += 1e-10
    assert white_noise(rows, BIAS)[20:40].max() < 3e-13


def test_errors_are_as_large_as_stated_where_the_window_is_narrow_enough():
    rows, true = film()
    found = differentiate(run_of(rows))
    deviation = found.conductance.values[0] - true
    std, systematic = found.std.values, found.systematic.values
    pulls = deviation.std(axis=0) / std
    assert np.median(pulls) == pytest.approx(1.0, abs=0.05)
    offset = np.abs(deviation.mean(axis=0))
    assert np.all(offset < 3 * np.hypot(systematic, std))
    peak = np.abs(np.abs(BIAS) - 1.3e-3) < 0.2e-3
    assert offset[peak].max() > 0.05 * std[peak].max()  # there is something to be told
    assert offset[peak].max() < 2 * systematic[peak].max()


def test_windows_are_narrow_at_the_peaks_and_the_narrower_the_less_noise():
    quiet, loud = (differentiate(run_of(film(noise=n)[0])) for n in (2e-14, 1e-12))
    peak, far = np.abs(np.abs(BIAS) - 1.2e-3) < 0.1e-3, np.abs(BIAS) > 4e-3
    assert quiet.half_widths[peak].max() < quiet.half_widths[far].min()
    assert quiet.half_widths[peak].mean() < loud.half_widths[peak].mean()


def test_the_chosen_window_has_about_the_least_error_of_all():
    rows, true = film(500, noise=1e-13)
    noise = white_noise(rows, BIAS)
    halves = best_half_widths(rows, BIAS, noise)
    at = int(np.argmin(np.abs(BIAS - 1.25e-3)))
    errors = []
    for half in range(2, 13):
        slope = operator(BIAS, half, 3, 1)[at]
        errors.append(np.sqrt(np.mean((rows @ slope - true[at]) ** 2)))
    assert errors[int(halves[at]) - 2] < 1.3 * min(errors)


def test_the_systematic_error_of_a_straight_line_is_none():
    noise = np.full(len(UNEVEN), 1e-3)
    rows = 3 * UNEVEN + 1e-3 * np.random.default_rng(2).standard_normal((300, len(UNEVEN)))
    found = systematic_error(rows, UNEVEN, noise, np.full(len(UNEVEN), 4))
    slope = np.linalg.norm(operator(UNEVEN, 4, 3, 1) * noise, axis=1)
    assert np.all(found < slope)


def test_a_spectrum_with_gaps_is_left_out_and_the_others_stay():
    rows, _ = film(50)
    whole = differentiate(run_of(rows)).conductance.values[0]
    rows[7, 20] = np.nan
    found = differentiate(run_of(rows)).conductance.values[0]
    assert np.isnan(found[7]).all()
    assert np.isfinite(np.delete(found, 7, axis=0)).all()
    assert np.delete(found, 7, axis=0) == pytest.approx(np.delete(whole, 7, axis=0), abs=2e-9)


def test_a_sweep_downwards_is_the_same_as_upwards():
    rows, _ = film(40)
    up, down = run_of(rows), run_of(rows[:, ::-1], BIAS[::-1])
    assert np.array_equal(differentiate(up).conductance, differentiate(down).conductance)


def test_what_cannot_be_differentiated_is_refused():
    rows, _ = film(40)
    with pytest.raises(BadInputError, match="no current against the bias"):
        differentiate(run_of(rows).rename(bias="z_swept"))
    integrated = json.dumps({"current": "integrated from dI/dV"})
    with pytest.raises(BadInputError, match="integrated from dI/dV"):
        differentiate(run_of(rows, metadata=integrated))
    twice = BIAS.copy()
    twice[3] = twice[4]
    with pytest.raises(BadInputError, match="given twice"):
        differentiate(run_of(rows, twice))
    with pytest.raises(CannotTellError, match="12 points"):
        differentiate(run_of(rows[:, :12], BIAS[:12]))
    with pytest.raises(CannotTellError, match="No spectrum is complete"):
        differentiate(run_of(np.full((3, len(BIAS)), np.nan)))


@pytest.mark.parametrize("gain", [1.0, 1.05])
def test_the_lock_in_is_compared_without_bias_by_its_noise(gain):
    rows, true = film(200)
    run = run_of(rows)
    noisy = gain * true + 1e-9 * np.random.default_rng(3).standard_normal(rows.shape)
    run["conductance"] = (("y", "x", "bias"), noisy[np.newaxis])
    found = against_lock_in(run, differentiate(run))
    assert found.ratio == pytest.approx(1 / gain, abs=5 * found.std)
    assert found.std < 1e-3
    assert found.rms == pytest.approx(1.0, abs=0.05)

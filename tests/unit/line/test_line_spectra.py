"""Lines of spectra: bringing them together, their background, their mean."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stm_daq.analysis.line.line_spectra import average_spectrum, line_of, normalise
from stm_daq.analysis.spectra.linear_background import divided, fit_background
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.fitting.lag import remember

BIAS = np.linspace(-8e-3, 8e-3, 161)
WINDOW = (5e-3, 8e-3)


def test_a_straight_line_is_found_exactly():
    found = fit_background(BIAS, 2e-7 * (1 + 4.0 * BIAS), WINDOW, np.full(161, 1e-9))
    assert (found.level, found.slope) == (pytest.approx(2e-7), pytest.approx(4.0))
    assert found.points == 62
    assert found.at(BIAS) == pytest.approx(2e-7 * (1 + 4.0 * BIAS))


def test_the_gap_does_not_tilt_the_background(film):
    found = average_spectrum(line_of(film)).background
    assert found.slope == pytest.approx(-3.0, abs=4 * found.slope_std)
    assert found.slope_std < 0.2
    assert found.level == pytest.approx(
        1.3e-7, rel=0.06
    )  # BCS is above 1 up to the end of the sweep
    assert found.level > 1.3e-7


def test_errors_of_background_and_of_what_is_divided_by_it_are_those_of_many_draws():
    rng = np.random.default_rng(1)
    clean, std = 1e-7 * (1 - 5.0 * BIAS) * (1 + 0.5 * np.exp(-((BIAS / 2e-3) ** 2))), 1e-9
    draws = clean + std * rng.standard_normal((3000, 161))
    found = [fit_background(BIAS, g, WINDOW, np.full(161, std)) for g in draws]
    normal = np.array(
        [divided(BIAS, g, np.full(161, std), f)[0] for g, f in zip(draws, found, strict=True)]
    )
    stated = divided(
        BIAS, clean, np.full(161, std), fit_background(BIAS, clean, WINDOW, np.full(161, std))
    )[1]
    assert np.std([f.slope for f in found]) == pytest.approx(found[0].slope_std, rel=0.06)
    assert np.std([f.level for f in found]) == pytest.approx(found[0].level_std, rel=0.06)
    spread = np.std([f.at(BIAS) for f in found], axis=0)
    assert found[0].std_at(BIAS) == pytest.approx(spread, rel=0.06)
    assert stated == pytest.approx(normal.std(axis=0), rel=0.08)
    assert stated[0] < std / clean[0]  # a point at the edge has drawn the line towards itself


def test_without_errors_the_scatter_about_the_line_is_the_error():
    rng = np.random.default_rng(2)
    found = [
        fit_background(BIAS, 1e-7 + 1e-9 * rng.standard_normal(161), WINDOW) for _ in range(500)
    ]
    assert np.std([f.slope for f in found]) == pytest.approx(
        np.mean([f.slope_std for f in found]), rel=0.1
    )


def test_the_mean_and_its_standard_error(uniform):
    line = line_of(uniform)
    found = average_spectrum(line)
    assert found.count == 60
    assert np.median(found.std) == pytest.approx(0.02 * 1.3e-7 / np.sqrt(60), rel=0.05)
    assert line.bias[0] == -8e-3  # ascending, however it was swept
    assert found.conductance == pytest.approx(
        uniform.conductance.values[0].mean(axis=0)[::-1], rel=1e-9
    )
    values = normalise(line)
    outside = np.abs(line.bias) > 5.7e-3
    assert np.nanmean(values[:, outside], axis=1) == pytest.approx(1.0, abs=0.003)


def test_the_lag_of_the_lock_in_is_taken_out_of_both_ways(uniform):
    memory = [0.78, 0.19, 0.03]
    there = uniform.conductance.values[0]
    both = np.stack([remember(np.r_[g, g[::-1]], np.array(memory)) for g in there])
    lagged = uniform.drop_vars("conductance").assign(
        conductance=(
            ("y", "x", "direction", "bias"),
            np.stack([both[:, :201], both[:, :200:-1]], axis=1)[None],
        )
    )
    lagged.attrs["metadata"] = json.dumps({"step_memory": memory})
    assert line_of(lagged).conductance == pytest.approx(line_of(uniform).conductance, rel=1e-9)


def test_what_is_missing_or_flagged_is_left_out_and_said(uniform):
    run = uniform.copy(deep=True)
    run.conductance.values[0, :30] = np.nan
    run.flags.values[0, 40] = "overload"
    line = line_of(run)
    assert line.note == "29 of 60 spectra (30 not measured, 1 flagged)"
    assert average_spectrum(line).count == 29
    assert np.isnan(line.conductance[40]).all()


def test_what_is_no_line_is_refused(uniform):
    square = uniform.isel(x=slice(0, 4)).conductance.values.reshape(2, 2, 201)
    grid = uniform[["bias"]].assign(conductance=(("y", "x", "bias"), square))
    with pytest.raises(BadInputError, match="not a line"):
        line_of(grid)
    with pytest.raises(BadInputError, match="no dI/dV against the bias"):
        line_of(uniform.drop_vars("conductance"))
    with pytest.raises(BadInputError, match="give it in V"):
        line_of(uniform.assign_coords(bias=uniform.bias * 1e3))


def test_what_the_spectra_do_not_tell_is_not_made_up(uniform):
    with pytest.raises(CannotTellError, match="3 of 3 spectra"):
        average_spectrum(line_of(uniform.isel(x=slice(0, 3))))
    with pytest.raises(CannotTellError, match="none of the 60 spectra"):
        line_of(uniform.assign(conductance=uniform.conductance * np.nan))
    same = uniform.assign(
        conductance=uniform.conductance.isel(x=[0] * 60).assign_coords(x=uniform.x)
    )
    with pytest.raises(CannotTellError, match="exactly alike"):
        average_spectrum(line_of(same))
    line = line_of(uniform)
    with pytest.raises(CannotTellError, match="0 points of negative bias between 9 and 10 mV"):
        normalise(line, (9e-3, 10e-3))
    with pytest.raises(CannotTellError, match="no background to divide by"):
        fit_background(BIAS, 1e-7 * (1 + 300.0 * BIAS), WINDOW)

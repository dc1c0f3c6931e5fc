"""The recipe of lines: its numbers, its figures, and what it says of lines that tell nothing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq.analysis.line.line_fits import fit_average
from stm_daq.analysis.line.line_spectra import average_spectrum, line_of
from stm_daq.errors import CannotTellError
from stm_daq.physics.btk import K_B
from stm_daq.report.line.line_spectra import figure_line_average
from stm_daq.report.recipes import recipe
from stm_daq.report.recipes.nbn_line import chapters, findings, suits

NBS2 = Path(__file__).parents[3] / "../shared/realdata/nbs2_sts_350mK_janberges"


def values_of(run):
    return {finding.key: finding for finding in findings(run)}


def test_the_numbers_of_a_film(film):
    found = values_of(film)
    truth = film.true_gap.values * 1e3
    assert len(found) == 16 + 9
    assert found["true_gap_mean"].value == pytest.approx(truth.mean())
    assert found["gap_mean"].value == pytest.approx(truth.mean(), abs=2 * found["gap_mean"].std)
    assert found["gap_sigma_intrinsic"].value == pytest.approx(
        truth.std(ddof=1), abs=2 * found["gap_sigma_intrinsic"].std
    )
    assert found["gap_sigma_relative"].value == pytest.approx(
        100 * truth.std() / truth.mean(), rel=0.05
    )
    assert found["tip_temperature"].value == pytest.approx(
        1.73, abs=3 * found["tip_temperature"].std
    )
    gap = found["gap_average"].value * 1e-3
    assert found["gap_over_ktc"].value == pytest.approx(gap / (K_B * 10.4))
    inductance = 4.135667696e-15 * 900 / (2 * math.pi**2 * gap)
    assert found["sheet_inductance"].value == pytest.approx(1e12 * inductance)
    relative = found["gap_average"].std / found["gap_average"].value
    assert found["sheet_inductance"].std == pytest.approx(
        relative * found["sheet_inductance"].value
    )
    assert found["background_slope"].value == pytest.approx(
        -0.3, abs=4 * found["background_slope"].std
    )
    assert found["gap_homogeneous_p"].value < 1e-6
    assert found["gap_neighbours"].value == pytest.approx(2 / 3, abs=0.2)
    for key in ("gap_sigma", "tip_temperature_average", "gap_over_ktc", "sheet_inductance"):
        assert found[key].value == pytest.approx(
            found[f"true_{key}"].value, abs=2.5 * found[key].std
        )


def test_a_uniform_film_is_called_uniform(uniform):
    found = values_of(uniform)
    assert found["gap_homogeneous_p"].value > 0.05
    assert found["gap_homogeneous_p"].remark.startswith("No scatter beyond fit noise")
    assert found["gap_sigma_intrinsic"].value < found["gap_sigma_noise"].value
    assert math.isnan(found["gap_correlation_length"].value)


def test_all_figures_can_be_drawn(film):
    film = film.assign(gap=film.true_gap * 1.002, fit_ok=film.true_gap > 0)
    drawn = [chapter.draw() for chapter in chapters(film)]
    assert [len(figure.axes) for figure in drawn] == [3, 3, 2, 2]  # the image has a colour bar
    stack, image, _ = drawn[0].axes
    assert len(stack.lines) == 90
    assert image.get_xlabel() == "Along the line (nm)"
    counts = drawn[2].axes[0].patches[0].get_data().values
    assert counts.sum() == 90
    for figure in drawn:
        figure.draw_without_rendering()


def test_a_line_that_shows_no_gap_says_so_and_still_shows_its_spectra(make):
    flat = make(30, gap=1e-7)
    found = values_of(flat)
    assert math.isnan(found["gap_mean"].value)
    assert "no_gap" in found["gap_mean"].remark
    assert np.isfinite(found["background_slope"].value)
    first, second, third, fourth = chapters(flat)
    first.draw().draw_without_rendering()
    second.draw().draw_without_rendering()
    for chapter in (third, fourth):
        with pytest.raises(CannotTellError):
            chapter.draw()


def test_what_the_plan_does_not_say_is_not_assumed(film):
    found = values_of(film.assign_attrs(plan_text=""))
    for key, word in (
        ("gap_over_ktc", "critical_temperature"),
        ("sheet_inductance", "sheet_resistance"),
    ):
        assert math.isnan(found[key].value)
        assert word in found[key].remark


def test_the_window_of_the_plan_is_used(film):
    text = 'report: {background_window: ["6 mV", "7 mV"]}\n'
    assert (
        "from 6 to 7 mV" in values_of(film.assign_attrs(plan_text=text))["background_slope"].remark
    )


def test_three_spectra_and_half_a_line(film):
    three = values_of(film.isel(x=slice(0, 3)))
    assert all(math.isnan(f.value) for key, f in three.items() if not key.startswith("true"))
    half = film.copy(deep=True)
    half.conductance.values[0, 45:] = np.nan
    found = values_of(half)["gap_mean"]
    assert "45 of 90 spectra (45 not measured)" in found.remark
    assert found.value == pytest.approx(
        1e3 * float(half.true_gap[0, :45].mean()), abs=2 * found.std
    )


def test_which_runs_the_recipe_suits(film, uniform):
    assert recipe("nbn-line").suits(film)
    assert not suits(film.isel(x=slice(0, 1)))
    assert not suits(uniform.drop_vars("conductance"))
    square = uniform.isel(x=slice(0, 4)).conductance.values.reshape(2, 2, 201)
    assert not suits(uniform[["bias"]].assign(conductance=(("y", "x", "bias"), square)))


@pytest.mark.skipif(not NBS2.is_dir(), reason="the measured files are not here")
def test_measured_spectra_of_nbs2_go_through():
    """Seven spectra of a charge-density wave: shown and averaged, but no gap is stated."""
    run = stm_daq.read(NBS2 / "Figure_3b.txt")
    assert suits(run)
    found = values_of(run)
    assert "no_gap" in found["gap_mean"].remark
    assert math.isnan(found["gap_average"].value)
    assert np.isfinite(found["background_slope"].value)
    line = line_of(run)
    average = average_spectrum(line)
    assert average.normalised.min() == pytest.approx(0.6, abs=0.05)  # where the wave takes states
    with pytest.raises(CannotTellError, match="no_gap"):
        fit_average(line, average)
    image = chapters(run)[0].draw().axes[1]
    assert image.get_xlabel() == "Spectrum"  # the file does not say where they were taken
    figure_line_average(average).draw_without_rendering()

"""The recipe nbn-map: its numbers against the truth of the twin, its figures, what cannot be told."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sim.samples.nbn_altshuler_aronov import NbnFilm
from stm_daq.analysis.altshuler_aronov.gap_exponent_study import GapExponentStudy
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics import altshuler_aronov
from stm_daq.report.altshuler_aronov.derivative import figure_derivative
from stm_daq.report.altshuler_aronov.gap_exponent import (
    figure_gap_exponent_maps,
    figure_gap_exponent_spectra,
)
from stm_daq.report.altshuler_aronov.gap_exponent_correlations import (
    figure_disorder_theory,
    figure_gap_exponent_correlations,
)
from stm_daq.report.recipes import recipe
from stm_daq.report.style import NothingToShowError

PLAN = (Path(__file__).parents[3] / "plans/nbn_map.yaml").read_text()
PITCH, SCALE = 12.5e-9, 2e-8


def voltages():
    """The plan's bias, with fewer points."""
    half = np.concatenate([
        np.linspace(0.1e-3, 0.7e-3, 5), np.linspace(0.8e-3, 2e-3, 41),
        np.linspace(2.2e-3, 2.8e-3, 4), np.linspace(3e-3, 31e-3, 36),
    ])  # fmt: skip
    return np.concatenate([-half[::-1], half])


def film_run(columns=48, rows=40, seed=1, plan=PLAN):
    """A map of the twin's film as a run opens, without instruments."""
    x, y = (PITCH * (np.arange(n) + 0.5) for n in (columns, rows))
    film = NbnFilm(seed)
    gap, exponent = film.properties(*np.meshgrid(x, y))
    bias, rng = voltages(), np.random.default_rng(seed)
    shape = (*gap.shape, len(bias))
    arguments = (bias, gap, 0.3, np.inf, exponent, film.broadening)
    current = SCALE * altshuler_aronov.current(*arguments)
    conductance = SCALE * altshuler_aronov.conductance(*arguments)
    site, sweep = ("y", "x"), ("y", "x", "bias")
    fine = PITCH / 2 * (np.arange(2 * columns) + 0.5), PITCH / 2 * (np.arange(2 * rows) + 0.5)
    return xr.Dataset(
        {
            "current": (sweep, current + 2.5e-13 * rng.standard_normal(shape)),
            "conductance": (sweep, conductance + 1e-9 * rng.standard_normal(shape)),
            "z": (site, film.height(*np.meshgrid(x, y))),
            "topography": (("topograph_y", "topograph_x"), film.height(*np.meshgrid(*fine))),
            "stage_temperature": (site, np.full(gap.shape, 0.3)),
            "true_gap": (site, gap),
            "true_exponent": (site, exponent),
        },
        {
            "x": ("x", x, {"units": "m"}),
            "y": ("y", y, {"units": "m"}),
            "topograph_x": fine[0],
            "topograph_y": fine[1],
            "bias": bias,
        },
        {"metadata": json.dumps({"current": "measured"}), "plan_text": plan},
    )


@pytest.fixture(scope="module")
def run():
    return film_run()


@pytest.fixture(scope="module")
def study(run):
    return GapExponentStudy(run)


@pytest.fixture(scope="module")
def found(run):
    return {finding.key: finding for finding in recipe("nbn-map").findings(run)}


def test_the_recipe_suits_a_map_with_a_wide_bias_and_nothing_else(run):
    suits = recipe("nbn-map").suits
    assert suits(run)
    assert not suits(run.sel(bias=slice(-9e-3, 9e-3)))
    assert not suits(run.sel(bias=slice(-9e-3, 31e-3)))
    assert not suits(run.isel(y=slice(0, 1)))
    assert not suits(run.expand_dims("repeat"))
    assert not suits(run.drop_vars("current"))
    integrated = json.dumps({"current": "integrated from dI/dV"})
    assert not suits(run.assign_attrs(metadata=integrated))


@pytest.mark.parametrize("key", [
    "gap_mean", "gap_relative_sigma", "gap_length", "alpha_mean", "alpha_sigma", "alpha_length",
    "cross_at_zero", "cross_length",
])  # fmt: skip
def test_findings_are_the_truth_of_the_twin_within_their_uncertainty(found, key):
    finding, true = found[key], found[f"true_{key}"]
    assert math.isnan(true.std)
    assert finding.unit == true.unit
    # both are of the same sites, so that the film's own scatter does not count
    assert finding.value == pytest.approx(true.value, abs=0.7 * finding.std)


def test_the_shift_of_the_peaks_and_of_the_exponent_are_stated(found):
    assert found["gap_peak_to_peak"].value > found["gap_mean"].value + 0.05
    assert 0.03 < found["gap_shift_physics"].value < found["gap_shift"].value
    assert found["broadening"].value == pytest.approx(0.06, abs=0.003)
    assert 0.004 < found["alpha_mean"].value - found["alpha_of_spectra"].value < 0.015
    assert abs(found["cross_of_spectra"].value) > abs(found["cross_at_zero"].value)
    for key in ("height_correlation", "height_correlation_alpha"):
        assert abs(found[key].value) < 3 * found[key].std
    assert found["lock_in_ratio"].value == pytest.approx(1.0, abs=5 * found["lock_in_ratio"].std)
    assert abs(found["alpha_asymmetry"].value) < 5e-4


def test_theory_starts_from_the_settings_of_the_plan(found):
    assert found["theory_alpha"].value == pytest.approx(0.281, abs=0.001)
    assert found["coherence_length"].value == pytest.approx(5.2, abs=0.1)
    assert found["gap_over_kTc"].value == pytest.approx(3.66, abs=0.1)
    without = film_run(16, 16, plan="report: {recipe: nbn-map}\n")
    told = {f.key: f for f in recipe("nbn-map").findings(without)}
    assert math.isnan(told["theory_alpha"].value)
    assert "sheet_resistance, plasma_energy" in told["theory_alpha"].remark
    assert "critical_temperature" in told["gap_over_kTc"].remark


def test_of_a_map_too_small_for_lengths_the_rest_is_told():
    small = film_run(9, 9)
    told = {f.key: f for f in recipe("nbn-map").findings(small)}
    assert math.isnan(told["gap_length"].value)
    assert told["gap_length"].remark
    assert told["gap_mean"].value == pytest.approx(float(small.true_gap.mean()) * 1e3, abs=0.01)
    assert math.isnan(told["gap_mean"].std)
    drawn = {chapter.title: chapter for chapter in recipe("nbn-map").chapters(small)}
    assert drawn["dI/dV from the current"].draw().axes
    with pytest.raises(NothingToShowError, match=r"lengths|lags|differ"):
        drawn["Correlations"].draw()


def test_figures_show_what_they_say(study):
    maps = figure_gap_exponent_maps(study)
    titles = [axes.get_title(loc="left") for axes in maps.axes if axes.get_title(loc="left")]
    assert len(titles) == 5
    labels = [label for axes in maps.axes for label in (axes.get_xlabel(), axes.get_ylabel())]
    assert "Gap $\\Delta$ (meV)" in labels
    spectra = figure_gap_exponent_spectra(study)
    assert [axes.get_xscale() for axes in spectra.axes] == ["linear", "linear", "log", "log"]
    correlations = figure_gap_exponent_correlations(study)
    profiles = [a for a in correlations.axes if a.get_xlabel() == "Distance $r$ (nm)"]
    assert len(profiles) == 3
    theory = figure_disorder_theory(study)
    shown = " ".join(t.get_text() for a in theory.axes for t in a.get_legend().get_texts())
    assert "theory (Eqs. 2, 3)" in shown
    assert len(figure_derivative(study).axes) == 4


def test_correlation_maps_are_periodic_or_not(study):
    here, round_ = (study.correlation("gap", "gap", periodic=p) for p in (False, True))
    assert float(here.sel(lag_x=0, lag_y=0)) == pytest.approx(1.0)
    assert round_.shape == (40, 48)
    assert here.shape[0] > 60
    cross = study.correlation("gap", "exponent", periodic=True)
    assert float(cross.sel(lag_x=0, lag_y=0)) == pytest.approx(study.relation.measured.value)


def test_what_is_no_single_map_is_refused(run):
    with pytest.raises(BadInputError, match="one map of bias sweeps"):
        GapExponentStudy(run.expand_dims("repeat"))
    with pytest.raises(BadInputError, match="exponent_windw"):
        GapExponentStudy(
            run.assign_attrs(plan_text='report: {exponent_windw: ["5 mV", "30 mV"]}\n')
        )
    empty = run.assign(current=run["current"] * np.nan)
    with pytest.raises(CannotTellError, match="No spectrum is complete"):
        _ = GapExponentStudy(empty).maps

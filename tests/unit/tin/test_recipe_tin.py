"""The recipe draws every figure of the paper and states its numbers, or why it cannot."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from stm_daq.errors import CannotTellError
from stm_daq.report.granular.heating import figure_heating
from stm_daq.report.granular.zero_gap import figure_zero_gap
from stm_daq.report.recipes import tin, tin_findings
from stm_daq.report.style import NothingToShowError

TRUE = [
    "gap_mean",
    "gap_fwhm",
    "gap0_mean",
    "temperature_mean",
    "barrier_median",
    "correlation_gap_height",
    "correlation_temperature_height",
    "correlation_temperature_barrier",
]


@pytest.fixture
def quick(monkeypatch):
    """Errors of widths do not matter here."""
    monkeypatch.setattr(tin_findings, "RESAMPLES_OF_WIDTH", 3)


@pytest.fixture(scope="module")
def run(film_of_module):
    return film_of_module(shape=(36, 60), pitch=2.4e-9)


@pytest.fixture(scope="module")
def found(run):
    return {finding.key: finding for finding in tin.findings(run)}


def test_it_suits_a_map_and_nothing_else(run):
    assert tin.suits(run)
    assert not tin.suits(run.drop_vars("barrier"))
    assert not tin.suits(run.isel(y=slice(2)))
    assert not tin.suits(run.expand_dims(stage=[0.5]))
    assert not tin.suits(run.assign_attrs(metadata='{"fit_model": "none"}'))


def test_every_number_of_the_paper_is_stated(found):
    wanted = (
        "gap_mean gap_fwhm gap0_mean gap0_fwhm temperature_mean barrier_median bcs_gap roughness "
        "roughness_rms grain_diameter grain_diameter_large correlation_gap_height "
        "correlation_temperature_height correlation_barrier_height correlation_gap_barrier "
        "heating_tn heating_dt heating_r gap_noise temperature_noise barrier_noise sites"
    )
    for key in wanted.split():
        assert math.isfinite(found[key].value), f"{key}: {found[key].remark}"
    assert found["bcs_gap"].value == pytest.approx(0.714, abs=0.001)


@pytest.mark.parametrize("key", TRUE)
def test_the_twins_numbers_are_found(found, key):
    one = found[key]
    assert one.std > 0
    assert abs(one.value - found[f"true_{key}"].value) < 2 * one.std


def test_heating_of_the_twin_is_within_a_quarter(found):
    for key, true in (("heating_r", 5.0), ("heating_dt", 2.0), ("heating_tn", 0.5)):
        assert found[key].value == pytest.approx(true, rel=0.25)
        assert abs(found[key].value - true) < 3 * found[key].std


def test_every_figure_is_drawn(run, tmp_path):
    for number, chapter in enumerate(tin.chapters(run)):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # matplotlib: nothing fits
            figure = chapter.draw()
            figure.savefig(tmp_path / f"{number}.svg")
        assert figure.axes


@pytest.mark.usefixtures("quick")
def test_without_regions_the_gap_is_divided_into_thirds(run):
    bare = run.assign_attrs(plan_text="plan: 1\n")
    regions = tin.Film(bare).regions
    assert regions.names == ("low gap", "middle gap", "high gap")
    sizes = np.bincount(regions.labels.values.ravel(), minlength=4)[1:]
    assert sizes.min() > 0.3 * regions.labels.size
    assert math.isnan({f.key: f for f in tin.findings(bare)}["bcs_gap"].value)


@pytest.mark.usefixtures("quick")
def test_what_cannot_be_told_is_said_in_findings_and_figures(run):
    flat = run.copy(deep=True)
    flat["topography"].values[:] = 0.0
    flat["barrier"].values[:] = 1.5
    found = {finding.key: finding for finding in tin.findings(flat)}
    for key in ("roughness", "grain_diameter", "heating_r", "correlation_barrier_height"):
        assert math.isnan(found[key].value)
        assert found[key].remark.endswith(".")
    with pytest.raises(NothingToShowError, match="grains"):
        tin.chapters(flat)[0].draw()
    assert tin.chapters(flat)[2].draw().axes  # the points without the curves


@pytest.mark.usefixtures("quick")
def test_a_map_with_more_than_half_missing_gives_no_plausible_number(run):
    half = run.copy(deep=True)
    half["fit_ok"].values[:, 25:] = False
    half["fit_flags"].values[:, 25:] = "too_noisy"
    found = {finding.key: finding for finding in tin.findings(half)}
    assert found["sites"].value == 36 * 25
    for key in ("correlation_gap_height", "gap_noise"):
        assert math.isnan(found[key].value) or found[key].std > 0


def test_a_map_without_fits_says_so(run):
    none = run.copy(deep=True)
    none["fit_ok"].values[:] = False
    none["fit_flags"].values[:] = "too_noisy"
    with pytest.raises(CannotTellError):
        tin.findings(none)
    film = tin.Film(none)
    with pytest.raises(NothingToShowError):
        figure_zero_gap(film.maps)
    with pytest.raises(NothingToShowError):
        figure_heating(film.maps, tin.Film(run).regions)
    for chapter in tin.chapters(none)[1:]:
        with pytest.raises((CannotTellError, NothingToShowError)):
            chapter.draw()

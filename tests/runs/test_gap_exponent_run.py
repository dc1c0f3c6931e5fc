"""A night for the recipe nbn-map: without a fit, gap and exponent through all instruments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq import night
from stm_daq.analysis.altshuler_aronov.gap_exponent_study import GapExponentStudy
from stm_daq.analysis.maps.sites import sites_of
from stm_daq.errors import BadInputError
from stm_daq.plan import load_plan
from stm_daq.rehearsal import Rehearsal
from stm_daq.report.html import write_report
from stm_daq.report.recipes import recipe
from stm_daq.store.reading import events

ROOT = Path(__file__).parents[2]
PLAN, STATION = ROOT / "plans/nbn_map.yaml", ROOT / "docs/stations/nbn_map.yaml"


def small_plan(folder, *changes):
    """Write the plan with 8 x 8 sites on 100 nm."""
    text = PLAN.read_text()
    for old, new in (
        ('size: ["1200 nm", "1000 nm"]', 'size: ["100 nm", "100 nm"]'),
        ("columns: 192, rows: 160", "columns: 16, rows: 16"),
        *changes,
    ):
        assert old in text
        text = text.replace(old, new)
    path = folder / "plan.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("nbn")
    prepared = night.prepare_night(small_plan(place), STATION)
    result = night.rehearse(prepared, place / "runs", Rehearsal(epoch=1.8e9))
    assert (result.ended.state, result.violations) == ("finished", ())
    return result.folder


def test_nothing_is_fitted_and_nobody_minds(folder):
    run = stm_daq.open_run(folder)
    assert np.isnan(run["gap"]).all()
    assert (run["fit_flags"] == "").all()
    sites = sites_of(run)
    assert sites.measured.all()
    assert not sites.unfitted.any()
    page = write_report(run, events(folder), folder / "report.html").read_text(encoding="utf-8")
    assert "could not be drawn" not in page


def test_gaps_and_exponents_are_those_of_the_twin(folder):
    run = stm_daq.open_run(folder).load()
    assert recipe("nbn-map").suits(run)
    study = GapExponentStudy(run)
    maps = study.maps
    assert maps.gaps is not None
    error = (maps.gap - run["true_gap"]) / maps.gap_std
    known = np.isfinite(error.values)
    assert known.mean() > 0.9
    assert np.median(np.abs(error.values[known])) < 1.2
    assert float(np.abs((maps.gap - run["true_gap"]).mean())) < 8e-6
    error = (maps.exponents.alpha - run["true_exponent"]) / maps.exponents.alpha_std
    assert float(np.abs(error).median()) < 1.1
    assert study.lock_in.ratio == pytest.approx(1.0, abs=4 * study.lock_in.std + 1e-3)
    assert study.lock_in.rms == pytest.approx(1.0, abs=0.25)


def test_a_wanted_uncertainty_needs_a_fit(tmp_path):
    path = small_plan(tmp_path, ("fit: {model: none}", 'want: {gap: "20 ueV"}\nfit: {model: none}'))
    with pytest.raises(BadInputError, match="needs a fit"):
        load_plan(path)


def test_no_model_of_another_name_is_taken(tmp_path):
    path = small_plan(tmp_path, ("fit: {model: none}", "fit: {model: nothing}"))
    with pytest.raises(BadInputError, match="model"):
        load_plan(path)

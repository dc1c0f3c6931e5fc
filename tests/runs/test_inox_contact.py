"""The plans of the contact series, shortened: what the analyses recover of the twin's truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq import night
from stm_daq.analysis.contacts.contact import QUANTUM
from stm_daq.analysis.contacts.contact_series import ContactSeries
from stm_daq.errors import CannotTellError
from stm_daq.rehearsal import Rehearsal
from stm_daq.report.recipes import recipe
from stm_daq.report_settings import settings_of

ROOT = Path(__file__).parents[2]
CURRENTS = 'setpoint_current: {values: ["3 nA", "100 nA", "300 nA", "1 uA"], settle: "1 s"}'


def rehearsed(folder, plan, station, places, currents=CURRENTS):
    """Rehearse a plan with other set-points and these places."""
    text = (ROOT / "plans" / plan).read_text()
    axes, sites = text.index("  - setpoint_current"), text.index("\nsweep:")
    text = f"{text[:axes]}  - {currents}\n\nsites: {{points: {places}}}\n{text[sites:]}"
    path = folder / plan
    path.write_text(text)
    prepared = night.prepare_night(path, ROOT / "docs/stations" / station)
    result = night.rehearse(prepared, folder / "runs", Rehearsal(seed=1, epoch=1.8e9))
    assert (result.ended.state, result.violations) == ("finished", ())
    return stm_daq.open_run(result.folder)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Film 2 at three places, far below Tc."""
    places = '[["-75 nm", "25 nm"], ["25 nm", "25 nm"], ["75 nm", "-25 nm"]]'
    return rehearsed(
        tmp_path_factory.mktemp("film"), "inox_contact.yaml", "inox_contact.yaml", places
    )


def test_conductances_and_both_gaps_of_the_twin_come_back(film):
    series = ContactSeries(film)
    true = film.true_scale.values.reshape(series.spectra["contact"].shape) / QUANTUM
    pull = (series.spectra["contact"].values - true) / series.spectra["contact_std"].values
    assert np.abs(pull).max() < 4
    single = film.true_gap.values[0, 0]
    pull = (series.single["gap"].values[0] - single) / series.single["gap_std"].values[0]
    assert np.abs(pull).max() < 4
    found = series.collective
    assert abs(found.gap - float(film.true_collective_gap[0, 0, 0])) < 4 * found.gap_std
    assert found.gap_std < 1e-6
    assert abs(found.slope) < 4 * found.slope_std
    assert series.variation.factor == pytest.approx(single.max() / single.min(), rel=0.01)


def test_the_plan_says_what_the_recipe_has_to_know(film):
    assert settings_of(film).critical_temperature == 1.5
    found = {finding.key: finding for finding in recipe("contact").findings(film)}
    assert found["collective_gap_over_ktc"].value == pytest.approx(1.0, rel=0.02)
    assert found["true_collective_gap"].value == pytest.approx(
        found["collective_gap"].value, rel=0.01
    )


def test_the_film_of_low_disorder_has_no_collective_gap_but_a_barrier_that_falls(tmp_path):
    station = "inox_contact_btk.yaml"
    film = rehearsed(tmp_path, "inox_contact_btk.yaml", station, '[["0 nm", "0 nm"]]')
    series = ContactSeries(film)
    with pytest.raises(CannotTellError, match="no preformed pairs"):
        _ = series.collective
    found = series.fall
    true = film.true_barrier.values[:, 0, 0]
    assert found.at_highest == pytest.approx(true[-1], abs=4 * found.at_highest_std)
    assert found.at_highest_std < 0.01
    assert found.falls == pytest.approx(-1)


def test_the_collective_gap_closes_where_the_films_tc_is(tmp_path):
    text = (ROOT / "plans/inox_contact_temperature.yaml").read_text()
    first, last = text.index('      values: ["0.1 K"'), text.index("      tolerance")
    few = text[:first] + '      values: ["0.1 K", "0.8 K", "1.2 K", "1.7 K"]\n' + text[last:]
    path = tmp_path / "few.yaml"
    sites = few.index("sites:")
    swept = few.index("\nsweep:")
    path.write_text(f'{few[:sites]}sites: {{points: [["-75 nm", "25 nm"]]}}\n{few[swept:]}')
    prepared = night.prepare_night(path, ROOT / "docs/stations/inox_contact.yaml")
    result = night.rehearse(prepared, tmp_path / "runs", Rehearsal(seed=1, epoch=1.8e9))
    series = ContactSeries(stm_daq.open_run(result.folder))
    found = series.closing.series
    assert found.tc == pytest.approx(1.5, abs=4 * found.tc_std)
    assert found.tc_std < 0.05
    gap = series.single["gap"].values[:, 0]
    assert gap[-1] == pytest.approx(gap[0], rel=0.02)

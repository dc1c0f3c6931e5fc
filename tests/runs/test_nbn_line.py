"""A short line across the twin's NbN, from the plan to the numbers of its recipe."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

import stm_daq
from stm_daq import night
from stm_daq.plan import load_plan
from stm_daq.rehearsal import Rehearsal
from stm_daq.report.recipes.nbn_line import findings, suits

ROOT = Path(__file__).parents[2]
FILMS = {"25nm": (50, 70e-9), "5nm": (200, 424e-9), "4nm": (200, 424e-9)}


@pytest.mark.parametrize("film", FILMS)
def test_the_plans_are_those_of_the_paper(film):
    plan = load_plan(ROOT / f"plans/nbn_ald_{film}.yaml")
    count, length = FILMS[film]
    assert plan.sites.count == count
    assert plan.sites.x[-1] == pytest.approx(length, rel=0.002)
    assert plan.sweep.modulation_peak == pytest.approx(35e-6)  # 70 uV from peak to peak


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """A rehearsal of 40 spectra, 10.6 nm apart, on the film of 5 nm."""
    folder = tmp_path_factory.mktemp("line")
    text = (ROOT / "plans/nbn_ald_5nm.yaml").read_text()
    assert "count: 200" in text
    (folder / "plan.yaml").write_text(text.replace("count: 200", "count: 40"))
    prepared = night.prepare_night(folder / "plan.yaml", ROOT / "docs/stations/nbn_ald_5nm.yaml")
    result = night.rehearse(prepared, folder / "runs", Rehearsal(epoch=1.8e9))
    assert (result.ended.state, result.violations) == ("finished", ())
    return stm_daq.open_run(result.folder).load()


def test_the_recipe_finds_what_the_twin_has(run):
    assert suits(run)
    found = {f.key: f for f in findings(run)}
    truth = run.true_gap.values * 1e3
    assert found["gap_mean"].value == pytest.approx(truth.mean(), abs=2 * found["gap_mean"].std)
    width = found["gap_sigma_intrinsic"]
    assert width.value == pytest.approx(truth.std(ddof=1), abs=width.std)
    assert found["gap_sigma_noise"].value < 2e-3
    kelvin = found["tip_temperature"]
    assert kelvin.value == pytest.approx(1.73, abs=3 * kelvin.std)
    assert found["tip_temperature_average"].value > kelvin.value


def test_the_background_is_the_drift_of_the_tip_during_a_sweep(run):
    """The surface rises by 2 pm/min: the current grows by exp(2 kappa z), kappa near 1e10 / m."""
    found = {f.key: f for f in findings(run)}["background_slope"]
    sweep = 257 * 30e-3
    drift = 2 * 1.05e10 * (2e-12 / 60) * sweep / 16  # per mV, from +8 to -8 mV
    assert found.value == pytest.approx(-100 * drift, abs=4 * found.std + 0.003)

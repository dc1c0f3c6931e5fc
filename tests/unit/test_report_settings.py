"""The `report:` block of a plan: read with the plan, and again from the run that kept its text."""

from pathlib import Path

import pytest
import xarray as xr

from stm_daq.errors import BadInputError
from stm_daq.plan import load_plan
from stm_daq.report_settings import ReportBlock, settings_of

ROOT = Path(__file__).parents[2]


def run_of(text: str) -> xr.Dataset:
    return xr.Dataset(attrs={"plan_text": text})


def test_what_a_plan_does_not_say_is_not_set() -> None:
    assert settings_of(xr.Dataset()) == ReportBlock()
    assert settings_of(run_of("plan: 1\n")) == ReportBlock()


def test_settings_are_read_from_the_text_that_the_run_kept() -> None:
    path = ROOT / "plans" / "tin_overnight.yaml"
    assert load_plan(path)
    settings = settings_of(run_of(path.read_text(encoding="utf-8")))
    assert settings.critical_temperature == pytest.approx(4.7)


def test_regions_are_polygons_in_metres() -> None:
    text = 'report: {regions: {left: [["0 nm", "0 nm"], ["5 nm", "0 nm"], ["0 nm", "5 nm"]]}}'
    regions = settings_of(run_of(text)).regions
    assert regions is not None
    assert regions["left"][1] == pytest.approx((5e-9, 0))


def test_a_mistake_is_told_with_its_place() -> None:
    with pytest.raises(BadInputError, match=r"plan\.yaml:1:10: .*unknown key"):
        settings_of(run_of("report: {recipee: tin}"))

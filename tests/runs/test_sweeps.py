"""Every kind of sweep and outer axis on the twin: what they measure, and that they harm nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq import night
from stm_daq.night import NightResult
from stm_daq.rehearsal import Rehearsal

ROOT = Path(__file__).parents[2]
STATION = ROOT / "station.yaml"
GS200 = ROOT / "docs/stations/gs200.yaml"
EPOCH = 1.8e9

HEAD = """
plan: 1
name: sweeps
sample: twin
setpoint: {bias: "4 mV", current: "100 pA"}
sites: {line: {start: ["0 nm", "0 nm"], end: ["20 nm", "0 nm"], count: 2}}
"""
LOCK_IN = """
  modulation: {peak: "140 uV", frequency: "797 Hz"}
  lockin: {time_constant: "3 ms"}
"""
BIAS = '  bias: {start: "4 mV", end: "-4 mV", points: 96, dwell: "10 ms"}\n'


@pytest.fixture
def rehearse_plan(tmp_path: Path) -> Callable[..., NightResult]:
    """Return a function that rehearses a plan with this sweep on a changed station."""

    def start(sweep: str, more: str = "", station: Path = STATION, changes=()) -> NightResult:
        plan = tmp_path / "plan.yaml"
        plan.write_text(f"{HEAD}sweep:\n{sweep}{LOCK_IN}{more}")
        text = station.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        place = tmp_path / station.name
        place.write_text(text)
        prepared = night.prepare_night(plan, place)
        return night.rehearse(prepared, tmp_path / "runs", Rehearsal(epoch=EPOCH, seed=3))

    return start


def opened(result: NightResult):
    """Open a run that went well."""
    assert (result.ended.state, result.ended.text, result.violations) == ("finished", "", ())
    return stm_daq.open_run(result.folder)


def test_point_by_point_agrees_with_a_list(rehearse_plan) -> None:
    played = opened(rehearse_plan(BIAS))
    stepped = opened(rehearse_plan("  kind: points\n" + BIAS, station=GS200))
    assert not any(stepped.flags.values.ravel())
    for run in (played, stepped):
        assert run.fit_ok.all()
        assert np.abs(run.gap - run.true_gap).max() < 0.1 * run.true_gap.min()
    difference = (played.conductance - stepped.conductance).values
    assert np.sqrt(np.mean(difference**2)) < 0.1 * float(played.conductance.mean())
    current = (played.current - stepped.current).values
    assert np.sqrt(np.mean(current**2)) < 0.03 * float(abs(played.current).max())

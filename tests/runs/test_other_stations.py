"""Rehearsals on the stations of docs/stations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import stm_daq
from drivers.gs200 import Gs200Bias
from stm_daq import night
from stm_daq.clock import VirtualClock
from stm_daq.errors import BadInputError, OutOfRangeError
from stm_daq.plan import load_plan
from stm_daq.rehearsal import Rehearsal
from stm_daq.sequencer.runner import Runner

STATIONS = Path(__file__).parents[2] / "docs/stations"
REFERENCE = Path(__file__).parents[2] / "station.yaml"


@pytest.fixture
def rehearse_on(tmp_path: Path, make_plan: Callable[..., Path]) -> Callable[[Path], object]:
    """Return a function that rehearses 2 x 2 spectra on a station and opens the run."""

    def start(station: Path) -> object:
        prepared = night.prepare_night(make_plan(16, 8, 128), station)
        rehearsal = Rehearsal(epoch=1.8e9)
        result = night.rehearse(prepared, tmp_path / station.stem, rehearsal)
        assert (result.ended.state, result.violations) == ("finished", ())
        return stm_daq.open_run(result.folder)

    return start


@pytest.mark.parametrize("name", ["sr860", "mfli"])
def test_the_same_map_with_another_lock_in(rehearse_on, name: str) -> None:
    """Same sample, same sites: spectra differ by noise only, however the current was obtained."""
    reference, other = rehearse_on(REFERENCE), rehearse_on(STATIONS / f"{name}.yaml")
    assert other.fit_ok.all()
    assert not any(other.flags.values.ravel())
    difference = (other.conductance - reference.conductance).values
    assert np.sqrt(np.mean(difference**2)) < 0.1 * float(reference.conductance.mean())
    current = (other.current - reference.current).values
    assert np.sqrt(np.mean(current**2)) < 0.03 * float(abs(reference.current).max())
    assert np.abs(other.gap - other.true_gap).median() < 0.1 * other.true_gap.median()


def test_where_the_current_comes_from_is_written_down(rehearse_on) -> None:
    integrated, measured = (
        json.loads(rehearse_on(station).attrs["metadata"])["current"]
        for station in (STATIONS / "sr860.yaml", REFERENCE)
    )
    assert (integrated, measured) == ("integrated from dI/dV", "measured")


def test_a_source_without_a_list_is_refused_beforehand(make_plan) -> None:
    with pytest.raises(OutOfRangeError, match=r"sweep.bias: Gs200Bias has no hardware list"):
        night.prepare_night(make_plan(), STATIONS / "gs200.yaml")


def test_the_runner_refuses_it_too(make_plan) -> None:
    station = SimpleNamespace(
        **dict.fromkeys(("stm", "lockin", "preamplifier", "thermometer", "limits")),
        bias=Gs200Bias.__new__(Gs200Bias),
    )
    with pytest.raises(BadInputError, match="Gs200Bias has no hardware list"):
        Runner(load_plan(make_plan()), station, VirtualClock(), print, 1.0)

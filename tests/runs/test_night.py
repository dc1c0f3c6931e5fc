"""Whole rehearsals in this process: what is measured, stored, fitted, and how trouble ends."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq import night
from stm_daq.errors import InstrumentError
from stm_daq.records import (
    Event,
    Fit,
    Progress,
    RunEnded,
    RunStarted,
    Spectrum,
    TopographRows,
    Truth,
)
from stm_daq.rehearsal import Rehearsal
from stm_daq.sequencer.site import SiteMeasurement
from stm_daq.store.reading import events

STATION = Path(__file__).parents[2] / "station.yaml"


def test_a_small_night_from_plan_to_dataset(rehearse):
    seen = []
    result = rehearse(seen.append)
    assert (result.ended.state, result.violations) == ("finished", ())
    run = stm_daq.open_run(result.folder)
    assert dict(run.sizes) == {"y": 4, "x": 4, "bias": 64, "topograph_y": 16, "topograph_x": 16}
    for name in ("topography", "current", "conductance", "gap", "gap_std", "true_gap"):
        assert np.isfinite(run[name]).all(), name
    assert run.fit_ok.all()
    assert np.abs(run.gap - run.true_gap).median() < 0.05 * run.true_gap.median()
    assert run.attrs["state"] == "finished"
    assert not any(run.flags.values.ravel())
    kinds = [type(record) for record in seen]
    assert kinds[0] is RunStarted
    assert kinds[-1] is RunEnded
    assert kinds.count(TopographRows) == 4
    assert kinds.count(Progress) == 16


def test_every_spectrum_is_fitted_before_the_next_one_is_measured(rehearse):
    seen = []
    rehearse(seen.append)
    order = [type(record) for record in seen if isinstance(record, Spectrum | Fit | Truth)]
    assert order == [Spectrum, Truth, Fit] * 16


def test_sites_lie_where_the_topograph_says(rehearse):
    run = stm_daq.open_run(rehearse().folder)
    at_sites = run.topography.values[::4, ::4]
    assert run.z.values == pytest.approx(at_sites, abs=0.25e-9)
    assert run.true_x.values[0] == pytest.approx(run.x.values - 21e-9, abs=1e-12)
    assert run.true_y.values[:, 0] == pytest.approx(run.y.values - 21e-9, abs=1e-12)


def test_same_seed_same_night_other_seed_other_film(rehearse):
    first, again = (stm_daq.open_run(rehearse(runs=f"r{i}", seed=7).folder) for i in range(2))
    other = stm_daq.open_run(rehearse(runs="other", seed=8).folder)
    for name in ("topography", "conductance", "current", "gap", "z", "time"):
        assert np.array_equal(first[name].values, again[name].values), name
    assert not np.allclose(first.true_gap, other.true_gap)


def test_ctrl_c_finishes_the_spectrum_and_leaves_a_readable_run(rehearse):
    def interrupt(record):
        if isinstance(record, Spectrum) and record.site.index == 5:
            signal.raise_signal(signal.SIGINT)

    result = rehearse(interrupt)
    run = stm_daq.open_run(result.folder)
    assert result.ended.state == "stopped"
    assert "finished the spectrum" in result.ended.text
    assert int(np.isfinite(run.time).sum()) == 6
    assert result.violations == ()


def test_second_ctrl_c_aborts_the_sweep_but_not_the_safety(rehearse, monkeypatch):
    from drivers.sr830 import Sr830LockIn

    original = Sr830LockIn.read_buffer
    calls = []

    def interrupted_twice(self, points):
        calls.append(points)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return original(self, points)

    monkeypatch.setattr(Sr830LockIn, "read_buffer", interrupted_twice)
    result = rehearse()
    assert result.ended.state == "stopped"
    assert "aborted" in result.ended.text
    assert int(np.isfinite(stm_daq.open_run(result.folder).time).sum()) == 2
    assert result.violations == ()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process on SIGTERM without asking it")
def test_sigterm_parks(rehearse):
    def terminate(record):
        if isinstance(record, Spectrum) and record.site.index == 2:
            signal.raise_signal(signal.SIGTERM)

    result = rehearse(terminate)
    assert result.ended.state == "stopped"
    assert "terminated" in result.ended.text


def test_an_observer_that_fails_is_disconnected_and_the_night_goes_on(rehearse):
    def broken(record):
        if isinstance(record, Spectrum):
            raise RuntimeError("no space for a plot")

    result = rehearse(broken)
    assert result.ended.state == "finished"
    told = [event.text for event in events(result.folder) if event.kind == "warning"]
    assert len(told) == 1
    assert "no space for a plot" in told[0]
    assert "Traceback" in (result.folder / "log.txt").read_text()


def test_a_spectrum_that_breaks_the_fit_does_not_cost_the_others_theirs(rehearse, monkeypatch):
    from stm_daq.fitting import OnlineFitter

    fit = OnlineFitter.fit
    calls = []

    def broken(self, conductance, **options):
        calls.append(1)
        if len(calls) in (5, 6):
            raise RuntimeError("singular matrix")
        return fit(self, conductance, **options)

    monkeypatch.setattr(OnlineFitter, "fit", broken)
    run = stm_daq.open_run(rehearse().folder)
    assert np.isfinite(run.conductance).all()
    assert sorted(set(run.fit_flags.values.ravel())) == ["", "fit_error"]
    assert int(run.fit_ok.sum()) == 14


def test_a_tip_that_had_to_be_withdrawn_stays_withdrawn_and_the_run_says_why(rehearse, monkeypatch):
    from drivers.nanonis_stm import NanonisStm
    from drivers.qdac2 import Qdac2Bias
    from drivers.sr830 import Sr830LockIn

    calls = []
    for step in ("release", "withdraw"):
        original = getattr(NanonisStm, step)
        monkeypatch.setattr(
            NanonisStm, step, lambda self, do=original, name=step: (calls.append(name), do(self))
        )
    read, ramp = Sr830LockIn.read_buffer, Qdac2Bias.ramp_to
    broken = []

    def read_buffer(self, points):
        if len(calls) == 4:
            broken.append("now")
            raise InstrumentError("sr830: damaged buffer")
        return read(self, points)

    def ramp_to(self, volts):
        if broken == ["now"]:
            broken.append("once")
            raise InstrumentError("qdac: no reply")
        ramp(self, volts)

    monkeypatch.setattr(Sr830LockIn, "read_buffer", read_buffer)
    monkeypatch.setattr(Qdac2Bias, "ramp_to", ramp_to)
    result = rehearse()
    assert result.ended.state == "failed"
    assert "the tip was withdrawn" in result.ended.text
    assert "began with: sr830: damaged buffer" in result.ended.text
    assert calls[-1] == "withdraw"
    assert "release" not in calls[calls.index("withdraw") :]
    assert result.violations == ()


def test_a_station_without_thermometer_measures_without_flags(plan, tmp_path):
    lines = STATION.read_text().splitlines(keepends=True)
    station = tmp_path / "station.yaml"
    station.write_text("".join(line for line in lines if not line.startswith("  thermometer:")))
    prepared = night.prepare_night(plan, station)
    run = stm_daq.open_run(night.rehearse(prepared, tmp_path / "runs", Rehearsal()).folder)
    assert run.fit_ok.all()
    assert np.isnan(run.stage_temperature).all()


def fail_on(monkeypatch, numbers):
    """Let measurements fail by their number, from 1, as an instrument would."""
    original = SiteMeasurement.measure
    count = iter(range(1, 10_000))

    def measure(self, site, attempt, reason=""):
        if next(count) in numbers:
            raise InstrumentError("sr830: no reply")
        return original(self, site, attempt, reason)

    monkeypatch.setattr(SiteMeasurement, "measure", measure)


def test_a_failing_site_is_tried_again(rehearse, monkeypatch):
    fail_on(monkeypatch, {3})
    result = rehearse()
    assert result.ended.state == "finished"
    assert np.isfinite(stm_daq.open_run(result.folder).time).all()
    assert [e.kind for e in events(result.folder) if e.kind != "temperature"] == ["error"]


def test_a_site_that_keeps_failing_is_left_out(rehearse, monkeypatch):
    fail_on(monkeypatch, {3, 4})
    result = rehearse()
    run = stm_daq.open_run(result.folder)
    assert result.ended.state == "finished"
    assert np.argwhere(~np.isfinite(run.time.values)).tolist() == [[0, 2]]


def test_five_sites_in_a_row_stop_the_run(rehearse, monkeypatch):
    fail_on(monkeypatch, set(range(5, 100)))
    result = rehearse()
    assert result.ended.state == "failed"
    assert "5 sites in a row" in result.ended.text
    assert result.violations == ()


def test_a_stray_trigger_is_noticed_and_the_site_measured_again(rehearse, monkeypatch):
    from drivers.sr830 import Sr830LockIn

    original = Sr830LockIn.start_buffer
    calls = []

    def with_stray_pulse(self):
        original(self)
        calls.append(1)
        if len(calls) == 4:
            self._lockin.send_trigger()

    monkeypatch.setattr(Sr830LockIn, "start_buffer", with_stray_pulse)
    result = rehearse()
    told = [e.text for e in events(result.folder) if e.kind == "error"]
    assert len(told) == 1
    assert "something else triggers it" in told[0]
    run = stm_daq.open_run(result.folder)
    assert np.isfinite(run.time).all()
    assert run.fit_ok.all()


def test_a_thermometer_that_dies_is_told_not_guessed(rehearse, monkeypatch):
    from drivers.lakeshore372 import Ls372Thermometer

    def dead(self):
        raise InstrumentError("ls372: no reply")

    monkeypatch.setattr(Ls372Thermometer, "read", dead)
    result = rehearse()
    run = stm_daq.open_run(result.folder)
    assert result.ended.state == "finished"
    assert np.isnan(run.stage_temperature).all()
    assert set(run.flags.values.ravel()) == {"stale_temperature"}
    assert not run.fit_ok.any()
    assert isinstance(events(result.folder)[0], Event)


def test_the_bias_passes_zero_only_with_the_feedback_held(rehearse, monkeypatch):
    from stm_daq.sequencer.runner import Runner

    prepare = Runner._prepare

    def from_the_other_side(self):
        self._station.stm.hold()
        self._station.bias.ramp_to(-4e-3)
        self._station.stm.release()
        prepare(self)

    monkeypatch.setattr(Runner, "_prepare", from_the_other_side)
    result = rehearse()
    assert (result.ended.state, result.violations) == ("finished", ())


def test_a_run_that_cannot_begin_parks_the_station_and_leaves_no_folder(
    rehearse, monkeypatch, tmp_path
):
    from drivers.sr830 import Sr830LockIn

    parked = []
    off = Sr830LockIn.modulation_off
    monkeypatch.setattr(Sr830LockIn, "modulation_off", lambda self: (parked.append(1), off(self)))

    def broken(self):
        raise InstrumentError("sr830: no reply")

    monkeypatch.setattr(Sr830LockIn, "prepare_buffer", broken)
    with pytest.raises(InstrumentError, match="no reply"):
        rehearse()
    assert parked == [1]
    assert list((tmp_path / "runs").iterdir()) == []

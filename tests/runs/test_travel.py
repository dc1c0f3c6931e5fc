"""Contact series at several places: the tip must not move sideways while it touches."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import stm_daq
from drivers.nanonis_stm import NanonisStm
from drivers.qdac2 import Qdac2Bias
from stm_daq import night
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.rehearsal import Rehearsal, make_twin, visa_library
from stm_daq.station.config import load_station
from stm_daq.station.loader import open_roles
from stm_daq.station.streams import streams_from
from stm_daq.store.reading import events
from stm_daq.watchdog.__main__ import NEEDED, act

ROOT = Path(__file__).parents[2]
STATION = ROOT / "docs/stations/inox_contact.yaml"
TRAVEL = ', travel: {bias: "6 mV", current: "1 nA"}'
POINTS = 'points: [["0 nm", "0 nm"], ["20 nm", "0 nm"], ["40 nm", "0 nm"]]'
GRID = """grid:
    frame: {centre: ["0 nm", "0 nm"], size: ["20 nm", "20 nm"]}
    topograph: {columns: 16, rows: 2, line_time: "0.2 s"}
    every: 2"""
DRIFT = 'drift: {every: "20 s", size: "20 nm", pixels: 16, line_time: "50 ms", largest: "8 nm"}\n'


def plan_text(travel=TRAVEL, sites=POINTS, more="", axis='"1 nA", "1 uA"'):
    return f"""plan: 1
name: travel
sample: InO-2 (twin)
setpoint: {{bias: "4 mV", current: "1 nA"{travel}}}
axes:
  - setpoint_current: {{values: [{axis}], settle: "1 s"}}
sites:
  {sites}
sweep:
  bias: {{start: "4 mV", end: "-4 mV", points: 32, dwell: "10 ms"}}
  modulation: {{peak: "300 uV", frequency: "797 Hz"}}
  lockin: {{time_constant: "3 ms"}}
fit: {{model: none}}
{more}"""


@pytest.fixture
def prepare(tmp_path):
    """Return a function that writes a plan and prepares its night; `limit` of the station."""

    def make(limit="1 uS", **plan):
        station = STATION.read_text().replace(
            "limits:\n", f'limits:\n  travel_conductance: "{limit}"\n'
        )
        (tmp_path / "station.yaml").write_text(station)
        (tmp_path / "plan.yaml").write_text(plan_text(**plan))
        return night.prepare_night(tmp_path / "plan.yaml", tmp_path / "station.yaml")

    return make


@pytest.fixture
def rehearse(tmp_path):
    """Return a function that rehearses a prepared night."""

    def start(prepared, runs="runs"):
        return night.rehearse(prepared, tmp_path / runs, Rehearsal(seed=1, epoch=1.8e9))

    return start


@pytest.fixture
def rehearse_demo(make_plan, tmp_path):
    """Return a function that rehearses n x n spectra without topograph; returns the messages."""

    def start(count, travel):
        text = make_plan(points=32).read_text()
        first, last = text.index("    topograph:"), text.index("\nsweep:")
        text = f"{text[:first]}    columns: {count}\n    rows: {count}\n{text[last:]}"
        text = text.replace('current: "100 pA"', f'current: "100 pA"{travel}')
        path = tmp_path / "demo.yaml"
        path.write_text(text)
        prepared = night.prepare_night(path, ROOT / "station.yaml")
        folder = tmp_path / f"demo{count}{len(travel)}"
        result = night.rehearse(prepared, folder, Rehearsal(seed=3, epoch=1.8e9))
        assert (result.ended.state, result.violations) == ("finished", ())
        return result.transactions - result.transactions_opening

    return start


def test_the_twin_objects_to_a_tip_that_ploughs(prepare, rehearse):
    ploughing = rehearse(prepare(limit="1 S", travel=""), "ploughing")
    assert ploughing.ended.state == "finished"
    # to the last place in tunnelling and back to the first in contact, then twice in contact
    assert len(ploughing.violations) == 3
    assert all("lateral move in contact, at 2" in text for text in ploughing.violations)
    gentle = rehearse(prepare(), "gentle")
    assert (gentle.ended.state, gentle.violations) == ("finished", ())
    one, other = (stm_daq.open_run(result.folder) for result in (ploughing, gentle))
    assert not any(other.flags.values.ravel())
    for name in ("conductance", "current"):  # the sites know nothing of the ways
        noise = np.std(one[name].values - other[name].values) / np.ptp(one[name].values)
        assert noise < 3e-3, name
    np.testing.assert_allclose(other.true_scale.values, one.true_scale.values, rtol=1e-3)


def test_a_travel_costs_eighteen_messages(rehearse_demo):
    def further(travel):
        ways = 16 + 1  # to every site, and before the first one; a doubtful buffer is read twice
        return (rehearse_demo(4, travel) - plain) / ways

    plain = rehearse_demo(4, "")
    assert further(', travel: {bias: "4 mV", current: "50 pA"}') == pytest.approx(18, abs=0.5)
    assert further(', travel: {bias: "4 mV", current: "100 pA"}') == pytest.approx(2, abs=0.5)


@pytest.mark.parametrize("sites", [POINTS, GRID, 'points: [["0 nm", "0 nm"]]'])
def test_topographs_and_references_are_scanned_at_the_set_point_for_travel(
    prepare, rehearse, sites
):
    more = DRIFT if sites == GRID else ""
    result = rehearse(prepare(sites=sites, more=more + "again: {most: 1}\n"))
    assert (result.ended.state, result.violations) == ("finished", ())


def test_the_bias_may_change_its_sign_between_the_sites(prepare, rehearse):
    axis = '"1 nA", "100 nA"]}\n  - setpoint_bias: {values: ["4 mV", "-4 mV"'
    result = rehearse(prepare(axis=axis))
    assert (result.ended.state, result.violations) == ("finished", ())
    run = stm_daq.open_run(result.folder)
    assert np.all(np.sign(run.setpoint_current[:, 0]) == 1)
    assert np.all(np.sign(run.setpoint_current[:, 1]) == -1)


@pytest.mark.parametrize(
    ("plan", "place", "says"),
    [
        ({"travel": ""}, "axes[0].setpoint_current", "250 µS; the station allows 1 µS"),
        ({"travel": "", "sites": GRID}, "axes[0].setpoint_current", "`travel: {bias, current}`"),
        (
            {"travel": "", "axis": '"5 nA"', "sites": 'points: [["0 nm", "0 nm"]]'},
            "axes[0]",
            "1.25",
        ),
        ({"travel": ', travel: {bias: "3 mV", current: "1 nA"}'}, "setpoint.travel.bias", "3 mV"),
        (
            {"travel": ', travel: {bias: "4 mV", current: "2 nA"}'},
            "setpoint.travel.current",
            "2 nA",
        ),
        ({"travel": ', travel: {bias: "11 mV", current: "1 nA"}'}, "setpoint.travel.bias", "10 mV"),
        ({"limit": "0.1 uS"}, "setpoint.travel.current", "167 nS"),
    ],
)
def test_what_comes_too_near_is_refused_with_its_place(prepare, plan, place, says):
    with pytest.raises(OutOfRangeError) as refused:
        prepare(**plan)
    (line,) = str(refused.value).splitlines()
    assert place in line
    assert says in line
    assert "plan.yaml:" in line


def test_one_place_may_be_approached_to_contact_and_left_alone(prepare):
    prepared = prepare(travel="", sites='points: [["0 nm", "0 nm"]]')
    assert prepared.plan.travel is None
    assert prepared.plan.sites.count == 1


def test_check_and_run_refuse_a_ploughing_plan(command, prepare, tmp_path):
    prepare()
    (tmp_path / "plan.yaml").write_text(plan_text(travel=""))
    for words in (("check",), ("run", "--no-watchdog"), ("rehearse",)):
        found = command(*words, "plan.yaml", "--station", "station.yaml")
        assert found.returncode == 3, found.stderr
        assert "travel_conductance" in found.stderr


# -- cut off, interrupted, failing -------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """Return a function that lets something happen before the n-th call of a method."""

    def at(owner, name, happen):
        original, count = getattr(owner, name), [0]

        def counted(self, *values):
            count[0] += 1
            happen(count[0], *values)
            return original(self, *values)

        monkeypatch.setattr(owner, name, counted)
        return count

    return at


@pytest.mark.parametrize("more", ["", DRIFT])
def test_a_run_cut_off_on_its_way_goes_on_to_the_same_map(
    prepare, rehearse, calls, monkeypatch, tmp_path, more
):
    """The run's folder is copied at moments of its travels, as a kill would leave it."""
    cuts = {}

    def cut(name):
        def copy(number, *_):
            runs = list((tmp_path / "runs").glob("*/*.db"))
            if runs and number in (5, 8, 9):
                cuts[name, number] = tmp_path / f"{name}{number}"
                shutil.copytree(runs[0].parent, cuts[name, number] / runs[0].parent.name)

        return copy

    prepared = prepare(sites=GRID if more else POINTS, more=more)
    for owner, name in (
        (NanonisStm, "set_setpoint"),
        (NanonisStm, "move_to"),
        (Qdac2Bias, "ramp_to"),
    ):
        calls(owner, name, cut(name))
    whole = stm_daq.open_run(rehearse(prepared).folder).load()
    monkeypatch.undo()
    assert len(cuts) >= 6
    for name, runs in cuts.items():
        result = night.resume(*night.prepare_resume(next(runs.iterdir())), [])
        assert (result.ended.state, result.violations) == ("finished", ()), name
        found = stm_daq.open_run(result.folder).load()
        for variable, values in whole.variables.items():
            np.testing.assert_array_equal(
                found[variable].values, values.values, f"{name} {variable}"
            )


def twin_of(monkeypatch):
    """Let a rehearsal leave its twin to the test."""
    made = []
    monkeypatch.setattr(night, "make_twin", lambda *args: made.append(make_twin(*args)) or made[0])
    return made


@pytest.mark.parametrize(
    ("owner", "method", "number"),
    [
        (Qdac2Bias, "ramp_to", 4),  # to the first site's bias
        (NanonisStm, "set_setpoint", 4),  # into contact
        (NanonisStm, "set_setpoint", 5),  # out of it
        (NanonisStm, "height_and_current", 4),  # before the feedback was seen to have settled
        (NanonisStm, "move_to", 2),
    ],
)
def test_ctrl_c_on_the_way_leaves_the_tip_far_from_contact(
    prepare, rehearse, calls, monkeypatch, owner, method, number
):
    def interrupt(count, *_):
        if count == number:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    calls(owner, method, interrupt)
    made = twin_of(monkeypatch)
    result = rehearse(prepare(axis='"1 uA"'))
    assert (result.ended.state, result.violations) == ("stopped", ())
    world = made[0].world
    assert world.tip.feedback_on
    assert world.tip.setpoint == pytest.approx(1e-9)
    assert float(world.bias(np.array([world.clock.now()]))[0]) == pytest.approx(6e-3, rel=1e-3)


def test_a_tip_that_cannot_leave_contact_is_withdrawn_where_it_is(
    prepare, rehearse, calls, monkeypatch
):
    def fail(count, current):
        if count > 3 and current == 1e-9:
            raise InstrumentError("the set-point reads back 1e-06 A instead of 1e-09 A")

    calls(NanonisStm, "set_setpoint", fail)
    made = twin_of(monkeypatch)
    result = rehearse(prepare(axis='"1 uA"'))
    assert (result.ended.state, result.violations) == ("failed", ())
    assert "lower the set-point current" in result.ended.text
    tip = made[0].world.tip
    assert not tip.feedback_on
    assert tip.withdrawals == 1
    assert any("reads back" in event.text for event in events(result.folder))


def test_a_feedback_that_does_not_let_go_keeps_the_tip_at_its_place(prepare, rehearse, calls):
    """The controller takes the set-point, but the current stays: nothing moves then."""
    moved = calls(NanonisStm, "move_to", lambda *_: None)
    with pytest.MonkeyPatch.context() as patched:
        original = NanonisStm.height_and_current
        patched.setattr(
            NanonisStm,
            "height_and_current",
            lambda self: (original(self)[0], 1e-6) if moved[0] else original(self),
        )
        result = rehearse(prepare(axis='"1 uA"'))
    assert result.ended.state == "failed"
    assert moved[0] == 1
    told = " ".join(event.text for event in events(result.folder))
    assert "before the tip moves the feedback does not find its set-point" in told


def test_the_watchdog_leaves_contact_before_it_closes_the_loop(tmp_path):
    config = load_station(STATION)
    with (
        make_twin(config, Rehearsal(epoch=1.8e9, seed=3)) as twin,
        visa_library(twin.visa_library),
        streams_from(twin.open_stream),
        open_roles(config, twin.clock, NEEDED) as roles,
    ):
        stm, bias, tip = roles["stm"], roles["bias"], twin.world.tip
        bias.ramp_to(4e-3)
        stm.set_setpoint(1e-6)
        stm.release()
        stm.hold()
        bias.ramp_to(-1e-3)
        last = {"setpoint_bias": 6e-3, "setpoint_current": 1e-9, "withdrawn": False}
        act(roles, last, "the run died", tmp_path)
        assert json.loads((tmp_path / "watchdog.json").read_text())["failures"] == []
        assert tip.feedback_on
        assert tip.setpoint == pytest.approx(1e-9)
        assert twin.violations() == []

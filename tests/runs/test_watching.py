"""Runs that are watched and commanded: the run never notices the one and obeys the other."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq import night
from stm_daq.monitor import Message, Operator, connect
from stm_daq.monitor import publisher as publishing
from stm_daq.monitor.keys import KeyRing, new_keys
from stm_daq.monitor.publisher import Publisher
from stm_daq.past import JournalPast
from stm_daq.records import RunEnded, Spectrum
from stm_daq.rehearsal import Rehearsal
from stm_daq.store.reading import events

STATION = Path(__file__).parents[2] / "station.yaml"
EPOCH = 1.8e9
MAPS = ("gap", "gap_std", "temperature", "reduced_chi_square", "fit_ok", "z", "time", "topography")


class Viewer(threading.Thread):
    """Watches until the run ends; keeps the maps that it knows then."""

    def __init__(self, address, stall=None):
        super().__init__(daemon=True)
        self.dataset = None
        self._address = address
        self._stall = stall
        self.heard = threading.Event()
        self.start()

    def run(self):
        with connect(self._address, tick=0.05) as connection:
            for item in connection:
                if isinstance(item, Message):
                    self.heard.set()
                    if self._stall is not None:
                        self._stall.wait(30)
                if connection.view.ended is not None:
                    self.dataset = connection.snapshot()
                    return


@pytest.fixture
def watched(plan, tmp_path):
    """Return a function that rehearses the small plan with a publisher; `at` maps spectrum to action."""

    def start(at=None, keys=None, viewers=()):
        runs = tmp_path / "runs"
        publisher = Publisher(0, keys=keys, runs=runs, open_past=JournalPast)
        seen = 0

        def act(record):
            nonlocal seen
            if isinstance(record, Spectrum):
                seen += 1
                if at and seen in at:
                    at[seen](publisher)

        prepared = night.prepare_night(plan, STATION).watched_by([publisher.publish, act])
        with publisher:
            started = [viewer(publisher.address) for viewer in viewers]
            result = night.rehearse(
                prepared.attended_by([publisher.attend]), runs, Rehearsal(epoch=EPOCH)
            )
            for viewer in started:
                viewer.join(20)
        return result, started

    return start


def same_maps(viewer, folder):
    journal = stm_daq.open_run(folder)
    for name in MAPS:
        np.testing.assert_array_equal(viewer.dataset[name].values, journal[name].values, name)


def told(result, kind):
    return [event for event in events(result.folder) if event.kind == kind]


def test_early_late_and_stalled_viewers_end_with_the_journals_maps(watched, monkeypatch):
    monkeypatch.setitem(publishing._HIGH_WATER, "live", 2)
    wake = threading.Event()
    late = []

    def join_late(publisher):
        late.append(Viewer(publisher.address))
        assert late[0].heard.wait(20)

    def stalled(address):
        viewer = Viewer(address, wake)
        assert viewer.heard.wait(20)
        return viewer

    at = {9: join_late, 16: lambda _: wake.set()}
    result, viewers = watched(at, viewers=(Viewer, stalled))
    for viewer in viewers:
        same_maps(viewer, result.folder)
    late[0].join(20)
    same_maps(late[0], result.folder)


def test_a_publisher_that_fails_does_not_touch_the_run(watched, rehearse, monkeypatch):
    quiet = rehearse(runs="quiet")

    def broken(*_):
        raise RuntimeError("on purpose")

    monkeypatch.setattr("stm_daq.monitor.live.news", broken)
    result, _ = watched()
    assert result.ended.state == "finished"
    one, other = (stm_daq.open_run(folder) for folder in (quiet.folder, result.folder))
    np.testing.assert_array_equal(one["conductance"].values, other["conductance"].values)


def test_a_run_obeys_and_writes_down_who_commanded(watched):
    answers = {}

    def command(*what):
        def send(publisher):
            operator = Operator(publisher.address)
            answers[what] = operator.send(*what)

        return send

    at = {
        2: command("note", "looks good"),
        3: command("model", "dynes"),
        4: command("model", "no such"),
        8: command("stop"),
    }
    result, _ = watched(at)
    assert {what: answer.accepted for what, answer in answers.items()} == {
        ("note", "looks good"): True,
        ("model", "dynes"): True,
        ("model", "no such"): False,
        ("stop",): True,
    }
    assert result.ended.state == "stopped"
    assert "somebody at this computer" in result.ended.text
    who = "somebody at this computer"
    assert [event.text for event in told(result, "note")] == [f"{who}: looks good"]
    audit = [
        (e.data["command"], e.data["argument"], e.data["accepted"]) for e in told(result, "command")
    ]
    assert audit == [
        ("note", "looks good", True),
        ("model", "dynes", True),
        ("model", "no such", False),
        ("stop", "", True),
    ]
    journal = stm_daq.open_run(result.folder)
    assert int(np.isfinite(journal["time"].values).sum()) == 8
    models = [JournalPast(result.folder).spectrum(site)[1].model for site in range(8)]
    assert models == ["btk"] * 2 + ["dynes"] * 6  # it was asked before the fit


def test_a_pause_lasts_until_somebody_continues(watched):
    def pause(publisher):
        operator = Operator(publisher.address)
        assert operator.send("pause").accepted

        def go_on():
            with connect(publisher.address, tick=0.05) as connection:
                for _ in connection:
                    beat = connection.view.heartbeat
                    if beat is not None and beat.state == "paused":
                        break
            operator = Operator(publisher.address)
            operator.send("continue")

        threading.Thread(target=go_on, daemon=True).start()

    result, _ = watched({5: pause})
    assert result.ended.state == "finished"
    assert [e.text for e in told(result, "pause")] == ["paused by somebody at this computer"]
    assert [e.text for e in told(result, "continue")] == ["continued by somebody at this computer"]


def test_an_abort_ends_the_run_at_once_and_parks(watched):
    def abort(publisher):
        operator = Operator(publisher.address)
        assert operator.send("abort").accepted

    result, _ = watched({5: abort})
    assert result.ended.state == "stopped"
    assert result.ended.text == "aborted by somebody at this computer"
    assert result.violations == ()


def test_who_was_refused_is_in_the_journal(watched, tmp_path):
    new_keys(tmp_path / "vera", "vera")
    ring = KeyRing(tmp_path / "keys")
    ring.allow("viewer", tmp_path / "vera" / "vera.pub")
    (tmp_path / "vera/station.pub").write_text((ring.folder / "station.pub").read_text())

    def intrude(publisher):
        operator = Operator(publisher.address, tmp_path / "vera" / "vera.key")
        assert not operator.send("abort").accepted

    result, _ = watched({5: intrude}, keys=ring.folder)
    assert result.ended.state == "finished"
    (refused, *_) = told(result, "refused")
    assert refused.text.startswith("refused: 127.0.0.1 with the key of vera as operator")
    assert told(result, "command") == []


def test_nothing_but_the_records_changes_when_a_run_is_watched(watched, rehearse):
    quiet = rehearse(runs="quiet")
    result, (viewer,) = watched(viewers=(Viewer,))
    one, other = (stm_daq.open_run(folder) for folder in (quiet.folder, result.folder))
    for name in ("conductance", "gap", "time"):
        np.testing.assert_array_equal(one[name].values, other[name].values)
    assert isinstance(viewer.dataset.attrs["state"], str)
    assert result.ended == RunEnded(result.ended.time, "finished")


def test_keys_and_control_on_the_command_line(command, tmp_path):
    assert command("keys", "new", "vera").returncode == 0
    allowed = command("keys", "allow", "viewer", "vera.pub")
    assert "vera may watch" in allowed.stdout
    assert command("keys", "allow", "king", "vera.pub").returncode == 2
    (entry,) = json.loads(command("keys", "list", "--json").stdout)
    assert (entry["name"], entry["level"], len(entry["public"])) == ("vera", "viewer", 40)
    assert "no longer viewer" in command("keys", "revoke", "vera").stdout
    assert json.loads(command("keys", "list", "--json").stdout) == []
    with Publisher(0) as publisher:
        done = command("control", publisher.address, "pause", "--json")
    assert done.returncode == 12
    assert not json.loads(done.stdout)["accepted"]
    assert command("control", publisher.address, "explode").returncode == 2

"""Alerts of whole runs, by the command line."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stm_daq.alert_settings import alert_settings
from stm_daq.commands import alerts
from stm_daq.errors import BadInputError
from stm_daq.monitor.alerts.alerter import Alerter
from stm_daq.monitor.alerts.spool import read_unsent
from stm_daq.night import prepare_night
from stm_daq.station.config import load_station
from stm_daq.store.reading import events

ROOT = Path(__file__).parents[2]
ALERTS = """
alerts:
  sinks:
    log: {file: {path: alerts.txt}}
    pager: {command: {arguments: [@, -c, "raise SystemExit('no network')"]}}
  rules:
    - state: [started, finished]
      to: [log]
    - event: [guard]
      name: cold
"""
GUARD = """
guards:
  - temperature: {max: "0.4 K"}
    action: skip
"""


@pytest.fixture
def station(tmp_path):
    path = tmp_path / "station.yaml"
    text = (ROOT / "station.yaml").read_text("utf-8")
    path.write_text(text + ALERTS.replace("@", json.dumps(sys.executable)), "utf-8")
    return path


def test_a_rehearsal_sends_when_it_is_told_to(command, plan, station, tmp_path):
    plan.write_text(plan.read_text("utf-8") + GUARD, "utf-8")
    done = command(
        "rehearse",
        plan,
        "--station",
        station,
        "--port",
        0,
        "--no-report",
        "--json",
        "--send-alerts",
    )
    assert done.returncode == 0, done.stderr
    sent = (tmp_path / "alerts.txt").read_text("utf-8").splitlines()
    assert "TiN demo map: the rehearsal has started: 16 spectra" in sent[0]
    assert "TiN demo map: the run has ended, finished" in sent[-1]
    assert any("[cold]" in line and "temperature is bad" in line for line in sent)
    assert "pager: " in done.stderr
    left = read_unsent(tmp_path / json.loads(done.stdout)["run"])
    assert {waiting.sink for waiting in left} == {"pager"}
    assert all("no network" in waiting.problem for waiting in left)
    listed = CliRunner().invoke(alerts.app, ["list", str(left_spool(tmp_path)), "--json"])
    assert [entry["text"] for entry in json.loads(listed.stdout)] == [w.letter.text for w in left]


def left_spool(folder):
    """Return the only spool below a folder."""
    (spool,) = folder.glob("runs/*/alerts.db")
    return spool


def test_a_rehearsal_sends_nothing_by_itself(rehearse, station, tmp_path):
    told = []
    settings = alert_settings(load_station(station).alerts, tmp_path)
    alerter = Alerter(settings, tmp_path / "runs", told.append)
    result = rehearse(alerter)
    assert alerter.close() == []
    assert [(a.text.partition(":")[0], a.delivered) for a in told] == [
        ("the rehearsal has started", False), ("the run has ended, finished", False),
    ]  # fmt: skip
    assert not (tmp_path / "alerts.txt").exists()
    assert not (result.folder / "alerts.db").exists()
    assert not any(event.kind.startswith("alert") for event in events(result.folder))


def test_trying_the_sinks(station, tmp_path):
    done = CliRunner().invoke(alerts.app, ["test", "--station", str(station)])
    assert done.exit_code == 13
    log, pager = done.stdout.splitlines()
    assert log == "log: sent"
    assert pager.startswith("pager: ")
    assert "no network" in pager
    assert "this is a test" in (tmp_path / "alerts.txt").read_text("utf-8")


def test_a_plan_that_names_a_sink_of_no_station_is_refused(plan, station):
    rules = "alerts:\n  rules:\n    - tip_change: any\n      to: [log, fax]\n"
    plan.write_text(plan.read_text("utf-8") + "\n" + rules, "utf-8")
    with pytest.raises(BadInputError) as caught:
        prepare_night(plan, station)
    (problem,) = caught.value.problems
    assert "no sink 'fax' (it has: log, pager)" in problem.text
    assert problem.file == str(plan)

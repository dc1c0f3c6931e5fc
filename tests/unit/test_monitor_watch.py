"""What a viewer in a terminal shows."""

from __future__ import annotations

import io
import json
import threading

import numpy as np
import pytest
from rich.console import Console

from stm_daq.commands.formulas import curve_of, level
from stm_daq.monitor.blocks import (
    colour_bar,
    heat_map,
    reduced,
    robust_range,
    sparkline,
    spectrum_plot,
    without_colour,
)
from stm_daq.monitor.bodies import Alert, Guard, Heartbeat
from stm_daq.monitor.client import Missed, Refused, Silence
from stm_daq.monitor.formulas import Formulas
from stm_daq.monitor.messages import Message
from stm_daq.monitor.panels import map_names
from stm_daq.monitor.publisher import Publisher
from stm_daq.monitor.screen import render
from stm_daq.monitor.watch import NobodyAnswersError, Showing, watch
from stm_daq.monitor.watcher import Watcher, facts
from stm_daq.records import Event, Progress, RunEnded

NOON = 1.8e9


def told(watcher, *bodies):
    for body in bodies:
        watcher.take(Message("run-1", "boot", 0, 0.0, body))
    return watcher


def shown(watcher, width=140, height=40, **options) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(render(watcher, width, height, **options))
    return console.file.getvalue()


def measured(run, *more):
    """Return a watcher of a run with one good site."""
    return told(
        Watcher("tcp://x"),
        run.started(),
        run.topograph(0, 2),
        run.spectrum(6, temperature=0.512),
        run.fit(6),
        Progress(NOON, 7, 12, NOON + 3600.0, 1300.0, "running"),
        *more,
    )


def test_the_status_says_waiting_running_stale_and_ended(run):
    watcher = Watcher("tcp://127.0.0.1:5550")
    assert watcher.status == "waiting for a run at tcp://127.0.0.1:5550"
    watcher.take(Silence(4.0, heard=False))
    assert watcher.status.startswith("waiting")
    watcher.take(Silence(60.0, heard=False))
    assert watcher.status.startswith("nobody answers at tcp://127.0.0.1:5550")
    told(watcher, Heartbeat("waiting", 0, 0))
    assert watcher.status.startswith("waiting")
    told(watcher, Heartbeat("running"))
    assert watcher.status == "running: waiting for what it has done"
    told(watcher, run.started())
    assert watcher.status == "running"
    watcher.take(Silence(4.2, heard=True))
    assert watcher.status == "connection lost: nothing for 4 s"
    assert "this is old: TiN demo" in shown(watcher)
    told(watcher, Heartbeat("running", 0, 0))
    assert watcher.status == "running"
    told(watcher, RunEnded(1.0, "stopped", "asked to"))
    watcher.take(Silence(400.0, heard=True))
    assert watcher.status == "ended: stopped asked to"


def test_everything_is_shown(run):
    watcher = measured(
        run,
        Event(NOON, "warning", "the helium is low"),
        Event(NOON, "temperature", "never shown", {"kelvin": 0.513}),
        Guard(NOON, "temperature", 0.7, "K", False, "pause", "temperature is bad: 700 mK"),
        Alert(NOON, "guard", "alarm", "guard: temperature is bad", delivered=False),
        Heartbeat("paused", disk_free=5e9, commit_age=3.0),
    )
    text = shown(watcher)
    for expected in (
        "TiN demo (rehearsal)   paused",
        "7/12 (58 %)  1300/h  done ",
        "(in 1 h 0 min)",
        "topograph",
        "312 µeV",
        "gap 312 µeV ± 2 µeV",
        "temperature 500 mK ± 10 mK",
        "chi² 1.02, good",
        "dI/dV, row 1, column 2",
        "-4 mV ... 4 mV",
        "stage 513 mK",
        "temperature BAD",
        "warning: the helium is low",
        "ALERT guard: temperature is bad (not sent)",
        "disk 5 GB free   stored 3.0 s ago   bad fits 0 %",
    ):
        assert expected in text
    assert "never shown" not in text
    assert "messages" not in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 20), (40, 16), (200, 60)])
def test_it_fits_the_terminal(run, width, height):
    notes = [Event(NOON + n, "note", f"number {n} " + "long " * 60) for n in range(30)]
    alerts = [Alert(NOON + n, "guard", "alarm", "x" * 300, False) for n in range(30)]
    text = shown(measured(run, *notes, *alerts), width, height, keys=True, colours=False)
    lines = text.rstrip("\n").split("\n")
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert "number 29" in text
    assert "row 1, column 2" in text or width < 60


def test_the_maps_that_are_wanted_are_shown(run):
    watcher = measured(run)
    assert map_names(watcher.view)[:2] == ["topograph", "z"]
    text = shown(watcher, maps=("gap_std", "stage_temperature"))
    assert "gap std" in text
    assert "2 µeV" in text
    assert "512 mK" in text
    assert "topograph" not in text


def test_the_curve_of_the_fit_is_drawn_over_its_spectrum(run):
    watcher = told(Watcher("tcp://x"), run.started(), run.spectrum(6), run.fit(6))
    curve = curve_of(watcher.view.started, watcher.view.spectrum, watcher.view.fit)
    assert curve.shape == watcher.view.spectrum.bias.shape
    assert np.all(curve > 0)
    assert "data fit" in shown(watcher, formulas=Formulas(curve_of))
    assert "data fit" not in shown(watcher)


def test_a_topograph_is_shown_without_its_tilt(run):
    tilted = np.add.outer(np.arange(6.0), 3.0 * np.arange(4.0))
    tilted[5] = np.nan
    np.testing.assert_allclose(np.diff(level(tilted)[:5].ravel()), 0.0, atol=1e-12)
    assert np.isnan(level(tilted)[5]).all()
    empty = level(np.full((3, 4), np.nan))
    assert np.isnan(empty).all()


def test_losses_are_shown(run):
    watcher = told(Watcher("tcp://x"), Heartbeat("running", 5, 2))
    watcher.take(Missed(3))
    watcher.take(Refused("why"))
    assert "3 messages lost   1 messages refused   2 messages dropped" in shown(watcher)


def test_a_bad_fit_says_why_and_is_counted(run):
    watcher = told(
        Watcher("tcp://x"),
        run.started(),
        run.spectrum(1),
        run.fit(1),
        run.spectrum(0, flags=("overload",)),
        run.fit(0, ok=False, flags=("gap_limit",)),
    )
    text = shown(watcher)
    assert "chi² 1.02, gap_limit" in text
    assert "overload" in text
    assert "bad fits 50 %" in text


def test_a_spectrum_waits_a_moment_for_its_fit_and_is_then_shown_alone(run):
    watcher = told(Watcher("tcp://x"), run.started(), run.spectrum(0), run.fit(0), run.spectrum(1))
    assert "row 0, column 0" in shown(watcher)
    assert "chi²" in shown(watcher)
    watcher._since -= 10.0
    assert "row 0, column 1" in shown(watcher)
    assert "chi²" not in shown(watcher)


def test_a_new_run_replaces_the_old(run):
    watcher = told(Watcher("tcp://x"), run.started(), run.spectrum(0), RunEnded(0.0, "finished"))
    told(watcher, run.started(run_id="run-2", name="next"))
    assert watcher.status == "running"
    assert watcher.view.spectrum is None
    assert list(watcher.stage) == []
    assert "next (rehearsal)" in shown(watcher)


def test_records_that_do_not_fit_the_run_are_ignored(run):
    watcher = told(Watcher("tcp://x"), run.fit(0), run.topograph(0, 2), run.started())
    told(watcher, run.topograph(50, 4), run.fit(900), run.fit(-1))
    assert np.isnan(watcher.view.topograph).all()
    assert np.isnan(watcher.view.map("gap")).all()
    assert shown(watcher)


def test_an_alert_that_gets_through_later_is_one_alert(run):
    raised = Alert(NOON, "guard", "alarm", "too warm", delivered=False)
    sent = Alert(NOON, "guard", "alarm", "too warm", delivered=True)
    watcher = told(Watcher("tcp://x"), run.started(), raised, sent, raised)
    assert list(watcher.view.alerts) == [sent]
    assert watcher.unsent == []


def test_the_facts_are_plain_json(run):
    watcher = measured(run, Alert(NOON, "guard", "alarm", "too warm", False))
    found = json.loads(json.dumps(facts(watcher), allow_nan=False))
    assert (found["state"], found["done"], found["total"]) == ("running", 7, 12)
    assert found["fit"]["values"]["gap"] == pytest.approx(312e-6)
    assert found["alerts_unsent"] == 1
    assert found["disk_free"] is None
    assert json.dumps(facts(Watcher("tcp://x")), allow_nan=False)


def test_the_heat_map_has_its_first_row_at_the_bottom():
    values = np.array([[0.0, 0.0], [1.0, 1.0], [np.nan, 0.5]])
    text = heat_map(values)
    enlarged = heat_map(values, 8, 4)
    assert enlarged.plain == "▀▀▀▀\n▀▀▀▀\n▀▀▀▀"
    text = heat_map(values, 3, 2)
    assert text.plain == "▀▀\n▀▀"
    styles = [str(span.style) for span in text.spans]
    grey, middle, bright, dark = "#606060", "#22908c", "#fde725", "#440154"
    assert styles[:2] == [f"{grey} on {bright}", f"{middle} on {bright}"]
    assert styles[2] == styles[3] == dark


def test_a_map_without_colours_has_shades():
    values = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, np.nan], [1.0, np.nan]])
    assert without_colour(values, 4, 2).plain == "@?\n  "
    assert colour_bar(3).plain == "███"


def test_a_large_map_is_averaged():
    values = np.arange(16.0).reshape(4, 4)
    values[0, 0] = np.nan
    np.testing.assert_allclose(reduced(values, 2, 2), [[10 / 3, 4.5], [10.5, 12.5]])
    assert reduced(values, 4, 4) is values
    assert np.isnan(reduced(np.full((5, 5), np.nan), 2, 2)).all()
    assert reduced(np.ones((128, 100)), 64, 64).shape == (64, 50)


def test_the_range_leaves_out_outliers():
    low, high = robust_range(np.array([*np.linspace(1, 2, 100), 1e9, np.nan]))
    assert 1.0 <= low < high < 2.1
    assert np.isnan(robust_range(np.full(3, np.nan))).all()


def test_a_spectrum_is_drawn_over_growing_bias():
    bias = np.linspace(4e-3, -4e-3, 8)
    lines = spectrum_plot(bias, bias, width=8, height=4).plain.split("\n")
    assert lines == ["      ▄▀", "    ▄▀", "  ▄▀", "▄▀"]
    assert spectrum_plot(bias, bias * np.nan).plain == "no numbers"
    assert "▄" in spectrum_plot(bias, bias * 0).plain


def test_a_curve_is_drawn_in_its_own_colour():
    bias = np.linspace(-1.0, 1.0, 8)
    text = spectrum_plot(bias, bias * 0, width=8, height=2, curve=bias * 0 + 1.0)
    assert text.plain == "▀" * 8 + "\n" + "▄" * 8
    assert {str(span.style) for span in text.spans} == {"dark_orange", "bright_cyan"}


def test_a_sparkline_shows_the_latest():
    values = np.array([9.0, 0.0, np.nan, 0.5, 1.0])
    assert sparkline(values, 4) == "▁ ▅█"
    assert sparkline(values * np.nan, 4) == ""


def in_the_background(address, console, showing):
    viewer = threading.Thread(target=watch, args=(address, showing, console))
    viewer.start()
    return viewer


@pytest.mark.parametrize("terminal", [False, True])
def test_watching_a_run_to_its_end(run, terminal):
    console = Console(
        file=io.StringIO(), width=140, height=40, force_terminal=terminal, _environ={}
    )
    with Publisher(0) as publisher:
        viewer = in_the_background(publisher.address, console, Showing())
        publisher.publish(run.started())
        publisher.publish(run.spectrum(0))
        publisher.publish(run.fit(0))
        publisher.publish(Event(0.0, "warning", "the helium is low"))
        publisher.publish(Alert(0.0, "guard", "alarm", "too warm", delivered=False))
        publisher.publish(Progress(0.0, 1, 12, 0.0, 1300.0, "running"))
        pause = threading.Event()
        for _ in range(200):
            if "1/12" not in console.file.getvalue():
                pause.wait(0.1)
        publisher.publish(RunEnded(0.0, "finished"))
        viewer.join(20)
    assert not viewer.is_alive()
    text = console.file.getvalue()
    assert "1/12 (8 %)" in text
    assert "the helium is low" in text
    assert "ALERT too warm (not sent)" in text
    assert "ended: finished" in text
    if not terminal:
        assert "\x1b" not in text
        assert text.splitlines()[0].startswith("waiting for a run")


def test_json_lines_and_once(run):
    with Publisher(0) as publisher:
        publisher.publish(run.started())
        publisher.publish(run.spectrum(0))
        publisher.publish(run.fit(0))
        publisher.publish(Progress(0.0, 1, 12, 0.0, 1300.0, "running"))
        once = Console(file=io.StringIO(), width=100, height=30, force_terminal=False)
        watch(publisher.address, Showing(once=True), once)
        lines = Console(file=io.StringIO())
        watch(publisher.address, Showing(once=True, as_json=True), lines)
        stream = Console(file=io.StringIO())
        viewer = in_the_background(publisher.address, stream, Showing(as_json=True))
        pause = threading.Event()
        for _ in range(200):
            if '"done": 1' not in stream.file.getvalue():
                pause.wait(0.1)
        publisher.publish(RunEnded(0.0, "finished"))
        viewer.join(20)
    assert "gap 300 µeV ± 2 µeV" in once.file.getvalue()
    assert "\x1b" not in once.file.getvalue()
    (line,) = lines.file.getvalue().splitlines()
    assert json.loads(line)["done"] == 1
    *_, last = map(json.loads, stream.file.getvalue().splitlines())
    assert last["state"] == "finished"


def test_once_says_that_nobody_answers(monkeypatch):
    monkeypatch.setattr("stm_daq.monitor.watch.ONCE", 0.3)
    with pytest.raises(NobodyAnswersError, match="nobody answers at tcp"):
        watch("tcp://127.0.0.1:1", Showing(once=True), Console(file=io.StringIO()))

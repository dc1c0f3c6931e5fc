"""What a viewer shows."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from rich.console import Console

from stm_daq.monitor.blocks import heat_map, reduced, robust_range, spectrum_plot
from stm_daq.monitor.client import Missed, Refused, Silence
from stm_daq.monitor.messages import Heartbeat, Message
from stm_daq.monitor.publisher import Publisher
from stm_daq.monitor.watch import Watcher, render, watch
from stm_daq.records import Event, Progress, RunEnded


def told(watcher, *bodies):
    for body in bodies:
        watcher.take(Message("run-1", "boot", 0, 0.0, body))
    return watcher


def shown(watcher) -> str:
    console = Console(file=io.StringIO(), width=140, force_terminal=False)
    console.print(render(watcher))
    return console.file.getvalue()


def test_the_status_says_waiting_running_stale_and_ended(run):
    watcher = Watcher("tcp://127.0.0.1:5550")
    assert watcher.status == "waiting for a run at tcp://127.0.0.1:5550"
    watcher.take(Silence(4.0, heard=False))
    assert watcher.status.startswith("waiting")
    watcher.take(Silence(60.0, heard=False))
    assert watcher.status.startswith("nobody answers at tcp://127.0.0.1:5550")
    assert "stm-daq watch ADDRESS" in watcher.status
    told(watcher, Heartbeat("waiting", 0, 0))
    assert watcher.status.startswith("waiting")
    told(watcher, run.started())
    assert watcher.status == "running"
    watcher.take(Silence(4.2, heard=True))
    assert watcher.status == "stale 4 s: nothing has come from the run"
    told(watcher, Heartbeat("running", 0, 0))
    assert watcher.status == "running"
    told(watcher, RunEnded(1.0, "stopped", "asked to"))
    assert watcher.status == "ended: stopped asked to"


def test_everything_is_shown(run):
    watcher = told(
        Watcher("tcp://x"),
        run.started(),
        run.spectrum(6, temperature=0.512, flags=("overload",)),
        run.fit(6),
        Progress(0.0, 7, 12, 0.0, 1300.0, "running"),
        Event(0.0, "warning", "the helium is low"),
        Event(0.0, "temperature", "never shown", {"kelvin": 0.513}),
    )
    text = shown(watcher)
    for expected in (
        "TiN demo (rehearsal)",
        "7 of 12 spectra (58 %), 1300 per hour",
        "gap 312 µeV ± 2 µeV",
        "temperature 500 mK ± 10 mK",
        "chi-square 1.02, good",
        "dI/dV, row 1, column 2",
        "-4 mV ... 4 mV",
        "overload",
        "stage 513 mK",
        "warning: the helium is low",
    ):
        assert expected in text
    assert "never shown" not in text
    assert "messages:" not in text


def test_losses_are_shown(run):
    watcher = told(Watcher("tcp://x"), Heartbeat("running", 5, 2))
    watcher.take(Missed(3))
    watcher.take(Refused("why"))
    assert "messages: 3 lost, 1 refused, 2 dropped" in shown(watcher)


def test_a_bad_fit_says_why(run):
    watcher = told(
        Watcher("tcp://x"),
        run.started(),
        run.spectrum(0),
        run.fit(0, ok=False, flags=("gap_limit",)),
    )
    assert "not to be trusted: gap_limit" in shown(watcher)


def test_a_fit_of_another_spectrum_is_not_shown_beside_it(run):
    watcher = told(Watcher("tcp://x"), run.started(), run.spectrum(0), run.fit(0), run.spectrum(1))
    assert "chi-square" not in shown(watcher)


def test_a_new_run_replaces_the_old(run):
    watcher = told(Watcher("tcp://x"), run.started(), run.spectrum(0), RunEnded(0.0, "finished"))
    told(watcher, run.started(run_id="run-2", name="next"))
    assert watcher.status == "running"
    assert watcher.view.spectrum is None
    assert "next (rehearsal)" in shown(watcher)


def test_records_that_do_not_fit_the_run_are_ignored(run):
    watcher = told(Watcher("tcp://x"), run.fit(0), run.topograph(0, 2), run.started())
    told(watcher, run.topograph(5, 4), run.fit(12), run.fit(-1))
    watcher.view.topograph[5] = np.nan
    assert np.isnan(watcher.view.topograph).all()
    assert np.isnan(watcher.view.map("gap")).all()
    assert shown(watcher)


def test_the_heat_map_has_its_first_row_at_the_bottom():
    values = np.array([[0.0, 0.0], [1.0, 1.0], [np.nan, 0.5]])
    text = heat_map(values)
    assert text.plain == "▀▀\n▀▀"
    styles = [str(span.style) for span in text.spans]
    grey, middle, bright, dark = "#606060", "#22908c", "#fde725", "#440154"
    assert styles[:2] == [f"{grey} on {bright}", f"{middle} on {bright}"]
    assert styles[2] == styles[3] == dark


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


@pytest.mark.parametrize("terminal", [False, True])
def test_watching_a_run_to_its_end(run, terminal):
    console = Console(file=io.StringIO(), width=140, force_terminal=terminal)
    with Publisher(0) as publisher:
        viewer = threading.Thread(target=watch, args=(publisher.address, False, console))
        viewer.start()
        publisher.publish(run.started())
        publisher.publish(run.spectrum(0))
        publisher.publish(run.fit(0))
        publisher.publish(Event(0.0, "warning", "the helium is low"))
        publisher.publish(Progress(0.0, 1, 12, 0.0, 1300.0, "running"))
        pause = threading.Event()
        for _ in range(100):
            if "1 of 12" not in console.file.getvalue():
                pause.wait(0.1)
        publisher.publish(RunEnded(0.0, "finished"))
        viewer.join(10)
    assert not viewer.is_alive()
    text = console.file.getvalue()
    assert "1 of 12 spectra" in text
    assert "the helium is low" in text
    assert "ended: finished" in text
    if not terminal:
        assert "\x1b" not in text
        assert text.splitlines()[0].startswith("waiting for a run")

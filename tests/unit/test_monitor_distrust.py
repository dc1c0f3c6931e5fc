"""A viewer does not trust its publisher: messages that are well-formed, and yet nonsense."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import random

import numpy as np
import pytest
from bokeh.document import Document
from rich.console import Console

from stm_daq.clock import VirtualClock
from stm_daq.commands.formulas import FORMULAS
from stm_daq.monitor.bodies import Alert, Cells, Guard, Heartbeat
from stm_daq.monitor.dashboard.live import Station
from stm_daq.monitor.dashboard.offers import Offers
from stm_daq.monitor.dashboard.page import Page
from stm_daq.monitor.dataset import dataset
from stm_daq.monitor.messages import Message, MessageError, decode, encode
from stm_daq.monitor.screen import event_line, render
from stm_daq.monitor.view import RunView
from stm_daq.monitor.watcher import Watcher, facts
from stm_daq.records import Axis, Event, Progress, RunEnded, Site, SiteStarted

NAN = math.nan


def sent(body) -> Message:
    """Return a message as it arrives."""
    return decode(encode(Message("run-1", "boot", 0, 0.0, body)))


def test_no_text_commands_a_terminal(run):
    text = "tip\x1b[2J\x1b]0;x\x07 \r\x9b31m \u202eok\x7f\n2nd line, 5 µV"
    event = sent(Event(1.0, "note", text, {text: [text]})).body
    assert event.text == "tip�[2J�]0;x� ��31m �ok�\n2nd line, 5 µV"
    assert event.data == {event.text: [event.text]}
    fit = sent(run.fit(0, values={"gap\x1b[5m": 1.0})).body
    assert list(fit.values) == ["gap�[5m"]
    assert sent(run.started(sample="Δ of TiN, µm²", metadata={})).body.sample == "Δ of TiN, µm²"


@pytest.mark.parametrize(
    "changes",
    [
        {"topograph_shape": (2**53, 0)},
        {"time": 1e300},
        {"time": NAN},
        {"axes": tuple(Axis(f"a{n}", "", (1.0,)) for n in range(70))},
        {"axes": (Axis("x", "m", (1.0, 2.0)),)},
        {"axes": (Axis("repeat", "", (1.0,)), Axis("repeat", "", (1.0,)))},
    ],
)
def test_an_impossible_run_is_refused(run, changes):
    with pytest.raises(MessageError):
        sent(run.started(metadata={}, **changes))


@pytest.mark.parametrize(
    "body",
    [
        Event(-1.0, "note", "x"),
        Guard(NAN, "temperature", 0.6, "K", False, "pause", "hot"),
        Progress(1.0, 5, 12, 1e18, 1300.0, "running"),
        Cells(("gap", "time"), np.array([0.0]), np.array([[1.0, 1e300]])),
    ],
)
def test_an_impossible_time_is_refused(body):
    with pytest.raises(MessageError):
        sent(body)


def test_a_spectrum_of_a_site_that_the_run_has_not_is_ignored(run):
    view = RunView()
    view.apply(run.started())
    for site in (Site(5, 2, 9, 0, 0), Site(0, 0, 0, 0, 0, step=3), Site(3, 1, 1, 0, 0)):
        view.apply(dataclasses.replace(run.spectrum(0), site=site))
        view.apply(SiteStarted(1.0, site, 0))
    assert (view.spectrum, view.site, view.maps.changed) == (None, None, [])


def test_what_was_chosen_in_a_larger_run_does_not_break_the_page_of_the_next(run):
    station = Station("lab", None, VirtualClock())
    for body in (run.started(), run.spectrum(11), run.fit(11)):
        station.take(sent(body))
    page = Page(Document(), station, FORMULAS, Offers(str))
    page.choice.site = (2, 3)
    page._update()
    station.take(sent(run.started(run_id="next", grid_shape=(1, 2), grid_y=np.zeros(1),
                                  grid_x=np.zeros(2), metadata={})))  # fmt: skip
    page._update()
    assert page.choice.site is None
    assert json.loads(page.told.data["json"][0])["run"]["shape"] == [1, 2]


EDGES = {
    bool: [True, False],
    int: [0, -1, 2, 10**6, 2**53, -(2**63), 10**30],
    float: [0.0, -1.0, 1e-300, 1e100, -1e100, None, 2e9],
    str: ["", "x", "\x1b[2J", "[red]", "[/]", "é\u202e\x00", "a" * 3000, "<img src=x>", "failed"],
}
NUMBERS = [NAN, math.inf, -math.inf, 1e100, -1e100, 0.0, 1e18]


def altered(value, chance: random.Random):
    """Change one thing in a JSON value."""
    if isinstance(value, dict) and value:
        name = chance.choice(list(value))
        return value | {name: altered(value[name], chance)}
    if isinstance(value, list) and value:
        if chance.random() < 0.2:
            return chance.choice([[], value + value])
        place = chance.randrange(len(value))
        return [*value[:place], altered(value[place], chance), *value[place + 1 :]]
    kind = float if value is None else type(value)
    return chance.choice(EDGES.get(kind, [value]))


def forged(body, chance: random.Random) -> list[bytes]:
    """Return the frames of a message with some fields and numbers changed."""
    topic, packed, *arrays = encode(Message("run-1", "boot", 0, 0.0, body))
    header = json.loads(packed)
    for _ in range(chance.randrange(3)):
        name = chance.choice([name for name in header if name not in ("v", "type", "arr")])
        header[name] = altered(header[name], chance)
    numbers = [np.frombuffer(array, "<f8").copy() for array in arrays]
    for array in numbers:
        if len(array) and chance.random() < 0.3:
            array[chance.randrange(len(array))] = chance.choice(NUMBERS)
    return [topic, json.dumps(header).encode(), *(array.tobytes() for array in numbers)]


def some(run, chance: random.Random) -> list:
    """Return one record of every kind, more or less in order."""
    index = chance.randrange(12)
    axes = (Axis("set_temperature", "K", (0.5, 1.0)),)
    names = ("gap", "time", "z", "fit_ok", "stage_temperature")
    return [
        chance.choice([run.started(metadata={}), run.started(run_id="r2", axes=axes, metadata={})]),
        run.topograph(2, 3), SiteStarted(1.0, run.site(index), 0), run.spectrum(index),
        run.fit(index), Cells(names, np.array([0.0, 2.0]), np.ones((2, 5))),
        Guard(1.0, "temperature", 0.6, "K", False, "pause", "hot"), Event(2.0, "pause", "by ada"),
        Alert(1.0, "silence", "alarm", "quiet", False), Heartbeat("running", 3, 0, 1.0, 2e9, 1e9),
        Progress(1.0, 5, 12, 2e9, 1300.0, "running"), RunEnded(1.0, "stopped", "asked to"),
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:overflow|invalid value:RuntimeWarning")
def test_nonsense_breaks_no_viewer(run):
    chance = random.Random(7)
    taken = 0
    for _ in range(6):
        station, watcher = Station("lab", None, VirtualClock()), Watcher("tcp://x")
        page = Page(Document(), station, FORMULAS, Offers(str))
        for body in (body for _ in range(3) for body in some(run, chance)):
            try:
                message = decode(forged(body, chance))
            except MessageError:
                continue
            taken += 1
            station.take(message)
            watcher.take(message)
            page._update()
            page._clicked(1e-9, 2e-9)
        for told in page.told.data["json"]:
            json.dumps(json.loads(told), allow_nan=False)
        console = Console(file=io.StringIO(), width=100, height=35)
        console.print(render(watcher, 100, 35, formulas=FORMULAS))
        assert "\x1b" not in console.file.getvalue()
        json.dumps(facts(watcher), allow_nan=False)
        dataset(watcher.view)
    assert taken > 100


def test_an_event_is_one_line_on_the_screen():
    line = event_line(Event(1.8e9, "note", "first\n12:00:00 alert: second\t third"))
    assert line.endswith("note: first 12:00:00 alert: second third")

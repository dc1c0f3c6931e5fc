"""A pause is seen by every viewer, however its records are gathered, lost, repeated or mixed up."""

from __future__ import annotations

import itertools
import threading

import pytest

from stm_daq.clock import RealClock, VirtualClock
from stm_daq.monitor.bodies import Guard
from stm_daq.monitor.news import news
from stm_daq.monitor.view import RunView
from stm_daq.records import Event, Progress, SiteStarted
from stm_daq.sequencer.control import POLL, Control
from stm_daq.sequencer.stop import StopSwitch


def seen(*bodies) -> RunView:
    view = RunView()
    for body in bodies:
        view.apply(body)
    return view


def test_a_pause_gathered_with_the_site_before_it_is_not_undone_by_it(run):
    publisher = seen(run.started())
    bodies, skipped = news(publisher, [
        SiteStarted(10.0, run.site(0), 0), run.spectrum(0), run.fit(0),
        Progress(12.0, 1, 12, 99.0, 1.0, "running"),
        SiteStarted(13.0, run.site(1), 0), run.spectrum(1), run.fit(1),
        Progress(15.0, 2, 12, 99.0, 1.0, "running"),
        Event(15.0, "pause", "paused by ada"),
    ])  # fmt: skip
    assert publisher.state == "paused"
    viewer = seen(run.started(), *bodies)
    assert viewer.state == "paused"
    assert (viewer.progress.done, viewer.spectrum.site.index, skipped) == (2, 1, 1)
    viewer.apply(SiteStarted(20.0, run.site(2), 0))
    assert viewer.state == "running"


PAUSE = Event(15.0, "pause", "paused by ada")
HOT = Guard(15.0, "temperature", 0.7, "K", good=False, action="pause", text="too warm")


@pytest.mark.parametrize("pause", [PAUSE, HOT, Event(15.0, "disk_full", "paused: full")])
def test_a_pause_is_known_in_whatever_order_its_records_come(run, pause):
    site = SiteStarted(13.0, run.site(1), 0)
    for order in itertools.permutations([site, site, pause, pause]):  # repeated by the history
        assert seen(run.started(), *order).state == "paused"


@pytest.mark.parametrize(
    "end",
    [
        Event(18.0, "continue", "continued by ada"),
        Event(18.0, "resumed", "resumed after 2 sites"),
    ],
)
def test_a_pause_that_is_told_again_after_its_end_does_not_come_back(run, end):
    site = SiteStarted(20.0, run.site(2), 0)
    assert seen(run.started(), PAUSE, end).state == "running"
    assert seen(run.started(), end, PAUSE, end).state == "running"  # the first was missed
    for order in itertools.permutations([PAUSE, PAUSE, site]):
        assert seen(run.started(), *order).state == "running"


def test_an_old_end_does_not_end_the_next_pause(run):
    again = Event(30.0, "pause", "paused by bob")
    old = Event(18.0, "continue", "continued by ada")
    assert seen(run.started(), PAUSE, again, old).state == "paused"
    good = Guard(14.0, "temperature", 0.5, "K", good=True, action="pause", text="good")
    late = seen(run.started(), HOT, good)
    assert (late.state, late.guards["temperature"]) == ("paused", HOT)


def test_who_goes_on_and_pauses_again_at_once_has_not_gone_on():
    clock, told = VirtualClock(), []
    control = Control(StopSwitch(), RealClock())
    control.pause("ada")
    waiting = threading.Thread(target=control.wait, args=(clock, told.append), daemon=True)
    waiting.start()
    while not told:
        RealClock().sleep(0.01)
    control.proceed("bob")
    control.pause("bob")
    RealClock().sleep(3 * POLL)
    assert waiting.is_alive()
    assert [event.kind for event in told] == ["pause"]
    control.proceed("eve")
    waiting.join(timeout=60)
    assert [event.text for event in told] == ["paused by ada", "continued by eve"]

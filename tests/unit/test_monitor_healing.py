"""Gaps are noticed, asked about and filled, and nothing is passed on in the wrong order."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import zmq

from stm_daq.clock import VirtualClock
from stm_daq.monitor.bodies import Cells, End, Heartbeat
from stm_daq.monitor.healing import PATIENCE, PAUSE, Healing
from stm_daq.monitor.history import Request
from stm_daq.monitor.messages import Message
from stm_daq.monitor.view import RunView
from stm_daq.records import Event


class Socket:
    """Keeps what is asked; refuses it while nobody is there."""

    def __init__(self):
        self.asked = []
        self.there = True

    def send(self, frame, flags=0):
        if not self.there:
            raise zmq.Again
        self.asked.append(msgspec.json.decode(frame, type=Request))


def note(seq, boot="a", text=""):
    return Message("run", boot, seq, 0.0, Event(0.0, "note", text or f"{boot}{seq}"))


def passed(healing):
    texts = [message.body.text for message in healing.ready]
    healing.ready.clear()
    return texts


def answer(healing, request, seq, texts=(), boot="a", **marks):
    for text in texts:
        healing.history(note(seq, boot, text))
    healing.history(Message("run", boot, seq, 0.0, End(request, **marks)))


@pytest.fixture
def healed():
    """Return a viewer who knows all up to message 5, its clock, and its socket."""
    clock, socket = VirtualClock(), Socket()
    healing = Healing(clock)
    healing.ask_if_necessary(socket)
    answer(healing, 1, 4, ["past"], cells=7, rows=2, events=3)
    assert healing.live(note(5)) == 0
    assert passed(healing) == ["past", "a5"]
    clock.sleep(PAUSE)
    return healing, clock, socket


def test_live_messages_wait_for_the_past():
    healing, socket = Healing(VirtualClock()), Socket()
    healing.ask_if_necessary(socket)
    healing.live(note(3))
    healing.live(note(4))
    assert passed(healing) == []
    healing.ask_if_necessary(socket)
    number = socket.asked[-1].request
    answer(healing, number, 3, ["past"])
    assert passed(healing) == ["past", "a4"]  # the answer holds what message 3 told


def test_a_gap_is_asked_about_from_where_the_last_answer_ended(healed):
    healing, _, socket = healed
    assert healing.live(note(9)) == 3
    assert healing.live(note(10)) == 0
    healing.ask_if_necessary(socket)
    healing.ask_if_necessary(socket)
    assert len(socket.asked) == 2
    asked = socket.asked[-1]
    assert (asked.boot, asked.run, asked.cells, asked.rows, asked.events) == ("a", "run", 7, 2, 3)
    assert passed(healing) == []
    answer(healing, asked.request, 9, ["missed"])
    assert passed(healing) == ["missed", "a10"]


def test_a_gap_after_the_answer_was_given_is_asked_about_again(healed):
    healing, clock, socket = healed
    healing.live(note(9))
    healing.ask_if_necessary(socket)
    healing.live(note(12))
    answer(healing, socket.asked[-1].request, 9, ["missed"])
    assert passed(healing) == ["missed"]
    clock.sleep(PAUSE)
    healing.ask_if_necessary(socket)
    answer(healing, socket.asked[-1].request, 12, ["more"])
    assert passed(healing) == ["more"]
    healing.live(note(13))
    assert passed(healing) == ["a13"]


def test_what_the_publisher_dropped_is_asked_about(healed):
    healing, _, socket = healed
    assert healing.live(Message("run", "a", 6, 0.0, Heartbeat("running", dropped=3))) == 0
    healing.ask_if_necessary(socket)
    assert len(socket.asked) == 2


def test_without_an_answer_life_goes_on(healed):
    healing, clock, socket = healed
    socket.there = False
    healing.live(note(9))
    healing.ask_if_necessary(socket)
    assert len(socket.asked) == 1
    clock.sleep(PATIENCE + 0.1)
    healing.give_up_waiting()
    assert passed(healing) == ["a9"]
    socket.there = True
    healing.ask_if_necessary(socket)
    assert len(socket.asked) == 2


def test_after_a_restart_all_is_asked_again(healed):
    healing, _, socket = healed
    assert healing.live(note(0, "b")) == 0
    healing.ask_if_necessary(socket)
    asked = socket.asked[-1]
    assert (asked.boot, asked.cells) == ("", 0)
    answer(healing, asked.request, 4, ["of the old one"], boot="a")
    assert passed(healing) == []


def test_messages_heard_twice_are_passed_on_once(healed):
    healing, _, _ = healed
    healing.live(note(5))
    healing.live(note(4))
    assert passed(healing) == []


def test_a_view_from_pieces_is_that_of_the_whole(run):
    """An answer since a mark, applied to what was known then, gives what the whole answer gives."""
    origin, known = RunView(), RunView()
    records = [run.started(), run.topograph(0, 2), run.spectrum(0), run.fit(0), run.topograph(2, 2)]
    for record in records:
        origin.apply(record)
    for body in origin.snapshot():
        known.apply(body)
    mark = origin.reached(1)
    more = [
        run.fit(0, attempt=0),
        run.spectrum(3),
        run.fit(3),
        run.spectrum(0, 1),
        run.topograph(4, 2),
    ]
    for record in more:
        origin.apply(record)
    pieces = list(origin.snapshot(mark))
    (cells,) = [body for body in pieces if isinstance(body, Cells)]
    assert sorted(cells.sites) == [0, 3]
    for body in pieces:
        known.apply(body)
    for name in origin.maps.names:
        np.testing.assert_array_equal(known.maps[name], origin.maps[name])
    np.testing.assert_array_equal(known.topographs, origin.topographs)
    assert np.isnan(known.map("gap")[0, 0])  # measured again, not yet fitted again


def test_an_answer_that_takes_long_counts_unless_newer_things_were_passed_on():
    clock, socket = VirtualClock(), Socket()
    healing = Healing(clock)
    healing.ask_if_necessary(socket)
    clock.sleep(PATIENCE + 0.1)
    healing.give_up_waiting()
    healing.ask_if_necessary(socket)
    assert [request.request for request in socket.asked] == [1, 2]
    answer(healing, 1, 4, ["past"])  # of the first question, when nobody waited for it any more
    assert passed(healing) == ["past"]
    assert healing.live(note(9)) == 4
    clock.sleep(PATIENCE + 0.1)
    healing.give_up_waiting()
    assert passed(healing) == ["a9"]
    answer(healing, 2, 7, ["older than a9"])
    assert passed(healing) == []

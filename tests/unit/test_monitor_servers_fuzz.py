"""Whatever arrives at a server is answered or ignored; nothing is carried out, nothing raised."""

from __future__ import annotations

import threading

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stm_daq.clock import RealClock
from stm_daq.monitor.bodies import Cells, End, Heartbeat, Hello
from stm_daq.monitor.control import LOCAL, ControlServer
from stm_daq.monitor.healing import Healing
from stm_daq.monitor.history import HistoryServer, Request
from stm_daq.monitor.live import Live
from stm_daq.monitor.messages import Message, decode, encode
from stm_daq.monitor.orders import Answer, Order, hello
from stm_daq.monitor.refusals import Refusals
from stm_daq.monitor.view import RunView
from stm_daq.records import Event, RunEnded, TopographRows

CLOCK = RealClock()
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(max_size=8), PLAIN, max_size=3)
BODIES = (
    RunEnded(1.0, "finished"),
    Heartbeat("running", dropped=3),
    End(1, 5, 6, 7),
    Event(1.0, "guard", "bad", {"guard": "T", "good": False, "action": "pause"}),
    Cells(("gap",), np.array([0.0, 1e9, np.nan]), np.zeros((3, 1))),
    TopographRows(1.0, 3, np.zeros((2, 5)), 7),
)


class Nobody:
    """A desk that nothing may reach."""

    def carry_out(self, who, command, argument):
        raise AssertionError(f"{command} {argument} was carried out")

    def report(self, kind, text, data):
        pass


def control():
    desk = Nobody()
    server = ControlServer("boot", CLOCK, Refusals(CLOCK, desk.report), threading.Event(), None)
    server.desk = desk
    return server


CONTROL = control()
LIVE = Live("boot")
LIVE.view.apply(Event(1.0, "note", "begin"))
HISTORY = HistoryServer(Hello("lab", "", 1, 2), LIVE, CLOCK, threading.Event(), None)


def altered(example, data):
    """Return the JSON of `example` with one value changed, as bytes, now and then damaged."""
    fields = msgspec.json.decode(example)
    fields[data.draw(st.sampled_from([*fields, "new"]))] = data.draw(JSON)
    frame = msgspec.json.encode(fields)
    cut = data.draw(st.integers(0, 3 * len(frame)))
    return frame[:cut]


@given(st.lists(st.binary(max_size=40), max_size=4))
@settings(max_examples=150, deadline=None)
def test_random_frames_command_nothing(frames):
    frames = [b"id", *frames]
    answer = msgspec.json.decode(CONTROL.answer(frames, LOCAL), type=Answer)
    assert not answer.accepted
    assert len(frames) != 2 or list(HISTORY.answer(frames)) == []


@given(st.sampled_from([hello(), msgspec.json.encode(Order(2, "abort", "x", "y", "z"))]), st.data())
@settings(max_examples=200, deadline=None)
def test_altered_orders_command_nothing(example, data):
    CONTROL.answer([b"id", altered(example, data)], LOCAL)  # Nobody would raise


@given(st.sampled_from(["hello", "run", "spectrum"]), st.data())
@settings(max_examples=200, deadline=None)
def test_altered_requests_are_answered_or_ignored(ask, data):
    frame = altered(msgspec.json.encode(Request(2, ask, 7, "boot", "", 1, 1, 1)), data)
    for message in HISTORY.answer([b"id", frame]):
        assert decode(encode(message)).boot == "boot"


@given(st.lists(st.tuples(st.sampled_from(BODIES), st.integers(-3, 9), st.booleans()), max_size=20))
@settings(max_examples=100, deadline=None)
def test_a_viewer_survives_any_order_of_messages(heard):
    healing, view = Healing(CLOCK), RunView()
    for body, seq, past in heard:
        message = Message("run", "boot", seq, 0.0, body)
        healing.history(message) if past else healing.live(message)
        healing.give_up_waiting()
    for message in healing.ready:
        view.apply(message.body)


def test_numbers_that_no_journal_can_count_are_no_request():
    for key in ("site", "cells", "rows", "events"):
        for number in (-1, 2**63, 2**80):
            request = {"v": 2, "ask": "spectrum", "request": 1, key: number}
            assert list(HISTORY.answer([b"peer", msgspec.json.encode(request)])) == [], key


def test_a_refused_command_forges_no_line_of_log_or_journal(caplog):
    order = msgspec.json.encode(Order(2, "\x1b[2Jstop\n12:00 all is well", challenge="x"))
    control().answer([b"peer", order], LOCAL)  # one that has not had to be brief yet
    assert "12:00" in caplog.text
    assert all(record.message.isprintable() for record in caplog.records)


def test_who_tries_again_and_again_does_not_hide_somebody_else():
    reported = []
    refusals = Refusals(CLOCK, lambda kind, text, data: reported.append(text))
    for _ in range(50):
        refusals.note("somebody without a key", {})
    refusals.note("the key of vera as operator", {})
    assert [text.partition(" (")[0] for text in reported] == [
        "refused: somebody without a key", "refused: the key of vera as operator",
    ]  # fmt: skip
    assert "49 more" in reported[1]
    assert refusals.count == 51

"""Messages: what goes in comes out, and nothing that arrives can do harm."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stm_daq.monitor.bodies import TYPES, Alert, Cells, End, Guard, Heartbeat, Hello
from stm_daq.monitor.messages import Message, MessageError, decode, encode
from stm_daq.records import (
    Event,
    Progress,
    RunEnded,
    Site,
    SiteStarted,
    Spectrum,
    TopographRows,
)

NAN = float("nan")
SPECTRUM = Spectrum(
    Site(5, 1, 1, 1e-9, 2e-9),
    0,
    1.0,
    2.7,
    np.linspace(-1, 1, 5),
    np.arange(5.0),
    np.ones(5),
    0.0,
    1e-10,
    NAN,
    ("overload",),
)


def message(body, **changes) -> Message:
    return dataclasses.replace(Message("run-1", "boot", 7, 1.5, body), **changes)


def bodies(run):
    fit = run.fit(5, std={"gap": NAN}, flags=("bad",), ok=False)
    return [
        run.started(metadata={}),
        run.topograph(2, 3),
        SPECTRUM,
        fit,
        SiteStarted(1.0, Site(5, 1, 1, 1e-9, 2e-9), 0, "overload"),
        Cells(("a", "b"), np.array([0.0, 2.0]), np.array([[1.0, NAN], [3, 4]])),
        Guard(1.0, "temperature up to 1 K", NAN, "K", False, "pause", "no fresh value"),
        Alert(1.0, "silence", "alarm", "nothing has come for 10 s", False),
        Hello("lab", "/runs/run-1", 5551, 5552),
        End(3, 100, 20, 7, ""),
        Event(1.0, "temperature", "0.5 K", {"kelvin": 0.5, "fresh": True, "more": None}),
        Progress(1.0, 5, 12, NAN, 1300.0, "running"),
        RunEnded(1.0, "stopped", "asked to"),
        Heartbeat("running", 3, 0),
    ]


def flat(value):
    """Return records as comparable plain values."""
    if dataclasses.is_dataclass(value):
        return [
            type(value).__name__,
            *(flat(getattr(value, f.name)) for f in dataclasses.fields(value)),
        ]
    if isinstance(value, np.ndarray):
        return [value.shape, *map(repr, value.ravel().tolist())]
    return repr(value)


def test_every_kind_of_record_comes_back(run):
    for body in bodies(run):
        sent = message(body)
        assert flat(decode(encode(sent))) == flat(sent)
    assert {type(body) for body in bodies(run)} == set(TYPES.values())


def test_the_frames_are_as_documented(run):
    topic, header, *arrays = encode(message(run.topograph(2, 3)))
    assert topic == b"topograph"
    assert json.loads(header) == {
        "v": 2,
        "type": "topograph",
        "run": "run-1",
        "boot": "boot",
        "seq": 7,
        "t": 1.5,
        "arr": [{"name": "z", "dtype": "<f8", "shape": [3, 8]}],
        "time": run.topograph(2, 3).time,
        "first_row": 2,
        "step": 0,
    }
    assert arrays == [run.topograph(2, 3).z.tobytes()]


def test_the_fields_of_records_never_collide_with_the_header():
    reserved = {"v", "type", "run", "boot", "seq", "t", "arr"}
    for kind in TYPES.values():
        assert not reserved & {field.name for field in dataclasses.fields(kind)}


def test_single_precision_is_accepted():
    frames = encode(message(TopographRows(0.0, 0, np.ones((2, 2)))))
    frames[1] = frames[1].replace(b"<f8", b"<f4")
    frames[2] = np.full((2, 2), 0.5, "<f4").tobytes()
    z = decode(frames).body.z
    assert z.dtype == np.float64
    assert (z == 0.5).all()


def changed(body, **header):
    """Return the frames of `body` with other values in the header."""
    topic, packed, *arrays = encode(message(body))
    fields = json.loads(packed) | header
    return [topic, json.dumps(fields).encode(), *arrays]


Z = TopographRows(0.0, 0, np.ones((2, 3)))


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "0 frames"),
        ([b"event"], "1 frames"),
        ([b"event"] + [b"{}"] * 20, "21 frames"),
        ([b"event", b"x" * 70_000], "header of 70000 bytes"),
        ([b"event", b"[" * 60_000], "damaged"),
        ([b"event", b"\xff\xfe"], "damaged"),
        (changed(Z, v=1), "damaged"),
        (changed(Z, type="exec"), "unknown type 'exec'"),
        (changed(Z, seq="1"), "damaged"),
        (changed(Z, first_row=-1), "do not fit"),
        (changed(Z, first_row=None), "damaged"),
        (changed(Z, arr=[]), "1 arrays where the header states 0"),
        (changed(Z, arr=[{"name": "z", "dtype": "|O", "shape": [2, 3]}]), "type '|O'"),
        (changed(Z, arr=[{"name": "z", "dtype": "<f8", "shape": [2, 4]}]), "48 bytes"),
        (changed(Z, arr=[{"name": "z", "dtype": "<f8", "shape": [-2, -3]}]), "shape"),
        (changed(Z, arr=[{"name": "z", "dtype": "<f8", "shape": [6]}]), "do not fit"),
        (changed(Z, arr=[{"name": "z", "dtype": "<f8", "shape": [10**18, 10**18]}]), "bytes"),
        (changed(Z, arr=[{"name": "q", "dtype": "<f8", "shape": [2, 3]}]), "do not belong"),
        ([b"event", *changed(Z)[1:]], "do not belong"),
        (changed(SPECTRUM, site={"index": 0}), "damaged"),
        (changed(SPECTRUM, bias=[1.0]), None),
    ],
)
def test_what_cannot_be_believed_is_refused(frames, reason):
    if reason is None:  # a field that an array replaces is of no account
        assert decode(frames).body.bias.shape == (5,)
        return
    with pytest.raises(MessageError) as caught:
        decode(frames)
    assert reason in str(caught.value)


def test_a_run_too_large_to_be_true_is_refused(run):
    frames = changed(run.started(metadata={}), topograph_shape=[10**6, 10**6])
    with pytest.raises(MessageError, match="do not fit together"):
        decode(frames)


def test_what_cannot_be_sent_is_refused():
    with pytest.raises(MessageError, match="too long"):
        encode(message(Event(0.0, "note", "x" * 70_000)))
    with pytest.raises(MessageError, match="cannot be sent"):
        encode(message(Event(0.0, "note", "x", {"x": object()})))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
EXAMPLES = [
    encode(message(body))
    for body in (
        Z,
        SPECTRUM,
        Progress(1.0, 5, 12, 2.0, 1300.0, "running"),
        Event(1.0, "note", "text", {"kelvin": 0.5}),
        Cells(("a",), np.zeros(2), np.zeros((2, 1))),
        Heartbeat("running", 3, 0, 1300.0, NAN, 1e10),
    )
]


@given(st.lists(st.binary(max_size=60), max_size=12))
@settings(max_examples=150, deadline=None)
def test_random_frames_raise_nothing_but_message_errors(frames):
    with pytest.raises(MessageError):
        decode(frames)


@given(st.sampled_from(EXAMPLES), st.data())
@settings(max_examples=300, deadline=None)
def test_altered_messages_raise_nothing_but_message_errors(frames, data):
    frames = list(frames)
    header = json.loads(frames[1])
    key = data.draw(st.sampled_from([*header, "new"]))
    header[key] = data.draw(JSON)
    frames[1] = json.dumps(header).encode()
    place = data.draw(st.integers(0, len(frames) - 1))
    frames[place] = data.draw(st.just(frames[place]) | st.binary(max_size=40))
    try:
        body = decode(frames).body
    except MessageError:
        return
    assert type(body) in TYPES.values()


def test_any_buffer_is_accepted():
    frames = [memoryview(frame) for frame in EXAMPLES[0]]
    np.testing.assert_array_equal(decode(frames).body.z, np.ones((2, 3)))

"""The Nanonis codec: whatever is encoded is decoded, whatever is damaged is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stm_daq.protocols import nanonis as protocol
from stm_daq.protocols.nanonis_fields import Layout

FLOAT32 = st.floats(width=32, allow_nan=False)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
VALUES = {
    "H": st.integers(0, 2**16 - 1),
    "h": st.integers(-(2**15), 2**15 - 1),
    "I": st.integers(0, 2**32 - 1),
    "i": st.integers(-(2**31), 2**31 - 1),
    "f": FLOAT32,
    "d": st.floats(allow_nan=False),
    "str": TEXT,
    "strs": st.lists(TEXT, max_size=5).map(tuple),
    "strs[,]": st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    "i[]": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=6),
    "f[]": st.lists(FLOAT32, max_size=6),
    "f[,]": st.tuples(st.integers(0, 4), st.integers(0, 4), FLOAT32).map(
        lambda t: np.full(t[:2], t[2])
    ),
}
NAMES = st.sampled_from(sorted(protocol.COMMANDS))


@st.composite
def values_of(draw, layout: Layout):
    values = {}
    for field in layout.fields:
        if field.count:  # these arrays have the length that an earlier value states
            values[field.count] = 3
            one = VALUES[field.kind[0]]
            values[field.name] = draw(st.lists(one, min_size=3, max_size=3))
        else:
            values[field.name] = draw(VALUES[field.kind])
    return tuple(values.values())


def same(found, wanted):
    return all(
        np.array_equal(f, w) if isinstance(f, np.ndarray) else f == w
        for f, w in zip(found, wanted, strict=True)
    )


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_requests_survive_the_round_trip(data):
    name = data.draw(NAMES)
    values = data.draw(values_of(protocol.COMMANDS[name].arguments))
    request = protocol.encode_request(name, *values)
    assert len(request) == protocol.HEADER_SIZE + protocol.body_size(request[:40])
    command, found, respond = protocol.decode_request(request)
    assert (command.name, respond) == (name, True)
    assert same(found, values)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_replies_survive_the_round_trip(data):
    name = data.draw(NAMES)
    values = data.draw(values_of(protocol.COMMANDS[name].returns))
    reply = protocol.encode_reply(name, values)
    found, error = protocol.decode_reply(name, reply)
    assert error == ""
    assert same(found, values)


@given(NAMES, TEXT.filter(bool))
@settings(deadline=None)
def test_errors_survive_the_round_trip(name, text):
    values, error = protocol.decode_reply(name, protocol.encode_reply(name, error=text))
    assert error == text
    assert len(values) == len(protocol.COMMANDS[name].returns.fields)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_reply_cut_short_is_noticed(data):
    name = data.draw(NAMES)
    reply = protocol.encode_reply(name, data.draw(values_of(protocol.COMMANDS[name].returns)))
    cut = data.draw(st.integers(protocol.HEADER_SIZE, len(reply) - 1))
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_reply(name, reply[:cut])


@given(st.binary(max_size=80))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_never_break_the_decoder(body):
    for name in ("Signals.NamesGet", "Scan.FrameDataGrab", "Signals.ValsGet", "Util.VersionGet"):
        reply = protocol.encode_reply(name, error="x")[:40] + body
        try:
            protocol.decode_reply(name, reply)
        except protocol.ProtocolError as error:
            assert name in str(error)  # noqa: PT017 - any other outcome is fine


def test_the_reply_to_another_command_is_refused():
    late = protocol.encode_reply("Bias.Get", (0.1,))
    with pytest.raises(protocol.ProtocolError, match=r"asked Current\.Get, but 'Bias\.Get'"):
        protocol.decode_reply("Current.Get", late)


def test_trailing_bytes_are_refused():
    with pytest.raises(protocol.ProtocolError, match="error block"):
        protocol.decode_reply("Bias.Get", protocol.encode_reply("Bias.Get", (0.1,)) + b"x")
    request = protocol.encode_request("Bias.Set", 0.1)
    with pytest.raises(protocol.ProtocolError, match="4 expected"):
        protocol.decode_request(request + b"x")


@pytest.mark.parametrize("size", [-1, 1 << 30])
def test_an_impossible_size_is_refused(size):
    header = b"Bias.Get".ljust(32, b"\0") + size.to_bytes(4, "big", signed=True) + bytes(4)
    with pytest.raises(protocol.ProtocolError, match="out of step"):
        protocol.body_size(header)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("No.Such",), "unknown command 'No.Such'"),
        (("Bias.Set",), r"Bias\.Set: needs 1 values \(bias\), got 0"),
        (("Bias.Set", "4 mV"), r"Bias\.Set: cannot encode"),
        (("Bias.Set", 1e39), r"Bias\.Set: cannot encode"),
        (("ZCtrl.OnOffSet", -1), r"ZCtrl\.OnOffSet: cannot encode"),
        (("Scan.PropsSet", 0, 0, 0, "x" * 256, "", (), 0), "255"),
        (("Scan.PropsSet", 0, 0, 0, "µ", "", (), 0), "cannot encode"),
    ],
)
def test_what_cannot_be_sent_is_refused(call, text):
    with pytest.raises(protocol.ProtocolError, match=text):
        protocol.encode_request(*call)


def test_only_reading_commands_are_known_as_such():
    reading = {name for name, command in protocol.COMMANDS.items() if command.only_reads}
    assert {"Bias.Get", "Scan.FrameDataGrab", "Signals.ValsGet"} <= reading
    assert not reading & {"Bias.Set", "Scan.Action", "ZCtrl.Withdraw", "Scan.WaitEndOfLine"}

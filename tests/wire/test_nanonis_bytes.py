"""Nanonis messages byte by byte, written by hand from the description of the protocol."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from stm_daq.protocols import nanonis as protocol


def header(name, size, flags="00010000"):
    return name.encode().ljust(32, b"\0") + size.to_bytes(4, "big") + bytes.fromhex(flags)


def reply_header(name, size):
    return header(name, size, "00000000")


NO_ERROR = bytes(8)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("Bias.Get",), header("Bias.Get", 0)),
        (("Bias.Set", 0.25), header("Bias.Set", 4) + bytes.fromhex("3e800000")),
        (("ZCtrl.OnOffSet", 1), header("ZCtrl.OnOffSet", 4) + bytes.fromhex("00000001")),
        (
            ("FolMe.XYPosSet", 1.0, -2.0, 1),
            header("FolMe.XYPosSet", 20)
            + bytes.fromhex("3ff0000000000000 c000000000000000 00000001"),
        ),
        (
            ("Scan.Action", 2, 1),
            header("Scan.Action", 6) + bytes.fromhex("0002 00000001"),
        ),
        (
            ("Signals.ValsGet", [0, 30], 1),
            header("Signals.ValsGet", 16) + bytes.fromhex("00000002 00000000 0000001e 00000001"),
        ),
        (
            ("Scan.BufferSet", [30], 64, 48),
            header("Scan.BufferSet", 16) + bytes.fromhex("00000001 0000001e 00000040 00000030"),
        ),
        (
            ("Scan.PropsSet", 2, 2, 3, "ab", "", ("Mod",), 0),
            header("Scan.PropsSet", 12 + 6 + 4 + 8 + 7 + 4)
            + bytes.fromhex("00000002 00000002 00000003")
            + bytes.fromhex("00000002") + b"ab"
            + bytes.fromhex("00000000")
            + bytes.fromhex("00000007 00000001 00000003") + b"Mod"
            + bytes.fromhex("00000000"),
        ),
    ],
)  # fmt: skip
def test_requests(call, expected):
    assert protocol.encode_request(*call) == expected
    command, arguments, respond = protocol.decode_request(expected)
    assert command.name == call[0]
    assert len(arguments) == len(call) - 1
    assert respond


def test_a_request_without_reply_has_its_flag_cleared():
    request = protocol.encode_request("FolMe.Stop", respond=False)
    assert request == header("FolMe.Stop", 0, "00000000")
    assert protocol.decode_request(request)[2] is False


@pytest.mark.parametrize(
    ("name", "body", "values"),
    [
        ("Bias.Get", "3e800000", (0.25,)),
        ("ZCtrl.OnOffGet", "00000001", (1,)),
        ("ZCtrl.StatusGet", "0002", (2,)),
        ("FolMe.XYPosGet", "3ff0000000000000 c000000000000000", (1.0, -2.0)),
        ("Scan.WaitEndOfLine", "00000000 ffffffff 0003 00000000", (0, -1, 3, 0)),
        ("Scan.WaitEndOfScan", "00000000 00000003 612e62", (0, "a.b")),
        ("Signals.NamesGet", "0000000d 00000002 00000001 49 00000004 5a20286d", (("I", "Z (m"),)),
        ("Util.VersionGet", "00000001 58 00000001 35 00003976 00000007", ("X", "5", 14710, 7)),
    ],
)
def test_replies(name, body, values):
    body = bytes.fromhex(body)
    reply = reply_header(name, len(body) + 8) + body + NO_ERROR
    assert protocol.decode_reply(name, reply) == (values, "")
    assert protocol.encode_reply(name, values) == reply


def test_an_image_is_rows_and_columns_and_then_row_by_row():
    floats = [0.0, 1.0, -2.0, 0.5, 0.25, 4.0]
    body = (
        bytes.fromhex("00000005") + b"Z (m)" + bytes.fromhex("00000002 00000003")
        + struct.pack(">6f", *floats) + bytes.fromhex("00000001")
    )  # fmt: skip
    reply = reply_header("Scan.FrameDataGrab", len(body) + 8) + body + NO_ERROR
    (name, data, direction), error = protocol.decode_reply("Scan.FrameDataGrab", reply)
    assert (name, direction, error) == ("Z (m)", 1, "")
    assert np.array_equal(data, np.reshape(floats, (2, 3)))
    assert protocol.encode_reply("Scan.FrameDataGrab", (name, data, direction)) == reply


def test_an_error_follows_blank_return_values():
    text = b"Z-Controller not available"
    error = bytes.fromhex("00000001") + len(text).to_bytes(4, "big") + text
    reply = reply_header("FolMe.XYPosGet", 16 + len(error)) + bytes(16) + error
    assert protocol.encode_reply("FolMe.XYPosGet", error=text.decode()) == reply
    assert protocol.decode_reply("FolMe.XYPosGet", reply) == ((0.0, 0.0), text.decode())


def test_an_error_may_come_without_any_return_values():
    text = b"unknown command"
    error = bytes.fromhex("00000001") + len(text).to_bytes(4, "big") + text
    for name in ("FolMe.XYPosGet", "Bias.Get", "Signals.NamesGet", "Bias.Set"):
        reply = reply_header(name, len(error)) + error
        assert protocol.decode_reply(name, reply)[1] == text.decode()


def test_the_reply_to_an_unknown_command_is_an_error_block_alone():
    reply = protocol.encode_reply("No.Such", error="unknown")
    assert reply == reply_header("No.Such", 15) + bytes.fromhex("00000001 00000007") + b"unknown"


def test_an_error_without_description_is_still_an_error():
    reply = reply_header("Bias.Set", 8) + bytes.fromhex("00000001 00000000")
    assert protocol.decode_reply("Bias.Set", reply)[1] == "error without description"

"""What the driver's connection does when the bytes go wrong."""

from __future__ import annotations

import pytest

from drivers.nanonis_connection import ConnectionLostError, NanonisConnection
from stm_daq.errors import InstrumentError
from stm_daq.protocols import nanonis as protocol
from stm_daq.station.streams import streams_from


class ScriptedStream:
    """Answers each request with the next piece of a script; an exception is raised instead."""

    def __init__(self, script, log):
        self.script, self.log = script, log
        self.buffer = b""

    def send(self, data):
        self.log.append(protocol.request_name(data))
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.buffer += answer

    def receive(self, count):
        if len(self.buffer) < count:
            raise TimeoutError(f"{len(self.buffer)} of {count} bytes arrived")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def set_timeout(self, seconds):
        self.log.append(seconds)

    def close(self):
        self.log.append("close")


@pytest.fixture
def connect():
    """Return a connection whose streams follow the given scripts, one a stream, and its log."""

    def make(*scripts):
        log, waiting = [], [list(script) for script in scripts]

        def opener(host, port, timeout):
            log.append(f"open {host}:{port}")
            if not waiting:
                raise ConnectionRefusedError("nobody is there")
            return ScriptedStream(waiting.pop(0), log)

        connection = NanonisConnection("stm", 6501, 5.0, lambda: log.append("reconnected"))
        return connection, log, opener

    return make


BIAS = protocol.encode_reply("Bias.Get", (0.25,))
SET = protocol.encode_reply("Bias.Set", ())


def test_a_command_is_one_request_and_one_reply(connect):
    connection, log, opener = connect([BIAS, SET])
    with streams_from(opener):
        assert connection.call("Bias.Get") == (0.25,)
        assert connection.call("Bias.Set", 0.1) == ()
    assert log == ["open stm:6501", "Bias.Get", "Bias.Set"]


def test_the_deadline_grows_by_the_duration_of_the_command(connect):
    connection, log, opener = connect([SET, SET, SET])
    with streams_from(opener):
        for duration in (2.0, 2.0, 0.0):
            connection.call("Bias.Set", 0.1, duration=duration)
    assert [entry for entry in log if isinstance(entry, float)] == [7.0, 5.0]


def test_an_error_block_becomes_an_exception_and_the_connection_stays(connect):
    refusal = protocol.encode_reply("Bias.Set", error="Bias out of range")
    connection, log, opener = connect([refusal, BIAS])
    with streams_from(opener):
        with pytest.raises(InstrumentError, match=r"refused Bias\.Set: Bias out of range"):
            connection.call("Bias.Set", 100.0)
        assert connection.call("Bias.Get") == (0.25,)
    assert "close" not in log


@pytest.mark.parametrize(
    "fault",
    [
        BIAS[:20],
        BIAS[:-1],
        protocol.encode_reply("Current.Get", (1e-10,)),
        BIAS[:32] + b"\xff" * 20,
        ConnectionResetError("reset by peer"),
    ],
    ids=["half header", "half body", "late reply to another", "garbled size", "reset"],
)
def test_a_reading_is_asked_once_more_on_a_new_connection(connect, fault):
    connection, log, opener = connect([fault], [BIAS])
    with streams_from(opener):
        assert connection.call("Bias.Get") == (0.25,)
    assert log == [
        "open stm:6501",
        "Bias.Get",
        "close",
        "open stm:6501",
        "reconnected",
        "Bias.Get",
    ]


def test_a_reading_is_not_repeated_for_ever(connect):
    connection, log, opener = connect([b""], [b""], [BIAS])
    with streams_from(opener):
        with pytest.raises(ConnectionLostError, match=r"Bias\.Get: no trustworthy reply"):
            connection.call("Bias.Get")
        assert log.count("Bias.Get") == 2
        assert connection.call("Bias.Get") == (0.25,)


@pytest.mark.parametrize("name", ["Bias.Set", "ZCtrl.OnOffSet", "SafeTip.OnOffSet"])
def test_a_change_is_never_repeated_blindly(connect, name):
    connection, log, opener = connect([b""], [BIAS])
    with streams_from(opener):
        with pytest.raises(ConnectionLostError, match=name):
            connection.call(name, 1)
        assert connection.call("Bias.Get") == (0.25,)
    assert log.count(name) == 1


def test_nobody_at_home_is_an_instrument_error_with_advice(connect):
    connection, _, opener = connect()
    with streams_from(opener), pytest.raises(InstrumentError, match=r"stm:6501.*software running"):
        connection.call("Bias.Get")


def test_closing_twice_is_allowed(connect):
    connection, log, opener = connect([BIAS])
    with streams_from(opener):
        connection.call("Bias.Get")
    connection.close()
    connection.close()
    assert log.count("close") == 1

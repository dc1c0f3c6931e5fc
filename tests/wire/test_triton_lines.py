"""Lines between our client and a Triton: split, late, stray, broken, never taken for another reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from drivers.triton import parse_value
from drivers.triton_connection import TritonConnection
from stm_daq.errors import DeadlineError, InstrumentError
from stm_daq.station.streams import streams_from

NOUN = "DEV:T5:TEMP:SIG:TEMP"
GOOD = b"STAT:DEV:T5:TEMP:SIG:TEMP:0.0123K\r\n"

type Script = list[list[bytes | Exception]]
"""For each connection what comes in answer to each line sent: bytes, or what receiving raises."""


class Stream:
    """A scripted byte stream."""

    def __init__(self, answers: list[bytes | Exception], heard: list[bytes]) -> None:
        self.answers, self.heard = answers, heard
        self.incoming: bytes = b""
        self.fault: Exception | None = None
        self.closed = False

    def send(self, data: bytes) -> None:
        self.heard.append(data)
        answer = self.answers.pop(0) if self.answers else TimeoutError("nothing")
        if isinstance(answer, Exception):
            self.fault = answer
        else:
            self.incoming += answer

    def receive(self, count: int) -> bytes:
        if len(self.incoming) < count:
            raise self.fault or TimeoutError("nothing")
        data, self.incoming = self.incoming[:count], self.incoming[count:]
        return data

    def set_timeout(self, seconds: float) -> None: ...

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def connect() -> Iterator[Callable[[Script], tuple[TritonConnection, list[bytes]]]]:
    contexts = []

    def make(script: Script) -> tuple[TritonConnection, list[bytes]]:
        heard: list[bytes] = []

        def opener(host: str, port: int, timeout: float) -> Stream:
            if not script:
                raise ConnectionRefusedError("nobody there")
            return Stream(script.pop(0), heard)

        context = streams_from(opener)
        context.__enter__()
        contexts.append(context)
        return TritonConnection("fridge", 33576, 1.0), heard

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


def test_a_question_and_its_answer(connect) -> None:  # type: ignore[no-untyped-def]
    triton, heard = connect([[GOOD, b"STAT:SET:DEV:T5:TEMP:LOOP:TSET:0.5:VALID\r\n"]])
    assert triton.read(NOUN) == "0.0123K"
    triton.set("DEV:T5:TEMP:LOOP:TSET", "0.5")
    assert heard == [b"READ:DEV:T5:TEMP:SIG:TEMP\r\n", b"SET:DEV:T5:TEMP:LOOP:TSET:0.5\r\n"]


def test_stray_lines_are_skipped(connect) -> None:  # type: ignore[no-untyped-def]
    triton, heard = connect([[b"STAT:DEV:T6:TEMP:SIG:TEMP:4.2K\r\n\r\n" + GOOD]])
    assert triton.read(NOUN) == "0.0123K"
    assert len(heard) == 1


def test_two_replies_at_once_stay_apart(connect) -> None:  # type: ignore[no-untyped-def]
    other = b"STAT:DEV:T6:TEMP:SIG:TEMP:4.2K\r\n"
    triton, _ = connect([[GOOD + other, b""]])
    assert triton.read(NOUN) == "0.0123K"
    assert triton.read("DEV:T6:TEMP:SIG:TEMP") == "4.2K"


@pytest.mark.parametrize(
    "fault", [TimeoutError("late"), ConnectionError("gone"), b"STAT:DEV:T5:TEMP:SIG", b"\xff\xfe\n"]
)
def test_after_a_fault_a_new_connection_is_asked_once_more(connect, fault) -> None:  # type: ignore[no-untyped-def]
    triton, heard = connect([[fault], [GOOD]])
    assert triton.read(NOUN) == "0.0123K"
    assert len(heard) == 2


def test_a_late_reply_is_never_taken_for_another_question(connect) -> None:  # type: ignore[no-untyped-def]
    """The late reply lies in the old connection, which is closed."""
    triton, _ = connect([[TimeoutError("late"), GOOD], [b"STAT:DEV:T6:TEMP:SIG:TEMP:4.2K\r\n"]])
    with pytest.raises(DeadlineError, match="no reply from the Triton within 1 s"):
        triton.set("DEV:T5:TEMP:LOOP:TSET", "0.5")
    assert triton.read("DEV:T6:TEMP:SIG:TEMP") == "4.2K"


def test_a_setting_is_never_sent_twice(connect) -> None:  # type: ignore[no-untyped-def]
    triton, heard = connect([[ConnectionError("gone")], [GOOD]])
    with pytest.raises(InstrumentError, match="connection to the Triton failed"):
        triton.set("DEV:T5:TEMP:LOOP:TSET", "0.5")
    assert len(heard) == 1


def test_endless_noise_is_given_up(connect) -> None:  # type: ignore[no-untyped-def]
    triton, _ = connect([[b"x" * 5000], [b"noise\r\n" * 100]])
    with pytest.raises(InstrumentError, match="only replies to other questions"):
        triton.read(NOUN)


@pytest.mark.parametrize("verdict", [b"INVALID", b"DENIED"])
def test_a_refused_setting(connect, verdict) -> None:  # type: ignore[no-untyped-def]
    triton, _ = connect([[b"STAT:SET:DEV:T5:TEMP:LOOP:MODE:ON:" + verdict + b"\r\n"]])
    with pytest.raises(InstrumentError, match="is remote control allowed"):
        triton.set("DEV:T5:TEMP:LOOP:MODE", "ON")


def test_a_noun_that_is_not_there(connect) -> None:  # type: ignore[no-untyped-def]
    triton, _ = connect([[b"STAT:DEV:T5:TEMP:SIG:TEMP:NOT_FOUND\r\n"]])
    with pytest.raises(InstrumentError, match="the Triton has no"):
        triton.read(NOUN)


def test_nobody_there(connect) -> None:  # type: ignore[no-untyped-def]
    triton, _ = connect([])
    with pytest.raises(InstrumentError, match=r"fridge:33576.*control software running"):
        triton.read(NOUN)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("12.3mK", "K", 0.0123), ("1.5K", "K", 1.5), ("31.6mA", "A", 0.0316), ("7uW", "W", 7e-6)],
)
def test_values_with_units(text: str, unit: str, value: float) -> None:
    assert parse_value(text, unit) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "K", "1.2.3K", "0.5V", "1e", "K0.5"])
def test_damaged_values(text: str) -> None:
    with pytest.raises(InstrumentError):
        parse_value(text, "K")

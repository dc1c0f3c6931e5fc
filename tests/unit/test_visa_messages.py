"""Message parsing of the simulated instruments: units, blocks, spellings, errors."""

from __future__ import annotations

import struct

import pytest

from sim.devices.scpi import SCPI_ERRORS, Device, split_units
from sim.devices.scpi_rows import Call, Row, ScpiError, choice, number, spellings, stored, switch


class Example(Device):
    """A device with one command of every kind."""

    IDENTITY = "Maker,Example,0,1"
    COMMANDS = (
        *SCPI_ERRORS,
        *stored("SOURce#:LEVel", "0", number(-1, 1)),
        *stored("SOURce#:STATe", "0", switch),
        *stored("SOURce#:SHAPe", "SIN", choice("SINusoid", "SQUare")),
        *stored("INPut", "7,8", index=1),
        Row("DATA", lambda device, call: device.keep(call)),
        Row("RAW?", lambda _device, _call: b"\n;\x00"),
    )
    block = b""

    def keep(self, call: Call) -> None:
        """Keep the block."""
        self.block = call.block


@pytest.fixture
def device(make_world) -> Example:
    return Example("example", make_world())


def test_blocks_may_hold_any_byte() -> None:
    data = b"a;b\n#2;" + struct.pack("<f", 0.1)
    units, block = split_units(b"ONE 1;DATA #211" + data + b";TWO")
    assert units == ["ONE 1", "DATA", "TWO"]
    assert block == data


def test_number_sign_in_a_string_is_no_block() -> None:
    assert split_units(b'NAME "#1";TWO') == (['NAME "#1"', "TWO"], b"")


@pytest.mark.parametrize(
    "header", ["SOUR3:LEV", "sour3:level", "SOURCE3:LEV", ":sour3:LEVEL", "Source3:Level"]
)
def test_short_and_long_spelling(device: Example, header: str) -> None:
    device.handle(f"{header} 0.5".encode())
    assert device.handle(b"SOUR3:LEV?") == b"0.5\n"
    assert device.handle(b"SOUR4:LEV?") == b"0\n"
    assert device.unknown == []


def test_spellings_in_between_do_not_exist(device: Example) -> None:
    assert spellings("SOURce#:LEVel?") == {
        "SOUR#:LEV?",
        "SOURCE#:LEV?",
        "SOUR#:LEVEL?",
        "SOURCE#:LEVEL?",
    }
    assert device.handle(b"SOURC3:LEV?") is None
    assert device.unknown == ["SOURC3:LEV?"]


def test_one_message_gives_one_response(device: Example) -> None:
    assert device.handle(b"SOUR1:LEV 1;SOUR1:LEV?;*ESR?") == b"1;0\n"


def test_binary_reply_has_no_newline(device: Example) -> None:
    assert device.handle(b"RAW?") == b"\n;\x00"


def test_unknown_command_sets_status_and_queues_an_error(device: Example) -> None:
    assert device.handle(b"NONSENSE 1;*ESR?") == b"32\n"
    assert device.handle(b"SYST:ERR:COUN?") == b"1\n"
    assert device.handle(b"SYST:ERR?") == b'-113,"Undefined header"\n'
    assert device.handle(b"SYST:ERR?") == b'0,"No error"\n'


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"SOUR1:LEV 2", -222),
        (b"SOUR1:LEV abc", -104),
        (b"SOUR1:LEV", -109),
        (b"SOUR1:SHAP triangle", -224),
        (b"SOUR1:STAT maybe", -224),
    ],
)
def test_wrong_values_are_refused(device: Example, message: bytes, code: int) -> None:
    device.handle(message)
    assert [number for number, _ in device.errors] == [code]
    assert device.handle(b"*ESR?") == b"16\n"
    assert device.handle(b"SOUR1:LEV?;SOUR1:SHAP?;SOUR1:STAT?") == b"0;SIN;0\n"


def test_arguments_can_choose_the_setting(device: Example) -> None:
    device.handle(b"INP 2, 5,6")
    assert device.handle(b"INP? 2;INP? 3") == b"5,6;7,8\n"


def test_words_are_kept_short(device: Example) -> None:
    device.handle(b"SOUR1:SHAP square")
    assert device.handle(b"SOUR1:SHAP?") == b"SQU\n"


def test_whole_numbers() -> None:
    assert Call(args=("3",)).whole(1, 3) == 3
    for text in ("4", "2.5", "x"):
        with pytest.raises(ScpiError):
            Call(args=(text,)).whole(1, 3)

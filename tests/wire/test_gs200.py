"""The dialogue with a GS200, word by word, on pyvisa-sim: independent of our own device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qcodes.instrument import Instrument
from qcodes.instrument_drivers.yokogawa import YokogawaGS200

from drivers.gs200 import Gs200Bias
from stm_daq.clock import VirtualClock
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.station.limits import Limits, Range

LIMITS = Limits(
    bias=Range(-10e-3, 10e-3, "V"),
    bias_slew=0.02,
    bias_step=1e-3,
    setpoint_current=Range(1e-12, 2e-9, "A"),
    x=Range(-1e-6, 1e-6, "m"),
    y=Range(-1e-6, 1e-6, "m"),
    z=Range(-250e-9, 250e-9, "m"),
    microwave_power=Range(-120.0, -20.0, "dBm"),
)
OPENING = {"*IDN?": "YOKOGAWA,GS211,90ABCD123,2.02", "*OPT?": "NONE", "SYST:LFR?": "50"}
USUAL = {
    "OUTPUT?": "1",
    ":SOUR:FUNC?": "VOLT",
    ":SOUR:RANG?": "1.000000E+00",
    ":SOUR:LEV?": "+1.00000E-01",
    ":STAT:EVEN?": "128",
}
RAMP = (
    "*CLS;:PROG:REP 0;:PROG:SLOP 0.2;:PROG:INT 0.2;:PROG:EDIT:STAR;:SOUR:LEV 4.000000E-01;"
    ":PROG:EDIT:END;:PROG:RUN"
)
"""From 1 mV to 4 mV at 20 mV/s takes 0.15 s; a program has 0.2 s."""

type Opener = Callable[..., tuple[Gs200Bias, list[str]]]


class Listening(YokogawaGS200):
    """The driver, writing down what it says; commands go nowhere, as the dialogue has no state."""

    def __init__(self, *args: str, **kwargs: str) -> None:
        self.said: list[str] = []
        super().__init__(*args, **kwargs)

    def ask_raw(self, cmd: str) -> str:
        """Ask and note."""
        self.said.append(cmd)
        return super().ask_raw(cmd)

    def write_raw(self, cmd: str) -> None:
        """Note."""
        self.said.append(cmd)


@pytest.fixture
def open_source(tmp_path: Path) -> Iterator[Opener]:
    """Return a maker of adapters that talk to a dialogue; the list holds what was written."""

    def make(**changed: str) -> tuple[Gs200Bias, list[str]]:
        replies = {**OPENING, **USUAL, **changed}
        lines = [f"      - {{q: '{query}', r: '{reply}'}}" for query, reply in replies.items()]
        file = tmp_path / "dialogue.yaml"
        file.write_text(
            'spec: "1.1"\n'
            "devices:\n  source:\n    eom:\n"
            '      USB INSTR: {q: "\\n", r: "\\n"}\n'
            "    error: ERROR\n    dialogues:\n" + "\n".join(lines) + "\n"
            "resources:\n  USB0::0xB21::0x39::1::INSTR: {device: source}\n",
            encoding="utf-8",
        )
        driver = Listening("gs200", "USB0::0xB21::0x39::1::INSTR", visalib=f"{file}@sim")
        driver.said.clear()
        return Gs200Bias(driver, LIMITS, VirtualClock(), divider=0.01), driver.said

    yield make
    Instrument.close_all()


def test_voltage(open_source: Opener) -> None:
    bias, said = open_source()
    assert bias.voltage() == pytest.approx(1e-3)
    assert bias.voltage() == pytest.approx(1e-3)
    first = ["OUTPUT?", ":SOUR:FUNC?", ":SOUR:RANG?", ":SOUR:LEV?"]
    assert said == [*first, "OUTPUT?", ":SOUR:LEV?"]


def test_small_steps_are_set_at_once(open_source: Opener) -> None:
    bias, said = open_source()
    bias.voltage()
    said.clear()
    bias.ramp_to(1e-3)
    assert said == ["OUTPUT?", ":SOUR:LEV?", ":SOUR:LEV 1.000000E-01", ":SOUR:LEV?"]


def test_long_ways_are_programs(open_source: Opener) -> None:
    bias, said = open_source()
    bias.voltage()
    said.clear()
    with pytest.raises(InstrumentError, match=r"the level is 100 mV, not 400 mV"):
        bias.ramp_to(4e-3)  # the dialogue's level does not move
    assert said == ["OUTPUT?", ":SOUR:LEV?", RAMP, ":STAT:EVEN?", ":SOUR:LEV?"]


def test_a_ramp_that_never_ends_is_paused(open_source: Opener) -> None:
    bias, said = open_source(**{":STAT:EVEN?": "0"})
    with pytest.raises(DeadlineError, match="the ramp did not end within 2 s"):
        bias.ramp_to(4e-3)
    assert said[-1] == ":PROG:PAUS"


WRONG = {
    "OUTPUT?": ("0", "its output is off"),
    ":SOUR:FUNC?": ("CURR", "set to CURR"),
    ":SOUR:RANG?": ("5.0", "range 5;"),
    ":SOUR:LEV?": ("garbage", "no number"),
}


@pytest.mark.parametrize("query", WRONG)
def test_nothing_is_set_on_a_source_that_is_not_ready(open_source: Opener, query: str) -> None:
    reply, text = WRONG[query]
    bias, said = open_source(**{query: reply})
    with pytest.raises(InstrumentError, match=text):
        bias.ramp_to(4e-3)
    assert not [words for words in said if "?" not in words]


@pytest.mark.parametrize(
    ("volts", "range_"), [(11e-3, "1.0"), (float("nan"), "1.0"), (4e-3, "0.1")]
)
def test_out_of_range_sets_nothing(open_source: Opener, volts: float, range_: str) -> None:
    bias, said = open_source(**{":SOUR:RANG?": range_})
    with pytest.raises(OutOfRangeError, match="nothing was sent"):
        bias.ramp_to(volts)
    assert not [words for words in said if "?" not in words]

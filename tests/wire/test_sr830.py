"""Bytes between the SR830 and its adapter."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qcodes.instrument import Instrument
from qcodes.instrument_drivers.stanford_research import SR830

from drivers.sr830 import FULL_SCALES, TIME_CONSTANTS, Sr830LockIn, decode_lockin_format
from sim.bus import Bus
from sim.devices.sr830 import Sr830
from sim.devices.sr830_buffer import encode_lockin_format
from sim.devices.trigger_line import TriggerLine
from sim.fridge import Fridge
from sim.preamplifier import Preamplifier
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.visa import close_bus, library, open_bus
from sim.world import World
from stm_daq.clock import VirtualClock
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.station.limits import Limits, Range

ADDRESS = "GPIB0::8::INSTR"
LIMITS = Limits(
    bias=Range(-10e-3, 10e-3, "V"),
    bias_slew=0.2,
    bias_step=1e-3,
    setpoint_current=Range(1e-12, 2e-9, "A"),
    x=Range(-1e-6, 1e-6, "m"),
    y=Range(-1e-6, 1e-6, "m"),
    z=Range(-250e-9, 250e-9, "m"),
    microwave_power=Range(-120.0, -20.0, "dBm"),
)


class Recorded(Sr830):
    """An SR830 that writes down what it hears."""

    def handle(self, message: bytes) -> bytes | None:
        """Record and answer."""
        heard.append(message)
        return super().handle(message)


heard: list[bytes] = []


@pytest.fixture
def lockin() -> Iterator[Sr830LockIn]:
    clock = VirtualClock()
    world = World(clock, 1, Uniform(), Preamplifier(), Fridge(), Tip())
    bus = Bus(clock)
    bus.connect(ADDRESS, Recorded("sr830", world, TriggerLine()))
    open_bus(bus)
    driver = SR830("sr830", ADDRESS, visalib=library(bus))
    heard.clear()
    yield Sr830LockIn(driver, LIMITS, clock, modulation_divider=1e-4, auxiliary_input=4)
    Instrument.close_all()
    close_bus(bus)


def test_configuration(lockin: Sr830LockIn) -> None:
    peak = lockin.configure(797.0, 140e-6, 3e-3, -35.924, 12e-3)
    assert heard == [
        b"FMOD 1;HARM 1",
        b"FREQ 797.0000",
        b"PHAS -35.92",
        b"SENS 21",
        b"OFLT 5",
        b"OFSL 1;SYNC 0",
        b"SLVL 0.990",
        b"SENS?",
        b"OFLT?",
        b"SLVL?",
    ]
    assert peak == pytest.approx(0.990 * 2**0.5 * 1e-4)


def test_buffer(lockin: Sr830LockIn) -> None:
    lockin.prepare_buffer()
    lockin.start_buffer()
    assert heard == [
        b"REST",
        b"DDEF 1,0,0",
        b"DDEF 2,4,0",
        b"SRAT 14;SEND 0;TSTR 0",
        b"SRAT?",
        b"REST;*CLS;STRT;SPTS?",
    ]


def test_a_buffer_that_is_not_emptied_is_noticed(lockin: Sr830LockIn) -> None:
    """Else the samples of the sweep before would be taken for those of the next one."""
    driver = Instrument.find_instrument("sr830", SR830)
    driver.write("SRAT 13;REST;STRT")
    lockin._clock.sleep(1.0)
    driver.write("PAUS")
    answer = driver.ask
    driver.ask = lambda text: answer(text.removeprefix("REST;*CLS;STRT;"))  # the rest is lost
    with pytest.raises(InstrumentError, match="old samples stay"):
        lockin.start_buffer()


def test_tables_are_those_of_the_qcodes_driver(lockin: Sr830LockIn) -> None:
    driver = Instrument.find_instrument("sr830", SR830)
    assert list(FULL_SCALES) == pytest.approx([SR830._N_TO_VOLT[i] for i in range(27)])
    mapping = driver.time_constant.inverse_val_mapping
    assert list(TIME_CONSTANTS) == pytest.approx([mapping[i] for i in range(20)])


@pytest.mark.parametrize(
    ("wanted", "index"), [(1e-9, 0), (2e-9, 0), (2.1e-9, 1), (1e-3, 17), (1, 26)]
)
def test_next_larger_range(lockin: Sr830LockIn, wanted: float, index: int) -> None:
    lockin.configure(797.0, 140e-6, 3e-3, 0.0, wanted)
    assert f"SENS {index}".encode() in heard


def test_only_display_2_can_show_the_auxiliary_input(lockin: Sr830LockIn) -> None:
    with pytest.raises(OutOfRangeError, match="3 or 4"):
        Sr830LockIn(lockin._lockin, LIMITS, lockin._clock, 1e-4, auxiliary_input=1)


def test_samples_by_hand() -> None:
    data = struct.pack("<hhhhhh", 1, 124, -16384, 110, 32767, 0)
    assert decode_lockin_format(data, 3).tolist() == [1.0, -1.0, 32767 * 2.0**-124]


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 9, struct.pack("<hhhh", 1, 249, 1, 0)])
def test_damaged_samples(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes instead|exponent"):
        decode_lockin_format(data, 2)


@given(st.lists(st.floats(-10.5, 10.5, allow_subnormal=False), min_size=1, max_size=50))
def test_samples_survive_to_15_bits(values: list[float]) -> None:
    given_values = np.array([v if abs(v) > 1e-30 else 0.0 for v in values])
    decoded = decode_lockin_format(encode_lockin_format(given_values), len(values))
    assert np.all(np.abs(decoded - given_values) <= np.abs(given_values) * 2.0**-15)


def test_device_hears_commands_with_and_without_blanks(lockin: Sr830LockIn) -> None:
    driver = Instrument.find_instrument("sr830", SR830)
    driver.write("SLVL0.250")
    assert driver.ask("SLVL ?").strip() == "0.250"
    driver.write("slvl 0.5013")
    assert driver.ask("SLVL?").strip() == "0.502"


@pytest.mark.parametrize("slope", [6, 12, 24])
def test_step_memory_is_the_filter_s_answer_to_a_staircase(lockin: Sr830LockIn, slope: int) -> None:
    lockin = Sr830LockIn(lockin._lockin, LIMITS, lockin._clock, 1e-4, 3, filter_slope=slope)
    lockin.configure(797.0, 140e-6, 3e-3, 0.0, 12e-3)
    weights = lockin.step_memory(delay=8e-3, dwell=10e-3)
    assert weights.sum() == pytest.approx(1.0)
    # independent: the filter's differential equation, stage by stage, in small steps of time
    dt, poles = 1e-6, slope // 6
    stages = np.zeros(poles)
    settled = []
    for _ in range(int(22e-3 / dt)):
        inputs = np.concatenate([[1.0], stages[:-1]])
        stages = stages + dt / 3e-3 * (inputs - stages)
        settled.append(stages[-1])
    by_time = np.array(settled)
    first = by_time[8000:10000].mean()
    assert weights[0] == pytest.approx(first, abs=2e-3)
    assert weights[1] == pytest.approx(by_time[18000:20000].mean() - first, abs=2e-3)


def test_too_few_samples_are_named(lockin: Sr830LockIn) -> None:
    lockin.prepare_buffer()
    lockin.start_buffer()
    with pytest.raises(DeadlineError, match="0 samples instead of 256; check the trigger cable"):
        lockin.read_buffer(256)

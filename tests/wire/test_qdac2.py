"""Bytes between the QDAC-II and its adapter."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest
from qcodes.instrument import Instrument
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

from drivers.qdac2 import Qdac2Bias
from sim.bus import Bus
from sim.devices.qdac2 import Qdac2
from sim.devices.trigger_line import TriggerLine
from sim.fridge import Fridge
from sim.preamplifier import Preamplifier
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.visa import close_bus, library, open_bus
from sim.world import World
from stm_daq.clock import VirtualClock
from stm_daq.errors import InstrumentError
from stm_daq.station.limits import Limits, Range

ADDRESS = "TCPIP0::10.0.0.2::5025::SOCKET"
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
LIST = np.array([4e-3, 3.5e-3, 3e-3, 3.5e-3, 4e-3])


class Recorded(Qdac2):
    """A QDAC-II that writes down what it hears."""

    def handle(self, message: bytes) -> bytes | None:
        """Record and answer."""
        heard.append(message)
        return super().handle(message)


heard: list[bytes] = []


class Bench:
    """Device, adapter and trigger cable."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.world = World(self.clock, 1, Uniform(), Preamplifier(), Fridge(), Tip())
        self.line = TriggerLine()
        self.bus = Bus(self.clock, faults=self.world.faults)
        self.device = Recorded(
            "qdac", self.world, self.line, junction_channel=3, divider=0.01, trigger_output=2
        )
        self.bus.connect(ADDRESS, self.device)
        open_bus(self.bus)
        self.driver = QDac2("qdac", ADDRESS, visalib=library(self.bus))
        self.bias = Qdac2Bias(self.driver, LIMITS, self.clock, channel=3, divider=0.01, trigger=2)
        heard.clear()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    Instrument.close_all()
    close_bus(made.bus)


def test_ramp(bench: Bench) -> None:
    bench.bias.ramp_to(4e-3)
    assert heard == [
        b"sour3:volt:slew 20.0",
        b"sour3:volt:slew?",
        b"sour3:volt:last?",
        b"sour3:volt:mode fix",
        b"sour3:volt 0.4",
        b"sour3:volt:last?",
    ]


def test_list(bench: Bench) -> None:
    bench.bias.ramp_to(4e-3)
    heard.clear()
    bench.bias.prepare_list(LIST, 10e-3)
    block = struct.pack("<5f", *(LIST / 0.01))
    assert b"sour3:list:volt #220" + block in heard
    for command in (
        b"sour3:volt:mode list",
        b"sour3:list:tmod auto",
        b"sour3:list:dwel 0.01",
        b"sour3:list:dir up",
        b"sour3:list:coun 1",
        b"outp:trig2:del 0.008",
        b"sour3:dc:init:cont on",
        b"sour3:list:poin?",
        b"syst:err:all?",
    ):
        assert command in heard
    heard.clear()
    bench.bias.start_list()
    assert len(heard) == 1
    assert heard[0].startswith(b"tint ")
    assert bench.device.unknown == []


def test_pulses_come_at_the_end_of_every_step(bench: Bench) -> None:
    bench.bias.ramp_to(4e-3)
    bench.bias.prepare_list(LIST, 10e-3)
    for _ in range(2):
        bench.bias.start_list()
        start = bench.clock.now()
        bench.clock.sleep(0.1)
        pulses = bench.line.between(start, bench.clock.now()) - start
        assert pulses == pytest.approx(10e-3 * np.arange(1, 6) - 2e-3)
        assert bench.world.bias(start + pulses) == pytest.approx(LIST, abs=1e-8)


def test_output_has_the_resolution_of_the_converter(bench: Bench) -> None:
    bench.bias.ramp_to(1.23456789e-3)
    step = 20 / 2**25
    found = bench.world.bias(np.array([bench.clock.now()]))[0] / 0.01
    assert abs(found - 0.123456789) <= step / 2
    assert found / step == pytest.approx(round(found / step), abs=1e-6)


def test_range_is_a_hard_limit_of_the_device(bench: Bench) -> None:
    bench.driver.channel(3).output_range("low")
    bench.driver.channel(3).dc_constant_V(3.0)
    assert bench.driver.errors().startswith("-222")
    assert bench.bias.voltage() == 0.0


def test_list_that_was_not_taken_is_noticed(bench: Bench) -> None:
    bench.bias.ramp_to(4e-3)
    bench.world.faults.add("refusal", count=4)  # of loading the list
    with pytest.raises(InstrumentError, match="did not take the list"):
        bench.bias.prepare_list(LIST, 10e-3)
    with pytest.raises(InstrumentError, match="no list is loaded"):
        bench.bias.start_list()


def test_old_errors_do_not_keep_a_list_from_being_taken(bench: Bench) -> None:
    bench.bias.ramp_to(4e-3)
    bench.driver.write("sour3:list:coun -5")
    bench.bias.prepare_list(LIST, 10e-3)
    bench.bias.start_list()


def test_running_list_is_not_started_again(bench: Bench) -> None:
    bench.bias.ramp_to(4e-3)
    bench.bias.prepare_list(LIST, 10e-3)
    bench.bias.start_list()
    with pytest.raises(InstrumentError, match="still running"):
        bench.bias.start_list()


def test_bias_that_does_not_follow_is_an_error(bench: Bench) -> None:
    bench.bias.voltage()
    bench.driver.channel(3).output_range("low")
    bench.device._channels[3].require = lambda volts: None  # type: ignore[method-assign]
    bench.device._channels[3].go_to = lambda volts, now: None  # type: ignore[method-assign]
    with pytest.raises(InstrumentError, match="did not reach 4 mV"):
        bench.bias.ramp_to(4e-3)

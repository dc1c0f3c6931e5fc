"""Bytes between the SR860 and its adapter."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qcodes.instrument import Instrument
from qcodes.instrument_drivers.stanford_research import SR860

from drivers.sr860 import INPUT_RANGES, MODEL, Sr860LockIn, decode_capture
from sim.bus import Bus
from sim.devices.sr860 import Sr860
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

ADDRESS = "TCPIP0::10.0.0.3::inst0::INSTR"
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


class Recorded(Sr860):
    """An SR860 that writes down what it hears and may be told what to answer."""

    def handle(self, message: bytes) -> bytes | None:
        """Record and answer."""
        heard.append(message)
        reply = super().handle(message)
        return instead.get(message.split()[0], reply)


heard: list[bytes] = []
instead: dict[bytes, bytes] = {}


class Bench:
    """Device, adapter and trigger cable."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        world = World(self.clock, 1, Uniform(), Preamplifier(), Fridge(), Tip())
        self.line = TriggerLine()
        self.bus = Bus(self.clock)
        self.device = Recorded("sr860", world, self.line)
        self.bus.connect(ADDRESS, self.device)
        open_bus(self.bus)
        self.driver = SR860("sr860", ADDRESS, visalib=library(self.bus))
        self.lockin = Sr860LockIn(self.driver, LIMITS, self.clock, 1e-4, 3)
        heard.clear()
        instead.clear()

    def pulses(self, count: int) -> None:
        """Let `count` triggers come and go."""
        self.line.pulse(self.clock.now() + 1e-3 * np.arange(1, count + 1))
        self.clock.sleep(1e-3 * (count + 1))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    Instrument.close_all()
    close_bus(made.bus)


def test_configuration(bench: Bench) -> None:
    peak = bench.lockin.configure(797.0, 140e-6, 3e-3, -35.924, 12e-3)
    assert heard == [
        b"RSRC 0",
        b"HARM 1",
        b"FREQ 797.0000",
        b"PHAS -35.9240",
        b"IRNG 0",
        b"SCAL 5",
        b"ADVFILT 0",
        b"SYNC 0",
        b"OFSL 1",
        b"OFLT 7",
        b"SLVL 0.989949",
        b"IRNG?",
        b"SCAL?",
        b"ADVFILT?",
        b"OFLT?",
        b"SLVL?",
    ]
    assert peak == pytest.approx(140e-6, rel=1e-5)


def test_capture(bench: Bench) -> None:
    bench.lockin.configure(797.0, 140e-6, 3e-3, 0.0, 12e-3)
    bench.lockin.prepare_buffer()
    bench.lockin.start_buffer()
    bench.pulses(256)
    heard.clear()
    trace = bench.lockin.read_buffer(256)
    assert heard == [
        b"CAPTUREBYTES?",
        b"CAPTURESTOP",
        b"CAPTURESTAT?",
        b"CAPTUREGET? 0,2",
        b"OAUX? 2",
        b"LIAS?",
    ]
    assert len(trace.in_phase) == 256
    assert np.isnan(trace.auxiliary).tolist() == [True] * 255 + [False]
    assert bench.lockin.stored_samples() == 256


def test_tables_are_those_of_the_qcodes_driver(bench: Bench) -> None:
    scales = [SR860._N_TO_VOLT[i] for i in range(28)]
    assert list(MODEL.full_scales[::-1]) == pytest.approx(scales)
    filters = bench.driver.time_constant.inverse_val_mapping
    assert list(MODEL.time_constants) == pytest.approx([filters[i] for i in range(22)])
    ranges = bench.driver.input_range.inverse_val_mapping
    assert list(INPUT_RANGES) == pytest.approx([ranges[i] for i in range(5)])


def test_exact_zeros_are_samples_like_others(bench: Bench) -> None:
    """The driver's own read-out drops them; ours must not."""
    bench.device.world.preamplifier.noise = 0.0
    bench.lockin.prepare_buffer()
    bench.lockin.start_buffer()
    bench.pulses(7)
    bench.lockin._stop_capture()
    values = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 3.0], [0.0, 4.0], [0.0, 0.0], [5.0, 6.0]])
    memory = values.astype("<f4").tobytes().ljust(2048, b"\0")
    instead[b"CAPTUREGET?"] = b"#42048" + memory
    assert bench.lockin._read_capture(6).tolist() == values.tolist()


DAMAGED = {
    "no block": b"1.0,2.0",
    "indefinite": b"#0" + b"\0" * 16,
    "too short": b"#216" + b"\0" * 15,
    "too long": b"#216" + b"\0" * 17,
    "too few": b"#18" + b"\0" * 8,
    "not a number": b"#216" + struct.pack("<4f", 1.0, math.nan, 0.0, 0.0),
    "nothing": b"",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_captures(what: str) -> None:
    with pytest.raises(ValueError, match=r"block|few|finite"):
        decode_capture(DAMAGED[what], 2)


@given(st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * 2), min_size=1, max_size=50))
def test_samples_survive_exactly(values: list[tuple[float, float]]) -> None:
    data = np.array(values, dtype="<f4").tobytes().ljust(2048, b"\0")
    assert decode_capture(b"#42048" + data, len(values)).tolist() == [list(v) for v in values]


@pytest.mark.parametrize(
    "reply", [b"#42048" + b"\0" * 1000, b"#42049" + b"\0" * 2048, b"?" * 2054], ids=len
)
def test_a_damaged_reply_is_an_error_and_the_next_call_works(bench: Bench, reply: bytes) -> None:
    bench.lockin.prepare_buffer()
    for expected in (InstrumentError, None):
        bench.lockin.start_buffer()
        bench.pulses(5)
        if expected:
            instead[b"CAPTUREGET?"] = reply
            with pytest.raises(expected):
                bench.lockin.read_buffer(5)
            instead.clear()
        else:
            assert len(bench.lockin.read_buffer(5).in_phase) == 5


def test_too_few_samples_are_named(bench: Bench) -> None:
    bench.lockin.prepare_buffer()
    bench.lockin.start_buffer()
    bench.pulses(3)
    with pytest.raises(DeadlineError, match="3 samples instead of 256; check the trigger cable"):
        bench.lockin.read_buffer(256)


def test_surplus_triggers_are_counted(bench: Bench) -> None:
    bench.lockin.prepare_buffer()
    bench.lockin.start_buffer()
    bench.pulses(257)
    assert len(bench.lockin.read_buffer(256).in_phase) == 256
    assert bench.lockin.stored_samples() == 257


def test_capture_that_does_not_stop_has_a_deadline(bench: Bench) -> None:
    bench.lockin.prepare_buffer()
    bench.lockin.start_buffer()
    bench.pulses(4)
    instead[b"CAPTURESTAT?"] = b"3\n"
    with pytest.raises(DeadlineError, match="did not stop"):
        bench.lockin.read_buffer(4)


def test_input_overload_is_flagged(bench: Bench) -> None:
    bench.lockin.prepare_buffer()
    bench.lockin.start_buffer()
    bench.pulses(2)
    instead[b"LIAS?"] = b"24\n"
    assert bench.lockin.read_buffer(2).flags == ("overload", "unlock")


@pytest.mark.parametrize("options", [{"auxiliary_input": 5}, {"input_range": 0.2}])
def test_impossible_wiring(bench: Bench, options: dict[str, float]) -> None:
    wiring = {"modulation_divider": 1e-4, "auxiliary_input": 1, **options}
    with pytest.raises(OutOfRangeError, match=next(iter(options))):
        Sr860LockIn(bench.driver, LIMITS, bench.clock, **wiring)
    assert [place for place, _ in Sr860LockIn.check(wiring, LIMITS, None)] == list(options)


def test_own_read_out_of_the_driver_runs_on_the_device(bench: Bench) -> None:
    """The unmodified driver captures too (with noise there are no exact zeros)."""
    bench.driver.buffer.capture_config("X,Y")
    found = bench.driver.buffer.capture_one_sample_per_trigger(
        128, lambda: bench.line.pulse(bench.clock.now() + 1e-3 * np.arange(1, 129))
    )
    assert {name: len(values) for name, values in found.items()} == {"X": 128, "Y": 128}
    found = bench.driver.buffer.capture_samples_after_trigger(64, lambda: bench.pulses(1))
    assert len(found["X"]) == 64


def test_driver_opens_snapshots_and_closes(bench: Bench) -> None:
    snapshot = bench.driver.snapshot(update=True)
    assert snapshot["parameters"]["time_constant"]["value"] == 0.1
    assert bench.device.unknown == []
    assert bench.device.errors == []

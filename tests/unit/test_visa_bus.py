"""The PyVISA backend of the twin: END, terminators, time-outs, clear, polls, endless loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import pyvisa
from pyvisa.constants import StatusCode
from pyvisa.resources import MessageBasedResource

from sim.bus import LIVELOCK, PATIENCE, Bus
from sim.devices.scpi import SCPI_ERRORS, Device
from sim.devices.scpi_rows import Row, stored
from sim.visa import close_bus, library, open_bus
from stm_daq.errors import SimulationLivelockError

GPIB = "GPIB0::3::INSTR"
SOCKET = "TCPIP0::10.0.0.1::5025::SOCKET"


class Meter(Device):
    """A device with text, binary and changing replies."""

    IDENTITY = "Maker,Meter,0,1"
    COMMANDS = (
        *SCPI_ERRORS,
        *stored("LEVel", "0"),
        Row("READy?", lambda _device, _call: "0"),
        Row("BLOCK?", lambda _device, _call: bytes(range(256)) * 200),
        Row("NOISE?", lambda device, _call: str(device.rng.random())),
        Row("*TRG", lambda device, _call: device.settings.update({("LEVel",): "triggered"})),
    )


class Queuing(Meter):
    """One that keeps unread replies."""

    QUEUES_REPLIES = True


@pytest.fixture
def bus(make_world) -> Iterator[Bus]:
    world = make_world()
    made = Bus(world.clock)
    made.connect(GPIB, Meter("meter", world))
    made.connect(SOCKET, Meter("socket", world))
    made.connect("GPIB0::4::INSTR", Queuing("queuing", world))
    open_bus(made)
    yield made
    close_bus(made)


def resource(bus: Bus, address: str = GPIB) -> MessageBasedResource:
    opened = pyvisa.ResourceManager(library(bus)).open_resource(address)
    assert isinstance(opened, MessageBasedResource)
    return opened


def poll_without_end(meter: MessageBasedResource, *queries: str) -> None:
    for _ in range(LIVELOCK + 1):
        for query in queries:
            meter.query(query)


def test_text_ends_with_the_devices_terminator(bus: Bus) -> None:
    assert resource(bus).query("LEV?") == "0\n"


def test_terminator_is_stripped_where_one_is_set(bus: Bus) -> None:
    meter = resource(bus)
    meter.read_termination = "\n"
    assert meter.query("LEV?") == "0"
    assert meter.last_status == StatusCode.success_termination_character_read


def test_binary_reply_comes_whole_and_without_newline(bus: Bus) -> None:
    meter = resource(bus)
    meter.write("BLOCK?")
    assert meter.read_raw(1000) == bytes(range(256)) * 200


def test_socket_has_no_end_and_waits_for_its_terminator(bus: Bus) -> None:
    meter = resource(bus, SOCKET)
    meter.write("LEV?")
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        meter.read_raw()
    meter.read_termination = "\n"
    assert meter.query("LEV?") == "0"


def test_each_transaction_costs_its_latency(bus: Bus) -> None:
    meter, socket = resource(bus), resource(bus, SOCKET)
    began = bus.clock.now()
    meter.query("LEV?")
    assert bus.clock.now() - began == pytest.approx(3e-3)
    socket.write("LEV 1")
    assert bus.clock.now() - began == pytest.approx(3.5e-3)
    assert [port.transactions for port in bus.ports.values()] == [1, 1, 0]


def test_missing_reply_costs_the_timeout_in_virtual_time(bus: Bus) -> None:
    meter = resource(bus)
    meter.timeout = 3_600_000
    began = bus.clock.now()
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        meter.query("WHAT?")
    assert bus.clock.now() - began == pytest.approx(3600, abs=0.01)
    assert bus.ports[GPIB].device.unknown == ["WHAT?"]


def test_waiting_for_ever_is_an_error(bus: Bus) -> None:
    meter = resource(bus)
    meter.timeout = None
    with pytest.raises(SimulationLivelockError, match="meter"):
        meter.query("WHAT?")


def test_new_message_drops_an_unread_reply(bus: Bus) -> None:
    meter = resource(bus)
    meter.write("LEV?")
    meter.write("*IDN?")
    assert meter.read().startswith("Maker")
    assert [code for code, _ in bus.ports[GPIB].device.errors] == [-410]


def test_some_instruments_queue_their_replies(bus: Bus) -> None:
    meter = resource(bus, "GPIB0::4::INSTR")
    meter.write("LEV?")
    meter.write("*IDN?")
    assert meter.read() == "0\n"
    assert meter.read().startswith("Maker")


def test_clear_forgets_what_is_unread(bus: Bus) -> None:
    meter = resource(bus)
    meter.write("LEV?")
    meter.clear()
    assert meter.query("*IDN?").startswith("Maker")
    assert bus.ports[GPIB].device.errors == []


def test_serial_poll_tells_of_replies_and_errors(bus: Bus) -> None:
    meter = resource(bus)
    assert meter.read_stb() == 0
    meter.write("LEV?")
    assert meter.read_stb() == 16
    meter.read()
    meter.write("WHAT 1")
    assert meter.read_stb() == 32 + 4


def test_bus_trigger_reaches_the_device(bus: Bus) -> None:
    meter = resource(bus)
    meter.assert_trigger()
    assert meter.query("LEV?") == "triggered\n"


def test_only_what_is_there_can_be_opened(bus: Bus) -> None:
    manager = pyvisa.ResourceManager(library(bus))
    assert manager.list_resources() == (GPIB, "GPIB0::4::INSTR")
    with pytest.raises(OSError, match="GPIB0::9::INSTR"):
        manager.open_resource("GPIB0::9::INSTR")


def test_endless_polling_is_found_and_named(bus: Bus) -> None:
    meter = resource(bus)
    with pytest.raises(SimulationLivelockError, match=r"meter.*READ\?"):
        poll_without_end(meter, "READ?")


def test_alternating_polls_are_found_too(bus: Bus) -> None:
    meter = resource(bus)
    with pytest.raises(SimulationLivelockError):
        poll_without_end(meter, "READ?", "LEV?")


def test_work_in_between_is_no_endless_loop(bus: Bus) -> None:
    meter = resource(bus)

    def poll(between: Callable[[], object]) -> None:
        for i in range(LIVELOCK + 1):
            meter.query("READ?")
            if i % 1000 == 0:
                between()

    poll(lambda: meter.query("NOISE?"))  # another answer each time
    poll(lambda: meter.write("LEV 1"))
    extra = LIVELOCK // 1000 + 1
    assert bus.ports[GPIB].transactions == 2 * (LIVELOCK + 1 + extra)
    with pytest.raises(SimulationLivelockError):
        poll(lambda: None)


def test_slow_watching_is_no_endless_loop(bus: Bus) -> None:
    meter = resource(bus)

    def watch(pause: float) -> None:
        for _ in range(LIVELOCK + 1):
            meter.query("READ?")
            bus.clock.sleep(pause)

    watch(3.0 * PATIENCE)
    assert bus.ports[GPIB].transactions == LIVELOCK + 1
    with pytest.raises(SimulationLivelockError):
        watch(0.1 * PATIENCE)

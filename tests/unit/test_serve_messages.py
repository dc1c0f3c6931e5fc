"""Where a message of a served instrument ends, and what odd clients get."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path

import pytest

from sim.bus import Bus
from sim.devices.scpi import Device
from sim.serve.scpi import message_size, scpi_server
from sim.serve.server import MessageServer, Place
from stm_daq.clock import PacedClock

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", None),
        (b"*IDN?", None),
        (b"*IDN?\n", 6),
        (b"*IDN?\r\nVOLT 1\n", 7),
        (b"LIST #14\n\n\n\n\nrest", 13),
        (b"LIST #14\n\n", None),
        (b"LIST #1", None),
        (b"LIST #1\n", 8),
        (b"LIST #2x\nabc", 9),
        (b'NAME "#14"\nabc', 11),
    ],
)
def test_the_end_of_a_message(data, size):
    assert message_size(data) == size


@pytest.fixture
def place():
    """Return a place with any free ports, on a clock that is stopped afterwards."""
    clock = PacedClock(0.0)
    yield Place("127.0.0.1", 0, clock)
    clock.stop()


def connect(server):
    return socket.create_connection((server.host, server.port), timeout=20)


def test_messages_are_answered_in_order_however_they_arrive(place):
    server = MessageServer("echo", place, 0, message_size, lambda m: m.strip() + b".")
    server.start()
    with connect(server) as client:
        client.sendall(b"one\ntw")
        client.sendall(b"o\nthree\n")
        received = b""
        while not received.endswith(b"three."):
            received += client.recv(100)
    assert received == b"one.two.three."
    server.stop()
    server.stop()


def test_a_client_that_makes_no_sense_is_disconnected_alone(place):
    def size(data: bytes) -> int:
        if data.startswith(b"?"):
            raise ValueError("nonsense")
        return 1

    server = MessageServer("picky", place, 0, size, lambda m: m)
    server.start()
    with connect(server) as good, connect(server) as bad:
        bad.sendall(b"?")
        assert bad.recv(1) == b""
        good.sendall(b"x")
        assert good.recv(1) == b"x"
    server.stop()


def test_an_instrument_survives_its_own_defect(place, make_world):
    class Broken(Device):
        IDENTITY = "broken"

        def handle(self, message: bytes) -> bytes | None:
            if message == b"BREAK":
                raise RuntimeError("a defect")
            return super().handle(message)

    bus = Bus(place.clock)
    device = Broken("broken", make_world())
    server = scpi_server(bus.connect("GPIB0::1::INSTR", device), place, 0)
    server.start()
    with connect(server) as client:
        client.sendall(b"BREAK\n*IDN?\n")
        assert client.recv(100) == b"broken\n"
    assert device.errors == [(-300, "Device-specific error")]
    server.stop()


def test_damaged_and_absurd_messages_never_kill_the_nanonis_server():
    path = ROOT / "benchmarks" / "nanonis_fuzz.py"
    spec = importlib.util.spec_from_file_location("nanonis_fuzz", path)
    fuzzing = importlib.util.module_from_spec(spec)
    sys.modules["nanonis_fuzz"] = fuzzing
    spec.loader.exec_module(fuzzing)
    outcome = fuzzing.fuzz(2000, seed=7)
    assert outcome.failures == []
    assert outcome.healthy
    assert sum(outcome.counts.values()) == 2000
    assert outcome.counts["answered"] > 200
    assert outcome.counts["refused"] > 200

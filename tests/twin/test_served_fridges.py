"""Triton and BlueFors on loopback TCP, as an outside program sees them, and as ours does."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qcodes.instrument import Instrument
from ruamel.yaml import YAML

from drivers.bluefors_http import BlueforsBox, BlueforsControl
from drivers.triton import Triton
from sim.serve.http import http_reply, request_size
from sim.twin import Twin
from stm_daq.errors import InstrumentError

BLOCKS: dict[str, Any] = YAML(typ="safe").load(Path(__file__).with_name("all_drivers.yaml"))
NAMES = ("triton", "bluefors", "box", "logs")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Serve a twin and return the port of each device."""
    instruments = {name: BLOCKS["instruments"][name] for name in NAMES}
    devices = {name: BLOCKS["simulation"]["devices"][name] for name in NAMES}
    simulation = {"sample": BLOCKS["simulation"]["sample"], "devices": devices}
    folder = tmp_path_factory.mktemp("session")
    twin = Twin(simulation, instruments, 1.7e9, speed=100.0)
    with twin.serve(0, folder) as service:
        yield {row.name: row.ports[0] for row in service.table}
    Instrument.close_all()
    assert list((folder / "logs").glob("*/CH8 T *.log"))


def test_our_triton_driver_over_tcp(ports: dict[str, int]) -> None:
    triton = Triton("served_triton", "127.0.0.1", ports["triton"], channel=6)
    assert triton.temperature() == pytest.approx(0.5, abs=0.02)
    triton.setpoint(0.7)
    assert triton.setpoint() == 0.7
    assert triton.get_idn()["vendor"] == "OXFORD INSTRUMENTS"
    triton.close()


def test_the_triton_driver_of_qcodes_over_tcp(ports: dict[str, int]) -> None:
    from qcodes.instrument_drivers.oxford import OxfordTriton

    triton = OxfordTriton("qcodes_triton", "127.0.0.1", ports["triton"])
    assert triton.T6() == pytest.approx(0.5, abs=0.02)
    triton.pid_setpoint(0.4)
    assert triton.pid_setpoint() == 0.4
    triton.close()


def test_our_bluefors_drivers_over_tcp(ports: dict[str, int]) -> None:
    control = BlueforsControl("served_control", "127.0.0.1", ports["bluefors"], key="k")
    box = BlueforsBox("served_box", "127.0.0.1", ports["box"], channel=8)
    for instrument in (control, box):
        assert instrument.temperature() == pytest.approx(0.5, abs=0.02)
        instrument.setpoint(0.8)
        assert instrument.setpoint() == 0.8
        assert instrument.active() is False
        instrument.close()


def test_an_outside_program_asks_the_box(ports: dict[str, int]) -> None:
    url = f"http://127.0.0.1:{ports['box']}/channel/measurement/latest"
    with urllib.request.urlopen(url, timeout=5.0) as answer:
        content = json.load(answer)
    assert content["channel_nr"] in (6, 8)
    assert content["temperature"] == pytest.approx(0.5, abs=0.02)


def test_no_http_is_hung_up(ports: dict[str, int]) -> None:
    with socket.create_connection(("127.0.0.1", ports["box"]), 5.0) as client:
        client.sendall(b"*IDN?\r\n")
        assert client.recv(100) == b""


def test_a_port_without_service(ports: dict[str, int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    with pytest.raises(InstrumentError, match="is the service running"):
        BlueforsBox("nobody", "127.0.0.1", free, timeout=1.0)


REQUESTS = [
    b"GET /values/mapper/bf/temperatures/tmixing/?key=k HTTP/1.1\r\n\r\n",
    b'POST /values/?key=k HTTP/1.1\r\nContent-Length: 26\r\n\r\n{"data": {"a": {"b": 1}}}\n',
    b'POST /heater/update HTTP/1.1\r\nContent-Length: 31\r\n\r\n{"heater_nr": 4, "setpoint": 1}',
    b"READ:DEV:T5:TEMP:SIG:TEMP\r\n",
    b"SET:DEV:T5:TEMP:LOOP:RANGE:10\r\n",
    b"INTYPE 6,0,5,1,15,0,1;OUTMODE 0,5,6,0,0,1,1;SETP 0,.5;RANGE 0,6;KRDG? 6",
    b"SOUR:LIST:SEL 'a';:SOUR:LIST:POW -60dBm,-50;:SOUR:LIST:FREQ 1GHz,2 GHz;FREQ:MODE LIST",
    b"SOUR:POW:LEV:IMM:AMPL -20dBm;SOUR:FREQ:CW 1e9Hz;OUTP:STAT ON;SOUR:POW:LEV:IMM:AMPL?",
]


def garbled(rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Yield good requests with bytes changed, cut, doubled."""
    for _ in range(count):
        message = bytearray(REQUESTS[rng.integers(len(REQUESTS))])
        for _ in range(rng.integers(1, 6)):
            place = int(rng.integers(len(message) + 1))
            kind = rng.integers(3)
            if kind == 0:
                message[place : place + 1] = rng.bytes(1)
            elif kind == 1:
                del message[place : place + int(rng.integers(4))]
            else:
                message[place:place] = message[: int(rng.integers(12))]
        yield bytes(message)


def test_garbled_bytes_never_kill_a_device(house: Any) -> None:
    twin = house.twin
    web = list(twin._web.values())
    devices = [twin.device(name) for name in ("ls372", "sgs100a", "smb100a", "anapico")]
    (triton,) = [d for d in twin._streamed.values() if getattr(d, "name", "") == "triton"]
    for message in garbled(np.random.default_rng(4), 3000):
        triton.handle(message)
        for device in devices:
            device.handle(message)
        try:
            size = request_size(message)
        except ValueError:
            size = None
        if size is not None and size <= len(message):
            for service in web:
                assert http_reply(service, message[:size]).startswith(b"HTTP/1.1 ")
        twin.clock.sleep(1e-3)
    assert triton.handle(b"READ:DEV:T6:TEMP:SIG:TEMP\r\n").startswith(b"STAT:DEV:T6")
    assert devices[0].handle(b"*IDN?").startswith(b"LSCI")

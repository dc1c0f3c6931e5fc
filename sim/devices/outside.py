"""Devices that are reached neither by VISA messages: byte streams, web services, files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from sim.devices.nanonis_stream import DeviceStream


class StreamDevice(Protocol):
    """Reached by a TCP connection of its own."""

    transactions: int
    """Requests received."""

    def connect(self) -> DeviceStream:
        """Return a new connection."""
        ...


@runtime_checkable
class WebDevice(Protocol):
    """Reached by HTTP."""

    transactions: int
    """Requests received."""
    latency: float
    """Time that a request and its answer need on the network, s."""

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes] | None:
        """Return status and body (JSON); None: no answer comes."""
        ...


@runtime_checkable
class LogWriter(Protocol):
    """Writes files that somebody else reads."""

    name: str

    def write(self, folder: Path) -> None:
        """Write all lines that are due and not yet in `folder`."""
        ...


class WebRequest(Protocol):
    """What a driver asks a web service (:class:`stm_daq.station.surroundings.Request`)."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def target(self) -> str: ...

    @property
    def body(self) -> bytes: ...

    @property
    def timeout(self) -> float: ...

    @property
    def method(self) -> str: ...

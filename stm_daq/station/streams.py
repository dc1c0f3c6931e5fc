"""How a driver of a TCP instrument gets its byte stream.

On the microscope it is a TCP connection. In a rehearsal the twin puts its own opener here, so that
station.yaml and driver stay the same.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class ByteStream(Protocol):
    """A connected, blocking byte stream."""

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        ...

    def receive(self, count: int) -> bytes:
        """Return exactly `count` bytes.

        Raises
        ------
        TimeoutError
            If they do not all arrive before the deadline.
        ConnectionError
            If the other side closed the connection.
        """
        ...

    def set_timeout(self, seconds: float) -> None:
        """Set the deadline of the following calls."""
        ...

    def close(self) -> None:
        """Close the stream; may be called twice."""
        ...


type Opener = Callable[[str, int, float], ByteStream]
"""(host, port, timeout in s) -> stream."""


class TcpStream:
    """A TCP connection with exact-length reads and without Nagle's delay."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._socket = socket.create_connection((host, port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._socket.sendall(data)

    def receive(self, count: int) -> bytes:
        """Return exactly `count` bytes."""
        chunks: list[bytes] = []
        missing = count
        while missing:
            chunk = self._socket.recv(min(missing, 1 << 20))
            if not chunk:
                raise ConnectionError("the instrument closed the connection")
            chunks.append(chunk)
            missing -= len(chunk)
        return b"".join(chunks)

    def set_timeout(self, seconds: float) -> None:
        """Set the deadline of the following calls."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


_opener: ContextVar[Opener] = ContextVar("opener", default=TcpStream)


def open_stream(host: str, port: int, timeout: float) -> ByteStream:
    """Connect to an instrument (or to its twin).

    Raises
    ------
    OSError
        If nobody answers.
    """
    return _opener.get()(host, port, timeout)


@contextmanager
def streams_from(opener: Opener) -> Iterator[None]:
    """Let `opener` make all streams inside the block; used by rehearsals."""
    token = _opener.set(opener)
    try:
        yield
    finally:
        _opener.reset(token)

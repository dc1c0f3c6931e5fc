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

from stm_daq.clock import RealClock


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
        self._timeout = timeout
        self._clock = RealClock()

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._socket.sendall(data)

    def receive(self, count: int) -> bytes:
        """Return exactly `count` bytes."""
        if count == 0:
            return b""
        data = self._some(count)
        return data if len(data) == count else self._rest(data, count)

    def set_timeout(self, seconds: float) -> None:
        """Set the deadline of the following calls."""
        self._timeout = seconds
        self._socket.settimeout(seconds)

    def _rest(self, data: bytes, count: int) -> bytes:
        """Wait for what is missing, all in all no longer than the time-out."""
        chunks, missing = [data], count - len(data)
        deadline = self._clock.now() + self._timeout
        try:
            while missing:
                left = deadline - self._clock.now()
                if left <= 0:
                    raise TimeoutError(f"{count - missing} of {count} bytes arrived")
                self._socket.settimeout(left)
                chunks.append(self._some(missing))
                missing -= len(chunks[-1])
        finally:
            self._socket.settimeout(self._timeout)
        return b"".join(chunks)

    def _some(self, most: int) -> bytes:
        chunk = self._socket.recv(min(most, 1 << 20))
        if not chunk:
            raise ConnectionError("the instrument closed the connection")
        return chunk

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

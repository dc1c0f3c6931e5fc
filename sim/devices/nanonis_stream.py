"""A byte stream that ends in a simulated device instead of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from stm_daq.clock import VirtualClock


class MessageDevice(Protocol):
    """A device that answers whole requests."""

    transactions: int

    def handle(self, request: bytes) -> bytes:
        """Return the reply; empty if none is due."""
        ...


class DeviceStream:
    """The client's end of a connection; bytes and time-outs behave as on a socket.

    Parameters
    ----------
    device : MessageDevice
    clock : VirtualClock
    latency : float
        Time that one request and its reply spend on the way, s.
    request_size : callable
        Number of bytes of the request that begins with the given bytes; None if more are needed
        to tell.
    """

    def __init__(
        self,
        device: MessageDevice,
        clock: VirtualClock,
        latency: float,
        request_size: Callable[[bytes], int | None],
    ) -> None:
        self._device = device
        self._clock = clock
        self._latency = latency
        self._request_size = request_size
        self._incoming = b""
        self._outgoing = b""
        self._timeout = 5.0
        self._overdue = False
        self._open = True

    def send(self, data: bytes) -> None:
        """Hand `data` to the device, which answers every request that is complete."""
        self._require_open()
        self._incoming += data
        while (size := self._request_size(self._incoming)) is not None:
            if len(self._incoming) < size:
                return
            request, self._incoming = self._incoming[:size], self._incoming[size:]
            began = self._clock.now()
            self._clock.sleep(self._latency)
            self._device.transactions += 1
            self._outgoing += self._device.handle(request)
            self._overdue = self._clock.now() - began > self._timeout

    def receive(self, count: int) -> bytes:
        """Return exactly `count` bytes.

        Raises
        ------
        TimeoutError
            If the device has not sent as many, or took longer than the time-out.
        """
        self._require_open()
        if self._overdue:
            self._overdue = False
            raise TimeoutError("the reply came after the time-out")
        if len(self._outgoing) < count:
            self._clock.sleep(self._timeout)
            raise TimeoutError(f"{len(self._outgoing)} of {count} bytes arrived")
        data, self._outgoing = self._outgoing[:count], self._outgoing[count:]
        return data

    def set_timeout(self, seconds: float) -> None:
        """Set the deadline of the following calls."""
        self._timeout = seconds

    def close(self) -> None:
        """Close the connection; nothing more can be sent or received."""
        self._open = False

    def _require_open(self) -> None:
        if not self._open:
            raise ConnectionError("the connection is closed")

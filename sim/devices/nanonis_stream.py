"""A byte stream that ends in a simulated device instead of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sim.faults import Faults
from sim.faults_bytes import spoilt
from stm_daq.clock import VirtualClock
from stm_daq.protocols import nanonis as protocol


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
        self._broken = False
        self._faults: Faults | None = None
        self._name = ""

    def suffer(self, faults: Faults, name: str) -> None:
        """Let the faults of the device `name` happen to what passes here."""
        self._faults, self._name = faults, name

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
            self._outgoing += self._reply(request)
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
        if len(self._outgoing) < count and self._broken:
            raise ConnectionError("the instrument closed the connection")
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

    def _reply(self, request: bytes) -> bytes:
        """Return what arrives of the device's reply."""
        fault = None if self._faults is None else self._faults.strike(self._name)
        if self._broken or (self._faults and self._faults.active("hang", self._name)):
            reply = b""
        elif fault is not None and fault.kind == "refusal":
            reply = _refused(request)
        else:
            reply = self._device.handle(request)
        if fault is None or self._faults is None:
            return reply
        self._faults.happened(fault, self._name)
        if fault.kind in ("dropped", "refused"):
            self._broken = True
        if fault.kind == "late":
            self._clock.call_at(self._clock.now() + fault.lasting, lambda: self._arrive(reply))
        return spoilt(reply, fault, self._faults.rng()) if reply else reply

    def _arrive(self, reply: bytes) -> None:
        self._outgoing += reply

    def _require_open(self) -> None:
        if not self._open:
            raise ConnectionError("the connection is closed")


def _refused(request: bytes) -> bytes:
    """Return how the device declines: an error block of Nanonis; others say nothing."""
    name = protocol.request_name(request)
    return (
        protocol.encode_reply(name, error="Execution error") if name in protocol.COMMANDS else b""
    )

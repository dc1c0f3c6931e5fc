"""Devices on a bus: what each message costs, what waits to be read, and who waits for nothing."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable

from pyvisa import rname

from sim.devices.scpi import QUERY_ERROR, Device
from stm_daq.clock import VirtualClock
from stm_daq.errors import SimulationLivelockError

LATENCY = {"GPIB": 3e-3, "TCPIP": 0.5e-3, "USB": 0.5e-3, "ASRL": 10e-3}
"""Duration of one transaction by interface, s."""
LIVELOCK = 20_000
"""So many identical answers in a row are no measurement but a loop that does not end."""
PATIENCE = 10.0
"""Queries further apart than this (virtual s) are no busy loop."""


class Port:
    """A device on the bus: its unread replies, its cost, its record."""

    def __init__(self, device: Device, latency: float, clock: VirtualClock) -> None:
        self.device = device
        self.replies: deque[bytes] = deque()
        self.transactions = 0
        self._latency = latency
        self._clock = clock
        self._repeats: dict[bytes, tuple[bytes, int, float]] = {}
        self._lock = threading.RLock()

    def send(self, message: bytes) -> None:
        """Pass a complete program message to the device."""
        with self._lock:
            self.transactions += 1
            self._clock.sleep(self._latency)
            device = self.device
            if self.replies and not device.QUEUES_REPLIES:
                self.replies.clear()
                device.refuse(QUERY_ERROR, -410, "Query INTERRUPTED")
            reply = device.handle(message.rstrip(b"\r\n"))
            if reply is not None:
                self.replies.append(reply)
            self._watch(message, reply)

    def poll(self) -> int:
        """Read the status byte by serial poll."""
        self.transactions += 1
        self._clock.sleep(self._latency)
        return self.device.status_byte(bool(self.replies))

    def clear(self) -> None:
        """Clear the bus interface of the device."""
        self.transactions += 1
        self._clock.sleep(self._latency)
        self.replies.clear()
        self.device.device_clear()

    def trigger(self) -> None:
        """Send a bus trigger."""
        self.transactions += 1
        self._clock.sleep(self._latency)
        self.device.trigger()

    def _watch(self, message: bytes, reply: bytes | None) -> None:
        """Raise when a driver repeats a query without end and nothing changes."""
        if reply is None:
            self._repeats.clear()
            return
        now = self._clock.now()
        before, count, when = self._repeats.get(message, (reply, 0, now))
        if before != reply or now - when > PATIENCE:
            self._repeats.clear()
            count = 0
        self._repeats[message] = (reply, count + 1, now)
        if count >= LIVELOCK:
            query = message.decode("latin-1").strip()
            raise SimulationLivelockError(
                f"{self.device.name} gave the same answer to '{query}' {count} times in a row; "
                "the driver waits for something that never happens and has no deadline"
            )


class Bus:
    """The devices of one twin, by VISA address.

    Parameters
    ----------
    clock : VirtualClock
    on_open : callable
        Called whenever a driver opens an instrument.
    """

    def __init__(self, clock: VirtualClock, on_open: Callable[[], None] = lambda: None) -> None:
        self.clock = clock
        self.on_open = on_open
        self.ports: dict[str, Port] = {}
        self.name = f"twin{next(_numbers)}"

    def connect(self, address: str, device: Device) -> Port:
        """Put a device on the bus.

        Raises
        ------
        pyvisa.rname.InvalidResourceName
            If `address` is no VISA address.
        """
        parsed = rname.ResourceName.from_string(address)
        port = Port(device, LATENCY.get(parsed.interface_type_const.name.upper(), 3e-3), self.clock)
        self.ports[str(parsed)] = port
        return port


_numbers = itertools.count(1)

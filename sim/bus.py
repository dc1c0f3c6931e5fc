"""Devices on a bus: what each message costs, what waits to be read, who waits, and what goes wrong."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable

import numpy as np
from pyvisa import rname

from sim.devices.scpi import EXECUTION_ERROR, QUERY_ERROR, Device
from sim.faults import Fault, Faults
from sim.faults_bytes import spoilt
from stm_daq.clock import VirtualClock
from stm_daq.errors import SimulationLivelockError

LATENCY = {"GPIB": 3e-3, "TCPIP": 0.5e-3, "USB": 0.5e-3, "ASRL": 10e-3}
"""Duration of one transaction by interface, s."""
LIVELOCK = 20_000
"""So many identical answers in a row are no measurement but a loop that does not end."""
PATIENCE = 10.0
"""Queries further apart than this (virtual s) are no busy loop."""


class NotTakenError(Exception):
    """The device does not take the message."""


class ConnectionBrokenError(Exception):
    """There is no connection to the device any more."""


class Port:
    """A device on the bus: its unread replies, its cost, its record.

    Parameters
    ----------
    device : Device
    latency : float
        Of one transaction, s.
    board : str
        What hangs together: the GPIB board, or the device's own address.
    faults : Faults
    """

    def __init__(self, device: Device, latency: float, board: str, faults: Faults) -> None:
        self.device = device
        self.board = board
        self.connection = 0
        """Number of the present connection; sessions of earlier ones are dead."""
        self._faults = faults
        self._exchange = 0
        self.neighbours: tuple[str, ...] = (device.name,)
        """Names of all devices of the board."""
        self.replies: deque[bytes] = deque()
        self.transactions = 0
        self._latency = latency
        self._clock = faults.clock
        self._repeats: dict[bytes, tuple[bytes, int, float]] = {}
        self._lock = threading.RLock()

    def send(self, message: bytes) -> None:
        """Pass a complete program message to the device.

        Raises
        ------
        NotTakenError, ConnectionBrokenError
            By a fault.
        """
        with self._lock:
            self.transactions += 1
            self._clock.sleep(self._latency)
            device = self.device
            fault = self._faults.strike(device.name)
            if fault is not None and self._unheard(fault):
                return
            if self.hangs():
                raise NotTakenError
            if self.replies and not device.QUEUES_REPLIES:
                self.replies.clear()
                device.refuse(QUERY_ERROR, -410, "Query INTERRUPTED")
            reply = device.handle(message.rstrip(b"\r\n"))
            if reply is not None:
                self._answer(reply, fault)
            self._watch(message, reply)

    def hangs(self) -> bool:
        """Whether the device, or another one of its board, takes nothing."""
        return any(self._faults.active("hang", name) for name in self.neighbours)

    def opened(self) -> int | None:
        """Begin a new connection and return its number; None: it is refused."""
        if self._faults.active("refused", self.device.name):
            return None
        self.forget()
        return self.connection

    def forget(self) -> None:
        """Drop the replies that wait, and those that are still to come."""
        self._exchange += 1
        self.replies.clear()

    def _unheard(self, fault: Fault) -> bool:
        """Let a fault keep the message from the device; return whether one did."""
        match fault.kind:
            case "refusal":
                self.device.refuse(EXECUTION_ERROR, -200, "Execution error")
            case "hang":
                pass
            case "refused" | "dropped":
                self.connection += 1
            case _:
                return False
        self._faults.happened(fault, self.device.name)
        if fault.kind == "hang":
            raise NotTakenError
        if fault.kind != "refusal":
            raise ConnectionBrokenError
        return True

    def _answer(self, reply: bytes, fault: Fault | None) -> None:
        """Send a reply on its way, where a fault may spoil it."""
        if fault is None:
            self.replies.append(reply)
            return
        self._faults.happened(fault, self.device.name)
        arrives = spoilt(reply, fault, self._faults.rng())
        if arrives:
            self.replies.append(arrives)
        if fault.kind == "late":
            self._clock.call_at(self._clock.now() + fault.lasting, self._late(reply))

    def _late(self, reply: bytes) -> Callable[[], None]:
        exchange = self._exchange

        def arrive() -> None:
            if exchange == self._exchange:
                self.replies.append(reply)

        return arrive

    def poll(self) -> int:
        """Read the status byte by serial poll."""
        self.transactions += 1
        self._clock.sleep(self._latency)
        return self.device.status_byte(bool(self.replies))

    def clear(self) -> None:
        """Clear the bus interface of the device."""
        self.transactions += 1
        self._clock.sleep(self._latency)
        if self.hangs():
            raise NotTakenError
        self.forget()
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
    faults : Faults, optional
        What goes wrong on the way; by default nothing.
    """

    def __init__(
        self,
        clock: VirtualClock,
        on_open: Callable[[], None] = lambda: None,
        faults: Faults | None = None,
    ) -> None:
        self.clock = clock
        self._faults = faults or Faults(clock, np.random.default_rng)
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
        kind = parsed.interface_type_const.name.upper()
        board = str(parsed).partition("::")[0] if kind == "GPIB" else str(parsed)
        port = Port(device, LATENCY.get(kind, 3e-3), board, self._faults)
        self.ports[str(parsed)] = port
        together = [other for other in self.ports.values() if other.board == board]
        for other in together:
            other.neighbours = tuple(neighbour.device.name for neighbour in together)
        return port


_numbers = itertools.count(1)

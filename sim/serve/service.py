"""Everything that a twin serves: started together, stopped together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from sim.bus import Bus
from sim.serve.scpi import scpi_server
from sim.serve.server import Place, TcpServer
from stm_daq.clock import PacedClock
from stm_daq.errors import BadInputError

log = logging.getLogger(__name__)

PORTS_EACH = 10
"""Ports set aside for every device with an interface of its own."""
HEARTBEAT = 0.1
"""How often the world goes on by itself, real s."""


class Servable(Protocol):
    """A device with a TCP interface of its own."""

    def servers(self, place: Place) -> Sequence[TcpServer]:
        """Return its servers, not started yet."""
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """One row of the table: which device speaks what where."""

    name: str
    protocol: str
    host: str
    ports: tuple[int, ...]


class Service:
    """The TCP side of a twin; a context manager.

    Parameters
    ----------
    clock : PacedClock
        On which the twin's world lives.
    devices : mapping of str to Servable
        Those with an interface of their own.
    bus : Bus
        The message-based ones.
    tick : callable
        Called ten times a second in a turn of its own, for what happens without being asked.
    host : str
    first_port : int
        The devices get the ports from here on; 0: any free ones.
    """

    def __init__(
        self,
        clock: PacedClock,
        devices: dict[str, Servable],
        bus: Bus,
        tick: Callable[[], None],
        host: str = "127.0.0.1",
        first_port: int = 0,
    ) -> None:
        self._clock = clock
        self._tick = tick
        self._stopping = threading.Event()
        self._servers: list[tuple[str, TcpServer]] = []
        place = Place(host, first_port, clock)
        for name, device in devices.items():
            self._servers += [(name, server) for server in device.servers(place)]
            place = Place(host, place.port(PORTS_EACH), clock)
        for number, port in enumerate(bus.ports.values()):
            self._servers.append((port.device.name, scpi_server(port, place, number)))

    def __enter__(self) -> Self:
        """Listen on all ports.

        Raises
        ------
        BadInputError
            If one of them is taken.
        """
        for name, server in self._servers:
            try:
                server.start()
            except OSError as error:
                self._stop()
                raise BadInputError(
                    f"{name}: cannot listen at {server.host}:{server.port} ({error}); "
                    "choose other ports with --port"
                ) from None
        threading.Thread(target=self._beat, name="world", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect everybody."""
        self._stop()

    @property
    def table(self) -> list[Served]:
        """Return what listens where, once started."""
        rows: dict[tuple[str, str], Served] = {}
        for name, server in self._servers:
            ports = rows[name, server.protocol].ports if (name, server.protocol) in rows else ()
            row = Served(name, server.protocol, server.host, (*ports, server.port))
            rows[name, server.protocol] = row
        return list(rows.values())

    def _stop(self) -> None:
        self._stopping.set()
        self._clock.stop()
        for _, server in self._servers:
            server.stop()

    def _beat(self) -> None:
        while not self._stopping.wait(HEARTBEAT):
            with self._clock.turn():
                self._tick()

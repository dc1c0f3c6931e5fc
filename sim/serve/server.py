"""TCP servers for simulated devices: one thread a client, messages one after the other.

A device with a TCP interface of its own has a method::

    def servers(self, place: Place) -> list[TcpServer]:
        return [MessageServer("HTTP", place, 0, size=request_size, answer=self.handle)]

The servers are started and stopped by :class:`sim.serve.service.Service`.
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from stm_daq.clock import PacedClock
from stm_daq.errors import ClockStoppedError

log = logging.getLogger(__name__)

STOP_POLL = 0.2
"""How often a waiting server looks whether it should stop, real s."""
CHUNK = 1 << 16
LARGEST_MESSAGE = 1 << 22
"""A client that sends more without completing a message (bytes) is disconnected."""
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device may listen, and on what time it lives."""

    host: str
    first_port: int
    """The device may take ten ports from here; 0: any free ones."""
    clock: PacedClock

    def port(self, number: int) -> int:
        """Return the port with this number, from 0."""
        return self.first_port + number if self.first_port else 0


class TcpServer(ABC):
    """Listens on one port.

    Parameters
    ----------
    protocol : str
        For the table that the user sees, such as "Nanonis" or "SCPI".
    place : Place
    number : int
        Which of the ports of `place`.
    clients : int
        How many may be connected; one more is disconnected at once.
    """

    def __init__(self, protocol: str, place: Place, number: int = 0, clients: int = 4) -> None:
        self.protocol = protocol
        self.clock = place.clock
        self.host = place.host
        self.port = place.port(number)
        """After :meth:`start` the real one."""
        self._most = clients
        self._listener: socket.socket | None = None
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    @abstractmethod
    def talk(self, client: socket.socket) -> None:
        """Serve one client until it leaves; runs in a thread of its own.

        Whatever touches a device does so inside ``with self.clock.turn():``.
        """

    def start(self) -> None:
        """Listen.

        Raises
        ------
        OSError
            If the port is taken.
        """
        self._listener = socket.create_server((self.host, self.port))
        self._listener.settimeout(STOP_POLL)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"port {self.port}", daemon=True).start()

    def stop(self) -> None:
        """Disconnect everybody and listen no longer; may be called twice."""
        self._stopping.set()
        if self._listener is not None:
            self._listener.close()
        with self._lock:
            for client in self._clients:
                _hang_up(client)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and not self._stopping.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return  # closed by stop()
            if self._admit(client):
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _admit(self, client: socket.socket) -> bool:
        with self._lock:
            if len(self._clients) < self._most and not self._stopping.is_set():
                self._clients.add(client)
                return True
        # a reset, not an orderly end: the client shall know that it was turned away
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.close()
        return False

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(None)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.clock.while_wanted(lambda: _is_there(client)):
                self.talk(client)
        except (OSError, ClockStoppedError) as reason:
            log.info("port %d: a client left (%s)", self.port, reason)
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()


class MessageServer(TcpServer):
    """Answers complete messages in the order in which they come.

    Parameters
    ----------
    size : callable
        Number of bytes of the message that begins with the given bytes; None if more are needed to
        tell. A ValueError disconnects the client.
    answer : callable
        Carries a message out in a turn of its own and returns the reply, b"" if there is none. It
        must not raise.
    """

    def __init__(
        self,
        protocol: str,
        place: Place,
        number: int,
        size: Callable[[bytes], int | None],
        answer: Callable[[bytes], bytes],
        clients: int = 4,
    ) -> None:
        super().__init__(protocol, place, number, clients)
        self._size = size
        self._answer = answer

    def talk(self, client: socket.socket) -> None:
        """Answer messages until the client leaves or its bytes make no sense."""
        pending = b""
        while chunk := client.recv(CHUNK):
            pending += chunk
            try:
                while (size := self._size(pending)) is not None and len(pending) >= size:
                    message, pending = pending[:size], pending[size:]
                    with self.clock.turn():
                        reply = self._answer(message)
                    client.sendall(reply)
            except ValueError as nonsense:
                log.info("port %d: a client was disconnected: %s", self.port, nonsense)
                return
            if len(pending) > LARGEST_MESSAGE:
                log.info("port %d: a message too large; client disconnected", self.port)
                return


def _is_there(client: socket.socket) -> bool:
    """Tell whether a client that waits for its answer has not left."""
    client.setblocking(False)
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        client.setblocking(True)


def _hang_up(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_RDWR)
    except OSError as gone:
        log.debug("a client had gone already (%s)", gone)

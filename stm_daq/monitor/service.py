"""What servers and clients share: where they listen, a thread that does not give up, an orderly end."""

from __future__ import annotations

import errno
import ipaddress
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import zmq

from stm_daq.errors import BadInputError

PORTS = 3
"""Live messages, history, control: three ports in a row."""
_TRIES = 20
_LAST_PORT = 65_535
_PAUSE = 1.0
"""Before a server that failed begins anew, s."""

type Socket = zmq.Socket[bytes]

_log = logging.getLogger(__name__)


class Scope:
    """What is closed at the end of a ``with`` block."""

    def close(self) -> None:
        """Leave."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_loopback(listen: str) -> bool:
    """Tell whether an address reaches this computer only.

    Raises
    ------
    BadInputError
        If it is no address.
    """
    try:
        return ipaddress.ip_address(listen).is_loopback
    except ValueError:
        raise BadInputError(
            f"'{listen}' is no address: write 127.0.0.1 for this computer only, 0.0.0.0 for every "
            "network, or the address of one network card"
        ) from None


def endpoint(listen: str, port: int) -> str:
    """Write a host and a port as ZeroMQ does."""
    host = f"[{listen}]" if ":" in listen else listen
    return f"tcp://{host}:{port}"


def neighbour(address: str, offset: int) -> str:
    """Return the address `offset` ports further on.

    Raises
    ------
    BadInputError
        If `address` has no port.
    """
    host, colon, port = address.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    if not (colon and host.startswith("tcp://") and 0 < number <= _LAST_PORT - offset):
        raise BadInputError(
            f"'{address}' is no address; write for example tcp://127.0.0.1:5550"
        ) from None
    return f"{host}:{number + offset}"


def bind_in_a_row(sockets: list[Socket], listen: str, port: int) -> int:
    """Bind sockets to as many ports in a row, from `port` or the next free ones; 0: any.

    Returns
    -------
    int
        The first port.

    Raises
    ------
    BadInputError
        If there are none.
    """
    for number in range(_TRIES):
        bound: list[tuple[Socket, str]] = []
        first = port + PORTS * number
        try:
            for offset, socket in enumerate(sockets):
                wanted = endpoint(listen, first + offset) if port or offset else ""
                socket.bind(wanted or f"{endpoint(listen, 0)[:-1]}*")
                bound.append((socket, socket.getsockopt_string(zmq.LAST_ENDPOINT)))
                if offset == 0:
                    first = int(bound[0][1].rpartition(":")[2])
        except zmq.ZMQError as error:
            for socket, where in bound:
                socket.unbind(where)
            if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EINVAL):
                raise BadInputError(f"{listen}, port {first}: {error}") from None
            continue
        return first
    raise BadInputError(f"no free ports from {port} on: give another one with --port")


@dataclass(frozen=True)
class Service:
    """A thread that serves one socket; when that fails it begins anew, and nobody else notices.

    Parameters
    ----------
    name : str
    open_socket : callable
        Makes the socket again, bound, after a failure.
    serve : callable
        Serves a socket until `leave` is set.
    closing : threading.Event
        Whether this is for ever.
    leave : threading.Event
    """

    name: str
    open_socket: Callable[[], Socket]
    serve: Callable[[Socket], None]
    closing: threading.Event
    leave: threading.Event

    def start(self, socket: Socket) -> threading.Thread:
        """Begin to serve a bound socket."""
        thread = threading.Thread(target=self._run, args=(socket,), name=self.name, daemon=True)
        thread.start()
        return thread

    def _run(self, socket: Socket | None) -> None:
        while not self.closing.is_set():
            try:
                socket = socket or self.open_socket()
                self.serve(socket)
            except Exception:  # noqa: BLE001 - logged with its traceback; the run must not notice
                _log.exception("the %s server failed and begins anew; the run goes on", self.name)
            finally:
                if socket is not None:
                    socket.close(linger=1000 if self.closing.is_set() else 0)
                    socket = None
            if not self.closing.wait(_PAUSE):
                self.leave.clear()

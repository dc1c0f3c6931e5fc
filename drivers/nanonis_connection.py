"""One connection to a Nanonis controller: commands out, checked replies in.

Whatever goes wrong on the way, the connection is closed and opened anew for the next command, so
that a late reply is never taken for the answer to another question. Commands that only read are
then repeated once. Commands that change something are not: they may have been carried out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from stm_daq.errors import InstrumentError
from stm_daq.protocols import nanonis as protocol
from stm_daq.station.streams import ByteStream, open_stream

log = logging.getLogger(__name__)


class ConnectionLostError(InstrumentError):
    """No trustworthy reply came; a command that was sent may or may not have been carried out."""


class NanonisConnection:
    """Exchanges commands and replies with the controller.

    Parameters
    ----------
    host : str
    port : int
    timeout : float
        Longest wait for a reply, beyond the time that the command itself takes, s.
    reconnected : callable
        Called after every connection but the first, before anything is sent: whatever was known
        of the controller may have changed.
    """

    def __init__(
        self, host: str, port: int, timeout: float, reconnected: Callable[[], None]
    ) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout
        self._reconnected = reconnected
        self._deadline = timeout
        self._stream: ByteStream | None = None
        self._connections = 0

    def open(self) -> None:
        """Connect, unless connected already.

        Raises
        ------
        ConnectionLostError
            If nobody answers.
        """
        if self._stream is not None:
            return
        try:
            self._stream = open_stream(self._host, self._port, self._timeout)
        except OSError as error:
            raise ConnectionLostError(
                f"no connection to the Nanonis controller at {self._host}:{self._port} ({error}); "
                "is its software running, and the programming interface switched on?"
            ) from error
        self._deadline = self._timeout
        self._connections += 1
        if self._connections > 1:
            log.warning("connected to the Nanonis controller anew")
            self._reconnected()

    def close(self) -> None:
        """Disconnect; may be called twice."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def call(self, name: str, *arguments: Any, duration: float = 0.0) -> tuple[Any, ...]:
        """Carry out one command and return its return values.

        Parameters
        ----------
        name : str
            Such as ``"ZCtrl.OnOffGet"``; must be in the protocol's table.
        arguments
            As the table has them.
        duration : float
            Time that the command takes by itself (a move, a wait), s.

        Raises
        ------
        ConnectionLostError
            If no trustworthy reply came before the deadline.
        InstrumentError
            If the controller reports an error.
        """
        request = protocol.encode_request(name, *arguments)
        tries = 2 if protocol.COMMANDS[name].only_reads else 1
        while True:
            tries -= 1
            self.open()
            try:
                values, error = self._exchange(name, request, self._timeout + duration)
            except (OSError, protocol.ProtocolError) as fault:
                self.close()
                if tries:
                    log.warning("%s: %s; asking once more", name, fault)
                    continue
                raise ConnectionLostError(
                    f"{name}: no trustworthy reply from the Nanonis controller ({fault})"
                ) from fault
            if error:
                raise InstrumentError(f"the Nanonis controller refused {name}: {error}")
            return values

    def _exchange(self, name: str, request: bytes, deadline: float) -> tuple[tuple[Any, ...], str]:
        stream = self._stream
        if stream is None:
            raise ConnectionError("not connected")
        if deadline != self._deadline:
            stream.set_timeout(deadline)
            self._deadline = deadline
        stream.send(request)
        header = stream.receive(protocol.HEADER_SIZE)
        body = stream.receive(protocol.body_size(header))
        return protocol.decode_reply(name, header + body)

"""Listen to a run: what arrives, what was lost, and how long it has been silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import zmq

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.messages import LARGEST_ARRAY, Message, MessageError, decode

STALE = 3.0
"""Silence (s) after which a run counts as stale: a live publisher speaks every second."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Messages that never arrived: the numbering has a gap."""

    count: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that cannot be believed was thrown away."""

    reason: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing has come; told every `tick`."""

    seconds: float
    """Since the last message, or since the connection was asked for."""
    heard: bool
    """Whether there was any message so far."""

    @property
    def stale(self) -> bool:
        """Whether what was heard before must be taken as old."""
        return self.heard and self.seconds >= STALE


type Item = Message | Missed | Refused | Silence


def connect(address: str, tick: float = 0.5) -> Iterator[Item]:
    """Listen to a publisher, without end; reconnects by itself.

    Parameters
    ----------
    address : str
        Such as ``tcp://127.0.0.1:5550``; nobody needs to be there yet.
    tick : float
        How long (s) to wait for a message before :class:`Silence` is told.

    Yields
    ------
    Message, Missed, Refused or Silence

    Raises
    ------
    BadInputError
        If `address` is no address.
    """
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    try:
        socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_ARRAY)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            raise BadInputError(
                f"'{address}' is no address ({error}); write for example tcp://127.0.0.1:5550"
            ) from None
        yield from _listen(socket, tick)
    finally:
        context.destroy(linger=0)


def _listen(socket: zmq.Socket[bytes], tick: float) -> Iterator[Item]:
    clock = RealClock()
    last = clock.now()
    before: Message | None = None
    while True:
        if not socket.poll(int(tick * 1000)):
            yield Silence(clock.now() - last, before is not None)
            continue
        try:
            message = decode(socket.recv_multipart())
        except MessageError as error:
            yield Refused(str(error))
            continue
        last = clock.now()
        if before is not None and message.boot == before.boot and message.seq > before.seq + 1:
            yield Missed(message.seq - before.seq - 1)
        before = message
        yield message

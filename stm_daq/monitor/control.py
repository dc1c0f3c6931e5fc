"""The socket that takes commands: one order, one answer, and nothing that was heard before.

Every order carries a challenge that this server gave to the same connection shortly before, and
that is then used up: an order that somebody recorded is of no use. With keys the connection says who
commands; without, on this computer only, the order is signed with a token that only the run's owner
can read.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import zmq

from stm_daq.clock import Clock
from stm_daq.monitor.alerts.letter import plain
from stm_daq.monitor.messages import VERSION
from stm_daq.monitor.orders import (
    COMMANDS,
    HELLO,
    LARGEST_ORDER,
    LONGEST_ARGUMENT,
    Answer,
    Confirmation,
    Desk,
    Order,
    signature,
)
from stm_daq.monitor.refusals import Allowance, Refusals
from stm_daq.monitor.service import Socket

GOOD_FOR = 30.0
"""A challenge is good for so long, s."""
BURST, EVERY = 10, 2.0
"""Commands of one person: so many at once, then one in this time (s)."""
_CHALLENGES = 64
_TICK = 100
LOCAL = "somebody at this computer"

_log = logging.getLogger(__name__)


class ControlServer:
    """Answers orders; see :class:`stm_daq.monitor.publisher.Publisher`.

    Parameters
    ----------
    boot : str
        Of the publisher.
    clock : Clock
    refusals : Refusals
    leave : threading.Event
        Set when the socket is to be closed.
    is_operator : callable, optional
        Whether a key of this name still may command; None: there are no keys, a token is used.
    """

    def __init__(
        self,
        boot: str,
        clock: Clock,
        refusals: Refusals,
        leave: threading.Event,
        is_operator: Callable[[str], bool] | None,
    ) -> None:
        self.token = secrets.token_hex(32)
        self.desk: Desk | None = None
        self.folder: Path | None = None
        self._boot = boot
        self._clock = clock
        self._refusals = refusals
        self._leave = leave
        self._is_operator = is_operator
        self._challenges: dict[bytes, tuple[str, float]] = {}
        self._allowances: dict[str, Allowance] = {}

    def serve(self, socket: Socket) -> None:
        """Answer until it is time to leave."""
        while not self._leave.is_set():
            if not socket.poll(_TICK):
                continue
            frames = socket.recv_multipart(copy=False)
            who = _user(frames[-1]) if self._is_operator else LOCAL
            answer = self.answer([bytes(frame.buffer) for frame in frames], who)
            try:
                socket.send_multipart([bytes(frames[0].buffer), answer], flags=zmq.NOBLOCK)
            except zmq.ZMQError as error:
                _log.info("an operator has left before the answer: %s", error)

    def answer(self, frames: list[bytes], who: str) -> bytes:
        """Do what a message asks for; return the answer.

        Parameters
        ----------
        frames : list of bytes
            The identity of the connection, and what was received.
        who : str
            Name of the key, or :data:`LOCAL`.
        """
        try:
            if len(frames) != 2 or len(frames[1]) > LARGEST_ORDER:
                raise ValueError("an order is one frame")
            order = msgspec.json.decode(frames[1], type=Order)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            done = self._refuse(who, "", "this is no order")
        else:
            done = self._judge(frames[0], order, who)
        folder = str(self.folder or "") if self._is_operator is None else ""
        challenge = self._challenge(frames[0])
        return msgspec.json.encode(
            Answer(VERSION, self._boot, done.accepted, done.text, challenge, folder)
        )

    def _judge(self, connection: bytes, order: Order, who: str) -> Confirmation:
        if order.command == HELLO:
            return Confirmation(True, "welcome")
        challenge, given = self._challenges.pop(connection, ("", 0.0))
        known = bool(challenge) and hmac.compare_digest(
            challenge.encode(), order.challenge.encode(errors="replace")
        )
        if not known or self._clock.now() - given > GOOD_FOR:
            text = "heard before or too late: ask again with a new challenge"
            return self._refuse(who, order.command, text)
        if self._is_operator is None:
            mac = signature(self.token, self._boot, order)
            if not hmac.compare_digest(mac.encode(), order.mac.encode(errors="replace")):
                return self._refuse(who, order.command, "the token of the run is wrong or missing")
        elif not self._is_operator(who):
            return self._refuse(who, order.command, "this key may no longer command")
        return self._carry_out(order, who)

    def _carry_out(self, order: Order, who: str) -> Confirmation:
        if not self._allowance(who).take():
            return self._refuse(who, order.command, "too many commands: wait a little")
        if order.command not in COMMANDS:
            text = f"there is no such command (known: {', '.join(COMMANDS)})"
            return self._refuse(who, order.command, text)
        if len(order.argument) > LONGEST_ARGUMENT:
            return self._refuse(who, order.command, "the text is too long")
        if self.desk is None:
            return Confirmation(False, "no run is going on")
        return self.desk.carry_out(who, order.command, order.argument)

    def _refuse(self, who: str, command: str, text: str) -> Confirmation:
        shown = plain(command, 40)  # must not forge lines of the log
        self._refusals.note(f"{who}, command '{shown}': {text}", {"who": who, "command": shown})
        return Confirmation(False, text)

    def _challenge(self, connection: bytes) -> str:
        self._challenges.pop(connection, None)
        while len(self._challenges) >= _CHALLENGES:
            del self._challenges[next(iter(self._challenges))]
        challenge = secrets.token_hex(16)
        self._challenges[connection] = (challenge, self._clock.now())
        return challenge

    def _allowance(self, who: str) -> Allowance:
        if who not in self._allowances:
            self._allowances[who] = Allowance(self._clock, BURST, EVERY)
        return self._allowances[who]


def _user(frame: zmq.Frame) -> str:
    """Return whose key the connection has; the gate has checked it."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""

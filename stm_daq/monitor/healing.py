"""How a viewer makes up for what it missed: live messages wait until the past is known."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

import msgspec
import zmq

from stm_daq.clock import Clock
from stm_daq.monitor.bodies import Body, End, Heartbeat
from stm_daq.monitor.history import Request
from stm_daq.monitor.messages import VERSION, Message
from stm_daq.monitor.service import Socket
from stm_daq.records import RunStarted

PATIENCE = 5.0
"""After so long (s) without an answer live messages are passed on as they are, and it is asked again."""
PAUSE = 0.2
"""Between an answer and the next question, s."""
_MOST = 10_000
"""Messages that wait, at most."""


class Healing:
    """Puts live messages and answers of the history socket into an order without gaps.

    Parameters
    ----------
    clock : Clock

    Attributes
    ----------
    ready : deque of Message
        To be passed on.
    answers : dict
        Answers about single spectra, by number of the request.
    """

    def __init__(self, clock: Clock) -> None:
        self.ready: deque[Message] = deque()
        self.answers: dict[int, list[Body]] = {}
        self._clock = clock
        self._boot, self._seq, self._dropped = "", -1, 0
        self._needed = True
        self._number = 0
        self._pending: int | None = None
        self._single: set[int] = set()
        self._since = self._next = clock.now()
        self._gap = self._passed = -1
        self._held: list[Message] = []
        self._parts: list[Message] = []
        self._reached = End(0)
        self._of = ("", "")

    def live(self, message: Message) -> int:
        """Take in a live message; return how many were missed before it."""
        missed = 0
        if message.boot != self._boot:
            self._begin(message)
        elif message.seq <= self._seq:
            return 0  # heard before, or told by the history
        else:
            missed = message.seq - self._seq - 1
        self._seq = message.seq
        lost = isinstance(message.body, Heartbeat) and message.body.dropped > self._dropped
        if isinstance(message.body, Heartbeat):
            self._dropped = message.body.dropped
        if missed or lost:
            self._need(message.seq if lost else message.seq - 1)
        if isinstance(message.body, RunStarted):
            # a run that was killed has stored more than it told before it was resumed
            self._need(message.seq)
        if isinstance(message.body, Heartbeat):
            self.ready.append(message)
        elif self._needed:
            self._held.append(message)
        else:
            self._pass_on([message])
        return missed

    def history(self, message: Message) -> None:
        """Take in a piece of an answer."""
        self._parts.append(message)
        if len(self._parts) > _MOST:
            self._parts.clear()
        if not isinstance(message.body, End):
            return
        parts, self._parts = self._parts[:-1], []
        number = message.body.request
        if number in self._single:
            self._single.discard(number)
            self.answers[number] = [part.body for part in reversed(parts)]
        elif number == self._pending or (self._needed and message.seq >= self._passed):
            # the second: so late that it was asked again, and yet newer than all that was passed on
            self._heal(parts, message, message.body)

    def forget_answer(self) -> None:
        """Drop what has come of an answer: it is asked again."""
        self._parts.clear()
        self._pending = None

    def ask_if_necessary(self, socket: Socket) -> None:
        """Ask for what is missing, unless it was asked for already."""
        if not self._needed or self._pending is not None or self._clock.now() < self._next:
            return
        since, (boot, run) = self._reached, self._of
        request = Request(
            VERSION, "run", self._number + 1, boot, run, since.cells, since.rows, since.events
        )
        with suppress(zmq.Again):  # nobody there yet
            socket.send(msgspec.json.encode(request), flags=zmq.NOBLOCK)
            self._number += 1
            self._pending, self._since = self._number, self._clock.now()

    def ask_spectrum(self, socket: Socket, site: int) -> int:
        """Ask for the spectrum of a site; return the number of the request."""
        self._number += 1
        request = Request(VERSION, "spectrum", self._number, site=site)
        with suppress(zmq.Again):
            socket.send(msgspec.json.encode(request), flags=zmq.NOBLOCK)
            self._single.add(self._number)
        return self._number

    def give_up_waiting(self) -> None:
        """Pass on what waits if there is no answer for too long; it is asked again."""
        late = self._clock.now() - self._since > PATIENCE
        if late or len(self._held) > _MOST:
            self._pending = None
            self._since = self._clock.now()
            self._pass_on(self._held)
            self._held.clear()

    def _pass_on(self, messages: list[Message]) -> None:
        """Let live messages through; what is older must not come after them."""
        self.ready.extend(messages)
        self._passed = max([self._passed, *(message.seq for message in messages)])

    def _begin(self, message: Message) -> None:
        """Listen to another publisher than before, or to the first."""
        if self._boot:  # whoever was asked is gone
            self._pending = None
            self._parts.clear()
        self._boot, self._dropped = message.boot, 0
        self._held.clear()
        self._passed = -1
        self._reached, self._of = End(0), ("", "")
        self._need(-1)

    def _need(self, gap: int) -> None:
        """Something up to message `gap` is missing."""
        if not self._needed:
            self._since = self._clock.now()
        self._needed, self._gap = True, gap

    def _heal(self, parts: list[Message], last: Message, reached: End) -> None:
        """Pass on the past, and then what has come since."""
        self._pending = None
        self._next = self._clock.now() + PAUSE
        if reached.problem or (self._boot and last.boot != self._boot):
            return
        self._boot, self._of = last.boot, (last.boot, last.run)
        self._reached = reached
        self._seq = max(self._seq, last.seq)
        self.ready.extend(parts)
        self._held = [message for message in self._held if message.seq > last.seq]
        self._needed = self._gap > last.seq  # something was missed after the answer was given
        if not self._needed:
            self._pass_on(self._held)
            self._held.clear()

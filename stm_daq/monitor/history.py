"""The socket that tells what was missed: the run so far, and any spectrum of it.

A server of its own reads the journal, so that neither the run nor the live messages wait for it.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec
import zmq

from stm_daq.clock import Clock
from stm_daq.errors import StmDaqError
from stm_daq.monitor.bodies import Body, End, Hello
from stm_daq.monitor.live import Live
from stm_daq.monitor.messages import Message
from stm_daq.monitor.news import sendable
from stm_daq.monitor.service import Socket
from stm_daq.monitor.view import RunView
from stm_daq.records import Fit, Spectrum

LARGEST_REQUEST = 1024
"""Bytes."""
_REST = 3.0
"""After an answer the server rests for so many times as long as it took: the run comes first."""
_TICK = 100
_MOST_WAITING = 1000
"""Questions in line; further ones wait in the socket."""

_log = logging.getLogger(__name__)


type _Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
"""What a journal can count."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a viewer may ask."""

    v: Literal[2]
    ask: Literal["hello", "run", "spectrum"]
    request: int
    """A number of the viewer's choice; comes back with the end of the answer."""
    boot: str = ""
    """Of the publisher and run for which the numbers below are good; otherwise all is sent."""
    run: str = ""
    cells: _Count = 0
    rows: _Count = 0
    events: _Count = 0
    site: _Count = 0
    """Whose spectrum is wanted."""


class Past(Protocol):
    """Reads the journal of a run."""

    def update(self, view: RunView) -> None:
        """Apply everything to `view` that was stored since the last time."""
        ...

    def spectrum(self, site: int) -> tuple[Spectrum | Fit, ...]:
        """Return the latest spectrum of a site and its fit, as far as there are any."""
        ...


type OpenPast = Callable[[Path], Past]
"""Opens the past of the run in a folder."""


class HistoryServer:
    """Answers requests; see :class:`stm_daq.monitor.publisher.Publisher`.

    Parameters
    ----------
    hello : Hello
        Without the folder of the run.
    live : Live
    clock : Clock
    leave : threading.Event
        Set when the socket is to be closed.
    open_past : callable, optional
        None: only what live messages told is known.
    """

    def __init__(
        self,
        hello: Hello,
        live: Live,
        clock: Clock,
        leave: threading.Event,
        open_past: OpenPast | None,
    ) -> None:
        self.folder: Path | None = None
        self.answered = -math.inf
        """When the latest answer was finished, clock time."""
        self._hello = hello
        self._live = live
        self._clock = clock
        self._leave = leave
        self._open_past = open_past
        self._past: Past | None = None
        self._read: Path | None = None
        self._view = RunView()
        self._rest = _REST
        self._waiting: dict[tuple[bytes, str], list[bytes]] = {}

    def hurry(self) -> None:
        """Rest no more between answers: there is no run any longer that comes first."""
        self._rest = 0.0

    def serve(self, socket: Socket) -> None:
        """Answer until it is time to leave."""
        self._waiting.clear()
        while not self._leave.is_set():
            self._listen(socket)
            if not self._waiting:
                continue
            frames = self._waiting.pop(next(iter(self._waiting)))
            began = self._clock.now()
            try:
                for message in self.answer(frames):
                    packed = sendable(message)
                    if packed is not None:
                        socket.send_multipart([frames[0], *packed], flags=zmq.NOBLOCK)
            except zmq.ZMQError as error:
                # who asked has left, or does not read; without its end an answer does not count
                _log.info("an answer was given up: %s", error)
            self.answered = self._clock.now()
            self._leave.wait(min(1.0, self._rest * (self.answered - began)))

    def _listen(self, socket: Socket) -> None:
        """Line up who asks; who asks again because it takes too long keeps its place.

        Answering the first question in vain would make everybody wait, and ask again, for ever.
        """
        pause = 0 if self._waiting else _TICK
        while socket.poll(pause):
            frames, pause = socket.recv_multipart(), 0
            request = _request(frames)
            if request is not None:
                what = f"spectrum {request.site}" if request.ask == "spectrum" else request.ask
                self._waiting[frames[0], what] = frames
            if len(self._waiting) >= _MOST_WAITING:
                return

    def answer(self, frames: list[bytes]) -> Iterator[Message]:
        """Yield the answer to a message; nothing if it is no request.

        Parameters
        ----------
        frames : list of bytes
            The identity of the connection, and what was received.
        """
        request = _request(frames)
        if request is None:
            return
        with self._live.lock:
            seq, started = self._live.seq - 1, self._live.view.started
        run = "" if started is None else started.run_id
        try:
            bodies = self._bodies(request)
        except StmDaqError as error:
            bodies = [End(request.request, problem=str(error))]
        for body in bodies:
            yield Message(run, self._live.boot, seq, self._clock.wall(), body)

    def _bodies(self, request: Request) -> list[Body]:
        end = End(request.request)
        match request.ask:
            case "run":
                return self._run(request)
            case "spectrum":
                self._catch_up()
                found = () if self._past is None else self._past.spectrum(request.site)
                return [*found, end]
            case _:
                return [replace(self._hello, folder=str(self.folder or "")), end]

    def _run(self, request: Request) -> list[Body]:
        """Return the run so far, or what came after an earlier answer."""
        self._catch_up()
        live = self._live
        with live.lock:
            view = live.view if self._past is None else self._view
            # what no journal holds
            view.progress, view.site, view.alerts = (
                live.view.progress, live.view.site, live.view.alerts
            )  # fmt: skip
            started = view.started
            known = started is not None and request.boot == live.boot
            if known and started is not None and request.run == started.run_id:
                since = End(0, request.cells, request.rows, request.events)
                return [*view.snapshot(since), view.reached(request.request)]
            return [*view.snapshot(), view.reached(request.request)]

    def _catch_up(self) -> None:
        """Read what the journal has got since the last time."""
        if self._open_past is None or self.folder is None:
            return
        if self.folder != self._read:
            self._past, self._view = self._open_past(self.folder), RunView()
            self._read = self.folder
        assert self._past is not None
        self._past.update(self._view)


def _request(frames: list[bytes]) -> Request | None:
    """Read what was received; None if it is no request."""
    if len(frames) != 2 or len(frames[1]) > LARGEST_REQUEST:
        return None
    try:
        return msgspec.json.decode(frames[1], type=Request)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None

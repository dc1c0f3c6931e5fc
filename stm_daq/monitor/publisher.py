"""Tell viewers about a run without ever making it wait.

:meth:`Publisher.publish` only leaves the record in a queue. Threads of their own send what is new,
answer those who missed something, and take commands; when one of them fails it begins anew, and the run
does not notice.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import zmq

from stm_daq.clock import Clock, RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.bodies import Alert, Hello
from stm_daq.monitor.control import ControlServer
from stm_daq.monitor.gate import Gate
from stm_daq.monitor.history import LARGEST_REQUEST, HistoryServer, OpenPast
from stm_daq.monitor.keys import KeyRing, Level, write_private
from stm_daq.monitor.live import Live, LiveServer
from stm_daq.monitor.news import told
from stm_daq.monitor.operator import CONTROL_FILE, ControlFile
from stm_daq.monitor.orders import LARGEST_ORDER, Desk
from stm_daq.monitor.queue import RecordQueue
from stm_daq.monitor.refusals import Refusals
from stm_daq.monitor.service import Scope, Service, Socket, bind_in_a_row, endpoint, is_loopback
from stm_daq.records import Record, RunStarted, Truth, TwinState

DEFAULT_PORT = 5550
LOOPBACK = "127.0.0.1"
_HIGH_WATER = {"live": 500, "history": 2000, "control": 100}
"""Messages kept for a slow viewer. Beyond it loses live ones, sees that by the numbering, and asks; an
answer that is longer is given up."""
HANDSHAKE = 10_000
"""Who connects and says nothing is shown out after so long (ms): the run needs its file handles."""
_GRACE, _LONGEST_GRACE = 4.0, 30.0
"""At the end viewers still there may ask, for so long after the last question (s); not for ever"""
_KINDS: dict[str, tuple[int, Level, int]] = {
    "live": (zmq.XPUB, "viewer", LARGEST_REQUEST),
    "history": (zmq.ROUTER, "viewer", LARGEST_REQUEST),
    "control": (zmq.ROUTER, "operator", LARGEST_ORDER),
}
"""Kind of each socket, who may use it, and the largest frame (bytes) it takes."""

_log = logging.getLogger(__name__)


class Publisher(Scope):
    """Publish the records of runs; also a context manager.

    Parameters
    ----------
    port : int
        First of three ports in a row (live messages, history, control). Where they are taken the next
        free ones are used, 0 takes any. :attr:`address` says which.
    listen : str
        Address of a network card; by default only this computer can connect.
    keys : Path, optional
        Folder of the station's keys. With it everybody needs a key.
    runs : Path, optional
        Folder of the runs.
    open_past : callable, optional
        Reads the journal of a run; without it only what was published here is known.
    station : str
        Name that viewers are told.
    shortest : float
        It is there for so long (s), however soon it is closed: who waits for it connects in between.

    Attributes
    ----------
    address : str
        Of the live messages, such as ``tcp://127.0.0.1:5550``.

    Raises
    ------
    BadInputError
        If others than this computer could connect without keys, the keys cannot be used, or no ports
        are free.
    """

    def __init__(
        self,
        port: int = DEFAULT_PORT,
        *,
        listen: str = LOOPBACK,
        keys: Path | None = None,
        runs: Path | None = None,
        open_past: OpenPast | None = None,
        station: str = "",
        shortest: float = 0.0,
    ) -> None:
        if not is_loopback(listen) and keys is None:
            raise BadInputError(
                f"listening at {listen} without keys would let anybody watch and command: make "
                "keys (`stm-daq keys allow`) and name their folder in station.yaml (`monitor: keys:`)"
            )
        self._clock: Clock = RealClock()  # viewers live in real time, also during a rehearsal
        self._opened, self._shortest = self._clock.now(), shortest
        self._closing, self._quiet = threading.Event(), threading.Event()
        self._leave = {name: threading.Event() for name in _KINDS}
        # absolute: whoever commands may have started in another folder
        self._runs, self._folder = runs.resolve() if runs is not None else None, Path()
        self._queue = RecordQueue(self._clock)
        self._live = Live(uuid.uuid4().hex)
        self._refusals = Refusals(self._clock, self._report)
        ring = KeyRing(keys) if keys is not None else None
        self._listen, self._ipv6 = listen, ":" in listen
        self._context = zmq.Context()
        try:
            self._gate = (
                None
                if ring is None
                else Gate(self._context, ring, self._refusals.note, self._leave_all)
            )
            sockets = {name: self._socket(name) for name in _KINDS}
            self._port = bind_in_a_row(list(sockets.values()), listen, port)
        except BadInputError:
            self._context.destroy(linger=0)
            raise
        self.address = endpoint(listen, self._port)
        hello = Hello(station, "", self._port + 1, self._port + 2)
        self._history = HistoryServer(
            hello, self._live, self._clock, self._leave["history"], open_past
        )
        check = None if ring is None else partial(_is_operator, ring)
        self._control = ControlServer(
            self._live.boot, self._clock, self._refusals, self._leave["control"], check
        )
        self._news = LiveServer(
            self._live, self._queue, self._clock, self._leave["live"], self._quiet, self._refusals
        )
        self._threads = self._start(sockets)

    def publish(self, record: Record | Alert) -> None:
        """Leave `record` for the viewers; returns at once (a Truth is not published)."""
        if isinstance(record, Truth | TwinState):
            return
        if isinstance(record, RunStarted):
            record = told(record)
            self._begin(record)
        self._queue.put(record)

    def attend(self, desk: Desk | None) -> None:
        """Let operators command a run from now on; None: there is nothing more to command."""
        self._control.desk = desk

    def close(self) -> None:
        """Send what is left, answer those who ask, and close; harmless when closed already."""
        if self._quiet.is_set():
            return
        self._quiet.set()
        self._queue.wake()
        self._answer_the_last()
        self._closing.set()
        self._leave_all()
        for thread in self._threads:
            thread.join(timeout=5.0)
        if self._gate is not None:
            self._gate.close()
        self._context.destroy(linger=1000)
        self._forget_token()

    def _answer_the_last(self) -> None:
        """Give viewers the time to hear the end and to ask for what they missed, while there are any."""
        began = self._clock.now()
        self._history.hurry()
        while self._news.viewers or self._clock.now() < self._opened + self._shortest:
            now, quiet_since = self._clock.now(), max(began, self._history.answered)
            if now > min(quiet_since + _GRACE, began + _LONGEST_GRACE):
                return
            self._closing.wait(0.05)

    def _leave_all(self) -> None:
        """Let every server close its socket; unless closing, it begins anew and keys are asked for."""
        for leave in self._leave.values():
            leave.set()
        self._queue.wake()

    def _socket(self, name: str) -> Socket:
        kind, level, largest = _KINDS[name]
        socket = self._context.socket(kind)
        socket.linger = 1000
        socket.sndhwm = socket.rcvhwm = _HIGH_WATER[name]
        socket.maxmsgsize = largest
        socket.ipv6 = self._ipv6
        socket.heartbeat_ivl, socket.heartbeat_timeout = 5000, 15000
        socket.handshake_ivl = HANDSHAKE
        if kind == zmq.XPUB:  # a PUB that tells who comes and goes
            socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        else:
            socket.router_mandatory = True  # an answer that cannot be sent whole is given up
        if self._gate is not None:
            self._gate.guard(socket, level)
        return socket

    def _again(self, name: str) -> Socket:
        """Make a socket anew, at its port."""
        socket = self._socket(name)
        socket.bind(endpoint(self._listen, self._port + list(_KINDS).index(name)))
        return socket

    def _start(self, sockets: Mapping[str, Socket]) -> list[threading.Thread]:
        if self._gate is not None:
            self._gate.start()
        serve = {
            "live": self._news.serve,
            "history": self._history.serve,
            "control": self._control.serve,
        }
        return [
            Service(
                name, partial(self._again, name), serve[name], self._closing, self._leave[name]
            ).start(socket)
            for name, socket in sockets.items()
        ]

    def _begin(self, started: RunStarted) -> None:
        """Tell history and control where the run is."""
        if self._runs is None:
            return
        self._folder = self._runs / started.run_id
        self._history.folder = self._control.folder = self._news.folder = self._folder
        token = "" if self._gate is not None else self._control.token
        text = msgspec.json.encode(
            ControlFile(self.address, self._live.boot, os.getpid(), token)
        ).decode()
        try:
            self._forget_token()
            write_private(self._folder / CONTROL_FILE, text)
        except OSError as error:
            _log.warning("%s cannot be written, so nobody can command: %s", CONTROL_FILE, error)

    def _forget_token(self) -> None:
        if self._folder != Path():
            with suppress(OSError):
                (self._folder / CONTROL_FILE).unlink()

    def _report(self, kind: str, text: str, data: Mapping[str, Any]) -> None:
        desk = self._control.desk
        if desk is not None:
            desk.report(kind, text, data)


def _is_operator(ring: KeyRing, name: str) -> bool:
    return any(e.name == name and e.level == "operator" for e in ring.entries())

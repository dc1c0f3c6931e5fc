"""Tell viewers about a run without ever making it wait.

:meth:`Publisher.publish` only leaves the record for a thread that owns the socket. Twenty times a
second that thread sends what is new: events, rows and map values all of them, of spectra, fits and
progress the latest (a rehearsal makes hundreds of spectra a second; the journal has every one).
"""

from __future__ import annotations

import errno
import logging
import threading
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

import zmq

from stm_daq.clock import Clock, RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.messages import Body, Heartbeat, Message, MessageError, encode
from stm_daq.monitor.view import RunView, cells_of
from stm_daq.records import Fit, Progress, Record, RunEnded, RunStarted, Spectrum, Truth, TwinState

DEFAULT_PORT = 5550
_PORTS = 20
"""Ports tried from the wanted one on."""
_TICK = 0.05
_HEARTBEAT = 1.0
_SNAPSHOT_PAUSE = 0.5
"""Viewers who join within this time (s) share one snapshot."""
_QUEUE = 1000
_HIGH_WATER = 2000
"""Messages kept for a slow viewer; beyond it loses some and is told by the numbering."""

_log = logging.getLogger(__name__)


class Publisher:
    """Publish the records of runs on ``tcp://127.0.0.1:port``; also a context manager.

    Parameters
    ----------
    port : int
        Wanted port; where it is taken the next free one is used, 0 takes any.
        :attr:`address` says which.

    Attributes
    ----------
    address : str
        Such as ``tcp://127.0.0.1:5550``. Only this computer can connect.
    """

    def __init__(self, port: int = DEFAULT_PORT) -> None:
        self._clock: Clock = RealClock()  # viewers live in real time, also during a rehearsal
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # be told of every viewer who joins
        self._socket.setsockopt(zmq.SNDHWM, _HIGH_WATER)
        self._socket.setsockopt(zmq.LINGER, 1000)
        try:
            self.address = _bind(self._socket, port)
        except BadInputError:
            self._context.destroy(linger=0)
            raise
        self._boot = uuid.uuid4().hex
        self._seq = 0
        self._lock = threading.Lock()
        self._view = RunView()
        self._queue: deque[Body] = deque()
        self._latest: dict[type, Body] = {}
        self._fits: dict[tuple[int, int], Fit] = {}
        self._skipped = self._dropped = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
        self._thread.start()

    def publish(self, record: Record) -> None:
        """Leave `record` for the viewers; returns at once (a Truth is not published)."""
        if isinstance(record, Truth | TwinState):
            return
        if isinstance(record, RunStarted):
            record = replace(record, plan_text="", station_text="", metadata={})
        with self._lock:
            self._view.apply(record)
            if isinstance(record, Spectrum | Fit | Progress):
                self._skipped += isinstance(record, Spectrum) and Spectrum in self._latest
                self._latest[type(record)] = record
            else:
                self._append(record)
            if isinstance(record, Fit):
                place = self._view.place(record)
                if place is not None:
                    self._fits[place] = record

    def close(self) -> None:
        """Send what is left and close the socket; harmless when closed already."""
        self._closing.set()
        self._thread.join(timeout=5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, record: Body) -> None:
        if len(self._queue) >= _QUEUE:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append(record)

    def _serve(self) -> None:
        """Own the socket until the end (the thread's function)."""
        try:
            self._loop()
        except zmq.ZMQError as error:
            _log.error("nobody can watch any more: %s; the run goes on", error)
        finally:
            self._context.destroy(linger=1000)

    def _loop(self) -> None:
        heartbeat = snapshot = self._clock.now()
        joined = False
        while not self._closing.is_set():
            joined |= self._somebody_joined()
            now = self._clock.now()
            if joined and now >= snapshot:
                with self._lock:
                    bodies = self._view.snapshot()
                self._send([*bodies, self._heartbeat()])
                joined, snapshot = False, now + _SNAPSHOT_PAUSE
            self._send(self._news())
            if now >= heartbeat:
                self._send([self._heartbeat()])
                heartbeat = now + _HEARTBEAT
        self._send(self._news())

    def _somebody_joined(self) -> bool:
        """Wait for one tick, or until a viewer subscribes."""
        joined = False
        if self._socket.poll(int(_TICK * 1000)):
            # 1 and the topic: subscribed; 0: left
            joined = self._socket.recv().startswith(b"\x01")
        return joined

    def _news(self) -> list[Body]:
        """Take what has come since the last call, in the order in which viewers need it."""
        with self._lock:
            queue, self._queue = self._queue, deque()
            latest, self._latest = self._latest, {}
            fits, self._fits = self._fits, {}
        news: list[Body] = [body for body in queue if not isinstance(body, RunEnded)]
        if fits:
            news.append(cells_of([(fit, at) for at, fit in fits.items()]))
        news += [latest[kind] for kind in (Spectrum, Fit, Progress) if kind in latest]
        return news + [body for body in queue if isinstance(body, RunEnded)]

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(self._view.state, self._skipped, self._dropped)

    def _send(self, bodies: Iterable[Body]) -> None:
        started = self._view.started
        run = started.run_id if started is not None else ""
        for body in bodies:
            message = Message(run, self._boot, self._seq, self._clock.wall(), body)
            try:
                frames = encode(message)
            except MessageError as error:
                _log.warning("%s", error)
                continue
            self._socket.send_multipart(frames, flags=zmq.NOBLOCK)
            self._seq += 1


def _bind(socket: zmq.Socket[bytes], port: int) -> str:
    """Bind to `port` of this computer, or to the next free one, and return the address."""
    wanted = [0] if port == 0 else range(port, min(port + _PORTS, 65536))
    for candidate in wanted:
        try:
            socket.bind(f"tcp://127.0.0.1:{candidate or '*'}")
        except zmq.ZMQError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise BadInputError(f"port {candidate}: {error}") from None
            continue
        return socket.getsockopt_string(zmq.LAST_ENDPOINT)
    raise BadInputError(f"no free port from {port} on: give another one with --port")

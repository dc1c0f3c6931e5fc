"""The socket of the live messages: news as they come, and a heartbeat every second."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import zmq

from stm_daq.clock import Clock
from stm_daq.disk_space import DiskSpace
from stm_daq.monitor.bodies import Body, Heartbeat
from stm_daq.monitor.messages import Message
from stm_daq.monitor.news import news, sendable
from stm_daq.monitor.queue import RecordQueue
from stm_daq.monitor.refusals import Allowance, Refusals
from stm_daq.monitor.service import Socket
from stm_daq.monitor.view import RunView

_HEARTBEAT = 1.0
_BURST, _EVERY = 10, 0.05
"""News goes out at once, so many times in a row, then one in this time (s)."""
_LAST_HEARTBEAT = 0.25
"""At the end heartbeats come so often (s): by their numbers a viewer sees that it missed the end."""


@dataclass
class Live:
    """What the live messages have told so far, shared by two threads."""

    boot: str
    view: RunView = field(default_factory=RunView)
    seq: int = 0
    """Of the next message."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class LiveServer:
    """Sends what is new to all viewers; see :class:`stm_daq.monitor.publisher.Publisher`.

    Parameters
    ----------
    live : Live
    queue : RecordQueue
    clock : Clock
    leave : threading.Event
        Set when the socket is to be closed.
    quiet : threading.Event
        Set when there will be no more records.
    refusals : Refusals

    Attributes
    ----------
    folder : Path or None
        Of the run, whose disk is told about.
    viewers : int
        How many are connected.
    skipped : int
        Spectra that newer ones replaced before they were sent.
    """

    def __init__(
        self,
        live: Live,
        queue: RecordQueue,
        clock: Clock,
        leave: threading.Event,
        quiet: threading.Event,
        refusals: Refusals,
    ) -> None:
        self.folder: Path | None = None
        self.viewers = self.skipped = 0
        self._live = live
        self._queue = queue
        self._clock = clock
        self._leave = leave
        self._quiet = quiet
        self._refusals = refusals

    def serve(self, socket: Socket) -> None:
        """Send news and heartbeats until it is time to leave."""
        allowance = Allowance(self._clock, _BURST, _EVERY)
        heartbeat, farewell = self._clock.now(), False
        self.viewers = 0
        while not self._leave.is_set():
            self._count_viewers(socket)
            if self._queue and allowance.take():
                self._send_news(socket)
            now = self._clock.now()
            last = self._quiet.is_set() and not self._queue and not farewell
            if now >= heartbeat or last:
                self._send(socket, [self._heartbeat()])
                beat = _LAST_HEARTBEAT if self._quiet.is_set() else _HEARTBEAT
                heartbeat, farewell = now + beat, farewell or last
            pause = min(heartbeat - now, allowance.wait()) if self._queue else heartbeat - now
            self._queue.wait(pause, crowded=bool(self._queue))
        self._send_news(socket)
        self._send(socket, [self._heartbeat()])

    def _count_viewers(self, socket: Socket) -> None:
        """Take in who has subscribed (1) and who has left (0); nothing else is listened to."""
        while socket.poll(0):
            first = socket.recv_multipart()[0][:1]
            self.viewers = max(0, self.viewers + {b"\x01": 1, b"\x00": -1}.get(first, 0))

    def _send_news(self, socket: Socket) -> None:
        records = self._queue.take()
        with self._live.lock:
            bodies, skipped = news(self._live.view, records)
        self.skipped += skipped
        self._send(socket, bodies)

    def _heartbeat(self) -> Heartbeat:
        view, progress = self._live.view, self._live.view.progress
        free = math.nan if self.folder is None else DiskSpace(self.folder).free()
        beat = Heartbeat(view.state, self.skipped, self._queue.dropped, disk_free=free)
        if progress is not None:
            beat = replace(beat, rate=progress.rate, finish_time=progress.finish_time)
        return replace(
            beat,
            queue=len(self._queue),
            commit_age=self._queue.age,
            refused=self._refusals.count,
        )

    def _send(self, socket: Socket, bodies: Iterable[Body]) -> None:
        started = self._live.view.started
        run = started.run_id if started is not None else ""
        for body in bodies:
            message = Message(run, self._live.boot, self._live.seq, self._clock.wall(), body)
            frames = sendable(message)
            if frames is None:
                continue
            socket.send_multipart(frames, flags=zmq.NOBLOCK)
            with self._live.lock:
                self._live.seq += 1

"""Listen to a run: what arrives, what was lost and made up for, and how long it has been silent."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import zmq

from stm_daq.clock import RealClock
from stm_daq.monitor.healing import Healing
from stm_daq.monitor.messages import Message, MessageError, decode
from stm_daq.monitor.peer import Peer
from stm_daq.monitor.service import Scope, neighbour
from stm_daq.monitor.view import RunView
from stm_daq.records import Fit, Spectrum

if TYPE_CHECKING:
    import xarray as xr

STALE = 3.0
"""Silence (s) after which a run counts as stale: a live publisher speaks every second."""
HISTORY_OFFSET = 1
_PATIENCE = 5.0
_MOST = 1000
"""Live messages that are taken in at once, or kept for somebody slow."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Live messages that never arrived; what they told follows from the run's history."""

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
    why: str = ""
    """If the station refused the connection: why, and what to do."""

    @property
    def stale(self) -> bool:
        """Whether what was heard before must be taken as old."""
        return self.heard and self.seconds >= STALE


type Item = Message | Missed | Refused | Silence


def connect(address: str, key: Path | None = None, tick: float = 0.5) -> Connection:
    """Listen to a publisher; nobody needs to be there yet.

    Parameters
    ----------
    address : str
        Of the live messages, such as ``tcp://127.0.0.1:5550``.
    key : Path, optional
        Secret key of a viewer or operator, ``NAME.key``, with ``station.pub`` beside it.
    tick : float
        How long (s) to wait for a message before :class:`Silence` is told.

    Raises
    ------
    BadInputError
        If `address` is no address, or the key cannot be used.
    """
    return Connection(address, key, tick)


class Connection(Scope):
    """A run as it is heard; an iterator without end, and a context manager. For one thread.

    It reconnects by itself. Who comes late, and who missed something, is told the run so far from its
    journal before anything newer: whoever applies every message in order to a
    :class:`~stm_daq.monitor.view.RunView` ends with the journal's maps.

    Parameters
    ----------
    See :func:`connect`.

    Attributes
    ----------
    view : RunView
        All that was heard so far.
    """

    def __init__(self, address: str, key: Path | None = None, tick: float = 0.5) -> None:
        self.view = RunView()
        self._tick = tick
        self._clock = RealClock()
        self._last = self._clock.now()
        self._heard = False
        self._peer = Peer(key)
        try:
            self._live = self._peer.socket(zmq.SUB, address)
            self._live.subscribe(b"")
            self._history = self._peer.socket(zmq.DEALER, neighbour(address, HISTORY_OFFSET))
        except BaseException:
            self._peer.close()
            raise
        self._healing = Healing(self._clock)
        self._poller = zmq.Poller()
        for socket in (self._live, self._history):
            self._poller.register(socket, zmq.POLLIN)
        self._items: deque[Item] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        """Wait for a message, at most one tick."""
        if (
            len(self._items) < _MOST
        ):  # also for who is slow: what it misses must be asked for in time
            self._listen(0.0)
        while not self._items:
            self._listen(self._tick)
        item = self._items.popleft()
        if isinstance(item, Message):
            self.view.apply(item.body)
        return item

    def snapshot(self) -> xr.Dataset:
        """Return what was heard so far as a dataset, named as by :func:`stm_daq.open_run`.

        Maps and topograph of all steps, without the spectra; NaN where nothing is known.
        """
        from stm_daq.monitor.dataset import dataset

        return dataset(self.view)

    def spectrum(self, site: int) -> tuple[Spectrum | None, Fit | None]:
        """Ask for the latest spectrum of a site and its fit; waits for at most 5 s.

        Parameters
        ----------
        site : int
            Its index: (step * rows + row) * columns + column.

        Returns
        -------
        spectrum, fit
            None where there is none, or nobody answers.
        """
        end = self._clock.now() + _PATIENCE
        self._history.poll(int(_PATIENCE * 1000), zmq.POLLOUT)  # a new connection takes a moment
        number = self._healing.ask_spectrum(self._history, site)
        while number not in self._healing.answers and self._clock.now() < end:
            if self._history.poll(50):
                self._answered()
        bodies = self._healing.answers.pop(number, [])
        spectrum = next((body for body in bodies if isinstance(body, Spectrum)), None)
        return spectrum, next((body for body in bodies if isinstance(body, Fit)), None)

    def close(self) -> None:
        """Leave."""
        self._peer.close()

    def _listen(self, seconds: float) -> None:
        """Take in all that has come; wait for it at most so long."""
        self._healing.ask_if_necessary(self._history)
        ready = dict(self._poller.poll(int(seconds * 1000)))
        if self._history in ready:
            self._answered()
        for _ in range(_MOST if self._live in ready else 0):
            self._take(self._live.recv_multipart())
            if not self._live.poll(0):
                break
        self._healing.give_up_waiting()
        self._items.extend(self._healing.ready)
        self._healing.ready.clear()
        if not ready and seconds:
            self._peer.listen(0.0)
            silent = self._clock.now() - self._last
            self._items.append(Silence(silent, self._heard, self._peer.refused))

    def _take(self, frames: list[bytes]) -> None:
        """Take in a live message."""
        try:
            message = decode(frames)
        except MessageError as error:
            self._items.append(Refused(str(error)))
            return
        self._last, self._heard = self._clock.now(), True
        missed = self._healing.live(message)
        if missed:
            self._items.append(Missed(missed))
        self._items.extend(self._healing.ready)
        self._healing.ready.clear()

    def _answered(self) -> None:
        """Take in a piece of an answer; what cannot be believed makes the whole of no account."""
        try:
            self._healing.history(decode(self._history.recv_multipart()))
        except MessageError:
            self._healing.forget_answer()

"""A finished run (or one that was cut off), read from its journal through whoever can open one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from stm_daq.monitor.bodies import Alert
from stm_daq.monitor.dashboard.source import Board, Health, Shown
from stm_daq.monitor.dashboard.strips import Strips, Turns, strip_of
from stm_daq.monitor.view import guard_of
from stm_daq.records import Array, Event, Fit, Progress, RunEnded, RunStarted, Spectrum


class Journal(Protocol):
    """What is needed of a journal; :class:`stm_daq.store.browse.RunBrowser` is one."""

    started: RunStarted
    ended: RunEnded | None
    events: list[Event]
    topograph: Array
    maps: dict[str, Array]

    @property
    def progress(self) -> Progress: ...

    @property
    def last(self) -> tuple[int, int, int] | None: ...

    def look_up(self, step: int, row: int, column: int) -> tuple[Spectrum, Fit | None] | None: ...


class PastRun:
    """A run that is only read; see :class:`stm_daq.monitor.dashboard.source.Source`."""

    live = False

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.name = journal.started.name
        self.versions: Counter[str] = Counter()
        self.started = journal.started
        self.progress = journal.progress
        self.events: Sequence[Event] = [e for e in journal.events if e.kind != "temperature"]
        self.alerts: Sequence[Alert] = ()
        turns = Turns()
        for guard in filter(None, map(guard_of, journal.events)):
            turns.note(guard)
        times, kelvin = journal.maps["time"], journal.maps["stage_temperature"]
        self.strips = Strips(strip_of(times.ravel(), kelvin.ravel()), turns)
        self.health = _health(journal)
        last = journal.last
        self.step = 0 if last is None else last[0]
        self.latest = None if last is None else self.look_up(*last)

    def board(self, step: int) -> Board:
        """Return the maps of a step of the outer axes."""
        maps = {name: values[step] for name, values in self._journal.maps.items()}
        return Board(self._journal.topograph[step], maps)

    def look_up(self, step: int, row: int, column: int) -> Shown | None:
        """Read the spectrum of a site."""
        found = self._journal.look_up(step, row, column)
        return None if found is None else Shown(*found)

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Nothing changes any more."""

    def unsubscribe(self, wake: Callable[[], None]) -> None:
        """Nothing changes any more."""


def _health(journal: Journal) -> Health:
    if journal.ended is None:
        return Health("not ended", "the journal has no end: the run goes on, or was cut off")
    return Health(journal.ended.state, journal.ended.text)

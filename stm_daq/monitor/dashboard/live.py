"""A station that is listened to: one thread for all pages; what it hears is applied on the loop."""

from __future__ import annotations

import itertools
import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tornado.ioloop import IOLoop

from stm_daq.clock import Clock, RealClock
from stm_daq.monitor.bodies import Alert, Body, Cells, Guard, Heartbeat
from stm_daq.monitor.client import STALE, Item, Missed, Refused
from stm_daq.monitor.dashboard.source import Board, Health, Shown
from stm_daq.monitor.dashboard.strips import Strips, Turns, strip_of
from stm_daq.monitor.messages import Message
from stm_daq.monitor.view import RunView, guard_of
from stm_daq.quantities import show, show_duration
from stm_daq.records import (
    Event,
    Fit,
    Progress,
    RunEnded,
    RunStarted,
    Spectrum,
    TopographRows,
)

KEPT = 64
"""Spectra that are remembered; others are looked up in the station's history."""
_FIT_LAG = 8
"""Spectra after which one whose fit has not come is shown without."""
_LONG = 10.0
"""s without anything stored that are worth a remark."""
_TOPICS: dict[type, tuple[str, ...]] = {
    RunStarted: ("run", "topograph", "maps", "spectrum", "events", "strips", "progress"),
    TopographRows: ("topograph",),
    Cells: ("maps", "strips"),
    Spectrum: ("spectrum", "strips"),
    Fit: ("spectrum", "maps"),
    Event: ("events", "strips"),
    Guard: ("events", "strips"),
    Alert: ("events",),
    Progress: ("progress",),
    RunEnded: ("progress", "events"),
}

type LookUp = Callable[[int], tuple[Spectrum | None, Fit | None]]
"""Asks the station's history for the latest spectrum of a site, and its fit."""


class Station:
    """What is known of a station that is listened to.

    Parameters
    ----------
    name : str
        How the overview calls it.
    look_up : callable, optional
        Finds spectra that are not remembered; without it only the latest ones can be shown.
    clock : Clock, optional

    Attributes
    ----------
    heard : bool
        Whether anything was heard so far.
    """

    live = True

    def __init__(
        self, name: str, look_up: LookUp | None = None, clock: Clock | None = None
    ) -> None:
        self.name = name
        self.versions: Counter[str] = Counter()
        self.heard = False
        self._clock = clock or RealClock()
        self._last = self._clock.now()
        self._history = look_up
        self._wakers: list[Callable[[], None]] = []
        self._own_alerts: list[Alert] = []
        self._lost = 0
        self._forget()

    def _forget(self) -> None:
        self._view = RunView()
        self._turns = Turns()
        self._recent: OrderedDict[int, Shown] = OrderedDict()

    def listen(self, items: Iterable[Item], loop: IOLoop) -> None:
        """Begin to take `items` (see :func:`stm_daq.monitor.client.connect`) from a thread."""

        def work() -> None:
            for item in items:
                loop.add_callback(self.take, item)

        threading.Thread(target=work, name=f"listener {self.name}", daemon=True).start()

    def take(self, item: Item) -> None:
        """Take one item into account and wake the pages."""
        match item:
            case Message():
                self._last, self.heard = self._clock.now(), True
                self._apply(item.body)
            case Missed():
                self._lost += item.count
            case Refused():
                self._lost += 1
            case _:
                return  # silence: the pages look at the clock themselves
        self._wake()

    def alert(self, alert: Alert) -> None:
        """Show an alert that the station itself could not raise."""
        self._own_alerts.append(alert)
        self.versions["events"] += 1
        self._wake()

    def _wake(self) -> None:
        for wake in tuple(self._wakers):
            wake()

    def _apply(self, body: Body) -> None:
        known = self.started
        if isinstance(body, RunStarted) and known is not None and known.run_id != body.run_id:
            self._forget()
        self._view.apply(body)
        match body:
            case Spectrum():
                self._remember(body)
            case Fit():
                self._fitted(body)
            case Guard():
                self._turns.note(body)
            case Event():
                guard = guard_of(body)
                if guard is not None:
                    self._turns.note(guard)
        self.versions.update(_TOPICS.get(type(body), ()))

    def _remember(self, spectrum: Spectrum) -> None:
        index = spectrum.site.index
        before = self._recent.pop(index, None)
        repeated = before is not None and before.spectrum.attempt == spectrum.attempt
        self._recent[index] = before if before is not None and repeated else Shown(spectrum, None)
        if len(self._recent) > KEPT:
            self._recent.popitem(last=False)

    def _fitted(self, fit: Fit) -> None:
        shown = self._recent.get(fit.site_index)
        if shown is not None and shown.spectrum.attempt == fit.attempt:
            self._recent[fit.site_index] = replace(shown, fit=fit)

    @property
    def started(self) -> RunStarted | None:
        """The run; None before there is one."""
        return self._view.started

    @property
    def progress(self) -> Progress | None:
        """Where the run is."""
        return self._view.progress

    @property
    def events(self) -> Sequence[Event]:
        """What was noted, oldest first, without the readings of the thermometer."""
        return [event for event in self._view.events if event.kind != "temperature"]

    @property
    def alerts(self) -> Sequence[Alert]:
        """Alerts of the station, and about it."""
        return [*self._view.alerts, *self._own_alerts]

    @property
    def strips(self) -> Strips:
        """Stage temperature at every spectrum, and the guards."""
        maps = self._view.maps
        times, kelvin = maps["time"].ravel(), maps["stage_temperature"].ravel()
        return Strips(strip_of(times, kelvin), self._turns)

    @property
    def step(self) -> int:
        """The step of the outer axes that is measured."""
        return self._view.step or 0

    @property
    def latest(self) -> Shown | None:
        """The spectrum that was measured last, if possible one whose fit has come."""
        newest = list(itertools.islice(reversed(self._recent.values()), _FIT_LAG))
        return next((one for one in newest if one.fit is not None), next(iter(newest), None))

    @property
    def health(self) -> Health:
        """How the station is heard."""
        ended, silent = self._view.ended, self._clock.now() - self._last
        beat = self._view.heartbeat
        return Health(
            state=self._view.state if self.heard else "unheard",
            text="" if ended is None else ended.text,
            silent=silent,
            stale=self.heard and ended is None and silent >= STALE,
            lost=self._lost + (beat.dropped if beat else 0),
            notes=() if beat is None else _notes(beat),
        )

    def board(self, step: int) -> Board:
        """Return the maps of a step of the outer axes."""
        maps = self._view.maps
        shown = {name: maps[name][step] for name in maps.names}
        return Board(self._view.topographs[step], shown)

    def look_up(self, step: int, row: int, column: int) -> Shown | None:
        """Return the spectrum of a site from memory, else from the station's history."""
        started = self.started
        if started is None or started.place(step, row, column) is None:
            return None
        rows, columns = started.grid_shape
        index = (step * rows + row) * columns + column
        found = self._recent.get(index)
        if found is not None or self._history is None:
            return found
        spectrum, fit = self._history(index)
        return None if spectrum is None else Shown(spectrum, fit)

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something has changed."""
        self._wakers.append(wake)

    def unsubscribe(self, wake: Callable[[], None]) -> None:
        """Call it no longer."""
        self._wakers.remove(wake)


def _notes(beat: Heartbeat) -> tuple[str, ...]:
    notes = []
    if math.isfinite(beat.disk_free):
        notes.append(f"disk {show(beat.disk_free, 'B')} free")
    if beat.commit_age >= _LONG:
        notes.append(f"last stored {show_duration(beat.commit_age)} ago")
    if beat.refused:
        notes.append(f"{beat.refused} connections or commands refused")
    return tuple(notes)

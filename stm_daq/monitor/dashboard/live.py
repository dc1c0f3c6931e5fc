"""A station that is listened to: one thread for all pages; what it hears is applied on the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from tornado.ioloop import IOLoop

from stm_daq.clock import Clock, RealClock
from stm_daq.monitor.bodies import Alert, Cells, Guard, Heartbeat
from stm_daq.monitor.client import STALE, Item, Missed, Refused, Silence
from stm_daq.monitor.dashboard.source import Health
from stm_daq.monitor.dashboard.viewed import LookUp, Viewed
from stm_daq.monitor.messages import Message
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


class Station(Viewed):
    """What is known of a station that is listened to.

    Parameters
    ----------
    name, look_up
        See :class:`stm_daq.monitor.dashboard.viewed.Viewed`.
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
        super().__init__(name, look_up)
        self.heard = False
        self._refused = ""
        self._clock = clock or RealClock()
        self._last = self._clock.now()
        self._wakers: list[Callable[[], None]] = []
        self._own_alerts: list[Alert] = []
        self._lost = 0

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
                self._last, self.heard, self._refused = self._clock.now(), True, ""
                self.view.apply(item.body)
                self.versions.update(_TOPICS.get(type(item.body), ()))
            case Missed():
                self._lost += item.count
            case Refused():
                self._lost += 1
            case Silence():
                self._refused = item.why
                return  # the pages look at the clock themselves
        self._wake()

    def alert(self, alert: Alert) -> None:
        """Show an alert that the station itself could not raise; again when it was delivered."""
        same = (alert.time, alert.rule, alert.text)
        kept = [old for old in self._own_alerts if (old.time, old.rule, old.text) != same]
        self._own_alerts = [*kept, alert]
        self.versions["events"] += 1
        self._wake()

    def _wake(self) -> None:
        for wake in tuple(self._wakers):
            wake()

    @property
    def alerts(self) -> Sequence[Alert]:
        """Alerts of the station, and about it."""
        return [*self.view.alerts, *self._own_alerts]

    @property
    def health(self) -> Health:
        """How the station is heard."""
        ended, silent = self.view.ended, self._clock.now() - self._last
        beat = self.view.heartbeat
        return Health(
            state=self.view.state if self.heard else "unheard",
            text=self._refused if ended is None else ended.text,
            silent=silent,
            stale=self.heard and ended is None and silent >= STALE,
            lost=self._lost + (beat.dropped if beat else 0),
            notes=() if beat is None else _notes(beat),
        )

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something has changed."""
        self._wakers.append(wake)

    def unsubscribe(self, wake: Callable[[], None]) -> None:
        """Call it no longer."""
        self._wakers.remove(wake)


def _notes(beat: Heartbeat) -> tuple[str, ...]:
    notes = []
    if beat.disk_free >= 0:  # NaN: unknown
        notes.append(f"disk {show(beat.disk_free, 'B')} free")
    if beat.commit_age >= _LONG:
        notes.append(f"last stored {show_duration(beat.commit_age)} ago")
    if beat.refused:
        notes.append(f"{beat.refused} connections or commands refused")
    return tuple(notes)

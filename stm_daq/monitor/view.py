"""What is known of a run from its records: kept by every viewer for what it shows, and by the
publisher for viewers who join late."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from stm_daq.monitor.bodies import Alert, Body, Cells, End, Guard, Heartbeat
from stm_daq.monitor.maps import SiteMaps
from stm_daq.records import (
    Array,
    Event,
    Fit,
    Progress,
    RunEnded,
    RunStarted,
    Site,
    SiteStarted,
    Spectrum,
    TopographRows,
)

RESUMED = "resumed"
"""State of the record that takes back an earlier end."""
_EVENTS = 200
_ALERTS = 50
_ROWS = 2**17
"""Pixels of the topograph in one message of a snapshot (1 MB)."""


class RunView:
    """The state of a run as far as it was told; records may come late, twice, or never.

    Attributes
    ----------
    started, progress, site, spectrum, fit, ended, heartbeat
        The latest record of each kind, or None.
    topographs : array, shape (steps, rows, columns)
        Tip height, m, at every step of the outer axes; row 0 at the bottom; NaN where not scanned.
    maps : SiteMaps
        All maps, at every step of the outer axes.
    events : deque of Event
        The latest events, oldest first.
    guards : dict
        The latest message of every guard, by its name.
    alerts : deque of Alert
    paused : dict
        Who or what keeps the run from going on, and why; empty if nothing does.
    stage_temperature : float
        Latest temperature of the stage, K; NaN where unknown.
    step : int or None
        Step of the outer axes at which something was measured last.
    """

    def __init__(self) -> None:
        self.heartbeat: Heartbeat | None = None
        self._forget(None)

    def _forget(self, started: RunStarted | None) -> None:
        """Begin anew: what was known belongs to another run."""
        self.started = started
        self.progress: Progress | None = None
        self.site: SiteStarted | None = None
        self.spectrum: Spectrum | None = None
        self.fit: Fit | None = None
        self.ended: RunEnded | None = None
        shape = (0, 0, 0) if started is None else (started.steps, *started.topograph_shape)
        self.topographs: Array = np.full(shape, np.nan)
        self.maps = SiteMaps(started)
        self.events: deque[Event] = deque(maxlen=_EVENTS)
        self.event_count = 0
        self.guards: dict[str, Guard] = {}
        self.alerts: deque[Alert] = deque(maxlen=_ALERTS)
        self.paused: dict[str, str] = {}
        self._paused_at: dict[str, float] = {}
        self.stage_temperature = math.nan
        self.step: int | None = None
        self._rows: list[tuple[int, int, int]] = []

    @property
    def state(self) -> str:
        """Return "waiting", "running", "paused", "stopping", or how the run ended."""
        if self.ended is not None:
            return self.ended.state
        if self.started is None:
            return "waiting"
        if self.paused:
            return "paused"
        return self.progress.state if self.progress is not None else "running"

    def map(self, name: str) -> Array:
        """Return a map at the present step, such as "gap" or "gap_std", shape (rows, columns)."""
        whole = self.maps[name]
        return whole[self.step or 0] if len(whole) else np.empty((0, 0))

    @property
    def topograph(self) -> Array:
        """The topograph of the present step, shape (rows, columns)."""
        return self.topographs[self.step or 0] if len(self.topographs) else np.empty((0, 0))

    def apply(self, body: Body) -> None:
        """Take one record into account; what does not fit the run is ignored."""
        match body:
            case RunStarted():
                # the same run is a copy for somebody who joined late, or was resumed
                if self.started is None or self.started.run_id != body.run_id:
                    self._forget(body)
            case TopographRows():
                self._scan(body)
            case Spectrum() if self._has(body.site):
                self._measure(body)
            case Fit():
                self.fit = body
                self.maps.fitted(body)
            case Cells():
                self.maps.fill(body)
            case RunEnded():
                self.ended = None if body.state == RESUMED else body
            case _:
                self._note(body)

    def _note(self, body: Body) -> None:
        match body:
            case Guard():
                self._guard(body)
            case Event():
                guard = guard_of(body)
                if guard is not None:
                    self._guard(guard)
                else:
                    self._hear(body)
            case Alert():
                self._alert(body)
            case Progress():
                self.progress = body
            case SiteStarted() if self._has(body.site):
                self.site = body
                self._go_on(list(self.paused), body.time)
            case Heartbeat():
                self.heartbeat = body
            case _:
                pass  # tells about the publisher, not about the run

    def snapshot(self, since: End | None = None) -> Iterator[Body]:
        """Yield what brings a viewer up to date who knows nothing, or all up to `since`."""
        after = End(0) if since is None else since
        if self.started is not None:
            yield self.started
        yield from self._scanned(after.rows)
        latest = (self.site, self.spectrum, self.fit)
        yield from (record for record in latest if record is not None)
        yield from self.maps.cells(self.maps.changed[after.cells :])
        missing = max(0, self.event_count - after.events)
        yield from list(self.events)[max(0, len(self.events) - missing) :]
        yield from self.alerts
        yield from (record for record in (self.progress, self.ended) if record is not None)

    def reached(self, request: int) -> End:
        """Return how much a viewer knows after :meth:`snapshot`."""
        return End(request, len(self.maps.changed), len(self._rows), self.event_count)

    def _scanned(self, first: int) -> Iterator[TopographRows]:
        """Yield the rows of the topograph from the `first` one reported on, neighbours together."""
        many = max(1, _ROWS // max(1, self.topographs.shape[2]))
        open_part: tuple[int, int, int] | None = None
        for step, begin, end in self._rows[first:]:
            if open_part and open_part[::2] == (step, begin) and end - open_part[1] <= many:
                open_part = (step, open_part[1], end)
                continue
            if open_part:
                yield self._part(*open_part)
            open_part = (step, begin, end)
        if open_part:
            yield self._part(*open_part)

    def _part(self, step: int, begin: int, end: int) -> TopographRows:
        return TopographRows(math.nan, begin, self.topographs[step, begin:end].copy(), step)

    def _has(self, site: Site) -> bool:
        """Return whether the run has such a site; before it is known, any may be."""
        if self.started is None:
            return True
        rows, columns = self.started.grid_shape
        inside = 0 <= site.step < self.started.steps and 0 <= site.row < rows
        index = (site.step * rows + site.row) * columns + site.col
        return inside and 0 <= site.col < columns and site.index == index

    def _scan(self, rows: TopographRows) -> None:
        steps, height, width = self.topographs.shape
        if rows.step >= steps or rows.z.shape[1] != width or rows.first_row >= height:
            return
        self.step = rows.step
        end = min(height, rows.first_row + len(rows.z))
        self.topographs[rows.step, rows.first_row : end] = rows.z[: end - rows.first_row]
        self._rows.append((rows.step, rows.first_row, end))

    def _measure(self, spectrum: Spectrum) -> None:
        if self.started is not None:
            self.step = spectrum.site.step
        self.spectrum = spectrum
        self.maps.measured(spectrum)
        if math.isfinite(spectrum.temperature):
            self.stage_temperature = spectrum.temperature

    def _guard(self, guard: Guard) -> None:
        self._hear(Event(guard.time, "guard", guard.text, {"good": guard.good}))
        known = self.guards.get(guard.name)
        if known is not None and known.time > guard.time:
            return  # an old one, told again
        self.guards[guard.name] = guard
        if guard.good:
            self._go_on([guard.name], guard.time)
        elif guard.action == "pause":
            self._pause(guard.name, guard.text, guard.time)

    def _pause(self, who: str, why: str, time: float) -> None:
        """Note what keeps the run from going on, unless a site was begun since."""
        if self.site is None or not self.site.time > time:
            self.paused[who], self._paused_at[who] = why, time

    def _go_on(self, who: Iterable[str], time: float) -> None:
        """Forget pauses, but none that began after `time`: records may come late or twice."""
        for name in who:
            if not self._paused_at.get(name, -math.inf) > time:
                self.paused.pop(name, None)

    def _alert(self, alert: Alert) -> None:
        """Add an alert; one that has got through replaces what was said of it before."""
        for place, known in enumerate(self.alerts):
            if replace(known, delivered=alert.delivered) == alert:
                self.alerts[place] = replace(alert, delivered=known.delivered or alert.delivered)
                return
        self.alerts.append(alert)

    def _hear(self, event: Event) -> None:
        key = (event.time, event.kind, event.text)
        if not any((e.time, e.kind, e.text) == key for e in self.events):
            self.events.append(event)
            self.event_count += 1  # else a copy for somebody who joined late
        match event.kind:
            case "pause":
                self._pause(_PERSON, event.text, event.time)
            case "disk_full":
                self._pause(_DISK, event.text, event.time)
            case "continue":
                self._go_on([_PERSON], event.time)
            case "disk_free":
                self._go_on([_DISK], event.time)
            case "resumed":  # whoever paused it has gone with the process
                self._go_on(list(self.paused), event.time)
            case "temperature":
                kelvin = event.data.get("kelvin")
                if isinstance(kelvin, int | float):
                    self.stage_temperature = float(kelvin)


_PERSON, _DISK = "a person", "the disk"
"""Who keeps a run from going on, besides guards."""


def guard_of(event: Event) -> Guard | None:
    """Return what an event says about a guard; None if it is about something else."""
    data = event.data
    if event.kind != "guard" or not isinstance(data.get("guard"), str):
        return None
    value = data.get("value")
    return Guard(
        time=event.time,
        name=data["guard"],
        value=float(value) if isinstance(value, int | float) else math.nan,
        unit=str(data.get("unit", "")),
        good=data.get("good") is True,
        action=str(data.get("action", "")),
        text=event.text,
    )

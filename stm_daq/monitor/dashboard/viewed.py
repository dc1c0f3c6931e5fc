"""What is known of a run, with what a page needs besides: recent spectra, turns of the guards."""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from stm_daq.monitor.bodies import Alert, Body, Guard
from stm_daq.monitor.dashboard.source import Board, Shown
from stm_daq.monitor.dashboard.strips import Strips, Turns, strip_of
from stm_daq.monitor.view import RunView, guard_of
from stm_daq.records import Event, Fit, Progress, RunStarted, Spectrum

KEPT = 64
"""Spectra that are remembered; others are looked up."""
_FIT_LAG = 8
"""Spectra after which one whose fit has not come is shown without."""

type LookUp = Callable[[int], tuple[Spectrum | None, Fit | None]]
"""Finds the latest spectrum of a site by its index, and its fit."""


class PageView(RunView):
    """A view that also remembers recent spectra, and when guards turned bad or good.

    Attributes
    ----------
    recent : dict of int to Shown
        By site, the spectrum that came last at the end.
    turns : Turns
    """

    def _forget(self, started: RunStarted | None) -> None:
        super()._forget(started)
        self.recent: OrderedDict[int, Shown] = OrderedDict()
        self.turns = Turns()

    def apply(self, body: Body) -> None:
        """Take one record into account; what does not fit the run is ignored."""
        super().apply(body)
        match body:
            case Spectrum() if self._has(body.site):
                self._remember(body)
            case Fit():
                shown = self.recent.get(body.site_index)
                if shown is not None and shown.spectrum.attempt == body.attempt:
                    self.recent[body.site_index] = replace(shown, fit=body)
            case Guard():
                self.turns.note(body)
            case Event():
                guard = guard_of(body)
                if guard is not None:
                    self.turns.note(guard)

    def _remember(self, spectrum: Spectrum) -> None:
        index = spectrum.site.index
        before = self.recent.pop(index, None)
        repeated = before is not None and before.spectrum.attempt == spectrum.attempt
        self.recent[index] = before if before is not None and repeated else Shown(spectrum, None)
        if len(self.recent) > KEPT:
            self.recent.popitem(last=False)


class Viewed:
    """The part that a live and a finished source share; see
    :class:`stm_daq.monitor.dashboard.source.Source`.

    Parameters
    ----------
    name : str
        How the overview calls it.
    look_up : callable, optional
        Finds spectra that are not remembered; without it only the latest ones can be shown.
    """

    def __init__(self, name: str, look_up: LookUp | None = None) -> None:
        self.name = name
        self.versions: Counter[str] = Counter()
        self.view = PageView()
        self._look_up = look_up

    @property
    def started(self) -> RunStarted | None:
        """The run; None before there is one."""
        return self.view.started

    @property
    def progress(self) -> Progress | None:
        """Where the run is."""
        return self.view.progress

    @property
    def events(self) -> Sequence[Event]:
        """What was noted, oldest first, without the readings of the thermometer."""
        return [event for event in self.view.events if event.kind != "temperature"]

    @property
    def alerts(self) -> Sequence[Alert]:
        """Alerts of the station."""
        return list(self.view.alerts)

    @property
    def strips(self) -> Strips:
        """Stage temperature at every spectrum, and the guards."""
        maps = self.view.maps
        times, kelvin = maps["time"].ravel(), maps["stage_temperature"].ravel()
        return Strips(strip_of(times, kelvin), self.view.turns)

    @property
    def step(self) -> int:
        """The step of the outer axes that is measured, or was last."""
        return self.view.step or 0

    @property
    def latest(self) -> Shown | None:
        """The spectrum that was measured last, if possible one whose fit has come."""
        newest = list(itertools.islice(reversed(self.view.recent.values()), _FIT_LAG))
        return next((one for one in newest if one.fit is not None), next(iter(newest), None))

    def board(self, step: int) -> Board:
        """Return the maps of a step of the outer axes."""
        maps = self.view.maps
        shown = {name: maps[name][step] for name in maps.names}
        return Board(self.view.topographs[step], shown)

    def look_up(self, step: int, row: int, column: int) -> Shown | None:
        """Return the spectrum of a site from memory, else from the run's history."""
        started = self.started
        if started is None or started.place(step, row, column) is None:
            return None
        rows, columns = started.grid_shape
        index = (step * rows + row) * columns + column
        found = self.view.recent.get(index)
        if found is not None or self._look_up is None:
            return found
        spectrum, fit = self._look_up(index)
        return None if spectrum is None else Shown(spectrum, fit)

"""A finished run (or one that was cut off), read from its journal."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.monitor.dashboard.source import Health, Shown
from stm_daq.monitor.dashboard.viewed import Viewed
from stm_daq.monitor.view import RunView
from stm_daq.records import Fit, Progress, Spectrum


class Journal(Protocol):
    """What is needed of a journal; :class:`stm_daq.past.JournalPast` is one."""

    def update(self, view: RunView) -> None:
        """Apply everything that was stored to `view`."""
        ...

    def spectrum(self, site: int) -> tuple[Spectrum | Fit, ...]:
        """Return the latest spectrum of a site and its fit, as far as there are any."""
        ...


class PastRun(Viewed):
    """A run as it stands in its journal when it is opened.

    Raises
    ------
    BadInputError, JournalError
        If it cannot be read.
    """

    live = False

    def __init__(self, journal: Journal) -> None:
        super().__init__("", lambda site: _sorted(journal.spectrum(site)))
        journal.update(self.view)
        started = self.view.started
        if started is None:
            raise BadInputError("the journal is empty: its run died before it began")
        self.name = started.name
        self._done = int(np.isfinite(self.view.maps["time"]).sum())

    @property
    def progress(self) -> Progress:
        """How far the run came."""
        started, ended = self.view.started, self.view.ended
        assert started is not None
        end = ended.time if ended else math.nan
        hours = (end - started.time) / 3600.0
        rate = self._done / hours if hours > 0 else math.nan
        return Progress(end, self._done, started.site_count, end, rate, self.health.state)

    @property
    def latest(self) -> Shown | None:
        """The spectrum that was measured last, with its fit."""
        last = self.view.spectrum
        if last is None:
            return None
        return self.look_up(last.site.step, last.site.row, last.site.col)

    @property
    def health(self) -> Health:
        """How it ended."""
        ended = self.view.ended
        if ended is None:
            return Health("not ended", "the journal has no end: the run goes on, or was cut off")
        return Health(ended.state, ended.text)

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Nothing changes any more."""

    def unsubscribe(self, wake: Callable[[], None]) -> None:
        """Nothing changes any more."""


def _sorted(records: tuple[Spectrum | Fit, ...]) -> tuple[Spectrum | None, Fit | None]:
    spectrum = next((record for record in records if isinstance(record, Spectrum)), None)
    return spectrum, next((record for record in records if isinstance(record, Fit)), None)

"""The past of a run for its viewers: its journal, read piece by piece beside the run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from stm_daq.clock import Clock, RealClock
from stm_daq.monitor.bodies import Body
from stm_daq.monitor.news import told
from stm_daq.monitor.view import RunView
from stm_daq.records import Fit, RunEnded, Spectrum
from stm_daq.store import schema
from stm_daq.store.reading import reader, started_of, version_of

_PIECE = 100
"""Rows that are read before the run gets its turn."""
_TURN = 0.001
"""Its turn, s."""


class JournalPast:
    """Reads what a run has stored, each row once; see :class:`stm_daq.monitor.history.Past`.

    Parameters
    ----------
    folder : Path
        Of the run.
    clock : Clock, optional
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or RealClock()
        self._read: dict[str, int] = {}
        self._known_traces: int | None = None

    def update(self, view: RunView) -> None:
        """Apply everything to `view` that was stored since the last time; damaged rows are left out.

        Raises
        ------
        BadInputError, JournalError
            If there is no journal, or it cannot be read.
        """
        with reader(self._folder) as connection:
            if view.started is None:
                view.apply(told(started_of(connection)))
            for number, record in enumerate(self._news(connection)):
                view.apply(record)
                if number % _PIECE == _PIECE - 1:
                    self._clock.sleep(_TURN)

    def spectrum(self, site: int) -> tuple[Spectrum | Fit, ...]:
        """Return the latest spectrum of a site and its fit, as far as there are any."""
        with reader(self._folder) as connection:
            version = version_of(connection)
            text = "SELECT * FROM spectrum WHERE site=? ORDER BY attempt DESC LIMIT 1"
            row = connection.execute(text, (site,)).fetchone()
            if row is None or not schema.is_whole(row):
                return ()
            traces = self._traces(connection)
            spectrum = schema.spectrum_of(schema.upgraded("spectrum", version, row), traces)
            text = "SELECT * FROM fit WHERE site=? AND attempt=? ORDER BY rowid DESC LIMIT 1"
            row = connection.execute(text, (site, spectrum.attempt)).fetchone()
            if row is None or not schema.is_whole(row):
                return (spectrum,)
            return spectrum, schema.fit_of(schema.upgraded("fit", version, row))

    def _news(self, connection: sqlite3.Connection) -> Iterator[Body]:
        yield from (schema.topograph_of(row) for row in self._rows(connection, "topograph"))
        # spectra before fits: a fit belongs to the latest attempt only
        traces = self._traces(connection)
        yield from (schema.spectrum_of(row, traces) for row in self._rows(connection, "spectrum"))
        yield from (schema.fit_of(row) for row in self._rows(connection, "fit"))
        yield from (schema.event_of(row) for row in self._rows(connection, "event"))
        yield from (RunEnded(*row) for row in self._rows(connection, "ended"))

    def _traces(self, connection: sqlite3.Connection) -> int:
        """Return how many traces the run has besides current and conductance."""
        if self._known_traces is None:
            self._known_traces = len(started_of(connection).traces)
        return self._known_traces

    def _rows(self, connection: sqlite3.Connection, table: str) -> Iterator[schema.Row]:
        """Yield the rows of a table that were not read before."""
        version = version_of(connection)
        text = f"SELECT rowid, * FROM {table} WHERE rowid > ? ORDER BY rowid"
        for number, *row in connection.execute(text, (self._read.get(table, 0),)):
            self._read[table] = number
            if schema.is_whole(tuple(row)):
                yield schema.upgraded(table, version, tuple(row))

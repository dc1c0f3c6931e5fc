"""What a run that was cut off has done: all that is needed to go on with it."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stm_daq.records import Array, Event, Fit, RunEnded, RunStarted, Spectrum, TwinState
from stm_daq.store import schema
from stm_daq.store.reading import ended_of, reader, started_of, whole_rows


@dataclass(frozen=True, slots=True)
class DoneSoFar:
    """The state of a run as its journal tells it."""

    started: RunStarted
    ended: RunEnded | None
    spectra: tuple[Spectrum, ...]
    """All that are stored, in the order in which they were measured."""
    attempts: dict[int, int]
    """Number of spectra by site, damaged ones included."""
    damaged: frozenset[int]
    """Sites of which a spectrum is damaged on the disk."""
    fits: dict[tuple[int, int], Fit]
    """By site and attempt."""
    unfitted: tuple[Spectrum, ...]
    """Spectra without a fit, because the program died between the two."""
    reference: Array | None
    """The reference topograph for drift, m."""
    shift: tuple[float, float]
    """How far the sample had drifted, m."""
    drift_time: float
    """Wall time when that was measured."""
    temperature: Event | None
    """The last reading of the stage."""
    twin: TwinState | None


def done_so_far(path: Path | str) -> DoneSoFar:
    """Read what a run has done.

    Raises
    ------
    BadInputError, JournalError
        If there is no journal, or it cannot be read.
    """
    with reader(path) as connection:
        started = started_of(connection)
        traces = len(started.traces)
        rows = whole_rows(connection, "spectrum")
        spectra = [schema.spectrum_of(row, traces) for row in rows]
        attempts = _attempts(connection)
        fits = {(f.site_index, f.attempt): f for f in _fits(connection)}
        twin = _twin(connection)
        events = _lasting([schema.event_of(row) for row in whole_rows(connection, "event")], twin)
        reference, shift, drift_time = _drift(events)
        return DoneSoFar(
            started=started,
            ended=ended_of(connection),
            spectra=tuple(spectra),
            attempts=attempts,
            damaged=_damaged(attempts, spectra),
            fits=fits,
            unfitted=tuple(s for s in spectra if _key(s) not in fits),
            reference=reference,
            shift=shift,
            drift_time=drift_time,
            temperature=_last_temperature(events),
            twin=twin,
        )


def _key(spectrum: Spectrum) -> tuple[int, int]:
    return spectrum.site.index, spectrum.attempt


def _fits(connection: sqlite3.Connection) -> list[Fit]:
    return [schema.fit_of(row) for row in whole_rows(connection, "fit")]


def _attempts(connection: sqlite3.Connection) -> dict[int, int]:
    attempts: dict[int, int] = {}
    for site, attempt in connection.execute("SELECT site, attempt FROM spectrum"):
        if isinstance(site, int) and isinstance(attempt, int):
            attempts[site] = max(attempts.get(site, 0), attempt + 1)
    return attempts


def _damaged(attempts: dict[int, int], spectra: list[Spectrum]) -> frozenset[int]:
    whole = Counter(spectrum.site.index for spectrum in spectra)
    return frozenset(site for site, count in attempts.items() if whole[site] < count)


def _lasting(events: list[Event], twin: TwinState | None) -> list[Event]:
    """Return the events that the world remembers: a rehearsal goes back to its last spectrum."""
    return [event for event in events if twin is None or event.time <= twin.time]


def _last_temperature(events: list[Event]) -> Event | None:
    """Return the latest reading; a rehearsal that is resumed reads one at the virtual beginning."""
    found = [event for event in events if event.kind == "temperature"]
    return max(found, key=lambda event: event.time, default=None)


def _drift(events: list[Event]) -> tuple[Array | None, tuple[float, float], float]:
    """Return the reference topograph, the latest shift and its time.

    The last reference counts: a run that was cut off before its first spectrum begins with another.
    """
    reference, shift, time = None, (0.0, 0.0), -math.inf
    for event in events:
        if event.kind != "drift":
            continue
        shift, time = (float(event.data["x"]), float(event.data["y"])), event.time
        if "reference" in event.data:
            reference = np.array(event.data["reference"], dtype=np.float64)
    return reference, shift, time


def _twin(connection: sqlite3.Connection) -> TwinState | None:
    rows = [schema.twin_state_of(row) for row in whole_rows(connection, "twin_state")]
    return rows[-1] if rows else None

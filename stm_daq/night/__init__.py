"""Nights: prepared, rehearsed on the twin, run on the microscope, resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stm_daq.night.measure import NightResult, Unfinished, Venue, measure
from stm_daq.night.outlook import Outlook, outlook, written_moment
from stm_daq.night.prepare import Night, TwinUse, prepare_night
from stm_daq.night.resume import prepare_resume, rehearsal_of
from stm_daq.recording import Observer
from stm_daq.rehearsal import Rehearsal, make_twin, visa_library
from stm_daq.station.lock import station_lock
from stm_daq.station.sessions import sessions_from
from stm_daq.station.streams import streams_from
from stm_daq.station.surroundings import surrounded_by
from stm_daq.watchdog.heartbeat import BeatingClock

__all__ = [
    "Night",
    "NightResult",
    "Outlook",
    "TwinUse",
    "Unfinished",
    "outlook",
    "prepare_night",
    "prepare_resume",
    "rehearse",
    "resume",
    "run",
    "written_moment",
]


def rehearse(
    night: Night, runs: Path, rehearsal: Rehearsal, unfinished: Unfinished | None = None
) -> NightResult:
    """Run a plan on the twin of its station, in virtual time; or go on with such a run."""
    rehearsal = rehearsal.fixed()
    twin = make_twin(night.config, rehearsal)
    with (
        twin,
        visa_library(twin.visa_library),
        streams_from(twin.open_stream),
        sessions_from(twin.open_session),
        surrounded_by(twin),
    ):
        venue = Venue("rehearsal", twin.clock, twin, rehearsal.origin)
        result = measure(night, venue, runs, unfinished)
        return replace(
            result, transactions=twin.transactions(), violations=tuple(twin.violations())
        )


def run(
    night: Night, runs: Path, unfinished: Unfinished | None = None, *, watchdog: bool = True
) -> NightResult:
    """Run a plan on the microscope; or go on with such a run.

    Raises
    ------
    StationBusyError
        If another run uses the station.
    InstrumentError
        Also if the watchdog cannot look after the station.
    """
    clock = BeatingClock()
    with station_lock(night.config):
        return measure(
            night, Venue("run", clock, watched_clock=clock if watchdog else None), runs, unfinished
        )


def resume(night: Night, unfinished: Unfinished, observers: Sequence[Observer]) -> NightResult:
    """Go on with a run where it was cut off; see :func:`prepare_resume`."""
    watched = night.watched_by(observers)
    runs = unfinished.folder.parent
    if unfinished.done.started.kind == "rehearsal":
        return rehearse(watched, runs, rehearsal_of(unfinished.done.started), unfinished)
    return run(watched, runs, unfinished)

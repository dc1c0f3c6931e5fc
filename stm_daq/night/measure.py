"""Wires one run: plan, station (or its twin), journal, fit, observers, runner."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.clock import Clock, RealClock
from stm_daq.disk_space import DiskSpace
from stm_daq.errors import BadInputError
from stm_daq.night.desk import NightDesk, attended
from stm_daq.night.prepare import Night
from stm_daq.night.started import run_started
from stm_daq.recording import (
    ChangeableFit,
    Derive,
    OnlineFit,
    Recording,
    RecordTruth,
    RecordTwin,
    twin_state,
)
from stm_daq.records import Array, Event, RunEnded, RunStarted
from stm_daq.rehearsal import TwinLike
from stm_daq.sequencer.control import Control
from stm_daq.sequencer.replay import Replay
from stm_daq.sequencer.runner import Runner
from stm_daq.sequencer.stop import StopSwitch, stop_on_signals
from stm_daq.sequencer.surroundings import Earlier, Surroundings
from stm_daq.sequencer.sweeper import Sweeper
from stm_daq.station.loader import Station, open_station
from stm_daq.station.lock import run_lock
from stm_daq.station.roles import TemperatureReading
from stm_daq.store.done import DoneSoFar, done_so_far
from stm_daq.store.journal import Journal, new_run_folder
from stm_daq.store.local_disk import require_local_disk
from stm_daq.store.reading import RESUMED
from stm_daq.watchdog.heartbeat import REPORT, BeatingClock, SafetyState, watched

if TYPE_CHECKING:
    from stm_daq.fitting import OnlineFitter
    from stm_daq.plan import Plan

LOG = "log.txt"
"""Warnings and errors of a run with their tracebacks, in its folder."""


@dataclass(frozen=True, slots=True)
class NightResult:
    """What is left of a run."""

    folder: Path
    ended: RunEnded
    seconds: float
    """Duration in the run's own time (virtual in a rehearsal)."""
    transactions: int = 0
    """Bus transactions (rehearsals only)."""
    transactions_opening: int = 0
    """Those of them that opened the station, took its snapshot and prepared the run."""
    violations: tuple[str, ...] = ()
    """What the twin's world saw go wrong (rehearsals only)."""


@dataclass(frozen=True)
class Venue:
    """Where a night takes place."""

    kind: str
    """"rehearsal" or "run"."""
    clock: Clock
    twin: TwinLike | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What a rehearsal needs to make the same twin again."""
    watched_clock: BeatingClock | None = None
    """The same clock, where a watchdog shall look after the run."""


@dataclass(frozen=True)
class Unfinished:
    """A run that is resumed."""

    folder: Path
    done: DoneSoFar


def measure(night: Night, venue: Venue, runs: Path, unfinished: Unfinished | None) -> NightResult:
    """Measure a night from its beginning, into a new folder in `runs`, or from where it was cut off."""
    require_local_disk(runs)
    clock, twin = venue.clock, venue.twin
    began = clock.now()
    if night.plan.is_fitted:
        fitter(night.plan, night.plan.sweep.modulation_peak, np.ones(1)).warm_up()
    with ExitStack() as stack:
        station = stack.enter_context(open_station(night.config, clock))
        stop = StopSwitch()
        stack.enter_context(stop_on_signals(stop))
        if unfinished is None:
            folder = stack.enter_context(_run_folder(runs, night.plan.name, clock.wall()))
        else:
            folder = unfinished.folder
        stack.enter_context(run_lock(folder))
        if unfinished is not None:
            _require_unchanged(unfinished)
        stack.enter_context(_log_file(folder / LOG))
        # disk and people are real even in a rehearsal
        real = clock if twin is None else RealClock()
        disk = DiskSpace(folder, real, lambda: stop.requested)
        recording = Recording(clock, disk)
        control = Control(stop, real)
        around = surroundings(disk, control, recording, unfinished, twin)
        expected = night.estimate.total
        runner = Runner(night.plan, station, clock, recording.emit, expected, around)
        if venue.watched_clock is not None:
            path, beating = night.config.path, venue.watched_clock
            heartbeat = stack.enter_context(watched(path, folder, beating, stop.request))
            heartbeat.start(lambda: SafetyState(*runner.safety))
        sweep = stack.enter_context(runner.prepared())
        journal, started = _journal(night, venue, folder, station, sweep, unfinished, runner.look)
        stack.enter_context(journal)
        fit = online_fit(night, sweep)
        connect(night, recording, journal, started, fit, twin)
        desk = NightDesk(control, None if fit is None else fit.change)
        stack.enter_context(attended(night.attendants, desk))
        opening = twin.transactions() if twin else 0
        if unfinished is not None:
            _take_up(recording, unfinished, clock)
        ended = runner.run()
    return NightResult(folder, ended, clock.now() - began, transactions_opening=opening)


def surroundings(
    disk: DiskSpace,
    control: Control,
    recording: Recording,
    unfinished: Unfinished | None,
    twin: TwinLike | None,
) -> Surroundings:
    """What the runner needs from outside the station."""
    around = Surroundings(control=control, latest_fit=recording.latest_fit, free_disk=disk.free)
    if unfinished is None:
        return around
    done = unfinished.done
    earlier = Earlier(
        replay=Replay(done.spectra, done.fits),
        attempts=done.attempts,
        damaged=done.damaged,
        reference=done.reference,
        shift=done.shift,
        # the real sample went on drifting: it is looked for first
        drift_time=-math.inf if twin is None else done.drift_time,
        temperature=_reading(done.temperature),
    )
    around = replace(around, earlier=earlier)
    if twin is None or done.twin is None:
        return around
    return replace(around, begin=partial(twin.go_on_from, done.twin.state))


def _reading(event: Event | None) -> TemperatureReading | None:
    if event is None:
        return None
    kelvin = event.data.get("kelvin")
    value = float(kelvin) if kelvin is not None else math.nan
    return TemperatureReading(value, bool(event.data.get("fresh")), event.time)


def connect(
    night: Night,
    recording: Recording,
    journal: Journal,
    started: RunStarted,
    fit: ChangeableFit | None,
    twin: TwinLike | None,
) -> None:
    """Let every record go to the journal, the fit and the observers."""
    derive: list[Derive] = [] if fit is None else [fit]
    attach: list[Derive] = [] if twin is None else [RecordTruth(twin), RecordTwin(twin)]
    recording.connect(journal, started, attach, derive, night.observers)


def online_fit(night: Night, sweep: Sweeper) -> ChangeableFit | None:
    """The fit of every spectrum of a night; None if nothing is fitted."""
    plan = night.plan
    if not plan.is_fitted:
        return None

    def make(model: str) -> OnlineFit:
        made = fitter(replace(plan, fit_model=model), sweep.modulation, sweep.step_memory)
        made.warm_up()
        return OnlineFit(made, model)

    return ChangeableFit(make, plan.fit_model)


def fitter(plan: Plan, modulation: float, memory: Array) -> OnlineFitter:
    """The fit of every spectrum of a plan."""
    from stm_daq.fitting import OnlineFitter

    return OnlineFitter(plan.sweep.bias, modulation, plan.fit_model, memory=memory)


def _journal(
    night: Night,
    venue: Venue,
    folder: Path,
    station: Station,
    sweep: Sweeper,
    unfinished: Unfinished | None,
    look: Callable[[], None],
) -> tuple[Journal, RunStarted]:
    if unfinished is not None:
        return Journal.reopen(folder), unfinished.done.started
    now = venue.clock.wall()
    started = run_started(night, venue.kind, folder.name, now, station, sweep, venue.origin)
    look()
    beginning = [] if venue.twin is None else [twin_state(venue.twin)]
    return Journal.create(folder, started, *beginning), started


def _take_up(recording: Recording, unfinished: Unfinished, clock: Clock) -> None:
    """Take back an earlier end, and fit what was stored without a fit."""
    done = unfinished.done
    now = clock.wall()
    sites = len({spectrum.site.index for spectrum in done.spectra})
    recording.emit(Event(now, "resumed", f"resumed after {sites} sites", {"sites": sites}))
    if done.damaged:
        numbers = ", ".join(map(str, sorted(done.damaged)))
        text = f"spectra are damaged on the disk, sites {numbers}: they are measured again"
        recording.emit(Event(now, "warning", text, {"sites": sorted(done.damaged)}))
    if done.ended is not None:
        recording.emit(RunEnded(now, RESUMED, f"after: {done.ended.text}"))
    for spectrum in done.unfitted:
        recording.derive(spectrum)
        if (fit := recording.latest_fit()) is not None:
            done.fits[spectrum.site.index, spectrum.attempt] = fit
    report = unfinished.folder / REPORT
    if report.exists():
        found = json.loads(report.read_text(encoding="utf-8"))
        text = "; ".join([found["cause"], found["done"], *found["failures"]])
        recording.emit(Event(float(found["time"]), "watchdog", text, found))
        report.unlink()


def _require_unchanged(unfinished: Unfinished) -> None:
    """Refuse a run that somebody else has taken further since it was read."""
    if len(done_so_far(unfinished.folder).spectra) != len(unfinished.done.spectra):
        raise BadInputError(f"{unfinished.folder} has gone on in the meantime: resume it again")


@contextmanager
def _run_folder(runs: Path, name: str, now: float) -> Iterator[Path]:
    """Make the folder of a run; leave none behind if the run does not get as far as a journal."""
    folder = new_run_folder(runs, name, now)
    try:
        yield folder
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Keep what the program logs, with tracebacks, beside the run."""
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()

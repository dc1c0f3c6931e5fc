"""``stm-daq rehearse`` and ``stm-daq run``."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stm_daq import night
from stm_daq.alert_settings import alert_settings
from stm_daq.clock import RealClock
from stm_daq.commands.progress import progress_display
from stm_daq.commands.report import report_at_the_end
from stm_daq.errors import InstrumentError, Problem
from stm_daq.monitor.alerts.alerter import Alerter
from stm_daq.monitor.publisher import Publisher
from stm_daq.past import JournalPast
from stm_daq.quantities import show_duration
from stm_daq.recording import Observer
from stm_daq.rehearsal import MeasuredSurface, Rehearsal

STOPPED = 10
_SHORTEST = 1.5
"""However short a run, viewers who wait for it have so long (s) to connect."""


@dataclass(frozen=True, slots=True)
class Showing:
    """How a run is shown to people."""

    port: int | None
    """First of the ports where viewers connect; None: as the station says."""
    report: bool
    """Whether the report is written at the end."""
    as_json: bool
    """Whether the outcome is printed for scripts."""
    send_alerts: bool = False
    """Whether the alerts of a rehearsal are sent too."""


def rehearse_plan(
    plan: Path,
    station: Path,
    runs: Path,
    seed: int | None,
    measured: MeasuredSurface | None,
    start: str | None,
    showing: Showing,
) -> int:
    """Rehearse a plan on the twin, write the report, return the exit code."""
    now = RealClock().wall()
    epoch = night.written_moment("--start", start, now) or now
    rehearsal = Rehearsal(seed=seed, measured=measured, epoch=epoch)
    prepared = night.prepare_night(plan, station, "needed")
    seen = night.outlook(prepared, runs, epoch, None)
    _warn((*seen.refusals, *seen.warnings))
    return _finish(
        prepared,
        runs,
        showing,
        lambda watched: night.rehearse(watched, runs, rehearsal),
    )


def run_plan(
    plan: Path,
    station: Path,
    runs: Path,
    helium_until: str | None,
    watchdog: bool,
    showing: Showing,
) -> int:
    """Run a plan on the microscope, write the report, return the exit code.

    Raises
    ------
    OutOfRangeError
        If it cannot finish before its deadline or on the helium, or the disk is too small; no
        instrument was touched.
    """
    prepared = night.prepare_night(plan, station, "ignored")
    seen = night.outlook(prepared, runs, RealClock().wall(), helium_until)
    seen.require()
    _warn(seen.warnings)
    return _finish(
        prepared,
        runs,
        showing,
        lambda watched: night.run(watched, runs, watchdog=watchdog),
    )


def resume_run(folder: Path, as_begun: bool, showing: Showing) -> int:
    """Go on with a run that was cut off, write the report, return the exit code."""
    prepared, unfinished = night.prepare_resume(folder, as_begun)
    return _finish(
        prepared,
        unfinished.folder.parent,
        showing,
        lambda watched: night.resume(watched, unfinished, watched.observers),
    )


def _finish(
    prepared: night.Night,
    runs: Path,
    showing: Showing,
    measure: Callable[[night.Night], night.NightResult],
) -> int:
    _warn((*prepared.plan.warnings, *prepared.estimate.warnings))
    with (
        _publisher(prepared, runs, showing.port) as publisher,
        _observers(prepared, runs, publisher, showing) as observers,
    ):
        result = measure(prepared.watched_by(observers).attended_by([publisher.attend]))
    if not showing.as_json:
        _print_summary(result)
    written = report_at_the_end(result.folder) if showing.report else None
    if showing.as_json:
        _print_json(result, written)
    elif written is not None:
        print(f"report:   {written}")
    if result.ended.state == "finished":
        return 0
    return STOPPED if result.ended.state == "stopped" else InstrumentError.exit_code


def _warn(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)


def _publisher(prepared: night.Night, runs: Path, port: int | None) -> Publisher:
    settings = prepared.config.monitor
    return Publisher(
        settings.port if port is None else port,
        listen=settings.listen,
        keys=settings.keys,
        runs=runs,
        open_past=JournalPast,
        station=settings.name or platform.node(),
        shortest=_SHORTEST,
    )


@contextmanager
def _observers(
    prepared: night.Night, runs: Path, publisher: Publisher, showing: Showing
) -> Iterator[list[Observer]]:
    config = prepared.config
    settings = alert_settings(config.alerts, config.path.parent, prepared.plan.alerts)
    with ExitStack() as stack:
        alerter = Alerter(settings, runs, publisher.publish, showing.send_alerts)
        stack.callback(_close_alerts, alerter)
        observers: list[Observer] = [publisher.publish, alerter]
        if not showing.as_json:
            print(f"watch it from another terminal: stm-daq watch {publisher.address}")
            observers.append(stack.enter_context(progress_display()))
        yield observers


def _close_alerts(alerter: Alerter) -> None:
    """Send the last alerts; say what stays behind."""
    left = alerter.close()
    if left:
        print(f"{len(left)} alert(s) could not be sent:", file=sys.stderr)
    for waiting in left:
        print(f"  {waiting.sink}: {waiting.letter.line}", file=sys.stderr)


def _print_summary(result: night.NightResult) -> None:
    from rich.console import Console

    from stm_daq import open_run
    from stm_daq.report.terminal import summary

    ended = result.ended
    if ended.state != "finished":
        print(f"{ended.state}: {ended.text}")
    Console().print(summary(open_run(result.folder)))
    virtual = " (virtual)" if result.transactions else ""
    print(f"duration: {show_duration(result.seconds)}{virtual}")
    for violation in result.violations:
        print(f"the twin objects: {violation}")
    print(f"run:      {result.folder}", flush=True)


def _print_json(result: night.NightResult, written: Path | None) -> None:
    print(
        json.dumps(
            {
                "run": str(result.folder),
                "report": None if written is None else str(written),
                "state": result.ended.state,
                "text": result.ended.text,
                "seconds": result.seconds,
                "transactions": result.transactions,
                "transactions_opening": result.transactions_opening,
                "violations": list(result.violations),
            },
            indent=1,
        )
    )

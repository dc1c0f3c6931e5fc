"""``stm-daq rehearse --ci``: dry runs of a laboratory's plans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError
from stm_daq.night import written_moment
from stm_daq.night.dry_run import DryRun, dry_run
from stm_daq.night.sample import SAMPLE
from stm_daq.quantities import show_duration
from stm_daq.rehearsal import MeasuredSurface, Rehearsal

FAILED = 11
"""Exit code if a plan failed."""


def rehearse_for_ci(
    plans: Sequence[Path],
    station: Path,
    runs: Path,
    seed: int | None,
    measured: MeasuredSurface | None,
    start: str | None,
    every_site: bool,
    junit: Path | None,
) -> int:
    """Rehearse every plan, print a line for each, return the exit code.

    Raises
    ------
    BadInputError
        If `start` is no moment, or the JUnit file cannot be written; in this case everything was
        rehearsed and printed.
    """
    clock = RealClock()
    epoch = written_moment("--start", start, clock.wall())
    rehearsal = Rehearsal(seed=seed, measured=measured, epoch=epoch)
    sites = None if every_site else SAMPLE
    done: list[tuple[DryRun, float]] = []
    for plan in plans:
        began = clock.now()
        done.append((dry_run(plan, station, runs, rehearsal, sites), clock.now() - began))
        print(_line(done[-1][0]), flush=True)
    if junit is not None:
        write_junit(done, junit)
    return 0 if all(run.passed for run, _ in done) else FAILED


def _line(run: DryRun) -> str:
    name = f"{'ok  ' if run.passed else 'FAIL'}  {run.plan}:"
    if run.passed and run.result is not None:
        length = show_duration(run.result.seconds)
        return f"{name} {run.sites} of {run.of_sites} sites, {run.good} good fits, {length}"
    more = f" (and {len(run.failures) - 1} more)" if len(run.failures) > 1 else ""
    return f"{name} {run.failures[0]}{more}"


def write_junit(done: Sequence[tuple[DryRun, float]], path: Path) -> None:
    """Write what became of every plan (and the seconds it took) as JUnit XML.

    Raises
    ------
    BadInputError
        If the file cannot be written.
    """
    from junitparser import Failure, JUnitXml, TestCase, TestSuite

    suite = TestSuite("stm-daq rehearse")
    for run, seconds in done:
        case = TestCase(run.plan.name, run.plan.parent.as_posix(), seconds)
        if run.failures:
            failure = Failure(_plain(run.failures[0]))
            failure.text = _plain("\n".join(run.failures))
            case.result = [failure]
        if run.result is not None:
            case.system_out = _plain(f"{_line(run)}\nrun: {run.result.folder}")
        suite.add_testcase(case)
    report = JUnitXml()
    report.add_testsuite(suite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        report.write(str(path), pretty=True)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written ({error.strerror or error})") from None


def _plain(text: str) -> str:
    """Leave out what XML cannot hold: an instrument may reply anything."""
    return "".join(c for c in text if c in "\n\t" or " " <= c < "\ud800" or c > "\udfff")

"""``stm-daq report``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError

if TYPE_CHECKING:
    import xarray as xr

    from stm_daq.records import Event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the user wants of a report."""

    recipe: str = "auto"
    compare: Path | None = None
    pdf: bool = False
    out: Path | None = None
    as_json: bool = False


def report_run(run: Path, out: Path | None) -> Path:
    """Write the report of a run that has ended and return its path (``report.html`` in its folder)."""
    from stm_daq.report.html import make_report, save_report

    path = out or _beside(run)
    with _writable(path):
        return save_report(make_report(*_opened(run)), path)


def report_at_the_end(run: Path) -> Path | None:
    """Write the report of a run that has just ended; what fails here does not fail the run."""
    try:
        return report_run(run, None)
    except Exception as error:
        log.exception("the report of %s failed", run)
        print(
            f"warning: the report could not be written ({error}); `stm-daq report {run}` tries again",
            file=sys.stderr,
        )
        return None


def show_report(run: Path, options: ReportOptions) -> None:
    """Write the report of a run or a measured file, and say where it is or what it found.

    Raises
    ------
    BadInputError
        If there is no such run, file or recipe, or the report cannot be written.
    """
    from stm_daq.report.findings import as_json
    from stm_daq.report.html import make_report, save_report
    from stm_daq.report.recipes import check_name

    check_name(options.recipe)
    if options.pdf:
        from stm_daq.report.pdf import require_pdf

        require_pdf()
    if options.compare is not None:
        _compare(run, options.compare, options)
        return
    clock = RealClock()
    start = clock.now()
    path = options.out or _beside(run)
    dataset, events = _opened(run)
    report = make_report(dataset, events, options.recipe, pdf=options.pdf, progress=_tell)
    with _writable(path):
        save_report(report, path)
        written = [path, *_pdf(report, path, options)]
    _tell(f"report: {len(report.figures)} figures in {clock.now() - start:.1f} s")
    if options.as_json:
        _print_json(
            {"report": str(path), "pdf": str(written[1]) if options.pdf else None,
             "recipe": report.recipe, "problems": list(report.problems),
             "findings": as_json(report.findings)}
        )  # fmt: skip
        return
    for problem in report.problems:
        print(f"warning: {problem}", file=sys.stderr)
    for file in written:
        print(file)


def _pdf(report: Any, path: Path, options: ReportOptions) -> list[Path]:
    if not options.pdf:
        return []
    from stm_daq.report.pdf import save_pdf

    return [save_pdf(report, path.with_suffix(".pdf"))]


def _compare(run: Path, other: Path, options: ReportOptions) -> None:
    """Write the comparison of two runs."""
    from stm_daq.report.compare import compare, save_comparison

    if options.pdf:
        raise BadInputError("--compare makes a page, no PDF: leave --pdf away")
    path = options.out or _beside(run, "comparison.html")
    found = compare(_opened(run)[0], _opened(other)[0], options.recipe)
    with _writable(path):
        save_comparison(found, path)
    if options.as_json:
        _print_json({"report": str(path), "recipe": found.recipe, "findings": found.as_json()})
    else:
        print(path)


def _opened(path: Path) -> tuple[xr.Dataset, list[Event]]:
    """Open a run, or a measured file of another program."""
    if path.is_dir() or path.name == "journal.db":
        from stm_daq import open_run
        from stm_daq.store.reading import events

        return open_run(path), events(path)
    from stm_daq import read

    return read(path), []


def _beside(run: Path, name: str = "report.html") -> Path:
    """Return where a report goes: into the run's folder, or beside a measured file."""
    if run.is_dir():
        return run / name
    return run.with_name(name if run.name == "journal.db" else f"{run.name}.{name}")


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInputError(
            f"{path}: the report cannot be written ({error.strerror or error}); "
            "choose another place with `stm-daq report RUN --out FILE`"
        ) from None


def _tell(text: str) -> None:
    """Tell a person who waits; scripts have nobody who reads it."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))

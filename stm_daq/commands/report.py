"""``stm-daq report``."""

from __future__ import annotations

from pathlib import Path


def report_run(run: Path, out: Path | None) -> Path:
    """Write the report of a run and return its path (``report.html`` in the run's folder)."""
    from stm_daq import open_run
    from stm_daq.report.html import write_report
    from stm_daq.store.reading import events

    folder = run if run.is_dir() else run.parent
    return write_report(open_run(run), events(run), out or folder / "report.html")

"""``stm-daq report``."""

from __future__ import annotations

from pathlib import Path

from stm_daq.errors import BadInputError


def report_run(run: Path, out: Path | None) -> Path:
    """Write the report of a run and return its path (``report.html`` in the run's folder)."""
    from stm_daq import open_run
    from stm_daq.report.html import write_report
    from stm_daq.store.reading import events

    path = out or (run if run.is_dir() else run.parent) / "report.html"
    try:
        return write_report(open_run(run), events(run), path)
    except OSError as error:
        raise BadInputError(
            f"{path}: the report cannot be written ({error.strerror or error}); "
            "choose another place with `stm-daq report RUN --out FILE`"
        ) from None

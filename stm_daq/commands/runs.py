"""``stm-daq runs``."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.store.catalogue import RunInfo, list_runs


def show_runs(folder: Path, as_json: bool) -> None:
    """Print a table of the runs in a folder, oldest first."""
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder; runs are kept where --runs says")
    found = list_runs(folder)
    if as_json:
        print(json.dumps([_as_dict(info) for info in found], indent=1))
    else:
        _print_table(found, folder)


def _as_dict(info: RunInfo) -> dict[str, object]:
    return {
        "path": str(info.path),
        "name": info.name,
        "sample": info.sample,
        "kind": info.kind,
        "started": info.started,
        "state": info.state,
        "done": info.done,
        "total": info.total,
        "fits_ok": info.fits_ok,
        "problem": info.problem,
    }


def _print_table(found: list[RunInfo], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    if not found:
        print(f"no runs in {folder}")
        return
    table = Table("run", "name", "kind", "started", "state", "spectra", "good fits", box=None)
    for info in found:
        started = datetime.fromtimestamp(info.started).strftime("%Y-%m-%d %H:%M")
        spectra = f"{info.done}/{info.total}"
        table.add_row(
            info.path.name, info.name, info.kind, started, info.state, spectra, str(info.fits_ok)
        )
    Console().print(table)

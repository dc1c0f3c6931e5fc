"""``stm-daq runs``."""

from __future__ import annotations

import json
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.store.catalogue import RunInfo, list_runs

HEADINGS: tuple[str, ...] = ("run", "kind", "state", "spectra", "good fits", "sample")


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
    if not found:
        print(f"no runs in {folder}")
        return
    rows = [HEADINGS, *(_cells(info) for info in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _cells(info: RunInfo) -> tuple[str, ...]:
    if info.problem:
        return (info.path.name, info.kind, info.state, "", "", info.problem)
    spectra = f"{info.done}/{info.total}"
    return (info.path.name, info.kind, info.state, spectra, str(info.fits_ok), info.sample)

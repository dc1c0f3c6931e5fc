"""``stm-daq runs``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.quantities import parse
from stm_daq.store.catalogue import RunInfo, Search, list_runs, moment

HEADINGS: tuple[str, ...] = ("run", "kind", "state", "spectra", "good fits", "gap (meV)", "sample")


@dataclass(frozen=True, slots=True)
class RunsOptions:
    """What the command line asks for."""

    since: str | None = None
    until: str | None = None
    sample: str | None = None
    plan: str | None = None
    state: str | None = None
    gap: tuple[str, str] | None = None

    def search(self) -> Search:
        """Return it as a search.

        Raises
        ------
        BadInputError
            If a date or a gap cannot be read.
        """
        try:
            gap = (parse(self.gap[0], "eV"), parse(self.gap[1], "eV")) if self.gap else None
        except ValueError as error:
            raise BadInputError(f"--gap: {error}") from None
        return Search(
            since=moment(self.since) if self.since else None,
            until=moment(self.until) if self.until else None,
            sample=self.sample or "",
            plan=self.plan or "",
            state=self.state or "",
            gap=gap,
        )


def show_runs(folder: Path, options: RunsOptions, as_json: bool) -> None:
    """Print a table of the runs in a folder, oldest first."""
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder; runs are kept where --runs says")
    found = list_runs(folder, options.search())
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
        "gap_eV": None if math.isnan(info.gap) else info.gap,
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
        return (info.path.name, info.kind, info.state, "", "", "", info.problem)
    spectra = f"{info.done}/{info.total}"
    gap = "" if math.isnan(info.gap) else f"{1e3 * info.gap:.3f}"
    return (info.path.name, info.kind, info.state, spectra, str(info.fits_ok), gap, info.sample)

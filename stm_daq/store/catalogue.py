"""The runs of a folder, at a glance."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass, fields
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError, JournalError
from stm_daq.store import schema
from stm_daq.store.reading import ended_of, reader, started_of

if TYPE_CHECKING:
    import pandas as pd

_QUIET = 300.0
"""A run without an end whose journal did not change for so long (s) counts as interrupted."""
_INNER = (5, 50, 95)
"""Percentiles of the gaps that the catalogue states."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One line of the catalogue."""

    path: Path
    """The run folder."""
    run_id: str = ""
    name: str = ""
    """Of the plan."""
    sample: str = ""
    kind: str = ""
    """"rehearsal" or "run"."""
    started: float = 0.0
    """Seconds since the Unix epoch (virtual in a rehearsal)."""
    state: str = "unreadable"
    """"finished", "stopped", "failed"; without an end "running?" while the file still changes and
    "interrupted" later; "unreadable" with the reason in `problem`."""
    done: int = 0
    """Sites with a spectrum."""
    total: int = 0
    """Sites of the plan."""
    fits_ok: int = 0
    """Sites whose latest fit can be trusted."""
    gap_low: float = math.nan
    """5 % of the trusted gaps are below, eV; NaN without any."""
    gap: float = math.nan
    """Median of the trusted gaps, eV."""
    gap_high: float = math.nan
    """95 % of the trusted gaps are below, eV."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; every condition has to hold.

    Texts may hold the wildcards ``*`` and ``?`` and are found anywhere in the name, whether written
    in capitals or not.
    """

    since: datetime | None = None
    """Started then or later; without a time zone, local time."""
    until: datetime | None = None
    """Started before."""
    sample: str = ""
    plan: str = ""
    state: str = ""
    gap: tuple[float, float] | None = None
    """eV; the median gap lies between the two."""

    def finds(self, info: RunInfo) -> bool:
        """Say whether a run is one of those looked for."""
        if (self.since or self.until) and info.problem:
            return False
        if self.since is not None and info.started < self.since.timestamp():
            return False
        if self.until is not None and info.started >= self.until.timestamp():
            return False
        pairs = ((self.sample, info.sample), (self.plan, info.name), (self.state, info.state))
        if not all(fnmatch(text.lower(), f"*{wanted.lower()}*") for wanted, text in pairs):
            return False
        return self.gap is None or self.gap[0] <= info.gap <= self.gap[1]


def list_runs(folder: Path | str, search: Search | None = None) -> list[RunInfo]:
    """List the runs in `folder`, by name (which begins with the date), oldest first.

    Folders without a journal are passed over; a journal that cannot be read is listed with its
    `problem`. A folder that does not exist holds no runs. Journals of older versions are read like
    new ones.
    """
    root = Path(folder)
    if not root.is_dir():
        return []
    wanted = search or Search()
    journals = sorted(root.glob(f"*/{schema.FILE_NAME}"))
    return [info for info in map(_info, journals) if wanted.finds(info)]


def catalogue(folder: Path | str, search: Search | None = None) -> pd.DataFrame:
    """List the runs in `folder` as a table.

    Parameters
    ----------
    folder : Path or str
    search : Search, optional

    Returns
    -------
    pandas.DataFrame
        A row for every run, oldest first, its columns those of :class:`RunInfo`; `started` is a
        time (UTC), gaps are in eV.
    """
    import pandas as pd

    found = list_runs(folder, search)
    columns = {f.name: [getattr(info, f.name) for info in found] for f in fields(RunInfo)}
    table = pd.DataFrame(columns)
    started = pd.to_datetime(np.array(table["started"], dtype=np.float64), unit="s", utc=True)
    return table.assign(path=table["path"].map(str), started=started)


def moment(text: str) -> datetime:
    """Read a date of a search: ``2026-11-21`` or ``2026-11-21 20:00``, local time.

    Raises
    ------
    BadInputError
        If it is none.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        raise BadInputError(f"'{text}' is no date: write 2026-11-21, or 2026-11-21 20:00") from None


def _info(journal: Path) -> RunInfo:
    folder = journal.parent
    try:
        with reader(folder) as connection:
            return _read(folder, connection)
    except (JournalError, BadInputError, OSError, ValueError, TypeError) as error:
        return RunInfo(folder, problem=str(error))


def _read(folder: Path, connection: sqlite3.Connection) -> RunInfo:
    started = started_of(connection)
    ended = ended_of(connection)
    low, median, high, trusted = _gaps(connection)
    return RunInfo(
        path=folder,
        run_id=started.run_id,
        name=started.name,
        sample=started.sample,
        kind=started.kind,
        started=started.time,
        state=ended.state if ended else _unfinished(folder),
        done=_count(connection, "SELECT count(DISTINCT site) FROM spectrum"),
        total=started.site_count,
        fits_ok=trusted,
        gap_low=low,
        gap=median,
        gap_high=high,
    )


def _gaps(connection: sqlite3.Connection) -> tuple[float, float, float, int]:
    """Return percentiles of the trusted gaps (eV) and the number of trusted fits."""
    # bare columns beside max() are those of the row that has the maximum (SQLite)
    rows = connection.execute("SELECT value, ok, max(rowid) FROM fit GROUP BY site").fetchall()
    trusted = [schema.numbers_of(value) for value, ok, _ in rows if ok]
    gaps = np.array([fit["gap"] for fit in trusted if "gap" in fit])
    gaps = gaps[np.isfinite(gaps)]
    if not len(gaps):
        return math.nan, math.nan, math.nan, len(trusted)
    low, median, high = (float(value) for value in np.percentile(gaps, _INNER))
    return low, median, high, len(trusted)


def _count(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _unfinished(folder: Path) -> str:
    files = folder.glob(f"{schema.FILE_NAME}*")
    newest = max(file.stat().st_mtime for file in files if not file.name.endswith("-shm"))
    return "running?" if RealClock().wall() - newest < _QUIET else "interrupted"

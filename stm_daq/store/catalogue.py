"""The runs of a folder, at a glance."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError, JournalError
from stm_daq.store import schema
from stm_daq.store.reading import ended_of, reader, started_of

_QUIET = 300.0
"""A run without an end whose journal did not change for so long (s) counts as interrupted."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One line of the catalogue."""

    path: Path
    """The run folder."""
    run_id: str = ""
    name: str = ""
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
    problem: str = ""


def list_runs(folder: Path | str) -> list[RunInfo]:
    """List the runs in `folder`, by name (which begins with the date), oldest first.

    Folders without a journal are passed over; a journal that cannot be read is listed with its
    `problem`. A folder that does not exist holds no runs.
    """
    root = Path(folder)
    if not root.is_dir():
        return []
    journals = sorted(root.glob(f"*/{schema.FILE_NAME}"))
    return [_info(journal.parent) for journal in journals]


def _info(folder: Path) -> RunInfo:
    try:
        with reader(folder) as connection:
            return _read(folder, connection)
    except (JournalError, BadInputError, OSError, ValueError, TypeError) as error:
        return RunInfo(folder, problem=str(error))


def _read(folder: Path, connection: sqlite3.Connection) -> RunInfo:
    started = started_of(connection)
    ended = ended_of(connection)
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
        fits_ok=_count(
            connection,
            "SELECT total(ok) FROM (SELECT ok, max(rowid) FROM fit GROUP BY site)",
        ),
    )


def _count(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _unfinished(folder: Path) -> str:
    files = folder.glob(f"{schema.FILE_NAME}*")
    newest = max(file.stat().st_mtime for file in files if not file.name.endswith("-shm"))
    return "running?" if RealClock().wall() - newest < _QUIET else "interrupted"

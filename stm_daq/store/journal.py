"""The journal of one run: what was acknowledged is on the disk.

A single SQLite file in write-ahead mode with ``synchronous=FULL``. :meth:`Journal.write` returns
when the record has reached the disk, so that neither a killed process nor a power cut loses it.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stm_daq.errors import DiskFullError, JournalError
from stm_daq.records import (
    Event,
    Fit,
    Progress,
    Record,
    RunEnded,
    RunStarted,
    SiteStarted,
    Spectrum,
    TopographRows,
    Truth,
    TwinState,
)
from stm_daq.store import schema

_ADVICE = {
    "SQLITE_FULL": "the disk is full: free some space; what was acknowledged is safe",
    "SQLITE_READONLY": "the folder is read-only: choose another one with --runs",
    "SQLITE_IOERR": "the disk reports an error: check cable, quota and disk, use a local folder",
    "SQLITE_CANTOPEN": "the folder cannot be written: check its permissions",
    "SQLITE_BUSY": "another program holds the file: close it",
    "SQLITE_CORRUPT": "the file is damaged: copy the folder, then save what is left with the "
    "command `sqlite3 journal.db .recover`",
    "SQLITE_NOTADB": "the file is not a journal: use a new folder",
}


def _insert(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({','.join('?' * columns)})"


_WRITERS: dict[type, tuple[str, Callable[[Any], schema.Row]]] = {
    TopographRows: (_insert("topograph", 6), schema.topograph_row),
    Spectrum: (_insert("spectrum", 17), schema.spectrum_row),
    Fit: (_insert("fit", 9), schema.fit_row),
    Truth: (_insert("truth", 4), schema.truth_row),
    TwinState: ("INSERT OR REPLACE INTO twin_state VALUES (?,?,?,?)", schema.twin_state_row),
    Event: (_insert("event", 5), schema.event_row),
    RunEnded: (_insert("ended", 4), schema.ended_row),
}


def explain(error: sqlite3.Error, path: Path) -> JournalError:
    """Turn an error of SQLite into one that says what happened, where, and what to do."""
    name = getattr(error, "sqlite_errorname", None) or ""
    advice = next((text for code, text in _ADVICE.items() if name.startswith(code)), "")
    kind = DiskFullError if name == "SQLITE_FULL" else JournalError
    return kind(f"{path}: {error}" + (f" - {advice}" if advice else ""))


def new_run_folder(root: Path, name: str, wall_time: float) -> Path:
    """Create the folder of a new run and return it.

    Parameters
    ----------
    root : Path
        Folder of all runs; created where it does not exist.
    name : str
        Name of the plan.
    wall_time : float
        Start of the run, seconds since the Unix epoch.

    Returns
    -------
    Path
        Such as ``runs/2026-11-21_031500_tin-demo-map`` (local time), with ``-2``, ``-3`` ...
        appended where that exists.

    Raises
    ------
    JournalError
        If the folder cannot be created.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "run"
    stem = f"{datetime.fromtimestamp(wall_time):%Y-%m-%d_%H%M%S}_{slug}"
    number = 1
    while True:
        folder = root / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if root.exists() and not root.is_dir():
                raise JournalError(f"{root} is a file: give a folder for the runs") from None
            number += 1
        except OSError as error:
            raise JournalError(
                f"cannot create the run folder {folder} ({error.strerror or error}): "
                "choose a folder that can be written"
            ) from None
        else:
            return folder


class Journal:
    """Write the records of one run; made by :meth:`create`.

    Only one journal ever writes a file, from one thread; any number of readers may look on
    (:func:`stm_daq.open_run`). Also a context manager that closes it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, folder: Path, started: RunStarted, *others: Record) -> Journal:
        """Create ``journal.db`` in `folder` and store the first records.

        Parameters
        ----------
        folder : Path
            The run folder; created where it does not exist.
        started : RunStarted
        *others : Record
            What shall never be missing where `started` is there.

        Raises
        ------
        JournalError
            If the folder holds a journal already, cannot be written, or the disk is full.
        """
        path = folder / schema.FILE_NAME
        row = schema.sealed(schema.run_row(started, f"stm-daq {version('stm-daq')}"))
        draft = folder / (schema.FILE_NAME + ".new")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with draft.open("xb"):  # "x": two runs never share a file
                pass
        except OSError as error:
            raise JournalError(
                f"cannot create {draft} ({error.strerror or error}): "
                "choose a folder that can be written, and a new one for every run"
            ) from None
        try:
            if path.exists():
                raise JournalError(
                    f"{path} exists already: a journal is never overwritten, use a new folder"
                )
            _prepare(draft, row, others)
            draft.rename(path)  # whole or not at all, even if the program is killed
            connection = _open(path)
        except sqlite3.Error as error:
            raise explain(error, path) from error
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(folder)
        sync_folder(folder.parent)
        return cls(path, connection)

    @classmethod
    def reopen(cls, folder: Path) -> Journal:
        """Open the journal of a run that was cut off or stopped, to go on writing it.

        Raises
        ------
        JournalError
            If it is written by an older format, damaged, or cannot be written.
        """
        path = folder / schema.FILE_NAME
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version != schema.VERSION:
                connection.close()
                raise JournalError(
                    f"{path} has format {version}; only runs of format {schema.VERSION} can be "
                    "resumed: what it holds can still be read"
                )
            _set_durable(connection, path)
        except sqlite3.Error as error:
            raise explain(error, path) from error
        return cls(path, connection)

    def write(self, *records: Record, durable: bool = True) -> None:
        """Store `records` in one transaction; return when they are on the disk.

        A :class:`~stm_daq.records.Progress` and a :class:`~stm_daq.records.SiteStarted` are not
        stored. A further attempt at a site is stored
        beside the earlier ones.

        Parameters
        ----------
        *records : Record
        durable : bool
            If False, a power cut may lose the records until others are written durably, a killed
            process does not. For what can be made again from what is stored, such as fits.

        Raises
        ------
        JournalError
            If they could not be stored (none of them is then); the text says what to do.
        """
        rows = [
            (*_writer(record), record)
            for record in records
            if not isinstance(record, Progress | SiteStarted)
        ]
        if not rows:
            return
        try:
            self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            # one statement is a transaction of its own
            if len(rows) > 1:
                self._connection.execute("BEGIN IMMEDIATE")
            for statement, to_row, record in rows:
                self._connection.execute(statement, schema.sealed(to_row(record)))
            if len(rows) > 1:
                self._connection.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            self._roll_back()
            raise JournalError(
                f"{self.path}: this attempt at the site is stored already ({error}); "
                "count the attempts up"
            ) from None
        except sqlite3.Error as error:
            self._roll_back()
            raise explain(error, self.path) from error
        except JournalError:
            self._roll_back()
            raise

    def close(self) -> None:
        """Bring everything into the one file and close it; harmless when closed already.

        Raises
        ------
        JournalError
            If the disk refuses; what was acknowledged stays safe in ``journal.db-wal``.
        """
        try:
            self._connection.execute("PRAGMA busy_timeout=500")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            # a plain file can be read where nothing can be written
            self._connection.execute("PRAGMA journal_mode=DELETE").fetchall()
        except sqlite3.ProgrammingError:
            return  # closed already
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY":  # somebody is reading: does no harm
                raise explain(error, self.path) from error
        finally:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _writer(record: Record) -> tuple[str, Callable[[Any], schema.Row]]:
    try:
        return _WRITERS[type(record)]
    except KeyError:
        raise JournalError(
            f"a journal holds one run: a record of type {type(record).__name__} cannot be added"
        ) from None


def _prepare(path: Path, run_row: schema.Row, others: Sequence[Record]) -> None:
    """Write the tables and the first records into an empty file, durably."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5.0)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={schema.VERSION}")
        statements = (text for text in schema.TABLES.split(";") if text.strip())
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(_insert("run", len(run_row)), run_row)
        for record in others:
            statement, to_row = _writer(record)
            connection.execute(statement, schema.sealed(to_row(record)))
        connection.execute("COMMIT")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        _set_durable(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_durable(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"{path}: this disk cannot hold a journal (mode '{mode}'); use a local disk"
        )
    connection.execute("PRAGMA synchronous=FULL")


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (Windows does so by itself)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

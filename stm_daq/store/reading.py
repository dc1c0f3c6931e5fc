"""Open a journal for reading: during the run, after it, after a crash; never changing it."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from stm_daq.errors import BadInputError, JournalError
from stm_daq.records import Event, RunEnded, RunStarted
from stm_daq.store import schema
from stm_daq.store.journal import explain

RESUMED = "resumed"
"""State of the record that takes back an earlier end."""
_MAGIC = b"SQLite format 3\x00"


def journal_path(path: Path | str) -> Path:
    """Return the journal file of a run folder (or the file itself).

    Raises
    ------
    BadInputError
        If there is none.
    """
    given = Path(path)
    file = given / schema.FILE_NAME if given.is_dir() else given
    if not file.is_file():
        where = f"{given} holds no {schema.FILE_NAME}" if given.is_dir() else f"{given} not found"
        raise BadInputError(f"{where}: give a run folder or its {schema.FILE_NAME}")
    return file


@contextmanager
def reader(path: Path | str) -> Iterator[sqlite3.Connection]:
    """Open the journal of a run read-only, seeing one consistent state of it.

    Parameters
    ----------
    path : Path or str
        The run folder or its journal file.

    Raises
    ------
    BadInputError
        If there is no journal, or it is no journal of ours.
    JournalError
        If it is damaged beyond reading.
    """
    file = journal_path(path)
    with file.open("rb") as start:
        if start.read(16) != _MAGIC:
            raise BadInputError(f"{file} is not a run journal (not an SQLite file)")
    try:
        with closing(_connect(file)) as connection:
            # damaged text must break the seal of its row, not the whole reading
            connection.text_factory = lambda data: data.decode(errors="replace")
            _check(connection, file)
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise explain(error, file) from error
    except UnicodeDecodeError:
        raise JournalError(f"{file}: the table definitions are damaged: use a copy") from None
    except JournalError as error:
        raise error if str(file) in str(error) else JournalError(f"{file}: {error}") from None


def started_of(connection: sqlite3.Connection) -> RunStarted:
    """Return the first record of the run.

    Raises
    ------
    JournalError
        If it was never stored (the program died while it created the journal) or is damaged.
    """
    row = connection.execute("SELECT * FROM run").fetchone()
    if row is None:
        raise JournalError("the journal is empty: its run died before it began")
    if not schema.is_whole(row):
        raise JournalError("the journal's first record is damaged: use a copy of the run folder")
    return schema.run_of(schema.upgraded("run", version_of(connection), row))


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the journal's tables."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def ended_of(connection: sqlite3.Connection) -> RunEnded | None:
    """Return the last record of the run, or None if it still (or again) goes on or was cut off."""
    rows = list(whole_rows(connection, "ended"))
    last = RunEnded(*rows[-1]) if rows else None
    return None if last is None or last.state == RESUMED else last


def whole_rows(
    connection: sqlite3.Connection, table: str, until: int | None = None
) -> Iterator[schema.Row]:
    """Yield the rows of `table` in the order of writing, in the present form and without seal.

    Damaged ones are left out, with a warning. `until` is how many rows to see; None for all.
    """
    damaged, version = 0, version_of(connection)
    query = f"SELECT * FROM {table} ORDER BY rowid LIMIT ?"
    for row in connection.execute(query, (-1 if until is None else until,)):
        if schema.is_whole(row):
            yield schema.upgraded(table, version, row)
        else:
            damaged += 1
    if damaged:
        warnings.warn(
            f"{damaged} rows of '{table}' are damaged on the disk and left out", stacklevel=3
        )


def row_count(connection: sqlite3.Connection, table: str) -> int:
    """Return how many rows `table` has, which is the rowid of its last one.

    Tables only grow: who reads no further sees later what was there now.
    """
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def events(path: Path | str) -> list[Event]:
    """Return the events of a run in the order in which they were stored.

    Parameters
    ----------
    path : Path or str
        The run folder or its journal file.
    """
    with reader(path) as connection:
        return [schema.event_of(row) for row in whole_rows(connection, "event")]


def _connect(file: Path) -> sqlite3.Connection:
    """Open read-only; on a read-only disk, where SQLite finds no place for its index, frozen."""
    address = f"file:{quote(file.resolve().as_posix())}?mode=ro"
    _finish(file)
    wal = file.with_name(file.name + "-wal")
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=5.0)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorname != "SQLITE_CANTOPEN":
            raise
        if wal.exists() and wal.stat().st_size > 0:
            raise JournalError(
                f"{file}: its last entries are still in {wal.name} and this disk is read-only: "
                "copy the run folder to a disk that can be written"
            ) from None
        return sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
    except BaseException:
        connection.close()
        raise
    return connection


def _finish(file: Path) -> None:
    """Undo what a program was about to change when it died: until then nobody can read the file.

    That happens only while a journal is closed or reopened; the records are not touched by it.
    """
    if not file.with_name(file.name + "-journal").exists():
        return
    address = f"file:{quote(file.resolve().as_posix())}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=5.0)) as connection:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()


def _check(connection: sqlite3.Connection, file: Path) -> None:
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    if identity != schema.APPLICATION_ID:
        raise BadInputError(f"{file} is an SQLite file, but not a run journal of stm_daq")
    version = version_of(connection)
    if version > schema.VERSION:
        raise JournalError(
            f"{file} was written by a newer stm_daq (format {version}, known {schema.VERSION}): "
            "update stm_daq"
        )
    expected = schema.COLUMNS.get(version, {"run": 0})
    for table, columns in expected.items():
        if len(connection.execute(f"PRAGMA table_info({table})").fetchall()) != columns:
            raise JournalError(f"{file}: its header is damaged: use a copy of the run folder")

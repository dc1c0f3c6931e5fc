"""Fits of a whole run made later, beside the run: one SQLite file each, never overwritten.

While it is made the file is called ``<name>.part``; finished tiles in it are on the disk and are not
fitted again. At the end it becomes ``<name>.db`` in one step.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from stm_daq.errors import JournalError
from stm_daq.store import schema
from stm_daq.store.columns import Columns, pack, unpack
from stm_daq.store.journal import explain, sync_folder
from stm_daq.store.reading import journal_path

FOLDER = "fits"
APPLICATION_ID = 0x53544D46
"""Marks the file as ours ("STMF") in the SQLite header."""
VERSION = 1

_TABLES = (
    "CREATE TABLE refit (time REAL, about TEXT, crc32 INTEGER)",
    "CREATE TABLE tile (first INTEGER PRIMARY KEY, key TEXT, layout TEXT, data BLOB, crc32 INTEGER)",
    "CREATE TABLE ended (time REAL, input TEXT, crc32 INTEGER)",
)


@dataclass(frozen=True, slots=True)
class RefitInfo:
    """One stored refit of a run."""

    path: Path
    time: float
    """Start, seconds since the Unix epoch."""
    about: Mapping[str, Any]
    """``run_id``, ``models``, ``settings`` of each, ``code`` version, ``sites``, ``tile``."""
    input: str
    """SHA-256 of the spectra that were fitted."""

    @property
    def name(self) -> str:
        """What `open_run(path, fit=name)` calls it."""
        return self.path.stem

    @property
    def models(self) -> tuple[str, ...]:
        """Fitted models, the first the one asked for."""
        return tuple(self.about["models"])


class RefitFile:
    """Store the tiles of a refit; made by :meth:`begin`. A context manager that closes it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def begin(cls, run: Path, about: Mapping[str, Any], wall_time: float) -> Self:
        """Resume the unfinished refit of `run` that is the same in everything, or start one.

        Parameters
        ----------
        run : Path
            The run folder or its journal.
        about : mapping
            What defines the refit, plain JSON types.
        wall_time : float
            Seconds since the Unix epoch.

        Raises
        ------
        JournalError
            If the folder cannot be written.
        """
        folder = journal_path(run).parent / FOLDER
        text = json.dumps(about, sort_keys=True)
        try:
            folder.mkdir(exist_ok=True)
            for path in sorted(folder.glob("*.part")):
                if (connection := _resume(path, text)) is not None:
                    return cls(path, connection)
            path = _new_file(folder, about["models"], wall_time)
            sync_folder(folder)
            sync_folder(folder.parent)
        except OSError as error:
            raise JournalError(
                f"cannot write into {folder} ({error.strerror or error}): "
                "copy the run to a folder that can be written"
            ) from None
        try:
            return cls(path, _create(path, text, wall_time))
        except sqlite3.Error as error:
            raise explain(error, path) from error

    def keys(self) -> dict[int, str]:
        """First site and key of the tiles that are stored already, undamaged."""
        rows = self._connection.execute("SELECT * FROM tile")
        return {row[0]: row[1] for row in rows if schema.is_whole(row)}

    def write(self, first: int, key: str, columns: Columns) -> None:
        """Store a tile; it is on the disk when this returns."""
        layout, data = pack(columns)
        row = schema.sealed((first, key, layout, data))
        try:
            self._connection.execute("INSERT OR REPLACE INTO tile VALUES (?,?,?,?,?)", row)
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    def finish(self, digest: str, wall_time: float) -> Path:
        """Close the complete refit and give it its final name."""
        try:
            row = schema.sealed((wall_time, digest))
            self._connection.execute("INSERT INTO ended VALUES (?,?,?)", row)
        except sqlite3.Error as error:
            raise explain(error, self.path) from error
        self._connection.close()
        # an exclusive lock leaves the emptied rollback journal behind
        self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
        final = self.path.with_suffix(".db")
        if final.exists():
            raise JournalError(
                f"{final} exists already: a refit is never overwritten; move it away"
            )
        self.path.replace(final)
        sync_folder(final.parent)
        return final

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()


def list_refits(run: Path | str) -> list[RefitInfo]:
    """List the finished refits of a run, oldest first."""
    folder = journal_path(run).parent / FOLDER
    found = []
    for path in sorted(folder.glob("*.db")):
        with _reader(path) as connection:
            found.append(_info(path, connection))
    return sorted(found, key=lambda info: (info.time, info.name))


def find_refit(run: Path | str, name: str) -> RefitInfo:
    """Find a refit by name; "latest" is the newest.

    Raises
    ------
    JournalError
        If there is none of that name.
    """
    refits = list_refits(run)
    if name == "latest" and refits:
        return refits[-1]
    for info in refits:
        if info.name == name:
            return info
    known = ", ".join(info.name for info in refits) or "none; make one with `stm-daq fit RUN`"
    raise JournalError(f"{run} has no refit '{name}': there are {known}")


def tiles_of(info: RefitInfo) -> Iterator[Columns]:
    """Yield the columns of the tiles of a refit, by first site.

    Raises
    ------
    JournalError
        If a tile is damaged on the disk.
    """
    with _reader(info.path) as connection:
        for row in connection.execute("SELECT * FROM tile ORDER BY first"):
            if not schema.is_whole(row):
                raise JournalError(
                    f"{info.path}: the tile of site {row[0]} is damaged: remove the file, refit"
                )
            yield unpack(row[2], row[3])


def _new_file(folder: Path, models: list[str], wall_time: float) -> Path:
    """Claim a name that no refit has, finished or not."""
    stem = f"{datetime.fromtimestamp(wall_time):%Y-%m-%d_%H%M%S}_{'_'.join(models)}"
    number = 1
    while True:
        path = folder / (f"{stem}.part" if number == 1 else f"{stem}-{number}.part")
        number += 1
        if path.with_suffix(".db").exists():
            continue
        try:
            with path.open("xb"):
                return path
        except FileExistsError:
            continue


def _writer(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0.5)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # one process at a time
        connection.execute("PRAGMA journal_mode=TRUNCATE").fetchall()
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path, about: str, wall_time: float) -> sqlite3.Connection:
    connection = _writer(path)
    try:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            connection.execute(statement)
        row = schema.sealed((float(wall_time), about))
        connection.execute("INSERT INTO refit VALUES (?,?,?)", row)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _resume(path: Path, about: str) -> sqlite3.Connection | None:
    """Open an unfinished refit for writing if it is this one."""
    try:
        connection = _writer(path)
    except sqlite3.DatabaseError:
        return None  # another process works on it, or it died before its first write
    try:
        row = connection.execute("SELECT * FROM refit").fetchone()
        connection.execute("DELETE FROM ended")  # died between the end and the new name
    except sqlite3.DatabaseError:
        row = None
    if row is None or not schema.is_whole(row) or row[1] != about:
        connection.close()
        return None
    return connection


@contextmanager
def _reader(path: Path) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(path.resolve().as_posix())}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise JournalError(f"{path} is no refit of stm_daq: move it out of this folder")
            yield connection
    except sqlite3.Error as error:
        raise explain(error, path) from error


def _info(path: Path, connection: sqlite3.Connection) -> RefitInfo:
    begun = connection.execute("SELECT * FROM refit").fetchone()
    ended = connection.execute("SELECT * FROM ended").fetchone()
    if begun is None or ended is None or not (schema.is_whole(begun) and schema.is_whole(ended)):
        raise JournalError(f"{path} is damaged: remove it and refit")
    return RefitInfo(path, begun[0], json.loads(begun[1]), ended[1])

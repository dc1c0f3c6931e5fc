"""Alerts that are not yet sent, on disk, so that they survive the process that raised them."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.monitor.alerts.letter import Letter

NAME = "alerts.db"
"""In the folder of a run."""
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 1800.0
"""Between two attempts: 30 s, then twice as long every time, at most half an hour."""

_TABLES = """
CREATE TABLE IF NOT EXISTS alert (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, run TEXT NOT NULL, name TEXT NOT NULL,
    rule TEXT NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
    alert INTEGER NOT NULL REFERENCES alert(number), sink TEXT NOT NULL, sent REAL,
    attempts INTEGER NOT NULL DEFAULT 0, again REAL NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '', PRIMARY KEY (alert, sink));
PRAGMA user_version = 1;
"""
_LETTER = "number, time, run, name, rule, level, text"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that a sink has not taken yet."""

    letter: Letter
    sink: str
    attempts: int
    problem: str
    """Of the last attempt; "" if there was none."""


class Spool:
    """Letters, and which sink has taken which. May be used from several threads.

    Where the disk fails (it may be full, and the alert be about that) the spool goes on in memory.

    Parameters
    ----------
    path : Path or None
        A new or an old file; None keeps it in memory.

    Raises
    ------
    BadInputError
        If the file is there and no spool.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._base = _opened(path)
        except sqlite3.DatabaseError as error:
            if path is not None and path.is_file() and path.stat().st_size:
                raise BadInputError(f"{path}: is no spool of alerts ({error})") from None
            log.warning("alerts are kept in memory only: %s: %s", path, error)
            self._base = _opened(None)

    def add(self, letter: Letter, sinks: Collection[str]) -> Letter:
        """Keep a letter for some sinks; return it with its number."""
        row = (letter.time, letter.run, letter.name, letter.rule, letter.level, letter.text)

        def insert(base: sqlite3.Connection) -> int | None:
            sql = f"INSERT INTO alert ({_LETTER}) VALUES (NULL, ?, ?, ?, ?, ?, ?)"
            number = base.execute(sql, row).lastrowid
            base.executemany(
                "INSERT INTO delivery (alert, sink) VALUES (?, ?)", [(number, s) for s in sinks]
            )
            return number

        return replace(letter, number=self._do(insert) or 0)

    def due(self, sink: str, now: float) -> Waiting | None:
        """Return the oldest letter that a sink should try at `now` (s since the Unix epoch)."""
        # no pause ends so late, unless the clock was set back since
        more = "AND sink = ? AND (again <= ? OR again > ?) ORDER BY number LIMIT 1"
        found = self._waiting(more, (sink, now, now + LONGEST_PAUSE))
        return found[0] if found else None

    def unsent(self, number: int | None = None) -> list[Waiting]:
        """Return what has not been taken yet, the oldest first; or only what is left of one letter."""
        if number is None:
            return self._waiting("ORDER BY number, sink", ())
        return self._waiting("AND number = ? ORDER BY sink", (number,))

    def sent(self, waiting: Waiting, now: float) -> None:
        """Note that a sink has taken a letter."""
        values = (now, waiting.attempts + 1, waiting.letter.number, waiting.sink)
        self._change("sent = ?, attempts = ?, problem = ''", values)

    def failed(self, waiting: Waiting, problem: str, now: float) -> None:
        """Note that a sink has not taken it, and when to try again."""
        pause = min(FIRST_PAUSE * 2.0 ** min(waiting.attempts, 20), LONGEST_PAUSE)
        values = (waiting.attempts + 1, now + pause, problem, waiting.letter.number, waiting.sink)
        self._change("attempts = ?, again = ?, problem = ?", values)

    def hurry(self) -> None:
        """Let everything be tried again at once."""
        self._do(lambda base: base.execute("UPDATE delivery SET again = 0 WHERE sent IS NULL"))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def _waiting(self, more: str, values: Sequence[object]) -> list[Waiting]:
        sql = (
            f"SELECT {_LETTER}, sink, attempts, problem FROM alert "
            f"JOIN delivery ON alert = number WHERE sent IS NULL {more}"
        )
        rows = self._do(lambda base: base.execute(sql, values).fetchall())
        return [Waiting(Letter(*row[:7]), *row[7:]) for row in rows]

    def _change(self, what: str, values: Sequence[object]) -> None:
        sql = f"UPDATE delivery SET {what} WHERE alert = ? AND sink = ?"
        self._do(lambda base: base.execute(sql, values))

    def _do[T](self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out one transaction; where the disk fails, go on in memory."""
        with self._lock:
            try:
                with self._base:
                    return action(self._base)
            except sqlite3.DatabaseError as error:
                if self.path is None:
                    raise
                log.warning("alerts are kept in memory only: %s: %s", self.path, error)
            self._base, self.path = _copied(self._base), None
            with self._base:
                return action(self._base)


def _opened(path: Path | None) -> sqlite3.Connection:
    base = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=5.0)
    base.executescript("PRAGMA synchronous = FULL;" + _TABLES)
    return base


def _copied(base: sqlite3.Connection) -> sqlite3.Connection:
    """Return what can be read of a spool, in memory."""
    memory = _opened(None)
    try:
        base.backup(memory)
    except sqlite3.DatabaseError:
        log.warning("what was in the spool of alerts cannot be read: it stays there")
        memory = _opened(None)
    return memory


def read_unsent(path: Path) -> list[Waiting]:
    """Return what a spool still holds; changes nothing.

    Raises
    ------
    BadInputError
        If there is no such spool.
    """
    if path.is_dir():
        path = path / NAME
    if not path.is_file():
        raise BadInputError(f"{path}: there is no spool of alerts; name a run or its {NAME}")
    spool = Spool(path)
    try:
        return spool.unsent()
    finally:
        spool.close()

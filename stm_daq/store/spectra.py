"""The spectra of a journal as arrays: all of them, or those of some sites."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array, RunStarted
from stm_daq.store import schema
from stm_daq.store.maps import SCALARS, Checker, MapShape, SpectrumMaps
from stm_daq.store.reading import row_count, version_of

_BLOCK = 512
"""Spectra that are turned into arrays at a time."""


def read_spectra(
    connection: sqlite3.Connection, shape: MapShape, until: int
) -> tuple[SpectrumMaps, Array]:
    """Read all spectra.

    Parameters
    ----------
    connection : sqlite3.Connection
    shape : MapShape
    until : int
        How many rows of table ``spectrum`` to see.

    Returns
    -------
    maps : SpectrumMaps
    traces : array, shape (2, values of a map, n)
        Current (A) and conductance (S). Damaged spectra stay NaN, are flagged "damaged" and
        warned about.
    """
    count = shape.sites * shape.per_site
    traces = np.full((2, count, len(shape.started.bias)), np.nan)
    scalars = {name: np.full(count, np.nan) for name in SCALARS}
    flags = np.full(count, "", dtype=object)
    latest: dict[int, tuple[int, int]] = {}
    check = Checker(shape.started)
    for block in _blocks(_rows(connection, until), version_of(connection), shape, check):
        at = block.fill(traces, block.at)
        for name, column in SCALARS.items():
            scalars[name][at] = [row[column] for row in block.whole]
        flags[block.at] = block.flags
        latest |= zip(block.at, block.keys, strict=True)
    if check.damaged:
        warnings.warn(f"{check.damaged} spectra are damaged on the disk: NaN", stacklevel=4)
    places = {key: at for at, key in latest.items()}
    scalars = {name: values.reshape(shape.full) for name, values in scalars.items()}
    return SpectrumMaps(scalars, flags.astype(str).reshape(shape.full), places), traces


def read_traces(
    connection: sqlite3.Connection, shape: MapShape, until: int, sites: NDArray[np.intp]
) -> Array:
    """Read the traces of some sites.

    Parameters
    ----------
    connection, shape, until
        As for :func:`read_spectra`.
    sites : array of int, shape (p,)
        Numbers of sites, growing.

    Returns
    -------
    array, shape (2, p times attempts, n)
        Current (A) and conductance (S).
    """
    each, version = shape.per_site, version_of(connection)
    traces = np.full((2, len(sites) * each, len(shape.started.bias)), np.nan)
    breaks = np.flatnonzero(np.diff(sites) != 1) + 1
    for run in np.split(sites, breaks) if len(sites) else []:
        rows = _rows(connection, until, int(run[0]), int(run[-1]))
        for block in _blocks(rows, version, shape, Checker(shape.started)):
            site, attempt = np.divmod(block.at, each)
            place = np.searchsorted(sites, site)
            block.fill(traces, place * each + attempt)
    return traces


def _rows(
    connection: sqlite3.Connection, until: int, first: int | None = None, last: int | None = None
) -> sqlite3.Cursor:
    numbers: dict[str, int] = {}
    if first is not None and last is not None:
        numbers |= {"site >= ?": first, "site <= ?": last}
    if row_count(connection, "spectrum") > until:  # else damaged numbers of rows would hide rows
        numbers["rowid <= ?"] = until
    where = " AND ".join(numbers) or "TRUE"
    query = f"SELECT * FROM spectrum WHERE {where} ORDER BY site, attempt"
    return connection.execute(query, list(numbers.values()))


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows of table ``spectrum`` that lie in the map."""

    at: list[int]
    """Place of each in the raveled map."""
    keys: list[tuple[int, int]]
    """Site and attempt of each."""
    flags: list[str]
    sound: list[bool]
    """Which are not damaged."""
    whole: list[schema.Row]
    """Those that are not damaged."""

    def fill(self, traces: Array, places: list[int] | NDArray[np.intp]) -> NDArray[np.intp]:
        """Put the traces at `places` of shape (2, ..., n); return the places of the sound ones."""
        every = np.asarray(places, dtype=np.intp)
        sound = every[np.array(self.sound, dtype=np.bool_)]
        data = np.frombuffer(b"".join([row[12] for row in self.whole]), "<f8")
        if len(sound) < len(every):  # a damaged latest attempt hides the one before it
            traces[:, every] = np.nan
        if len(sound):
            measured = data.reshape(len(sound), 3, -1)
            traces[0][sound] = measured[:, 1]
            traces[1][sound] = measured[:, 2]
        return sound


def _blocks(
    stored: sqlite3.Cursor, version: int, shape: MapShape, check: Checker
) -> Iterator[_Block]:
    started, each = shape.started, shape.per_site
    rows, columns = started.grid_shape
    while part := stored.fetchmany(_BLOCK):
        block = _Block([], [], [], [], [])
        for line in part:
            row = schema.upgraded("spectrum", version, line)
            if not _inside(started, row):
                warnings.warn(f"the spectrum of site {row[0]} lies outside the grid", stacklevel=5)
                continue
            at = (row[13] * rows + row[2]) * columns + row[3]
            if shape.attempts is not None:
                at = at * each + row[1]
            problem = check(line)
            if block.at and block.at[-1] == at:  # a later attempt of the same site
                _drop_last(block)
            block.at.append(at)
            block.keys.append((row[0], row[1]))
            block.flags.append(",".join(filter(None, (str(row[11] or ""), problem))))
            block.sound.append(problem != "damaged")
            if problem != "damaged":
                block.whole.append(row)
        yield block


def _inside(started: RunStarted, row: schema.Row) -> bool:
    numbers = (row[13], row[2], row[3])
    if any(type(number) is not int for number in numbers):
        return False  # damaged on the disk
    return started.place(*numbers) is not None


def _drop_last(block: _Block) -> None:
    for values in (block.at, block.keys, block.flags):
        values.pop()
    if block.sound.pop():
        block.whole.pop()

"""The spectra of a run, a tile of sites at a time, for what is larger than memory."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array, RunStarted
from stm_daq.store import schema
from stm_daq.store.maps import Checker
from stm_daq.store.reading import version_of


@dataclass(frozen=True, slots=True)
class SiteTile:
    """Spectra of neighbouring sites, the latest attempt of each; sites without one are left out."""

    first: int
    """Number of the first site of the tile, whether it was measured or not."""
    site: NDArray[np.int64]
    attempt: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    step: NDArray[np.int64]
    """Of the outer axes."""
    conductance: Array
    """S, shape (p, n); NaN where damaged on the disk."""


def read_tile(
    connection: sqlite3.Connection, started: RunStarted, first: int, size: int
) -> SiteTile:
    """Read the spectra of the sites from `first` to before `first` + `size`."""
    check, version = Checker(started), version_of(connection)
    points = len(started.bias)
    latest: dict[int, tuple[int, int, int, int, Array]] = {}
    query = "SELECT * FROM spectrum WHERE site >= ? AND site < ? ORDER BY site, attempt"
    for stored in connection.execute(query, (first, first + size)):
        row = schema.upgraded("spectrum", version, stored)
        if started.place(row[13], row[2], row[3]) is None:
            continue
        if check(stored) == "damaged":
            values = np.full(points, np.nan)
        else:
            values = np.frombuffer(row[12], "<f8")[2 * points :]
        latest[row[0]] = (row[1], row[2], row[3], row[13], values)
    found = list(latest.items())
    numbers = np.array([(s, *a[:4]) for s, a in found], dtype=np.int64).reshape(-1, 5)
    conductance = np.array([a[4] for _, a in found], dtype=np.float64).reshape(-1, points)
    site, attempt, at_row, col, step = numbers.T
    return SiteTile(first, site, attempt, at_row, col, step, conductance)

"""A run as exports read it: maps whole, spectra a tile of rows at a time."""

from __future__ import annotations

import math
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import JournalError
from stm_daq.records import Array, RunEnded, RunStarted
from stm_daq.store import schema
from stm_daq.store.dataset import Dimensions
from stm_daq.store.exports.fits import map_of_fits, map_of_refit, map_of_truth
from stm_daq.store.exports.variables import Variable, describe
from stm_daq.store.maps import SCALARS, Checker
from stm_daq.store.names import MEANING, run_attributes
from stm_daq.store.reading import ended_of, journal_path, reader, started_of, version_of, whole_rows
from stm_daq.store.refits import find_refit

CHUNK = 1024
"""Spectra in a piece of a file; a row of sites that is longer is a piece by itself."""
PIECES = 4
"""Pieces in a tile: what is in memory at a time."""

ONLINE = "online"
"""Name of the fits that were made during the run."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Whole rows of sites at one step of the outer axes; valid until the next tile is read."""

    step: int
    first_row: int
    traces: Mapping[str, Array]
    """What was recorded at every point, by its name, each of shape (rows, columns, n), in the order of
    measurement; NaN where nothing was measured."""

    @property
    def rows(self) -> slice:
        """Rows of the map."""
        return slice(self.first_row, self.first_row + len(self.traces["current"]))


@dataclass(frozen=True)
class RunSource:
    """An opened run.

    The maps of `SITE` (measured with the spectra) fill while the tiles are read.
    """

    path: Path
    """The run folder."""
    connection: sqlite3.Connection
    started: RunStarted
    ended: RunEnded | None
    latest: NDArray[np.int64]
    """Number of the attempt that counts, -1 where nothing was measured; shape (steps, rows, columns)."""
    fit: str
    """The fits: "online", or the name of a refit."""
    maps: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Variable: values, shape (steps, rows, columns)."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All maps, in the order of the dataset."""
        return tuple(describe(name, values.dtype.kind) for name, values in self.maps.items())

    @property
    def traces(self) -> tuple[Variable, ...]:
        """What was recorded at every point: current, dI/dV and whatever the sweep adds to them."""
        more = (Variable(name, unit, what, "f") for name, unit, what in self.started.traces)
        return (describe("current"), describe("conductance"), *more)

    @property
    def attributes(self) -> dict[str, Any]:
        """What is said of the whole run."""
        return run_attributes(self.started, self.ended) | {"fit": self.fit}

    @property
    def numbers(self) -> tuple[Variable, ...]:
        """The maps that are numbers."""
        return tuple(variable for variable in self.variables if variable.kind != "O")

    def values(self, name: str) -> Array:
        """Return a map of numbers; also truth values are NaN where nothing was measured."""
        found = self.maps[name]
        if found.dtype.kind == "b":
            return np.where(self.latest >= 0, found, np.nan)
        return found

    @property
    def finished(self) -> float:
        """When the run ended, or began where that is unknown; s since the Unix epoch."""
        return self.ended.time if self.ended else self.started.time

    def tiles(self, step: int | None = None) -> Iterator[Tile]:
        """Read all spectra, or those at one step of the outer axes."""
        rows, columns = self.started.grid_shape
        height = min(rows, PIECES * self.chunk_rows)
        buffer = np.empty((len(self.traces), height, columns, len(self.started.bias)))
        check = Checker(self.started)
        for number in range(self.started.steps) if step is None else (step,):
            for first in range(0, rows, height):
                yield self._read(number, first, buffer[:, : min(height, rows - first)], check)
        if check.damaged:
            warnings.warn(f"{check.damaged} spectra are damaged on the disk: NaN", stacklevel=2)

    @property
    def chunk_rows(self) -> int:
        """Rows of sites in a piece of a file; the last one of a step may have fewer."""
        rows, columns = self.started.grid_shape
        return min(rows, max(1, CHUNK // max(columns, 1)))

    def row(self, step: int, row: int) -> Tile:
        """Read one row of sites."""
        columns = self.started.grid_shape[1]
        buffer = np.empty((len(self.traces), 1, columns, len(self.started.bias)))
        return self._read(step, row, buffer, Checker(self.started))

    def _read(self, step: int, first: int, buffer: Array, check: Checker) -> Tile:
        buffer[:] = np.nan
        names = (variable.name for variable in self.traces)
        tile = Tile(step, first, dict(zip(names, buffer, strict=True)))
        rows, columns = self.started.grid_shape
        start = (step * rows + first) * columns
        flat = buffer.reshape(len(buffer), -1, buffer.shape[-1])
        latest = self.latest.reshape(-1)
        version = version_of(self.connection)
        query = "SELECT * FROM spectrum WHERE site >= ? AND site < ? ORDER BY site"
        for stored in self.connection.execute(query, (start, start + flat.shape[1])):
            if stored[1] == latest[stored[0]]:
                self._take(stored, schema.upgraded("spectrum", version, stored), check, flat, start)
        return tile

    def _take(
        self, stored: schema.Row, row: schema.Row, check: Checker, flat: Array, start: int
    ) -> None:
        site, problem = row[0], check(stored)
        if site != self._number(row):
            raise JournalError(f"site {site} is not where its number says: the journal is damaged")
        at = np.unravel_index(site, self.latest.shape)
        self.maps["flags"][at] = ",".join(filter(None, (row[11], problem)))
        if self.fit != ONLINE and self.maps["flags"][at]:  # known only now
            self.maps["fit_ok"][at] = False
        if problem == "damaged":
            return
        n = flat.shape[-1]
        flat[:, site - start] = np.frombuffer(row[12], "<f8")[n:].reshape(-1, n)
        for name, column in SCALARS.items():
            self.maps[name][at] = schema.number(row[column])
        if self.started.sites != "grid":
            self.maps["position_x"][at], self.maps["position_y"][at] = map(schema.number, row[4:6])

    def _number(self, row: schema.Row) -> int:
        rows, columns = self.started.grid_shape
        return int((row[13] * rows + row[2]) * columns + row[3])

    def topograph(self, step: int = 0) -> Array:
        """Read the topograph, m, shape (rows, columns); row 0 is the bottom, NaN where not scanned."""
        z = np.full(self.started.topograph_shape, np.nan)
        for row in whole_rows(self.connection, "topograph"):
            strip = schema.topograph_of(row)
            if strip.step == step:
                part = z[strip.first_row : strip.first_row + len(strip.z)]
                part[:] = strip.z[: len(part)]
        return z

    @property
    def has_topograph(self) -> bool:
        """Whether the plan has a topograph."""
        return min(self.started.topograph_shape) > 0

    @property
    def setpoint(self) -> tuple[float, float]:
        """Bias (V) and current (A) under feedback; NaN in old journals."""
        given = self.started.metadata.get("setpoint", {})
        return float(given.get("bias", math.nan)), float(given.get("current", math.nan))

    def temperature(self, step: int) -> float:
        """Mean temperature of the stage during one step, K; NaN where unknown."""
        count = math.prod(self.started.grid_shape)
        query = "SELECT avg(temperature) FROM spectrum WHERE site >= ? AND site < ?"
        row = self.connection.execute(query, (step * count, (step + 1) * count)).fetchone()
        return schema.number(row[0])

    def outer(self, step: int) -> dict[str, float]:
        """Return the value of every outer axis at a step."""
        axes = self.started.axes
        at = np.unravel_index(step, self.started.outer_shape) if axes else ()
        return {axis.name: axis.values[int(i)] for axis, i in zip(axes, at, strict=True)}

    @property
    def sweep(self) -> Array:
        """The swept quantity, shape (n,); of a sweep there and back the way there."""
        values = self.started.swept if len(self.started.swept) else self.started.bias
        return values[: len(values) // self.started.directions]

    def halves(self, values: Array) -> dict[str, Array]:
        """Split values at every point by direction: "" there and "back"; both along :attr:`sweep`."""
        if self.started.directions == 1:
            return {"": values}
        there, back = np.split(values, 2, axis=-1)
        return {"": there, "back": back[..., ::-1]}


@contextmanager
def open_source(path: Path | str, fit: str = ONLINE) -> Iterator[RunSource]:
    """Open a run, with the fits made during it ("online"), the newest refit ("latest") or one by name.

    Raises
    ------
    BadInputError, JournalError
        If there is no readable journal, or no such refit.
    """
    folder = journal_path(path).parent
    with reader(path) as connection:
        started = started_of(connection)
        latest = _latest(connection, started)
        refit = None if fit == ONLINE else find_refit(path, fit)
        name = refit.name if refit else ONLINE
        source = RunSource(folder, connection, started, ended_of(connection), latest, name)
        maps = source.maps
        for name in SCALARS:
            maps[name] = np.full(latest.shape, np.nan)
        maps["position_x"], maps["position_y"] = _positions(started)
        maps["flags"] = np.full(latest.shape, "", dtype=object)
        taken = {*Dimensions(started).coordinates(), *MEANING}
        if refit is None:
            maps |= map_of_fits(connection, latest, taken)
        else:
            maps |= map_of_refit(refit, latest, taken)
        maps |= map_of_truth(connection, latest)
        yield source


def _latest(connection: sqlite3.Connection, started: RunStarted) -> NDArray[np.int64]:
    latest = np.full((started.steps, *started.grid_shape), -1, dtype=np.int64)
    flat = latest.reshape(-1)
    for site, attempt in connection.execute(
        "SELECT site, max(attempt) FROM spectrum GROUP BY site"
    ):
        if 0 <= site < len(flat):
            flat[site] = attempt
        else:
            warnings.warn(f"the spectrum of site {site} lies outside the grid", stacklevel=3)
    return latest


def _positions(started: RunStarted) -> tuple[Array, Array]:
    """Where the sites are, m, shape (steps, rows, columns); those of lines and points come later."""
    shape = (started.steps, *started.grid_shape)
    if started.sites != "grid":
        return np.full(shape, np.nan), np.full(shape, np.nan)
    x, y = started.frame.position(started.grid_x[None, :], started.grid_y[:, None])
    return np.broadcast_to(x, shape).copy(), np.broadcast_to(y, shape).copy()

"""Collect the rows of a journal into maps: arrays over outer axes and sites.

Row 0 is the bottom of the frame. Sites without data are NaN. Of a site measured repeatedly the
latest attempt counts unless all are asked for, and of its fits the latest.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array, RunStarted
from stm_daq.store import schema
from stm_daq.store.reading import whole_rows

SCALARS = {"time": 6, "z": 8, "setpoint_current": 9, "stage_temperature": 10}
"""Map: column of table ``spectrum``."""
_BIAS_TOLERANCE = 0.1
"""A spectrum whose bias is further off the nominal one is flagged; in steps of the sweep."""


@dataclass(frozen=True, slots=True)
class MapShape:
    """The shape of the maps of a run: outer axes, rows, columns, and attempts if all are shown."""

    started: RunStarted
    attempts: int | None = None
    """Number of attempts along the last axis; None if only the latest of a site is shown."""

    @property
    def full(self) -> tuple[int, ...]:
        """Return the shape of a map."""
        return self.started.shape + (() if self.attempts is None else (self.attempts,))

    @property
    def per_site(self) -> int:
        """Return the number of values a map has for a site."""
        return 1 if self.attempts is None else self.attempts

    @property
    def sites(self) -> int:
        """Return the number of places for sites, measured or not."""
        rows, columns = self.started.grid_shape
        return self.started.steps * rows * columns


@dataclass(frozen=True, slots=True)
class SpectrumMaps:
    """What was measured, beside the traces."""

    scalars: dict[str, Array]
    """The maps of :data:`SCALARS`, each of shape (..., rows, columns)."""
    flags: NDArray[np.str_]
    """Comma-separated flags, shape (..., rows, columns)."""
    places: dict[tuple[int, int], int]
    """(site, attempt) of every spectrum shown: place in the raveled map."""


@dataclass(frozen=True, slots=True)
class FitMaps:
    """What was fitted; every array has the shape (..., rows, columns)."""

    ok: NDArray[np.bool_]
    flags: NDArray[np.str_]
    reduced_chi_square: Array
    values: dict[str, Array] = field(default_factory=dict)
    std: dict[str, Array] = field(default_factory=dict)


class Checker:
    """Tell whether a stored spectrum may be trusted."""

    def __init__(self, started: RunStarted) -> None:
        self.damaged = 0
        self._nominal = started.bias
        steps = np.abs(np.diff(started.bias))
        self._tolerance = _BIAS_TOLERANCE * float(np.median(steps)) if len(steps) else np.inf
        self._good_bias = b""

    def __call__(self, row: schema.Row) -> str:
        """Return "", "damaged", or "off_nominal_bias"."""
        size = 8 * len(self._nominal)
        if not schema.is_whole(row) or len(row[12]) != 3 * size:
            self.damaged += 1
            return "damaged"
        bias = row[12][:size]
        if bias != self._good_bias:  # nearly always the very bytes of the spectrum before
            difference = np.abs(np.frombuffer(bias, "<f8") - self._nominal)
            if not difference.max(initial=0.0) <= self._tolerance:
                return "off_nominal_bias"
            self._good_bias = bias
        return ""


def fit_maps(
    connection: sqlite3.Connection,
    shape: MapShape,
    places: dict[tuple[int, int], int],
    until: int | None = None,
) -> FitMaps:
    """Read the fits of the spectra at `places` (see :attr:`SpectrumMaps.places`)."""
    latest: dict[int, schema.Row] = {}
    for row in whole_rows(connection, "fit", until):
        at = places.get((row[0], row[1]))
        if at is not None:
            latest[at] = row
    count = shape.sites * shape.per_site
    ok, chi_square = np.zeros(count, bool), np.full(count, np.nan)
    flags = np.full(count, "", dtype=object)
    at_all = list(latest)
    ok[at_all] = [bool(row[6]) for row in latest.values()]
    flags[at_all] = [row[7] for row in latest.values()]
    chi_square[at_all] = [schema.number(row[5]) for row in latest.values()]
    return FitMaps(
        ok.reshape(shape.full),
        flags.astype(str).reshape(shape.full),
        chi_square.reshape(shape.full),
        _named_maps({at: row[3] for at, row in latest.items()}, shape),
        _named_maps({at: row[4] for at, row in latest.items()}, shape),
    )


def truth_maps(
    connection: sqlite3.Connection,
    shape: MapShape,
    places: dict[tuple[int, int], int],
    until: int | None = None,
) -> dict[str, Array]:
    """Read what the twin's world was where the spectra at `places` were taken."""
    found: dict[int, str] = {}
    for row in whole_rows(connection, "truth", until):
        at = places.get((row[0], row[1]))
        if at is not None:
            found[at] = row[2]
    return _named_maps(found, shape)


def _named_maps(texts: dict[int, str], shape: MapShape) -> dict[str, Array]:
    """Make maps of named numbers, written as JSON, by their place in the raveled map."""
    groups: dict[tuple[str, ...], tuple[list[int], list[tuple[float, ...]]]] = {}
    for at, text in texts.items():
        numbers = schema.numbers_of(text)
        places, values = groups.setdefault(tuple(numbers), ([], []))
        places.append(at)
        values.append(tuple(numbers.values()))
    maps: dict[str, Array] = {}
    for names, (places, values) in groups.items():
        for name, column in zip(names, np.array(values, dtype=np.float64).T, strict=True):
            if name not in maps:
                maps[name] = np.full(shape.full, np.nan)
            maps[name].reshape(-1)[places] = column
    return maps


def topograph(connection: sqlite3.Connection, started: RunStarted, until: int | None) -> Array:
    """Read the topograph, m, shape (..., rows, columns); rows not scanned are NaN."""
    z = np.full((started.steps, *started.topograph_shape), np.nan)
    for row in whole_rows(connection, "topograph", until):
        rows = schema.topograph_of(row)
        part = z[rows.step, rows.first_row : rows.first_row + len(rows.z)]
        part[:] = rows.z[: len(part)]
    return z.reshape(*started.outer_shape, *started.topograph_shape)

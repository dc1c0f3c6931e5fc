"""Collect the rows of a journal into maps: arrays over outer axes and sites.

Row 0 is the bottom of the frame. Sites without data are NaN. Of a site measured repeatedly the
latest attempt counts, and of its fits the latest.
"""

from __future__ import annotations

import sqlite3
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array, Fit, RunStarted
from stm_daq.store import schema
from stm_daq.store.reading import version_of, whole_rows

SCALARS = {"time": 6, "z": 8, "setpoint_current": 9, "stage_temperature": 10}
"""Map: column of table ``spectrum``."""
_BIAS_TOLERANCE = 0.1
"""A spectrum whose bias is further off the nominal one is flagged; in steps of the sweep."""


@dataclass(frozen=True, slots=True)
class SpectrumMaps:
    """What was measured."""

    current: Array
    """A, shape (..., rows, columns, n); ... are the outer axes."""
    conductance: Array
    """S, shape (..., rows, columns, n); ... are the outer axes."""
    scalars: dict[str, Array]
    """The maps of :data:`SCALARS`, each of shape (..., rows, columns)."""
    flags: NDArray[np.str_]
    """Comma-separated flags, shape (..., rows, columns)."""
    places: dict[tuple[int, int], tuple[int, ...]]
    """(site, latest attempt): place in a map."""
    extra: Array = field(default_factory=lambda: np.empty(0))
    """Further traces, shape (m, ..., rows, columns, n); see :attr:`RunStarted.traces`."""


@dataclass(frozen=True, slots=True)
class FitMaps:
    """What was fitted; every array has the shape (..., rows, columns)."""

    ok: NDArray[np.bool_]
    flags: NDArray[np.str_]
    reduced_chi_square: Array
    values: dict[str, Array] = field(default_factory=dict)
    std: dict[str, Array] = field(default_factory=dict)


def spectrum_maps(connection: sqlite3.Connection, started: RunStarted) -> SpectrumMaps:
    """Read all spectra; damaged ones stay NaN, are flagged "damaged" and warned about."""
    shape, version = started.shape, version_of(connection)
    current, conductance = np.full((2, *shape, len(started.bias)), np.nan)
    traces = len(started.traces)
    extra = np.full((traces, *shape, len(started.bias)), np.nan)
    scalars = {name: np.full(shape, np.nan) for name in SCALARS}
    flags = np.full(shape, "", dtype=object)
    latest: dict[int, tuple[int, tuple[int, ...]]] = {}
    check = Checker(started)
    for stored in connection.execute("SELECT * FROM spectrum ORDER BY site, attempt"):
        row = schema.upgraded("spectrum", version, stored)
        at = started.place(row[13], row[2], row[3])
        if at is None:
            warnings.warn(f"the spectrum of site {row[0]} lies outside the grid", stacklevel=4)
            continue
        problem = check(stored)
        latest[row[0]] = (row[1], at)
        flags[at] = ",".join(filter(None, (row[11], problem)))
        if problem == "damaged":
            current[at] = conductance[at] = np.nan
            continue
        arrays = np.frombuffer(row[12], "<f8").reshape(3 + traces, -1)
        current[at], conductance[at] = arrays[1:3]
        for trace, values in zip(extra, arrays[3:], strict=True):
            trace[at] = values
        for name, column in SCALARS.items():
            scalars[name][at] = schema.number(row[column])
    if check.damaged:
        warnings.warn(f"{check.damaged} spectra are damaged on the disk: NaN", stacklevel=4)
    places = {(site, attempt): at for site, (attempt, at) in latest.items()}
    return SpectrumMaps(current, conductance, scalars, flags.astype(str), places, extra)


class Checker:
    """Tell whether a stored spectrum may be trusted."""

    def __init__(self, started: RunStarted) -> None:
        self.damaged = 0
        self._nominal = started.bias
        self._arrays = 3 + len(started.traces)
        steps = np.abs(np.diff(started.bias))
        self._tolerance = _BIAS_TOLERANCE * float(np.median(steps)) if len(steps) else np.inf
        self._good_bias = b""

    def __call__(self, row: schema.Row) -> str:
        """Return "", "damaged", or "off_nominal_bias"."""
        size = 8 * len(self._nominal)
        if not schema.is_whole(row) or len(row[12]) != self._arrays * size:
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
    connection: sqlite3.Connection, started: RunStarted, places: dict[Any, tuple[int, ...]]
) -> FitMaps:
    """Read the fits of the spectra at `places` (see :attr:`SpectrumMaps.places`)."""
    shape = started.shape
    latest: dict[tuple[int, ...], Fit] = {}
    for row in whole_rows(connection, "fit"):
        at = places.get((row[0], row[1]))
        if at is not None:
            latest[at] = schema.fit_of(row)
    flags = np.full(shape, "", dtype=object)
    maps = FitMaps(np.zeros(shape, bool), flags, np.full(shape, np.nan))
    for at, fit in latest.items():
        maps.ok[at] = fit.ok
        flags[at] = schema.join_flags(fit.flags)
        maps.reduced_chi_square[at] = fit.reduced_chi_square
        for target, numbers in ((maps.values, fit.values), (maps.std, fit.std)):
            for name, value in numbers.items():
                if name not in target:
                    target[name] = np.full(shape, np.nan)
                target[name][at] = value
    return FitMaps(maps.ok, flags.astype(str), maps.reduced_chi_square, maps.values, maps.std)


def truth_maps(
    connection: sqlite3.Connection, started: RunStarted, places: dict[Any, tuple[int, ...]]
) -> dict[str, Array]:
    """Read what the twin's world was where the spectra at `places` were taken."""
    maps: dict[str, Array] = {}
    for row in whole_rows(connection, "truth"):
        at = places.get((row[0], row[1]))
        if at is None:
            continue
        for name, value in schema.truth_of(row).values.items():
            if name not in maps:
                maps[name] = np.full(started.shape, np.nan)
            maps[name][at] = value
    return maps


def topograph(connection: sqlite3.Connection, started: RunStarted) -> Array:
    """Read the topograph, m, shape (..., rows, columns); rows not scanned are NaN."""
    z = np.full((started.steps, *started.topograph_shape), np.nan)
    for row in whole_rows(connection, "topograph"):
        rows = schema.topograph_of(row)
        part = z[rows.step, rows.first_row : rows.first_row + len(rows.z)]
        part[:] = rows.z[: len(part)]
    return z.reshape(*started.outer_shape, *started.topograph_shape)

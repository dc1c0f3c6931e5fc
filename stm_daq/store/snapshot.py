"""One consistent state of a run, read piece by piece as it is asked for.

A journal only grows. The numbers of rows when it was opened are kept, and later readings go no
further, so that maps and traces that are read at different times belong together.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array
from stm_daq.store import schema
from stm_daq.store.maps import (
    FitMaps,
    MapShape,
    SpectrumMaps,
    fit_maps,
    topograph,
    truth_maps,
)
from stm_daq.store.reading import ended_of, journal_path, reader, row_count, started_of
from stm_daq.store.refit_maps import refit_maps
from stm_daq.store.refits import RefitInfo, find_refit
from stm_daq.store.spectra import read_spectra, read_traces

type Attempts = Literal["latest", "all"]
type Trace = Literal["current", "conductance"]

_TRACES: tuple[Trace, Trace] = ("current", "conductance")

_PROBLEM = len(",off_nominal_bias")
"""What a reader may add to the flags of a spectrum."""
_TABLES = ("spectrum", "fit", "truth", "topograph")


class Snapshot:
    """The state of a run when it was opened.

    Parameters
    ----------
    path : Path or str
        The run folder or its journal.
    fit : str
        "online", or a refit; see :func:`stm_daq.open_run`.
    attempts : "latest" or "all"

    Attributes
    ----------
    started, ended : RunStarted, RunEnded or None
        First and last record of the run.
    refit : RefitInfo or None
        The refit that is shown; None for the fits made during the run.
    shape : MapShape
    fit_names, truth_names : tuple of str
        Values that the fits and the truth have.
    flags_width : dict of str to int
        Longest text of the maps "flags" and "fit_flags".
    """

    def __init__(self, path: Path | str, fit: str = "online", attempts: Attempts = "latest"):
        self.path = journal_path(path)
        with reader(self.path) as connection:
            self.started = started_of(connection)
            self.ended = ended_of(connection)
            self._rows = {table: row_count(connection, table) for table in _TABLES}
            every = _largest(connection, "attempt", "spectrum") + 1 if attempts == "all" else None
            self.shape = MapShape(self.started, every)
            self.truth_names = _names(connection, "truth")
            self.fit_names = _names(connection, "fit")
            self.flags_width = {
                "flags": _largest(connection, "length(flags)", "spectrum") + _PROBLEM,
                "fit_flags": _largest(connection, "length(flags)", "fit"),
            }
        self._kept: tuple[Trace, bytes, Array] | None = None
        self._all: SpectrumMaps | None = None
        self.refit: RefitInfo | None = None
        if fit != "online":
            self.refit = find_refit(self.path, fit)
            self._show_refit()

    def _show_refit(self) -> None:
        """A refit is small and packed: it is read when it is opened."""
        self.fit_names = tuple(self.fits.values)
        self.flags_width["fit_flags"] = self.fits.flags.dtype.itemsize // 4

    @property
    def spectra(self) -> SpectrumMaps:
        """What was measured, beside the traces."""
        if self._all is None:
            with reader(self.path) as connection:
                self._all, _ = read_spectra(connection, self.shape, self._rows["spectrum"])
        return self._all

    @cached_property
    def fits(self) -> FitMaps:
        """The fits of the spectra."""
        if self.refit is not None:
            return refit_maps(self.refit, self.spectra, self.shape)
        with reader(self.path) as connection:
            return fit_maps(connection, self.shape, self.spectra.places, self._rows["fit"])

    @cached_property
    def truths(self) -> dict[str, Array]:
        """What the twin's world was where the spectra were taken."""
        with reader(self.path) as connection:
            return truth_maps(connection, self.shape, self.spectra.places, self._rows["truth"])

    @cached_property
    def topograph(self) -> Array:
        """Tip height, m, shape (..., rows, columns)."""
        with reader(self.path) as connection:
            return topograph(connection, self.started, self._rows["topograph"])

    def traces(self, name: Trace, sites: NDArray[np.intp]) -> Array:
        """Return the current or the conductance of some sites.

        The two are stored together; the one that is not asked for is kept until it is, or until
        other sites are asked for.

        Parameters
        ----------
        name : "current" or "conductance"
        sites : array of int, shape (p,)
            Numbers of sites, growing.

        Returns
        -------
        array, shape (p times attempts, n)
        """
        key = sites.tobytes()
        kept, self._kept = self._kept, None
        if kept is not None and kept[:2] == (name, key):
            return kept[2]
        traces = dict(zip(_TRACES, self._read(sites), strict=True))
        wanted: Array = traces.pop(name)
        ((other, array),) = traces.items()
        self._kept = (other, key, array)
        return wanted

    def _read(self, sites: NDArray[np.intp]) -> Array:
        with reader(self.path) as connection:
            if len(sites) < self.shape.sites:
                return read_traces(connection, self.shape, self._rows["spectrum"], sites)
            maps, traces = read_spectra(connection, self.shape, self._rows["spectrum"])
        self._all = self._all or maps
        return traces

    def scalar(self, name: str) -> Array:
        """Return a map of what was measured once a spectrum."""
        return self.spectra.scalars[name]

    def flags(self) -> NDArray[np.str_]:
        """Return what makes spectra suspect."""
        return self.spectra.flags

    def fit_ok(self) -> NDArray[np.bool_]:
        """Return which fits can be trusted."""
        return self.fits.ok

    def fit_flags(self) -> NDArray[np.str_]:
        """Return why fits cannot be trusted."""
        return self.fits.flags

    def chi_square(self) -> Array:
        """Return the reduced chi-square of the fits."""
        return self.fits.reduced_chi_square

    def fit_value(self, name: str) -> Array:
        """Return a map of a fitted value."""
        return self.fits.values.get(name, self._nothing())

    def fit_std(self, name: str) -> Array:
        """Return a map of the standard deviation of a fitted value."""
        return self.fits.std.get(name, self._nothing())

    def truth(self, name: str) -> Array:
        """Return a map of what the twin's world was."""
        return self.truths.get(name, self._nothing())

    def heights(self) -> Array:
        """Return the topograph."""
        return self.topograph

    def _nothing(self) -> Array:
        return np.full(self.shape.full, np.nan)


def _largest(connection: sqlite3.Connection, what: str, table: str) -> int:
    return int(connection.execute(f"SELECT max({what}) FROM {table}").fetchone()[0] or 0)


def _names(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """Return the names of the values in the latest row of every spectrum's latest attempt."""
    # bare columns beside max() are those of the row that has the maximum (SQLite)
    query = f"SELECT site, attempt, value, max(rowid) FROM {table} GROUP BY site, attempt"
    rows = connection.execute(query).fetchall()
    # attempts grow within a site: the last one stays
    latest = {site: value for site, _, value, _ in rows}
    try:
        return _keys(latest.values())
    except (ValueError, TypeError, AttributeError):
        warnings.warn(f"rows of '{table}' are damaged on the disk", stacklevel=4)
    names: dict[str, None] = {}
    for row in rows:
        with suppress(ValueError, TypeError, AttributeError):  # this row is damaged
            names |= dict.fromkeys(_keys([row[2]]))
    return tuple(names)


def _keys(texts: Iterable[str]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for text in texts:
        found = schema.numbers_of(text)
        if not names.keys() >= found.keys():
            names |= dict.fromkeys(found)
    return tuple(names)

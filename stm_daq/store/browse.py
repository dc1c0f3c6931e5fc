"""Look around in a journal: maps at once, spectra one by one when they are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stm_daq.records import Array, Event, Fit, Progress, RunEnded, RunStarted, Spectrum
from stm_daq.store import schema
from stm_daq.store.maps import topograph
from stm_daq.store.reading import ended_of, reader, started_of, version_of, whole_rows

_SCALARS = {
    "time": "time",
    "z": "z",
    "setpoint_current": "setpoint_current",
    "stage_temperature": "temperature",
}
"""Map: column of table ``spectrum``."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """The latest attempt of a site."""

    site: int
    attempt: int
    scalars: dict[str, float]


class RunBrowser:
    """A run as it stands in its journal when it is opened.

    Parameters
    ----------
    path : Path or str
        The run folder or its journal file.

    Attributes
    ----------
    started : RunStarted
    ended : RunEnded or None
        None if the run goes on, or was cut off.
    events : list of Event
    topograph : array, shape (steps, rows, columns)
        m; NaN where not scanned.
    maps : dict of str to array, shape (steps, rows, columns)
        Of the latest attempt at every site "time", "z", "setpoint_current" and "stage_temperature";
        of its fit every value, ``<name>_std``, "reduced_chi_square" and "fit_ok" (1 or 0). NaN where
        there is nothing.

    Raises
    ------
    BadInputError, JournalError
        As :func:`stm_daq.store.reading.reader`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with reader(path) as connection:
            self.started: RunStarted = started_of(connection)
            self.ended: RunEnded | None = ended_of(connection)
            self.events: list[Event] = [
                schema.event_of(row) for row in whole_rows(connection, "event")
            ]
            flat = (self.started.steps, *self.started.topograph_shape)
            self.topograph: Array = topograph(connection, self.started).reshape(flat)
            step = "step" if version_of(connection) >= 2 else "0"
            rows = connection.execute(
                f"SELECT site, attempt, {step}, row, col, {', '.join(_SCALARS.values())} "
                "FROM spectrum ORDER BY site, attempt"
            ).fetchall()
            fits = [schema.fit_of(row) for row in whole_rows(connection, "fit")]
        self._sites = {row[2:5]: _Stored(row[0], row[1], _scalars(row[5:])) for row in rows}
        self._fits = {(fit.site_index, fit.attempt): fit for fit in fits}
        self.maps = self._maps()

    def _maps(self) -> dict[str, Array]:
        shape = (self.started.steps, *self.started.grid_shape)
        maps: dict[str, Array] = {name: np.full(shape, np.nan) for name in _SCALARS}
        for at, stored in self._sites.items():
            if self.started.place(*at) is None:
                continue
            fit = self._fits.get((stored.site, stored.attempt))
            numbers = stored.scalars if fit is None else stored.scalars | _numbers(fit)
            for name, value in numbers.items():
                if name not in maps:
                    maps[name] = np.full(shape, np.nan)
                maps[name][at] = value
        return maps

    @property
    def progress(self) -> Progress:
        """How far the run came."""
        state = self.ended.state if self.ended else "not ended"
        end = self.ended.time if self.ended else math.nan
        done = len(self._sites)
        hours = (end - self.started.time) / 3600.0
        rate = done / hours if hours > 0 else math.nan
        return Progress(end, done, self.started.site_count, end, rate, state)

    @property
    def last(self) -> tuple[int, int, int] | None:
        """Step, row and column of the site that was measured last."""
        return max(self._sites, key=lambda at: self._sites[at].scalars["time"], default=None)

    def look_up(self, step: int, row: int, column: int) -> tuple[Spectrum, Fit | None] | None:
        """Read the latest spectrum of a site and its fit; None if there is none or it is damaged."""
        stored = self._sites.get((step, row, column))
        if stored is None:
            return None
        key = (stored.site, stored.attempt)
        with reader(self.path) as connection:
            found = connection.execute(
                "SELECT * FROM spectrum WHERE site = ? AND attempt = ?", key
            ).fetchone()
            if found is None or not schema.is_whole(found):
                return None
            row_now = schema.upgraded("spectrum", version_of(connection), found)
        return schema.spectrum_of(row_now), self._fits.get(key)


def _scalars(row: schema.Row) -> dict[str, float]:
    return dict(zip(_SCALARS, map(schema.number, row), strict=True))


def _numbers(fit: Fit) -> dict[str, float]:
    """Everything of a fit that can be shown as a map."""
    spread = {f"{name}_std": value for name, value in fit.std.items()}
    return {
        **fit.values,
        **spread,
        "reduced_chi_square": fit.reduced_chi_square,
        "fit_ok": float(fit.ok),
    }

"""What is known of a run from its records: kept by the publisher for viewers who join late, and
by every viewer for what it shows."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from stm_daq.monitor.messages import Body, Cells
from stm_daq.records import (
    Array,
    Event,
    Fit,
    Progress,
    RunEnded,
    RunStarted,
    Spectrum,
    TopographRows,
)

_FITTED = ("gap", "temperature", "barrier")
MAPS = (*_FITTED, *(f"{name}_std" for name in _FITTED), "reduced_chi_square", "ok")
"""The maps that viewers see; "ok" is 1 or 0."""
_EVENTS = 20


class RunView:
    """The state of a run as far as it was told; records may come late, twice, or never.

    Attributes
    ----------
    started, progress, spectrum, fit, ended
        The latest record of each kind, or None.
    topograph : array
        Tip height, m, row 0 at the bottom; NaN where not scanned.
    maps : array, shape (rows, columns, maps)
        The maps named in :data:`MAPS`, row 0 at the bottom; NaN where there is no fit.
    events : deque of Event
        The latest events, oldest first.
    stage_temperature : float
        Latest temperature of the stage, K; NaN where unknown.
    step : int or None
        Step of the outer axes that `topograph` and `maps` show; None until something was measured.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.started: RunStarted | None = None
        self.progress: Progress | None = None
        self.spectrum: Spectrum | None = None
        self.fit: Fit | None = None
        self.ended: RunEnded | None = None
        self.topograph: Array = np.empty((0, 0))
        self.maps: Array = np.empty((0, 0, len(MAPS)))
        self.events: deque[Event] = deque(maxlen=_EVENTS)
        self.stage_temperature = math.nan
        self.step: int | None = None
        self._places: dict[int, tuple[int, int]] = {}

    @property
    def state(self) -> str:
        """Return "waiting", "running", or how the run ended."""
        if self.ended is not None:
            return self.ended.state
        return "running" if self.started is not None else "waiting"

    def map(self, name: str) -> Array:
        """Return one of the maps, shape (rows, columns)."""
        result: Array = self.maps[..., MAPS.index(name)]
        return result

    def apply(self, body: Body) -> None:
        """Take one record into account; what does not fit the run is ignored."""
        match body:
            case RunStarted():
                self._start(body)
            case TopographRows():
                self._scan(body)
            case Spectrum():
                self._measure(body)
            case Fit():
                self.fit = body
                self._fill(cells_of([(body, self.place(body))]))
            case Cells():
                self._fill(body)
            case Event():
                self._note(body)
            case Progress():
                self.progress = body
            case RunEnded():
                self.ended = body
            case _:
                pass  # a heartbeat tells about the publisher, not about the run

    def place(self, fit: Fit) -> tuple[int, int] | None:
        """Return row and column of a fit, if its spectrum was seen."""
        return self._places.get(fit.site_index)

    def snapshot(self) -> list[Body]:
        """Return records that bring a viewer who knows nothing up to date."""
        bodies: list[Body] = []
        if self.started is not None:
            bodies.append(self.started)
        if np.any(np.isfinite(self.topograph)):
            bodies.append(TopographRows(0.0, 0, self.topograph.copy(), self.step or 0))
        rows, columns = np.nonzero(np.any(np.isfinite(self.maps), axis=2))
        if len(rows):
            at = (rows.astype(np.float64), columns.astype(np.float64))
            bodies.append(Cells(MAPS, *at, self.maps[rows, columns]))
        bodies.extend(self.events)
        latest = (self.spectrum, self.fit, self.progress, self.ended)
        return bodies + [record for record in latest if record is not None]

    def _start(self, started: RunStarted) -> None:
        if self.started is not None and self.started.run_id == started.run_id:
            return  # a copy for somebody who joined late
        self._forget()  # what is known belongs to another run
        self.started = started
        self.topograph = np.full(started.topograph_shape, np.nan)
        self.maps = np.full((*started.grid_shape, len(MAPS)), np.nan)

    def _step_to(self, step: int) -> None:
        """Show the maps of this step of the outer axes."""
        if self.step is not None and step != self.step:
            self.topograph[:] = math.nan
            self.maps[:] = math.nan
        self.step = step

    def _scan(self, rows: TopographRows) -> None:
        self._step_to(rows.step)
        if rows.z.shape[1] == self.topograph.shape[1]:
            part = self.topograph[rows.first_row : rows.first_row + len(rows.z)]
            part[:] = rows.z[: len(part)]

    def _measure(self, spectrum: Spectrum) -> None:
        self._step_to(spectrum.site.step)
        self.spectrum = spectrum
        self._places[spectrum.site.index] = (spectrum.site.row, spectrum.site.col)
        if math.isfinite(spectrum.temperature):
            self.stage_temperature = spectrum.temperature

    def _fill(self, cells: Cells) -> None:
        if cells.names != MAPS:
            return
        rows, columns = self.maps.shape[:2]
        inside = (cells.rows >= 0) & (cells.rows < rows)
        inside &= (cells.columns >= 0) & (cells.columns < columns)
        at = (cells.rows[inside].astype(int), cells.columns[inside].astype(int))
        self.maps[at] = cells.values[inside]

    def _note(self, event: Event) -> None:
        if any(
            (e.time, e.kind, e.text) == (event.time, event.kind, event.text) for e in self.events
        ):
            return  # a copy for somebody who joined late
        self.events.append(event)
        kelvin = event.data.get("kelvin")
        if event.kind == "temperature" and isinstance(kelvin, int | float):
            self.stage_temperature = float(kelvin)


def cells_of(fits: list[tuple[Fit, tuple[int, int] | None]]) -> Cells:
    """Return what the maps show of `fits` and their places (None: not known, left out)."""
    placed = [(fit, at) for fit, at in fits if at is not None]
    values = [
        [
            *(fit.values.get(name, math.nan) for name in _FITTED),
            *(fit.std.get(name, math.nan) for name in _FITTED),
            fit.reduced_chi_square,
            float(fit.ok),
        ]
        for fit, _ in placed
    ]
    return Cells(
        MAPS,
        np.array([at[0] for _, at in placed], dtype=np.float64),
        np.array([at[1] for _, at in placed], dtype=np.float64),
        np.array(values, dtype=np.float64).reshape(-1, len(MAPS)),
    )

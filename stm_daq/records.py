"""The small frozen records that parts of the program hand to one another.

All numbers are SI (V, A, S, m, K, s); energies are in eV, so that a bias in V and an energy in eV
have the same number. Arrays must not be modified by a receiver.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """A scan frame: a rectangle on the surface, possibly rotated."""

    centre_x: float
    """Centre in the controller's coordinates, m."""
    centre_y: float
    width: float
    """Extent along the fast axis, m."""
    height: float
    """Extent along the slow axis, m."""
    angle: float = 0.0
    """Rotation, degrees, counter-clockwise."""

    def position[T: (float, Array)](self, along: T, up: T) -> tuple[T, T]:
        """Convert places in the frame to the controller's coordinates.

        Parameters
        ----------
        along, up : float or array
            Distance from the left and from the bottom edge of the frame, m.

        Returns
        -------
        x, y : float or array
            m; the frame is turned about its centre, counter-clockwise.
        """
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        dx, dy = along - self.width / 2, up - self.height / 2
        return (
            self.centre_x + cosine * dx - sine * dy,
            self.centre_y + sine * dx + cosine * dy,
        )


@dataclass(frozen=True, slots=True)
class Axis:
    """An outer axis of a run: something that is set before all sites are measured once more."""

    name: str
    """"temperature", "setpoint_current", "repeat", ..., or the name of a parameter."""
    unit: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """A place where spectra are taken, at one step of the outer axes."""

    index: int
    """Number within the run, unique: (`step` * rows + `row`) * columns + `col`."""
    row: int
    """Row in the map, from 0 at the bottom of the frame (y grows with the row)."""
    col: int
    """Column in the map, from 0 at the left (x grows with the column)."""
    x: float
    """Position in the controller's coordinates, m."""
    y: float
    step: int = 0
    """Number of the step of the outer axes, the last axis the fastest; 0 if there are none."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """First record of every run: all that is needed to read the rest."""

    run_id: str
    kind: str
    """"rehearsal" or "run"."""
    time: float
    """Wall time, seconds since the Unix epoch (virtual in a rehearsal)."""
    name: str
    sample: str
    plan_text: str
    """The plan file, verbatim."""
    station_text: str
    """The station file, verbatim."""
    frame: Frame
    grid_shape: tuple[int, int]
    """Number of sites (rows, columns)."""
    grid_x: Array
    """Column positions along the frame's fast axis from its left edge, m, shape (columns,)."""
    grid_y: Array
    """Row positions along the slow axis from the bottom edge, m, shape (rows,)."""
    topograph_shape: tuple[int, int]
    """Topograph pixels (rows, columns); (0, 0) without a topograph."""
    bias: Array
    """Nominal bias of every point of a spectrum, V, shape (n,), in the order of measurement."""
    modulation: float
    """Peak amplitude of the lock-in modulation at the junction, V."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Settings, station snapshot, software versions; plain JSON types only."""
    axes: tuple[Axis, ...] = ()
    """The outer axes, slowest first."""
    sites: str = "grid"
    """"grid"; "line" and "points" are maps of one row."""
    swept_name: str = "bias"
    """What is swept: "bias", "z" (relative to where the feedback was held) or "microwave_power"."""
    swept_unit: str = "V"
    swept: Array = field(default_factory=lambda: np.empty(0))
    """Nominal value of the swept quantity at every point, shape (n,); empty if that is the bias."""
    directions: int = 1
    """2 if the second half of the points goes back over those of the first, else 1."""

    @property
    def outer_shape(self) -> tuple[int, ...]:
        """Number of values of every outer axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Outer axes, rows and columns: the shape of every map of the run."""
        return (*self.outer_shape, *self.grid_shape)

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """Whether a site of the map is measured, shape `grid_shape`; a polygon leaves some out."""
        rows = self.metadata.get("wanted")
        if rows is None:
            return np.ones(self.grid_shape, dtype=np.bool_)
        return np.array([[mark == "1" for mark in row] for row in rows], dtype=np.bool_)

    @property
    def site_count(self) -> int:
        """Number of sites of the run, those of every step of the outer axes."""
        return self.steps * int(np.count_nonzero(self.wanted))

    @property
    def steps(self) -> int:
        """Number of steps of the outer axes, 1 if there are none."""
        return math.prod(self.outer_shape)

    def place(self, step: int, row: int, col: int) -> tuple[int, ...] | None:
        """Return the place of a site in a map of the run; None if it lies outside."""
        rows, columns = self.grid_shape
        if not (0 <= step < self.steps and 0 <= row < rows and 0 <= col < columns):
            return None
        outer = np.unravel_index(step, self.outer_shape) if self.axes else ()
        return (*(int(number) for number in outer), row, col)


@dataclass(frozen=True, slots=True)
class TopographRows:
    """Rows of the topograph that are finished."""

    time: float
    first_row: int
    z: Array
    """Tip height, m, shape (rows, columns); row `first_row` first, bottom of the frame = row 0."""
    step: int = 0
    """Of the outer axes."""


@dataclass(frozen=True, slots=True)
class SiteStarted:
    """The tip is about to go to a site; not stored."""

    time: float
    site: Site
    attempt: int
    reason: str = ""
    """Why the site is measured again; "" for the first time."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """One spectrum as measured."""

    site: Site
    attempt: int
    """0 for the first measurement of this site."""
    time: float
    """Wall time when the sweep began."""
    duration: float
    """From the move to this site until the feedback was released, s."""
    bias: Array
    """V, shape (n,)."""
    current: Array
    """dc tunnelling current, A, shape (n,)."""
    conductance: Array
    """Differential conductance dI/dV, S, shape (n,)."""
    z: float
    """Tip height when the feedback was held, m."""
    setpoint_current: float
    """Current measured under feedback just before the hold, A."""
    temperature: float
    """Temperature of the stage, K; NaN where no fresh reading exists."""
    flags: tuple[str, ...] = ()
    """What makes this spectrum suspect: "overload", "unlock", "stale_temperature", ..."""
    sweeps: int = 1
    """How many sweeps this is the average of."""
    reason: str = ""
    """Why the site was measured again; "" for the first time."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Result of fitting one spectrum."""

    site_index: int
    attempt: int
    model: str
    values: Mapping[str, float]
    """gap (eV), temperature (K), barrier, scale (S) and the nuisance parameters of the model."""
    std: Mapping[str, float]
    """Standard deviation of each value, same keys."""
    reduced_chi_square: float
    ok: bool
    flags: tuple[str, ...] = ()
    """Why it is not ok, or what a reader should know ("barrier_upper_limit", ...)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the twin's world really was at a site (rehearsals only)."""

    site_index: int
    attempt: int
    values: Mapping[str, float]
    """gap (eV), temperature (K), barrier; x, y (m) where the tip really was."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a reader of the run should know."""

    time: float
    kind: str
    """"note", "temperature", "warning", "error", "pause", "continue", "stop", ..."""
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON types only; a "temperature" event holds {"kelvin": ..., "fresh": ...}."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the run is."""

    time: float
    done: int
    total: int
    finish_time: float
    """Expected wall time of the end."""
    rate: float
    """Sites per hour of (virtual) time."""
    state: str
    """"running", "stopping", ..."""


@dataclass(frozen=True, slots=True)
class TwinState:
    """Where the twin's world stands, so that a rehearsal can go on after its process has died."""

    time: float
    state: Mapping[str, Any]
    """Plain JSON types only."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Last record of a run that could say goodbye."""

    time: float
    state: str
    """"finished", "stopped" (asked to stop) or "failed"."""
    text: str = ""


type Record = (
    RunStarted
    | TopographRows
    | SiteStarted
    | Spectrum
    | Fit
    | Truth
    | TwinState
    | Event
    | Progress
    | RunEnded
)

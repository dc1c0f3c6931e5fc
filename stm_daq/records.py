"""The small frozen records that parts of the program hand to one another.

All numbers are SI (V, A, S, m, K, s); energies are in eV, so that a bias in V and an energy in eV
have the same number. Arrays must not be modified by a receiver.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Site:
    """A place where spectra are taken."""

    index: int
    """Number of the site in the order of the plan, from 0."""
    row: int
    """Row in the map, from 0 at the bottom of the frame (y grows with the row)."""
    col: int
    """Column in the map, from 0 at the left (x grows with the column)."""
    x: float
    """Position in the controller's coordinates, m."""
    y: float


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
    """Nominal bias of every point of a spectrum, V, shape (n,)."""
    modulation: float
    """Peak amplitude of the lock-in modulation at the junction, V."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Settings, station snapshot, software versions; plain JSON types only."""


@dataclass(frozen=True, slots=True)
class TopographRows:
    """Rows of the topograph that are finished."""

    time: float
    first_row: int
    z: Array
    """Tip height, m, shape (rows, columns); row `first_row` first, bottom of the frame = row 0."""


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
class RunEnded:
    """Last record of a run that could say goodbye."""

    time: float
    state: str
    """"finished", "stopped" (asked to stop) or "failed"."""
    text: str = ""


type Record = RunStarted | TopographRows | Spectrum | Fit | Truth | Event | Progress | RunEnded

"""What a message may say besides the records of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stm_daq.records import (
    Array,
    Event,
    Fit,
    Progress,
    RunEnded,
    RunStarted,
    SiteStarted,
    Spectrum,
    TopographRows,
)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent every second, whether or not anything happens."""

    state: str
    """"waiting" for a run, "running", "paused", "stopping", or as the run ended: "finished", "stopped",
    "failed"."""
    skipped: int = 0
    """Spectra that were replaced by newer ones before they could be sent; the journal has them."""
    dropped: int = 0
    """Records that were dropped because the queue was full; the journal has them."""
    rate: float = math.nan
    """Sites per hour of the run's time."""
    finish_time: float = math.nan
    """Expected wall time of the end, in the run's time."""
    disk_free: float = math.nan
    """Free space where the run is stored, bytes."""
    queue: int = 0
    """Records that wait to be sent."""
    commit_age: float = math.nan
    """Real seconds since the last record was stored."""
    refused: int = 0
    """Connections and commands that were refused."""


@dataclass(frozen=True, slots=True)
class Cells:
    """All that is known of some sites: the new ones, or all so far for a viewer who joins late.

    A row replaces what was known of its site before.
    """

    names: tuple[str, ...]
    """Which maps: "time", "z", "setpoint_current", "stage_temperature"; of the fits each value
    ("gap"), its standard deviation ("gap_std"), "reduced_chi_square" and "fit_ok" (1 or 0)."""
    sites: Array
    """Index of each site, (step * rows + row) * columns + column, shape (sites,)."""
    values: Array
    """SI, energies in eV; NaN where there is no value; shape (sites, names)."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard turned bad or good."""

    time: float
    name: str
    value: float
    """NaN if it could not be read."""
    unit: str
    good: bool
    action: str
    """What the run does about it: "pause", "skip", "stop", "withdraw"."""
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Somebody was, or should have been, told."""

    time: float
    rule: str
    """Name of the rule that found it."""
    level: str
    """"info", "warning" or "alarm"."""
    text: str
    delivered: bool
    """Whether it got through to at least one receiver."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who publishes, and where else to ask; the answer to "hello"."""

    station: str
    """Name of the station."""
    folder: str
    """Folder of the run on the station's computer; "" while none has begun."""
    history: int
    """Port of the socket that answers requests; 0 if there is none."""
    control: int
    """Port of the socket that takes commands; 0 if there is none."""


@dataclass(frozen=True, slots=True)
class End:
    """The last message of an answer of the history socket."""

    request: int
    """Number of the request."""
    cells: int = 0
    """How many changes of sites, rows of the topograph and events are known so far: to be sent with
    the next request, which then brings only what came after them."""
    rows: int = 0
    events: int = 0
    problem: str = ""
    """Why there is no answer."""


type Body = (
    RunStarted
    | TopographRows
    | SiteStarted
    | Spectrum
    | Fit
    | Cells
    | Guard
    | Event
    | Alert
    | Progress
    | RunEnded
    | Heartbeat
    | Hello
    | End
)

TYPES: dict[str, type] = {
    "started": RunStarted,
    "topograph": TopographRows,
    "site": SiteStarted,
    "spectrum": Spectrum,
    "fit": Fit,
    "cells": Cells,
    "guard": Guard,
    "event": Event,
    "alert": Alert,
    "progress": Progress,
    "ended": RunEnded,
    "heartbeat": Heartbeat,
    "hello": Hello,
    "end": End,
}
"""Name on the wire: kind."""

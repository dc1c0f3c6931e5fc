"""What keeps a night safe and good, as the program uses it: frozen, in SI."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

type Watched = Literal[
    "temperature", "current", "z", "disk", "time_of_day", "parameter", "overload"
]
type Action = Literal["pause", "skip", "withdraw", "stop"]
type Reaction = Literal["note", "remeasure", "pause", "stop"]


@dataclass(frozen=True, slots=True)
class Guard:
    """A level that is looked at before every site; unknown or stale counts as bad."""

    watch: Watched
    action: Action
    low: float = -math.inf
    """Least good value, in `unit`; seconds after midnight for a time of day."""
    high: float = math.inf
    """Largest good value. A time of day may have `high` below `low`: over midnight."""
    unit: str = ""
    parameter: str = ""
    """Dotted name, if a parameter of an instrument is watched."""
    good_for: float = 60.0
    """How long it has to be good again before a pause ends, s."""
    deadline: float = 12 * 3600.0
    """The run stops when a pause lasts longer, s."""

    @property
    def name(self) -> str:
        """For people: "temperature", "magnet.field"."""
        return self.parameter or self.watch.replace("_", " ")

    def is_good(self, value: float) -> bool:
        """Whether a value is in the range; NaN never is."""
        if self.watch == "time_of_day" and self.high < self.low:
            return value >= self.low or value <= self.high
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Drift:
    """Reference topographs, by which the positions of sites are corrected."""

    every: float
    """s."""
    size: float
    """Edge of the square around the centre of the frame, m."""
    pixels: int
    line_time: float
    """s, each way."""
    largest: float
    """A larger shift between two references is not believed, m."""


@dataclass(frozen=True, slots=True)
class TipChange:
    """Steps between neighbouring sites from which on the tip counts as changed; infinite: ignored."""

    z: float = math.inf
    """Of the tip height beyond the neighbours' usual difference, m."""
    current: float = math.inf
    """Relative, of the current under feedback."""
    spectrum: float = math.inf
    """Of normalised spectra, rms."""
    reaction: Reaction = "note"


@dataclass(frozen=True, slots=True)
class Care:
    """Everything of a plan that reacts to what is measured."""

    guards: tuple[Guard, ...] = ()
    drift: Drift | None = None
    tip_change: TipChange | None = None
    want: Mapping[str, float] = field(default_factory=dict)
    """Standard deviation wanted of a fitted parameter, in its SI unit (energies in eV)."""
    most: int = 1
    """Sweeps at a site at most, averaged until it is as certain as wanted; 1: no repetition."""
    again: int = 0
    """How often a flagged site is measured again at the end of the map."""

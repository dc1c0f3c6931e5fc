"""What a run needs from outside its station: people, the fits, the disk, an earlier part of the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stm_daq.records import Array, Fit
from stm_daq.sequencer.control import Control
from stm_daq.sequencer.replay import Replay
from stm_daq.sequencer.stop import StopSwitch
from stm_daq.station.roles import TemperatureReading


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier part of a resumed run has done."""

    replay: Replay = field(default_factory=Replay)
    """What it has measured."""
    attempts: Mapping[int, int] = field(default_factory=dict)
    """How often each site was measured, spectra that are damaged on the disk included."""
    damaged: frozenset[int] = frozenset()
    """Sites of which a spectrum is damaged on the disk."""
    reference: Array | None = None
    """The first reference topograph for drift, m."""
    shift: tuple[float, float] = (0.0, 0.0)
    """How far the sample had drifted, m."""
    drift_time: float = -math.inf
    """Wall time when that was measured."""
    temperature: TemperatureReading | None = None
    """The last reading of the stage."""


def _no_fit() -> Fit | None:
    return None


type Begin = Callable[[Callable[[], object], float], None]


def _nothing(look: Callable[[], object], before: float) -> None:
    pass


def _endless() -> float:
    return math.inf


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything outside the station."""

    control: Control = field(default_factory=lambda: Control(StopSwitch()))
    latest_fit: Callable[[], Fit | None] = _no_fit
    """Fit of the spectrum that was emitted last."""
    free_disk: Callable[[], float] = _endless
    """Free space where the run is stored, bytes."""
    earlier: Earlier = field(default_factory=Earlier)
    begin: Begin = _nothing
    """Called with a last look at the station, and how long before the first site that must be (s)."""

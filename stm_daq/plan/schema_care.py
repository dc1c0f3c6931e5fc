"""The form of what keeps a night safe and good: guards, drift, tip changes, repeated sites."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stm_daq.plan.units import (
    NOT_NEGATIVE,
    POSITIVE,
    Amperes,
    Count,
    Kelvin,
    Metres,
    Seconds,
)
from stm_daq.yaml_model import DOTTED, TIME_OF_DAY, Block, Number, quantity

Bytes = Annotated[float, quantity("byte")]
TimeOfDay = Annotated[str, Field(strict=True, pattern=TIME_OF_DAY)]
ParameterName = Annotated[str, Field(strict=True, pattern=DOTTED)]
type Action = Literal["pause", "skip", "withdraw", "stop"]


class KelvinRange(Block):
    """A range of temperatures."""

    min: Kelvin | None = None
    max: Kelvin | None = None


class CurrentRange(Block):
    """A range of currents under feedback, without sign."""

    min: Amperes | None = None
    max: Amperes | None = None


class HeightRange(Block):
    """A range of tip heights."""

    min: Metres | None = None
    max: Metres | None = None


class BytesRange(Block):
    """Free space on the disk of the run."""

    min: Bytes


class TimeRange(Block):
    """The part of the day in which measuring is allowed; it may go over midnight."""

    start: TimeOfDay
    end: TimeOfDay


class ParameterRange(Block):
    """A range of any parameter of an instrument of the station."""

    name: ParameterName
    min: Number | None = None
    max: Number | None = None


class GuardBlock(Block):
    """What is looked at before every site, and what is done when it is out of its range."""

    temperature: KelvinRange | None = None
    current: CurrentRange | None = None
    z: HeightRange | None = None
    disk: BytesRange | None = None
    time_of_day: TimeRange | None = None
    parameter: ParameterRange | None = None
    overload: Literal["none"] | None = None
    action: Action
    good_for: Annotated[Seconds, NOT_NEGATIVE] = 60.0
    deadline: Annotated[Seconds, POSITIVE] = 12 * 3600.0


class DriftBlock(Block):
    """A small reference topograph now and then, by which the sites are corrected."""

    every: Annotated[Seconds, POSITIVE]
    size: Annotated[Metres, POSITIVE]
    pixels: Annotated[Count, Field(ge=16, le=512)] = 64
    line_time: Annotated[Seconds, POSITIVE] = 0.5
    largest: Annotated[Metres, POSITIVE]


class TipChangeBlock(Block):
    """Steps between neighbouring sites that betray a change of the tip."""

    z: Annotated[Metres, POSITIVE] | None = None
    current: Annotated[Number, POSITIVE] | None = None
    spectrum: Annotated[Number, POSITIVE] | None = None
    reaction: Literal["note", "remeasure", "pause", "stop"] = "note"


class AdaptiveBlock(Block):
    """Repeat a site until its fit is as certain as `want:` says."""

    most: Annotated[Count, Field(ge=2, le=100)] = 4


class AgainBlock(Block):
    """Measure sites again at the end of each map whose spectrum or fit was flagged."""

    most: Annotated[Count, Field(ge=1, le=10)] = 1

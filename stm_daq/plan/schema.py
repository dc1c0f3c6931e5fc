"""The form of a plan file, key by key. Quantities are written with units and read as SI."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from stm_daq.yaml_model import Block, Text, Whole, quantity

Volts = Annotated[float, quantity("V")]
Amperes = Annotated[float, quantity("A")]
Metres = Annotated[float, quantity("m")]
Degrees = Annotated[float, quantity("deg")]
Seconds = Annotated[float, quantity("s")]
Hertz = Annotated[float, quantity("Hz")]
Kelvin = Annotated[float, quantity("K")]


def _version(written: object) -> int:
    if written != 1 or isinstance(written, bool):
        raise ValueError(f"this program reads version 1 of the format, not {written!r}")
    return 1


POSITIVE = Field(gt=0)
NOT_NEGATIVE = Field(ge=0)


class SetpointBlock(Block):
    """Under which the feedback runs."""

    bias: Volts
    current: Annotated[Amperes, POSITIVE]


class TemperatureBlock(Block):
    """What the stage is expected to have."""

    expect: Annotated[Kelvin, POSITIVE]
    tolerance: Annotated[Kelvin, POSITIVE]


class FrameBlock(Block):
    """The scan frame."""

    centre: tuple[Metres, Metres]
    size: tuple[Annotated[Metres, POSITIVE], Annotated[Metres, POSITIVE]]
    angle: Degrees = 0.0


class TopographBlock(Block):
    """The topograph that is scanned between the rows of spectra."""

    columns: Annotated[Whole, Field(ge=2, le=4096)]
    rows: Annotated[Whole, Field(ge=2, le=4096)]
    line_time: Annotated[Seconds, POSITIVE]


class GridBlock(Block):
    """Sites on the pixels of the topograph."""

    frame: FrameBlock
    topograph: TopographBlock
    every: Annotated[Whole, Field(ge=1)]


class SitesBlock(Block):
    """Where spectra are taken."""

    grid: GridBlock


class BiasBlock(Block):
    """The points of the sweep."""

    start: Volts
    end: Volts
    points: Annotated[Whole, Field(ge=2, le=16_000)]
    dwell: Annotated[Seconds, POSITIVE]


class ModulationBlock(Block):
    """The lock-in modulation at the junction."""

    peak: Annotated[Volts, POSITIVE]
    frequency: Annotated[Hertz, POSITIVE]


class LockInBlock(Block):
    """The demodulator."""

    time_constant: Annotated[Seconds, POSITIVE]


class SweepBlock(Block):
    """One spectrum."""

    bias: BiasBlock
    modulation: ModulationBlock
    lockin: LockInBlock


class TimingBlock(Block):
    """Waiting times around a sweep."""

    settle: Annotated[Seconds, NOT_NEGATIVE] = 0.15
    initial_settle: Annotated[Seconds, NOT_NEGATIVE] = 0.03
    recover: Annotated[Seconds, NOT_NEGATIVE] = 0.1


class FitBlock(Block):
    """What is fitted to every spectrum."""

    model: Literal["btk"] = "btk"


class PlanFile(Block):
    """A whole plan."""

    plan: Annotated[int, BeforeValidator(_version)]
    name: Text
    sample: Text
    setpoint: SetpointBlock
    temperature: TemperatureBlock | None = None
    sites: SitesBlock
    sweep: SweepBlock
    timing: TimingBlock = TimingBlock()
    fit: FitBlock = FitBlock()

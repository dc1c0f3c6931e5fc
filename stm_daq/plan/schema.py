"""The form of a plan file, key by key. Quantities are written with units and read as SI."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StrictBool

from stm_daq.alert_settings import PlanAlertsBlock
from stm_daq.plan.schema_axes import AxisBlock
from stm_daq.plan.schema_care import (
    AdaptiveBlock,
    AgainBlock,
    DriftBlock,
    GuardBlock,
    TipChangeBlock,
)
from stm_daq.plan.units import (
    NOT_NEGATIVE,
    POSITIVE,
    Amperes,
    Count,
    Decibels,
    Degrees,
    Hertz,
    Kelvin,
    Metres,
    Place,
    RelativeDecibels,
    Seconds,
    Volts,
)
from stm_daq.report_settings import ReportBlock
from stm_daq.yaml_model import Block, Number, Text, Whole


def _version(written: object) -> int:
    if written != 1 or isinstance(written, bool):
        raise ValueError(f"this program reads version 1 of the format, not {written!r}")
    return 1


class TravelBlock(Block):
    """Under which the tip moves from site to site; the bias has the sign of the set-point's."""

    bias: Annotated[Volts, POSITIVE]
    current: Annotated[Amperes, POSITIVE]


class SetpointBlock(Block):
    """Under which the feedback runs."""

    bias: Volts
    current: Annotated[Amperes, POSITIVE]
    travel: TravelBlock | None = None


class TemperatureBlock(Block):
    """What the stage is expected to have."""

    expect: Annotated[Kelvin, POSITIVE]
    tolerance: Annotated[Kelvin, POSITIVE]


class FrameBlock(Block):
    """The scan frame."""

    centre: Place
    size: tuple[Annotated[Metres, POSITIVE], Annotated[Metres, POSITIVE]]
    angle: Degrees = 0.0


class TopographBlock(Block):
    """The topograph that is scanned between the rows of spectra."""

    columns: Annotated[Whole, Field(ge=2, le=4096)]
    rows: Annotated[Whole, Field(ge=2, le=4096)]
    line_time: Annotated[Seconds, POSITIVE]


class GridBlock(Block):
    """Sites in a frame: on the pixels of a topograph, or so many columns and rows without one."""

    frame: FrameBlock
    topograph: TopographBlock | None = None
    every: Count | None = None
    columns: Annotated[Whole, Field(ge=1, le=4096)] | None = None
    rows: Annotated[Whole, Field(ge=1, le=4096)] | None = None
    polygon: tuple[Place, ...] | None = None


class LineBlock(Block):
    """Sites along a line, both ends included."""

    start: Place
    end: Place
    count: Annotated[Whole, Field(ge=2, le=1_000_000)]


class SitesBlock(Block):
    """Where spectra are taken: one of grid, line, points."""

    grid: GridBlock | None = None
    line: LineBlock | None = None
    points: Annotated[tuple[Place, ...], Field(min_length=1)] | None = None
    order: Literal["rows", "coarse_to_fine"] = "rows"


class SegmentBlock(Block):
    """A part of a sweep with its own density of points; it begins where the one before ended."""

    end: Volts
    points: Annotated[Whole, Field(ge=1, le=16_000)]


class BiasBlock(Block):
    """The points of a bias sweep: evenly from start to end, or in segments."""

    start: Volts
    end: Volts | None = None
    points: Annotated[Whole, Field(ge=2, le=16_000)] | None = None
    segments: Annotated[tuple[SegmentBlock, ...], Field(min_length=1)] | None = None
    dwell: Annotated[Seconds, POSITIVE]
    back: StrictBool = False


class HeightBlock(Block):
    """The points of a z sweep, relative to where the feedback was held; positive is away."""

    start: Metres
    end: Metres
    points: Annotated[Whole, Field(ge=2, le=16_000)]
    dwell: Annotated[Seconds, POSITIVE]
    back: StrictBool = False
    bias: Volts | None = None


class PowerBlock(Block):
    """The points of a sweep of the microwave power."""

    start: Decibels
    end: Decibels
    points: Annotated[Whole, Field(ge=2, le=16_000)]
    dwell: Annotated[Seconds, POSITIVE]
    back: StrictBool = True
    bias: Volts | None = None
    frequency: Annotated[Hertz, POSITIVE] | None = None


class TransportBlock(Block):
    """What is measured of the strip besides."""

    probe: Annotated[Amperes, NOT_NEGATIVE] = 0.0
    critical_current: Annotated[Amperes, POSITIVE] | None = None
    points: Annotated[Whole, Field(ge=4, le=1000)] = 40
    threshold: Annotated[Volts, POSITIVE] = 20e-6
    above_down: Annotated[RelativeDecibels, POSITIVE] | None = None


class ReferenceBlock(Block):
    """A place that is measured again and again, to see what drifts."""

    place: Place
    every: Count


class PowerSweepBlock(Block):
    """Cycles of the microwave power, up and down, with fine steps where it switches."""

    start: Decibels
    end: Decibels
    points: Annotated[Whole, Field(ge=5, le=2000)]
    dwell: Annotated[Seconds, POSITIVE]
    cycles: Annotated[Whole, Field(ge=1, le=100)] = 2
    fine: Annotated[Whole, Field(ge=0, le=200)] = 0
    frequencies: Annotated[tuple[Annotated[Hertz, POSITIVE], ...], Field(min_length=1)] | None = (
        None
    )
    rest: Annotated[Seconds, NOT_NEGATIVE] = 0.2
    tolerance: Annotated[Number, POSITIVE] = 0.1
    slow: Annotated[Number, Field(ge=1)] = 1.0
    bias: Volts | None = None
    transport: TransportBlock | None = None
    reference: ReferenceBlock | None = None


class ModulationBlock(Block):
    """The lock-in modulation at the junction."""

    peak: Annotated[Volts, POSITIVE]
    frequency: Annotated[Hertz, POSITIVE]
    only_in_sweep: StrictBool = False


class LockInBlock(Block):
    """The demodulator."""

    time_constant: Annotated[Seconds, POSITIVE]


class SweepBlock(Block):
    """One spectrum: a sweep of one of bias, z, microwave_power; or a power_sweep."""

    kind: Literal["dac", "controller", "points"] = "dac"
    bias: BiasBlock | None = None
    z: HeightBlock | None = None
    microwave_power: PowerBlock | None = None
    power_sweep: PowerSweepBlock | None = None
    average: Count = 1
    z_offset: Metres = 0.0
    modulation: ModulationBlock
    lockin: LockInBlock


class TimingBlock(Block):
    """Waiting times around a sweep."""

    settle: Annotated[Seconds, NOT_NEGATIVE] = 0.15
    z_average: Annotated[Seconds, NOT_NEGATIVE] = 0.0
    initial_settle: Annotated[Seconds, NOT_NEGATIVE] = 0.03
    end_settle: Annotated[Seconds, NOT_NEGATIVE] = 0.0
    recover: Annotated[Seconds, NOT_NEGATIVE] = 0.1


class FitBlock(Block):
    """What is fitted to every spectrum; nothing where no model of the program suits the film."""

    model: Literal["btk", "none"] = "btk"


class PlanFile(Block):
    """A whole plan."""

    plan: Annotated[int, BeforeValidator(_version)]
    name: Text
    sample: Text
    setpoint: SetpointBlock
    temperature: TemperatureBlock | None = None
    axes: Annotated[tuple[AxisBlock, ...], Field(max_length=6)] | None = None
    sites: SitesBlock
    sweep: SweepBlock
    timing: TimingBlock = TimingBlock()
    fit: FitBlock = FitBlock()
    guards: tuple[GuardBlock, ...] | None = None
    drift: DriftBlock | None = None
    tip_change: TipChangeBlock | None = None
    want: dict[str, Text] | None = None
    adaptive: AdaptiveBlock | None = None
    again: AgainBlock | None = None
    finish_before: Text | None = None
    alerts: PlanAlertsBlock | None = None
    report: ReportBlock = ReportBlock()

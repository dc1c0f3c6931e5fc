"""The form of the outer axes in a plan file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stm_daq.plan.units import (
    NOT_NEGATIVE,
    POSITIVE,
    Amperes,
    Count,
    Hertz,
    Kelvin,
    Seconds,
    Volts,
)
from stm_daq.yaml_model import DOTTED, Block, Number

type Spacing = Literal["linear", "logarithmic"]


class TemperatureAxis(Block):
    """Temperatures of the stage, one after the other."""

    values: Annotated[tuple[Annotated[Kelvin, POSITIVE], ...], Field(min_length=1)]
    tolerance: Annotated[Kelvin, POSITIVE]
    stable: Annotated[Seconds, NOT_NEGATIVE] = 120.0
    deadline: Annotated[Seconds, POSITIVE] = 3600.0


class CurrentAxis(Block):
    """Set-point currents: a list, or evenly spaced."""

    values: Annotated[tuple[Annotated[Amperes, POSITIVE], ...], Field(min_length=1)] | None = None
    start: Annotated[Amperes, POSITIVE] | None = None
    end: Annotated[Amperes, POSITIVE] | None = None
    count: Count | None = None
    spacing: Spacing = "linear"
    settle: Annotated[Seconds, NOT_NEGATIVE] = 1.0


class BiasAxis(Block):
    """Set-point biases: a list, or evenly spaced."""

    values: Annotated[tuple[Volts, ...], Field(min_length=1)] | None = None
    start: Volts | None = None
    end: Volts | None = None
    count: Count | None = None
    spacing: Spacing = "linear"
    settle: Annotated[Seconds, NOT_NEGATIVE] = 1.0


class FrequencyAxis(Block):
    """Microwave frequencies: a list, or evenly spaced."""

    values: Annotated[tuple[Annotated[Hertz, POSITIVE], ...], Field(min_length=1)] | None = None
    start: Annotated[Hertz, POSITIVE] | None = None
    end: Annotated[Hertz, POSITIVE] | None = None
    count: Count | None = None
    spacing: Spacing = "linear"
    settle: Annotated[Seconds, NOT_NEGATIVE] = 0.1


class ParameterAxis(Block):
    """Any parameter of an instrument of the station, such as a magnetic field."""

    name: Annotated[str, Field(strict=True, pattern=DOTTED)]
    unit: str
    values: Annotated[tuple[Number, ...], Field(min_length=1)]
    tolerance: Annotated[Number, POSITIVE]
    stable: Annotated[Seconds, NOT_NEGATIVE] = 0.0
    settle: Annotated[Seconds, NOT_NEGATIVE] = 0.0
    deadline: Annotated[Seconds, POSITIVE] = 3600.0


class AxisBlock(Block):
    """One outer axis: exactly one of its keys."""

    temperature: TemperatureAxis | None = None
    setpoint_current: CurrentAxis | None = None
    setpoint_bias: BiasAxis | None = None
    microwave_frequency: FrequencyAxis | None = None
    parameter: ParameterAxis | None = None
    repeat: Count | None = None

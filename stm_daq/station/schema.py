"""The form of station.yaml, key by key."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from stm_daq.alert_settings import AlertsBlock
from stm_daq.yaml_model import Block, DottedPath, Number, Text, Whole, quantity

Volts = Annotated[float, quantity("V")]
VoltsPerSecond = Annotated[float, quantity("V/s"), Field(gt=0)]
Amperes = Annotated[float, quantity("A")]
Siemens = Annotated[float, quantity("S"), Field(gt=0)]
Metres = Annotated[float, quantity("m")]
Dbm = Annotated[float, quantity("dBm")]
Kelvins = Annotated[float, quantity("K"), Field(gt=0)]
Flag = Annotated[bool, Field(strict=True)]


def _not_a_block(written: object) -> object:
    if isinstance(written, dict):
        raise ValueError("should be a value, not a block")
    return written


class ParameterBlock(Block):
    """Settings of one QCoDeS parameter, in the driver's own units."""

    label: Text | None = None
    unit: Annotated[str, Field(strict=True)] | None = None
    scale: Number | None = None
    offset: Number | None = None
    step: Number | None = None
    inter_delay: Annotated[Number, Field(ge=0)] | None = None
    post_delay: Annotated[Number, Field(ge=0)] | None = None
    limits: tuple[Number, Number] | None = None
    monitor: Flag | None = None
    alias: Text | None = None
    initial_value: Annotated[Any, BeforeValidator(_not_a_block)] = None


class AddedParameterBlock(ParameterBlock):
    """A parameter that QCoDeS adds to an instrument."""

    source: Text | None = None
    """Parameter of the same instrument that it stands for."""


class InstrumentBlock(Block):
    """One instrument as QCoDeS loads it; any further key is a submodule with settings."""

    type: DottedPath
    address: Text | None = None
    port: Annotated[Whole, Field(ge=1, le=65_535)] | None = None
    enable_forced_reconnect: Flag | None = None
    init: dict[str, Any] | None = None
    parameters: dict[str, ParameterBlock] | None = None
    add_parameters: dict[str, AddedParameterBlock] | None = None


class RoleBlock(Block):
    """Who plays a role; any further key is an option of the adapter."""

    instrument: Text
    adapter: DottedPath


class RolesBlock(Block):
    """All roles."""

    stm: dict[str, Any]
    bias: dict[str, Any]
    lockin: dict[str, Any]
    preamplifier: dict[str, Any]
    thermometer: dict[str, Any] | None = None
    temperature_control: dict[str, Any] | None = None
    microwave: dict[str, Any] | None = None
    spectroscopy: dict[str, Any] | None = None
    transport: dict[str, Any] | None = None


class BiasLimits(Block):
    """Of the bias at the junction."""

    min: Volts
    max: Volts
    slew: VoltsPerSecond
    step: Annotated[Volts, Field(gt=0)]


class CurrentLimits(Block):
    """Of the feedback's set-point."""

    min: Annotated[Amperes, Field(gt=0)]
    max: Amperes


class LengthLimits(Block):
    """Of one coordinate of the tip."""

    min: Metres
    max: Metres


class PowerLimits(Block):
    """Of the microwave power."""

    min: Dbm
    max: Dbm


class TemperatureLimits(Block):
    """Of the set-point of the temperature control."""

    min: Kelvins
    max: Kelvins


class LimitsBlock(Block):
    """What nothing may ever pass."""

    bias: BiasLimits
    setpoint_current: CurrentLimits
    x: LengthLimits
    y: LengthLimits
    z: LengthLimits
    microwave_power: PowerLimits | None = None
    temperature: TemperatureLimits | None = None
    travel_conductance: Siemens | None = None


class SimulationBlock(Block):
    """The twin; what is inside is the twin's own business."""

    type: DottedPath
    seed: Annotated[Whole, Field(ge=0)] = 1
    sample: dict[str, Any] | None = None
    devices: dict[str, Any] | None = None
    preamplifier: dict[str, Any] | None = None
    fridge: dict[str, Any] | None = None
    microwave_line: dict[str, Any] | None = None
    tip: dict[str, Any] | None = None


class ConnectionBlock(Block):
    """Where the watchdog reaches an instrument that takes only one program at an address."""

    address: Text | None = None
    port: Annotated[Whole, Field(ge=1, le=65535)] | None = None


class MonitorBlock(Block):
    """How the station can be watched and commanded."""

    name: Text | None = None
    listen: Text = "127.0.0.1"
    port: Annotated[Whole, Field(ge=1, le=65_533)] = 5550
    keys: Text | None = None


class StationFile(Block):
    """A whole station."""

    instruments: Annotated[dict[str, Any], Field(min_length=1)]
    roles: RolesBlock
    limits: LimitsBlock
    simulation: SimulationBlock | None = None
    watchdog: dict[str, ConnectionBlock] | None = None
    alerts: AlertsBlock | None = None
    monitor: MonitorBlock | None = None

"""A station as station.yaml describes it, checked without touching any instrument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stm_daq.errors import BadInputError
from stm_daq.station.checks import check_limits, check_roles, check_simulation
from stm_daq.station.instruments import NarrowedLimit, check_instruments
from stm_daq.station.limits import Limits, Range
from stm_daq.station.schema import LimitsBlock, RoleBlock, StationFile
from stm_daq.yaml_model import ModelReader
from stm_daq.yaml_source import YamlSource, read_yaml


@dataclass(frozen=True, slots=True)
class RoleConfig:
    """Who plays a role."""

    instrument: str
    adapter: str
    """Dotted path of the adapter."""
    options: Mapping[str, Any]
    """Further keyword arguments of the adapter."""


@dataclass(frozen=True, slots=True)
class StationConfig:
    """A checked station.yaml."""

    instruments: Mapping[str, Mapping[str, Any]]
    """As written (QCoDeS Station format), in the order of the file."""
    narrowed: tuple[NarrowedLimit, ...]
    """Limits of single parameters, in the order of the file."""
    roles: Mapping[str, RoleConfig]
    limits: Limits
    simulation: Mapping[str, Any] | None
    """The twin's own block as written; None if there is none."""
    source: YamlSource = field(repr=False)
    """The file, for messages that point into it."""

    @property
    def path(self) -> Path:
        """Where the station was read from."""
        return self.source.path

    @property
    def text(self) -> str:
        """The station file, verbatim."""
        return self.source.text


def load_station(path: str | Path) -> StationConfig:
    """Read and check a station file; imports no driver and touches no instrument.

    Raises
    ------
    BadInputError
        Listing every mistake as ``file:line:column: what is wrong``.
    """
    source = read_yaml(path)
    reader = ModelReader(source)
    file = reader.read(StationFile)
    narrowed = check_instruments(reader)
    check_roles(reader)
    check_limits(reader)
    check_simulation(reader)
    if reader.problems or file is None:
        raise BadInputError.from_problems(reader.problems)
    given = {name: role for name, role in file.roles if role is not None}
    return StationConfig(
        instruments=file.instruments,
        narrowed=tuple(narrowed),
        roles={name: _role(keys) for name, keys in given.items()},
        limits=_limits(file.limits),
        simulation=source.data.get("simulation"),
        source=source,
    )


def _role(keys: dict[str, Any]) -> RoleConfig:
    options = {key: value for key, value in keys.items() if key not in RoleBlock.model_fields}
    return RoleConfig(keys["instrument"], keys["adapter"], options)


def _limits(block: LimitsBlock) -> Limits:
    bias, current, z, power = block.bias, block.setpoint_current, block.z, block.microwave_power
    nothing = Range(math.inf, -math.inf, "dBm")  # without a limit no power is allowed
    return Limits(
        bias=Range(bias.min, bias.max, "V"),
        bias_slew=bias.slew,
        bias_step=bias.step,
        setpoint_current=Range(current.min, current.max, "A"),
        x=Range(block.x.min, block.x.max, "m"),
        y=Range(block.y.min, block.y.max, "m"),
        z=Range(z.min, z.max, "m"),
        microwave_power=Range(power.min, power.max, "dBm") if power else nothing,
    )

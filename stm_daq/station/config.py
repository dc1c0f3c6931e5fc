"""A station as station.yaml describes it, checked without touching any instrument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stm_daq.alert_settings import AlertsBlock, misfits_of_alerts
from stm_daq.errors import BadInputError, Problem
from stm_daq.station.checks import (
    check_limits,
    check_monitor,
    check_roles,
    check_simulation,
    check_watchdog,
)
from stm_daq.station.instruments import NarrowedLimit, check_instruments
from stm_daq.station.limits import TRAVEL_CONDUCTANCE, Limits, Range, nothing
from stm_daq.station.schema import MonitorBlock, RoleBlock, StationFile
from stm_daq.yaml_model import ModelReader
from stm_daq.yaml_source import KeyPath, YamlSource, read_yaml


@dataclass(frozen=True, slots=True)
class RoleConfig:
    """Who plays a role."""

    instrument: str
    adapter: str
    """Dotted path of the adapter."""
    options: Mapping[str, Any]
    """Further keyword arguments of the adapter."""


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How the station can be watched and commanded."""

    name: str = ""
    """What viewers are told; "" for the name of the computer."""
    listen: str = "127.0.0.1"
    port: int = 5550
    keys: Path | None = None
    """Folder of the keys; None: anybody on this computer may watch."""


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
    watchdog: Mapping[str, Mapping[str, Any]]
    """Address or port, by instrument, where the watchdog reaches it instead."""
    alerts: AlertsBlock | None
    """Whom to tell of what; None if the station does not say."""
    monitor: MonitorSettings
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
    config, problems = examine_station(path)
    if problems:
        raise BadInputError.from_problems(problems)
    return config


def examine_station(path: str | Path) -> tuple[StationConfig, list[Problem]]:
    """Read a station file as far as it can be read; return it with its mistakes.

    With mistakes it holds only what is well written, for further checks: an instrument that has a
    type, a role that has an adapter, a range that is unlimited where its end cannot be read.

    Raises
    ------
    BadInputError
        If it is not there, or not a YAML file.
    """
    if not Path(path).exists():
        text = "there is no such station file; name it with --station FILE"
        raise BadInputError.from_problems([Problem(str(path), 0, 0, text)])
    source = read_yaml(path)
    reader = ModelReader(source)
    file = reader.read(StationFile)
    alerts = None if file is None else file.alerts
    if alerts is not None:
        for place, text in misfits_of_alerts(alerts):
            reader.at_value(place, text)
    narrowed = check_instruments(reader)
    check_roles(reader)
    check_limits(reader)
    check_simulation(reader)
    check_watchdog(reader)
    check_monitor(reader)
    config = StationConfig(
        instruments=_well_written(reader, "instruments", "type"),
        narrowed=tuple(narrowed),
        roles={n: _role(keys) for n, keys in _well_written(reader, "roles", "adapter").items()},
        limits=_limits(reader.values),
        simulation=source.data.get("simulation"),
        watchdog=source.data.get("watchdog") or {},
        alerts=alerts,
        monitor=_monitor(reader),
        source=source,
    )
    return config, reader.problems


def _well_written(reader: ModelReader, block: str, key: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a block whose `key` could be read."""
    entries = reader.source.data.get(block)
    names = entries if isinstance(entries, dict) else {}
    return {name: names[name] for name in names if (block, name, key) in reader.values}


def _monitor(reader: ModelReader) -> MonitorSettings:
    """Return the settings as far as they are well written; the keys are beside the station file."""
    block: dict[str, Any] = {
        str(path[1]): value
        for path, value in reader.values.items()
        if path[0] == "monitor" and path[1] in MonitorBlock.model_fields  # not a misspelt one
    }
    if "keys" in block:
        block["keys"] = reader.source.path.parent / Path(block["keys"]).expanduser()
    return MonitorSettings(**block)


def _role(keys: dict[str, Any]) -> RoleConfig:
    options = {key: value for key, value in keys.items() if key not in RoleBlock.model_fields}
    return RoleConfig(str(keys.get("instrument")), keys["adapter"], options)


def _limits(values: Mapping[KeyPath, Any]) -> Limits:
    def read(block: str, unit: str) -> Range:
        low = values.get(("limits", block, "min"), -math.inf)
        return Range(low, values.get(("limits", block, "max"), math.inf), unit)

    def read_or_nothing(block: str, unit: str) -> Range:
        """Without a limit no value is allowed."""
        return read(block, unit) if ("limits", block, "max") in values else nothing(unit)

    return Limits(
        bias=read("bias", "V"),
        bias_slew=values.get(("limits", "bias", "slew"), math.inf),
        bias_step=values.get(("limits", "bias", "step"), math.inf),
        setpoint_current=read("setpoint_current", "A"),
        x=read("x", "m"),
        y=read("y", "m"),
        z=read("z", "m"),
        microwave_power=read_or_nothing("microwave_power", "dBm"),
        temperature=read_or_nothing("temperature", "K"),
        travel_conductance=values.get(("limits", "travel_conductance"), TRAVEL_CONDUCTANCE),
    )

"""What a plan needs that the station does not have."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from stm_daq.alert_settings import unknown_sinks
from stm_daq.errors import Problem
from stm_daq.plan import Plan, problem
from stm_daq.station.config import StationConfig
from stm_daq.yaml_source import KeyPath

type Need = tuple[KeyPath, str]
"""Place in the plan, and an instrument or role."""


def missing_parts(plan: Plan, config: StationConfig) -> Iterator[Problem]:
    """Yield every parameter and role that a plan names and a station lacks, with its position."""
    for path, name in _parameters(plan):
        instrument = name.partition(".")[0]
        if instrument not in config.instruments:
            yield problem(plan, path, f"'{name}': {_unknown(instrument, config)}")
    for path, role in _roles(plan):
        if role not in config.roles:
            yield problem(plan, path, f"needs the role '{role}', which {config.path} does not have")
    if plan.alerts is not None:
        sinks = () if config.alerts is None else config.alerts.sinks or ()
        for path, text in unknown_sinks(plan.alerts.rules, sinks):
            yield problem(plan, path, text)
    players = [config.roles[role] for role in ("bias", "spectroscopy") if role in config.roles]
    if plan.sweep.kind == "controller" and len({p.instrument for p in players}) == 2:
        text = f"the bias comes from {players[0].instrument}, not from {players[1].instrument}"
        yield problem(plan, ("sweep", "kind"), f"{text}, which would sweep its own output")


def _parameters(plan: Plan) -> Iterator[Need]:
    for number, axis in enumerate(plan.axes):
        if axis.kind == "parameter":
            yield ("axes", number, "parameter", "name"), axis.parameter
    for number, guard in enumerate(plan.care.guards):
        if guard.watch == "parameter":
            yield ("guards", number, "parameter", "name"), guard.parameter


def _unknown(instrument: str, config: StationConfig) -> str:
    near = get_close_matches(instrument, config.instruments, 1)
    meant = f" (did you mean '{near[0]}'?)" if near else ""
    known = ", ".join(config.instruments)
    return f"{config.path} has no instrument '{instrument}'{meant}; it has {known}"


def _roles(plan: Plan) -> Iterator[Need]:
    for number, axis in enumerate(plan.axes):
        if axis.kind == "microwave_frequency":
            yield ("axes", number, axis.kind), "microwave"
        if axis.kind == "temperature":
            yield ("axes", number, axis.kind), "temperature_control"
            yield ("axes", number, axis.kind), "thermometer"
    for number, guard in enumerate(plan.care.guards):
        if guard.watch == "temperature":
            yield ("guards", number, "temperature"), "thermometer"
    if plan.sweep.swept_name == "microwave_power":
        yield ("sweep", "microwave_power"), "microwave"
    if plan.sweep.power_sweep is not None:
        yield ("sweep", "power_sweep"), "microwave"
        transport = plan.sweep.power_sweep.transport
        if transport.probe or transport.points:
            yield ("sweep", "power_sweep", "transport"), "transport"
    if plan.sweep.kind == "controller":
        yield ("sweep", "kind"), "spectroscopy"

"""What a plan needs and a station does not have."""

from __future__ import annotations

from collections.abc import Iterator

from stm_daq.errors import Problem
from stm_daq.plan import Plan
from stm_daq.station.loader import StationConfig
from stm_daq.yaml_model import dotted, nearest
from stm_daq.yaml_source import KeyPath

AXIS_ROLES = {
    "temperature": ("temperature_control", "thermometer"),
    "microwave_frequency": ("microwave",),
}
"""Roles by the kind of the outer axis that needs them."""


def lacking(plan: Plan, config: StationConfig) -> Iterator[Problem]:
    """Yield every role and instrument that a plan needs and a station lacks; touches nothing."""
    needed: list[tuple[KeyPath, tuple[str, ...]]] = []
    for number, axis in enumerate(plan.axes):
        needed.append((("axes", number, axis.kind), AXIS_ROLES.get(axis.kind, ())))
        instrument = axis.parameter.partition(".")[0]
        if axis.parameter and instrument not in config.instruments:
            text = f"the station has no instrument '{instrument}'"
            path: KeyPath = ("axes", number, "parameter", "name")
            yield _problem(plan, path, text + nearest(instrument, list(config.instruments)))
    if plan.sweep.swept_name == "microwave_power":
        needed.append((("sweep", "microwave_power"), ("microwave",)))
    if plan.sweep.kind == "controller":
        needed.append((("sweep", "kind"), ("spectroscopy",)))
        players = [config.roles[role] for role in ("bias", "spectroscopy") if role in config.roles]
        if len({player.instrument for player in players}) == 2:
            text = f"the bias comes from {players[0].instrument}, not from {players[1].instrument}"
            yield _problem(plan, ("sweep", "kind"), f"{text}, which would sweep its own output")
    for path, roles in needed:
        for role in roles:
            if role not in config.roles:
                yield _problem(plan, path, f"needs the role '{role}', which the station lacks")


def _problem(plan: Plan, path: KeyPath, text: str) -> Problem:
    return plan.source.at_value(path, f"{dotted(path)}: {text}")

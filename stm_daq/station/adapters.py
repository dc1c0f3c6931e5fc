"""Finding drivers and adapters by dotted path, and checking that they fit before they are used."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from stm_daq.errors import BadInputError, Problem
from stm_daq.station import roles
from stm_daq.station.config import StationConfig
from stm_daq.yaml_model import nearest
from stm_daq.yaml_source import KeyPath

PROTOCOLS: dict[str, type] = {
    "stm": roles.StmController,
    "bias": roles.BiasSource,
    "lockin": roles.LockIn,
    "preamplifier": roles.Preamplifier,
    "thermometer": roles.Thermometer,
    "microwave": roles.MicrowaveSource,
}
_GIVEN = 3
"""Instrument, limits and clock are passed to every adapter; what follows are options."""


def import_adapters(config: StationConfig) -> dict[str, Any]:
    """Import every driver and adapter of a station; return the adapters by role.

    Raises
    ------
    BadInputError
        Listing what cannot be imported, lacks a method of its role, or has no such option.
    """
    problems: list[Problem] = []
    for name, block in config.instruments.items():
        _import(config, ("instruments", name, "type"), str(block["type"]), problems)
    adapters: dict[str, Any] = {}
    for role, entry in config.roles.items():
        where = ("roles", role, "adapter")
        adapters[role] = adapter = _import(config, where, entry.adapter, problems)
        if adapter is not None:
            problems += _misfits(config, role, adapter)
    if problems:
        raise BadInputError.from_problems(problems)
    return adapters


def _import(config: StationConfig, where: KeyPath, path: str, problems: list[Problem]) -> Any:
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # noqa: BLE001 - whatever a driver's file raises is reported
        text = f"cannot import '{path}' ({type(error).__name__}: {error}); check path and spelling"
        problems.append(config.source.at_value(where, text))
        return None
    found = getattr(module, name, None)
    if not callable(found):
        names = [key for key, value in vars(module).items() if inspect.isclass(value)]
        text = f"there is no class '{name}' in {module_name}{nearest(name, names)}"
        problems.append(config.source.at_value(where, text))
        return None
    return found


def _misfits(config: StationConfig, role: str, adapter: Any) -> list[Problem]:
    """Return what an adapter lacks, and the options that it does not know or misses."""
    source, options = config.source, config.roles[role].options
    methods = [name for name in vars(PROTOCOLS[role]) if not name.startswith("_")]
    lacking = [name for name in methods if not callable(getattr(adapter, name, None))]
    problems: list[Problem] = []
    if lacking:
        text = f"does not fulfil the role '{role}': it lacks {', '.join(lacking)}"
        problems.append(source.at_value(("roles", role, "adapter"), text))
    accepted = list(inspect.signature(adapter).parameters.values())[_GIVEN:]
    names = [parameter.name for parameter in accepted]
    for option in options:
        if option not in names:
            text = f"the adapter has no option '{option}'{nearest(option, names)}"
            problems.append(source.at_key(("roles", role, option), text))
    for parameter in accepted:
        if parameter.default is parameter.empty and parameter.name not in options:
            text = f"the adapter needs the option '{parameter.name}'"
            problems.append(source.at_key(("roles", role), text))
    return problems

"""Finding drivers and adapters by dotted path, and checking that they fit before they are used."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from stm_daq.errors import BadInputError, Problem
from stm_daq.station import roles
from stm_daq.station.config import StationConfig
from stm_daq.station.controller_sweep import ControllerSpectroscopy
from stm_daq.station.list_source import NO_LIST, plays_lists
from stm_daq.station.roles import Finding, PlanNeeds
from stm_daq.station.transport import TransportMeter
from stm_daq.yaml_model import nearest
from stm_daq.yaml_source import KeyPath

PROTOCOLS: dict[str, type] = {
    "stm": roles.StmController,
    "bias": roles.BiasSource,
    "lockin": roles.LockIn,
    "preamplifier": roles.Preamplifier,
    "thermometer": roles.Thermometer,
    "temperature_control": roles.TemperatureControl,
    "microwave": roles.MicrowaveSource,
    "spectroscopy": ControllerSpectroscopy,
    "transport": TransportMeter,
}
KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
}
"""Annotations of options that are checked."""
_GIVEN = 3
"""Instrument, limits and clock are passed to every adapter; what follows are options."""


def import_adapters(config: StationConfig) -> dict[str, Any]:
    """Import every driver and adapter of a station; return the adapters by role.

    Raises
    ------
    BadInputError
        Listing what cannot be imported, lacks a method of its role, or has no such option.
    """
    adapters, problems, _ = examine_adapters(config, None)
    if problems:
        raise BadInputError.from_problems(problems)
    return adapters


def examine_adapters(
    config: StationConfig, needs: PlanNeeds | None
) -> tuple[dict[str, Any], list[Problem], list[Finding]]:
    """Import every driver and adapter of a station, and ask each adapter what it cannot do.

    Returns
    -------
    adapters : dict
        By role; None where one cannot be imported.
    problems : list of Problem
        All that is wrong with the station.
    findings : list of Finding
        What the plan wants and the instruments cannot do, by path in the plan.
    """
    problems: list[Problem] = []
    findings: list[Finding] = []
    for name, block in config.instruments.items():
        driver = _import(config, ("instruments", name, "type"), block["type"], problems)
        problems += _address_problems(config, name, driver)
    adapters: dict[str, Any] = {}
    for role, entry in config.roles.items():
        where = ("roles", role, "adapter")
        adapters[role] = adapter = _import(config, where, entry.adapter, problems)
        if adapter is None or role not in PROTOCOLS:
            continue
        needs_list = role == "bias" and needs is not None and needs.sweep_kind == "dac"
        if needs_list and not plays_lists(adapter):
            findings.append(("sweep.bias", f"{adapter.__name__} {NO_LIST}"))
        misfits = _misfits(config, role, adapter)
        problems += misfits
        if hasattr(adapter, "check"):
            options = _usable(adapter, entry.options)
            for place, text in adapter.check(options, config.limits, needs):
                if "." in place:
                    findings.append((place, text))
                else:
                    problems.append(config.source.at_value(("roles", role, place), text))
    return adapters, problems, findings


def _address_problems(config: StationConfig, name: str, driver: Any) -> Iterator[Problem]:
    """Yield what is wrong with the address of an instrument that is reached through VISA."""
    from pyvisa.rname import InvalidResourceName, ResourceName
    from qcodes.instrument import VisaInstrument

    if not (inspect.isclass(driver) and issubclass(driver, VisaInstrument)):
        return
    address = config.instruments[name].get("address")
    if address is None:
        text = "the driver needs the `address` of the instrument, such as GPIB0::8::INSTR"
        yield config.source.at_key(("instruments", name), text)
    elif isinstance(address, str):
        try:
            ResourceName.from_string(address)
        except InvalidResourceName as error:
            text = f"'{address}' is no VISA address ({error}); an example is GPIB0::8::INSTR"
            yield config.source.at_value(("instruments", name, "address"), text)


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
        elif parameter.name in options:
            kind, value = str(parameter.annotation), options[parameter.name]
            if not _is_kind(value, kind):
                text = f"{parameter.name} should be {KINDS[kind][1]}, not {value!r}"
                problems.append(source.at_value(("roles", role, parameter.name), text))
    return problems


def _usable(adapter: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the adapter knows and that are of the right kind."""
    known = list(inspect.signature(adapter).parameters.values())[_GIVEN:]
    kinds = {parameter.name: str(parameter.annotation) for parameter in known}
    return {n: v for n, v in options.items() if n in kinds and _is_kind(v, kinds[n])}


def _is_kind(value: Any, kind: str) -> bool:
    if kind not in KINDS:
        return True
    return isinstance(value, KINDS[kind][0]) and not isinstance(value, bool)

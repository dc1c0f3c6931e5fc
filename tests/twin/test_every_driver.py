"""All drivers of the house, found by themselves: parameters, limits, refusals, nothing unknown.

A class in drivers/ that all_drivers.yaml does not name is a failure, so that no driver escapes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qcodes.instrument import ChannelTuple, Instrument
from qcodes.utils import NumpyJSONEncoder
from qcodes.validators import Bool, Enum, Ints, Numbers
from ruamel.yaml import YAML

import drivers
from stm_daq.errors import OutOfRangeError
from stm_daq.station.adapters import PROTOCOLS
from stm_daq.station.controller_sweep import SweepOrder, SweepSegment

BLOCKS: dict[str, Any] = YAML(typ="safe").load(Path(__file__).with_name("all_drivers.yaml"))
OFFERS = dict(PROTOCOLS)
"""The roles, and what else an adapter may offer."""
DIMENSIONLESS = {
    *("P", "I", "D", "scanned_channel", "sweep_points", "list_points", "curve_number"),
    *("input_channel", "delay", "excitation_range_number", "wait_tolerance", "channel"),
}
"""Numbers without a unit."""
SETTERS: dict[str, list[Callable[[Any], Any]]] = {
    "stm": [
        lambda role: role.set_setpoint(3e-9),
        lambda role: role.set_setpoint(math.nan),
        lambda role: role.move_to(2e-6, 0.0),
        lambda role: role.move_to(0.0, math.nan),
    ],
    "bias": [
        lambda role: role.ramp_to(11e-3),
        lambda role: role.ramp_to(math.nan),
    ],
    "lockin": [
        lambda role: role.configure(797.0, 1.0, 3e-3, 0.0, 1e-2),
        lambda role: role.configure(1e9, 1e-4, 3e-3, 0.0, 1e-2),
        lambda role: role.configure(797.0, 1e-4, 3e-3, 0.0, 1e3),
    ],
    "temperature_control": [
        lambda role: role.set_setpoint(2.5),
        lambda role: role.set_setpoint(math.nan),
        lambda role: role.heater_on(1.0),
        lambda role: role.heater_on(math.nan),
    ],
    "microwave": [
        lambda role: role.set_power(-10.0),
        lambda role: role.set_power(math.nan),
        lambda role: role.set_frequency(1e12),
        lambda role: role.set_frequency(math.nan),
        lambda role: role.limit_steps(100.0),
        lambda role: role.limit_steps(math.nan),
    ],
    "spectroscopy": [
        lambda offer: offer.configure(SweepOrder((SweepSegment(0.0, 11e-3, 10),), 1e-3, 1e-3)),
        lambda offer: offer.configure(SweepOrder((SweepSegment(math.nan, 1e-3, 10),), 1e-3, 1e-3)),
    ],
    "transport": [
        lambda role: role.start(1e-3),
        lambda role: role.start(math.nan),
        lambda role: role.critical_current(1e-3, 10, 1e-6),
    ],
    "preamplifier": [],
    "thermometer": [],
}
"""What every adapter of a role must refuse on the limits of the house."""

LISTS = [lambda role: role.prepare_list(np.array([0.0, 11e-3]), 0.02)]
"""And a bias source that plays lists."""


def our_classes() -> Iterator[type]:
    """Yield every class of drivers/ that nothing is derived from."""
    for module in pkgutil.iter_modules(drivers.__path__):
        loaded = importlib.import_module(f"drivers.{module.name}")
        for _, kind in inspect.getmembers(loaded, inspect.isclass):
            if kind.__module__ == loaded.__name__ and not inspect.isabstract(kind):
                yield kind


def is_adapter(kind: type) -> bool:
    """Whether a class is built as Adapter(instrument, limits, clock, ...)."""
    parameters = list(inspect.signature(kind.__init__).parameters)
    return parameters[1:4] == ["instrument", "limits", "clock"]


def path_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


INSTRUMENTS = [kind for kind in our_classes() if issubclass(kind, Instrument)]
ADAPTERS = [kind for kind in our_classes() if is_adapter(kind) and not kind.__subclasses__()]


def roles_of(kind: type) -> list[str]:
    """Return the roles whose every method a class has."""
    return [
        role
        for role, protocol in OFFERS.items()
        if all(hasattr(kind, n) for n in vars(protocol) if not n.startswith("_"))
    ]


def test_every_driver_is_listed() -> None:
    listed = {block["type"] for block in BLOCKS["instruments"].values()}
    assert {path_of(kind) for kind in INSTRUMENTS} <= listed
    assert {path_of(kind) for kind in ADAPTERS} == set(BLOCKS["adapters"])


@pytest.mark.parametrize("kind", ADAPTERS, ids=path_of)
def test_every_adapter_plays_a_role(kind: type) -> None:
    assert roles_of(kind)


@pytest.mark.parametrize("name", BLOCKS["instruments"])
def test_opens_snapshots_and_closes_without_an_unknown_command(house: Any, name: str) -> None:
    instrument = house.open(name)
    snapshot = instrument.snapshot(update=True)
    assert json.loads(json.dumps(snapshot, cls=NumpyJSONEncoder))["parameters"]
    instrument.close()
    assert house.twin.unknown_commands() == []
    assert [p.device.errors for p in house.twin._bus.ports.values() if p.device.errors] == []


def own(name: str) -> bool:
    return str(BLOCKS["instruments"][name]["type"]).startswith("drivers.")


def parameters(place: Any) -> Iterator[Any]:
    """Yield all parameters of an instrument and its submodules, each once."""
    seen: set[int] = set()
    stack = [place]
    while stack:
        module = stack.pop()
        if isinstance(module, ChannelTuple):
            stack.extend(module)
        elif id(module) not in seen:
            seen.add(id(module))
            yield from (p for p in module.parameters.values() if p.name not in ("IDN", "timeout"))
            stack.extend(module.submodules.values())


OURS = [name for name in BLOCKS["instruments"] if own(name)]


@pytest.mark.parametrize("name", OURS)
def test_every_parameter_has_label_unit_and_limits(lasting_house: Any, name: str) -> None:
    faults = []
    for parameter in parameters(lasting_house.open(name)):
        short = parameter.name
        if not parameter.label or parameter.label == short:
            faults.append(f"{short}: no label")
        numbers = [v for v in parameter.validators if isinstance(v, Numbers | Ints)]
        if numbers and not parameter.unit and short not in DIMENSIONLESS:
            faults.append(f"{short}: no unit")
        if parameter.settable and not parameter.snapshot_exclude and not bounded(parameter):
            faults.append(f"{short}: no limits")
    assert not faults, "\n".join(faults)


def bounded(parameter: Any) -> bool:
    """Whether a parameter knows what may be set."""
    for validator in parameter.validators:
        if isinstance(validator, Numbers | Ints) and all(
            map(math.isfinite, validator.valid_values)
        ):
            return True
        if isinstance(validator, Enum | Bool):
            return True
    return any(type(v).__name__ in ("Strings", "Sequence") for v in parameter.validators)


@pytest.mark.parametrize("name", OURS)
def test_every_parameter_refuses_what_is_out_of_range(lasting_house: Any, name: str) -> None:
    instrument = lasting_house.open(name)
    before = lasting_house.twin.transactions()
    accepted = []
    for parameter in parameters(instrument):
        if not parameter.settable:
            continue
        for value in outside(parameter):
            try:
                parameter.set(value)
            except (ValueError, TypeError, KeyError):
                continue
            accepted.append(f"{parameter.full_name} took {value}")
    assert accepted == []
    assert lasting_house.twin.transactions() == before


def outside(parameter: Any) -> list[Any]:
    """Return values that a parameter must not take."""
    values: list[Any] = []
    for validator in parameter.validators:
        if isinstance(validator, Numbers | Ints):
            low, high = validator.valid_values
            values += [high + abs(high) + 1, low - abs(low) - 1, math.nan]
        elif isinstance(validator, Enum | Bool):
            values += ["no such value", 12345.678]
    return values


@pytest.mark.parametrize("kind", ADAPTERS, ids=path_of)
def test_every_setter_of_a_role_refuses_what_is_out_of_range(
    lasting_house: Any, kind: type
) -> None:
    for role in roles_of(kind):
        adapter = lasting_house.adapt(path_of(kind))
        lists = role == "bias" and hasattr(adapter, "prepare_list")
        for set_wrong in [*SETTERS[role], *(LISTS if lists else [])]:
            before = writes(lasting_house)
            with pytest.raises(OutOfRangeError):
                set_wrong(adapter)
            assert writes(lasting_house) == before, "something was set"


def writes(house: Any) -> str:
    """Return all settings of the twin's devices, to tell whether one was changed."""
    settings = {p.device.name: p.device.settings for p in house.twin._bus.ports.values()}
    return repr(settings) + repr(house.twin.world.fridge.heater.settings.setpoint)

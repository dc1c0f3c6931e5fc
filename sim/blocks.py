"""Reads the ``simulation:`` block of station.yaml; collects every mistake before anything is built."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from stm_daq.quantities import parse

type Mistake = tuple[tuple[str, ...], str]
"""Path inside the block, and what is wrong there."""

UNITS = {
    "acquisition_period": "s",
    "bandwidth": "Hz",
    "broadening": "eV",
    "contact_conductance": "S",
    "cooling": "W/K**2",
    "breadth": "m",
    "cell": "m",
    "critical": "A",
    "critical_temperature": "K",
    "cross_length": "m",
    "distance": "m",
    "drift": "K/hour",
    "drift_x": "m/s",
    "drift_y": "m/s",
    "drift_z": "m/s",
    "dwell": "s",
    "exponent_length": "m",
    "feedback_time": "s",
    "flicker": "A/Hz**0.5",
    "follow_speed": "m/s",
    "gap": "eV",
    "gap_length": "m",
    "heat": "K",
    "hum": "A",
    "integral": "m/s",
    "interval": "s",
    "latency": "s",
    "length": "m",
    "meander": "m",
    "link": "W/K**2",
    "mains": "Hz",
    "noise": "A/Hz**0.5",
    "oscillation": "K",
    "period": "s",
    "pitch": "m",
    "pot_time": "s",
    "proportional": "m",
    "relaxation": "s",
    "relief": "m",
    "resistance": "ohm",
    "resistivity": "ohm*m",
    "retracted": "m",
    "roughness": "m",
    "round": "s",
    "scatter_length": "m",
    "series_resistance": "ohm",
    "setpoint": "A",
    "spot_pitch": "m",
    "spot_size": "m",
    "stage_time": "s",
    "step": "m",
    "switch_off_delay": "s",
    "temperature": "K",
    "substrate": "K/W",
    "thickness": "m",
    "times": "s",
    "transfer": "ohm",
    "width": "m",
    "withdraw_rate": "m/s",
    "work_function": "eV",
    "x": "m",
    "y": "m",
    "z": "m",
    "z_noise": "m",
}
"""Options that are quantities, written with their unit."""
GIVEN_TO_DEVICES = ("name", "world", "trigger")
GIVEN_TO_SAMPLES = ("seed",)


@dataclass(frozen=True)
class Recipe:
    """A class and the options that it gets."""

    factory: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, **given: Any) -> Any:
        """Build it, with those of `given` that it wants."""
        names = inspect.signature(self.factory).parameters
        wanted = {name: value for name, value in given.items() if name in names}
        return self.factory(**{**wanted, **self.options})


class BlockReader:
    """Turns blocks into recipes.

    Attributes
    ----------
    mistakes : list of Mistake
    """

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def typed(self, block: Any, path: tuple[str, ...], given: tuple[str, ...]) -> Recipe:
        """Read a block with a ``type``; names in `given` need not and must not be written."""
        options = dict(block) if isinstance(block, Mapping) else {}
        dotted = options.pop("type", None)
        if not isinstance(dotted, str):
            self.mistakes.append((path, "needs a type, the dotted path of a class"))
            return Recipe(dict)
        factory = self._import(dotted, (*path, "type"))
        return self.options(factory, options, path, given) if factory else Recipe(dict)

    def options(
        self,
        factory: Callable[..., Any],
        block: Any,
        path: tuple[str, ...],
        given: tuple[str, ...] = (),
    ) -> Recipe:
        """Read the options of a class."""
        parameters = inspect.signature(factory).parameters
        names = [name for name in parameters if name not in given]
        block = block or {}
        self.require_known(block, names, path)
        for name in names:
            if parameters[name].default is inspect.Parameter.empty and name not in block:
                self.mistakes.append((path, f"needs the option '{name}'"))
        values = {
            name: self._block((*path, name), value, parameters[name].default)
            for name, value in block.items()
            if name in names
        }
        return Recipe(factory, values)

    def require_known(
        self, options: Mapping[str, Any], names: list[str], path: tuple[str, ...]
    ) -> None:
        """Note every option that is not among `names`."""
        for option in options:
            if option not in names:
                there_is = f"there is {', '.join(names) or 'none'}"
                self.mistakes.append(((*path, option), f"unknown option '{option}'; {there_is}"))

    def _import(self, dotted: str, path: tuple[str, ...]) -> Callable[..., Any] | None:
        module_name, _, name = dotted.rpartition(".")
        try:
            found = getattr(importlib.import_module(module_name), name)
        except (ImportError, AttributeError, ValueError) as error:
            self.mistakes.append((path, f"cannot import '{dotted}' ({error})"))
            return None
        if not callable(found):
            self.mistakes.append((path, f"'{dotted}' is not a class"))
            return None
        made: Callable[..., Any] = found
        return made

    def _block(self, path: tuple[str, ...], value: Any, default: Any) -> Any:
        """Read one option, which is a block of its own where its default is a dataclass."""
        if not is_dataclass(default) or isinstance(default, type):
            return self._value(path, value)
        if isinstance(value, Mapping):
            return self.options(type(default), value, path).make()
        names = ", ".join(inspect.signature(type(default)).parameters)
        self.mistakes.append((path, f"'{value}' must be a block with some of {names}"))
        return default

    def _value(self, path: tuple[str, ...], value: Any) -> Any:
        """Read one option: a quantity (or a list of them) where it has a unit, else as it is."""
        if path[-1] in UNITS:
            if isinstance(value, list):
                return [self._value(path, item) for item in value]
            try:
                return parse(value, UNITS[path[-1]])
            except ValueError as error:
                self.mistakes.append((path, str(error)))
        elif isinstance(value, str):
            self.mistakes.append((path, f"'{value}' must be a number"))
        return value

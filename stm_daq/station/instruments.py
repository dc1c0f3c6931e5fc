"""The ``instruments:`` block: the QCoDeS Station format, checked strictly.

QCoDeS itself only warns when a key is misspelt and then works without what it meant (such as a
limit), and it takes every unknown key of an instrument for a submodule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stm_daq.station.schema import InstrumentBlock, ParameterBlock, RolesBlock
from stm_daq.yaml_model import ModelReader, dotted, nearest
from stm_daq.yaml_source import KeyPath

GUARDED_ROLES = tuple(RolesBlock.model_fields)
"""Their instruments move the tip, bias, modulate or heat the junction, or feed the feedback."""

REFUSED = {
    "initial_value": "would be written to the hardware when the station is opened; remove it",
    "scale": "would change what its adapter applies or reads; dividers belong to the role",
    "offset": "would change what its adapter applies or reads; dividers belong to the role",
}
"""Settings refused on instruments that play a role, and why."""

_BLOCKS = ["init", "parameters", "add_parameters"]


@dataclass(frozen=True, slots=True)
class NarrowedLimit:
    """Limits that station.yaml sets on one parameter."""

    instrument: str
    parameter: str
    """Dotted path inside the instrument."""
    low: float
    high: float
    where: KeyPath
    """Place of the limits in the file."""


def check_instruments(reader: ModelReader) -> list[NarrowedLimit]:
    """Check every instrument, add problems to `reader`, and return the limits of parameters."""
    instruments = reader.source.data.get("instruments")
    if not isinstance(instruments, dict):
        return []
    guarded = _guarded(reader.source.data.get("roles"))
    narrowed: list[NarrowedLimit] = []
    for name, block in instruments.items():
        where = ("instruments", name)
        if not name.isidentifier():
            reader.at_key(where, f"'{name}' must be a name made of letters, digits and _")
        if not isinstance(block, dict):
            reader.block(InstrumentBlock, block, where)
            continue
        _check_keys(reader, block, where)
        for path, settings in _parameters(block, where):
            _check_settings(reader, path, settings, guarded.get(name))
            narrowed += _narrowed(reader, name, path)
    return narrowed


def _guarded(roles: Any) -> dict[str, str]:
    """Return the role that each instrument plays."""
    blocks = roles if isinstance(roles, dict) else {}
    entries = {role: blocks.get(role) for role in reversed(GUARDED_ROLES)}
    return {
        str(entry.get("instrument")): role
        for role, entry in entries.items()
        if isinstance(entry, dict)
    }


def _check_keys(reader: ModelReader, block: dict[str, Any], where: KeyPath) -> None:
    known = {key: value for key, value in block.items() if key in InstrumentBlock.model_fields}
    reader.block(InstrumentBlock, known, where)
    for key, value in block.items():
        if key in known:
            continue
        if key == "driver":
            reader.at_key((*where, key), "write the whole dotted path of the driver as `type`")
        elif not isinstance(value, dict):
            names = list(InstrumentBlock.model_fields)
            reader.at_key((*where, key), f"unknown key{nearest(key, names)}")
        elif "did you mean" in nearest(key, _BLOCKS):
            reader.at_key((*where, key), f"unknown key{nearest(key, _BLOCKS)}")
        else:
            _check_submodule(reader, value, (*where, key))


def _check_submodule(reader: ModelReader, block: dict[str, Any], where: KeyPath) -> None:
    """Check the settings of a submodule or channel list, which may hold further ones."""
    if any(not isinstance(value, dict) for value in block.values()):
        reader.block(ParameterBlock, block, where)
        return
    for key, value in block.items():
        _check_submodule(reader, value, (*where, key))


def _parameters(block: dict[str, Any], where: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield (place, settings) of every parameter of an instrument, wherever it is written."""
    for key, value in block.items():
        if key in InstrumentBlock.model_fields and key not in ("parameters", "add_parameters"):
            continue
        if isinstance(value, dict):
            yield from _settings(value, (*where, key))


def _settings(block: dict[str, Any], where: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    if any(not isinstance(value, dict) for value in block.values()):
        yield where, block
        return
    for key, value in block.items():
        yield from _settings(value, (*where, key))


def _check_settings(
    reader: ModelReader, where: KeyPath, settings: dict[str, Any], role: str | None
) -> None:
    low, high = reader.values.get((*where, "limits"), (-math.inf, math.inf))
    if not low < high:
        reader.at_value((*where, "limits"), "the first number must be less than the second")
    initial = settings.get("initial_value")
    if isinstance(initial, int | float) and not low <= initial <= high:
        reader.at_value((*where, "initial_value"), f"{initial} is outside the limits")
    for key, reason in REFUSED.items():
        if role is not None and key in settings:
            text = f"not allowed on the instrument of the role '{role}': it {reason}"
            reader.at_key((*where, key), text)


def _narrowed(reader: ModelReader, name: str, path: KeyPath) -> Iterator[NarrowedLimit]:
    limits = reader.values.get((*path, "limits"))
    if limits is not None:
        inside = path[3:] if path[2] in ("parameters", "add_parameters") else path[2:]
        low, high = limits
        yield NarrowedLimit(name, dotted(inside), low, high, (*path, "limits"))

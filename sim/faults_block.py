"""Reads ``simulation.faults`` of station.yaml: a list of faults, every mistake collected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sim.faults import Fault
from stm_daq.quantities import parse

type Mistake = tuple[tuple[str, ...], str]

TIMES = ("at", "lasting")
"""Options in seconds, written with their unit."""
NUMBERS: dict[str, type | tuple[type, ...]] = {
    "count": int,
    "times": int,
    "probability": (int, float),
}


def read_faults(block: Any, devices: Mapping[str, Any]) -> tuple[list[Fault], list[Mistake]]:
    """Return the faults of a block, and every mistake in it (path inside the block, text).

    Parameters
    ----------
    block : Any
        What stands under ``faults:``; None: nothing.
    devices : mapping
        The ``devices:`` block, whose names may be used.
    """
    if block is None:
        return [], []
    if not isinstance(block, list):
        return [], [((), "must be a list of faults, such as {kind: lost, count: 7}")]
    faults: list[Fault] = []
    mistakes: list[Mistake] = []
    for number, entry in enumerate(block):
        found, wrong = _one(entry, devices)
        mistakes += [((str(number), *path), text) for path, text in wrong]
        if found is not None:
            faults.append(found)
    return faults, mistakes


def _one(entry: Any, devices: Mapping[str, Any]) -> tuple[Fault | None, list[Mistake]]:
    if not isinstance(entry, Mapping) or "kind" not in entry:
        return None, [((), "must be a block with a kind, such as {kind: lost, count: 7}")]
    known = [f.name for f in fields(Fault)]
    mistakes: list[Mistake] = [
        ((name,), f"unknown option '{name}'; there is {', '.join(known)}")
        for name in entry
        if name not in known
    ]
    options: dict[str, Any] = {}
    for name, value in entry.items():
        try:
            options[name] = _value(name, value)
        except ValueError as error:
            mistakes.append(((name,), str(error)))
    device = entry.get("device", "")
    if device and device not in devices:
        text = f"the twin has no device '{device}'; it has {', '.join(devices)}"
        mistakes.append((("device",), text))
    if mistakes:
        return None, mistakes
    try:
        return Fault(**options), []
    except ValueError as error:
        return None, [((), str(error))]


def _value(name: str, value: Any) -> Any:
    if name in TIMES:
        return parse(value, "s")
    if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, NUMBERS[name])):
        raise ValueError(f"'{value}' must be a number")
    return value

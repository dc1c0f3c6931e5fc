"""From the blocks of a plan file to what keeps the night safe and good."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stm_daq.plan.care import Care, Drift, Guard, TipChange, Watched
from stm_daq.plan.schema import PlanFile
from stm_daq.plan.schema_care import GuardBlock
from stm_daq.quantities import parse
from stm_daq.yaml_source import KeyPath

WATCHED: tuple[tuple[Watched, str], ...] = (
    ("temperature", "K"),
    ("current", "A"),
    ("z", "m"),
    ("disk", "B"),
    ("time_of_day", "s"),
    ("parameter", ""),
    ("overload", ""),
)
WANTED = {"gap": "eV", "temperature": "K", "barrier": "", "broadening": "eV", "offset": "V"}
"""Fitted parameters of which an uncertainty may be wanted, and their units."""


def misfits_of_care(file: PlanFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield what does not go together."""
    for number, guard in enumerate(file.guards or ()):
        path: KeyPath = ("guards", number)
        given = [name for name, _ in WATCHED if getattr(guard, name) is not None]
        if len(given) != 1:
            names = ", ".join(name for name, _ in WATCHED)
            yield path, f"needs exactly one of {names}"
            continue
        found = build_guard(guard)
        if found.watch not in ("overload", "time_of_day") and not found.low < found.high:
            yield (*path, given[0]), "needs a min below its max"
        if found.low == -math.inf and found.high == math.inf:
            yield (*path, given[0]), "needs min or max"
    yield from _wanted(file)
    if file.drift is not None and file.sites.grid is None:
        yield ("drift",), "belongs to a grid: the reference lies at the centre of its frame"


def _wanted(file: PlanFile) -> Iterator[tuple[KeyPath, str]]:
    if file.adaptive is not None and not file.want:
        yield ("adaptive",), "needs `want:`, the uncertainty until which sites are repeated"
    if file.want and file.sweep.bias is None:
        yield ("want",), "belongs to a sweep of the bias: nothing else is fitted"
    if file.want and file.fit.model == "none":
        yield ("want",), "needs a fit, by which the uncertainty is known: `fit: {model: btk}`"
    for name, text in (file.want or {}).items():
        path: KeyPath = ("want", name)
        if name not in WANTED:
            yield path, f"no such fitted parameter: use {', '.join(WANTED)}"
            continue
        try:
            if parse(text, WANTED[name]) <= 0:
                yield path, "should be positive"
        except ValueError as error:
            yield path, str(error)


def build_care(file: PlanFile) -> Care:
    """Make what reacts to what is measured."""
    drift, tip, adaptive, again = file.drift, file.tip_change, file.adaptive, file.again
    return Care(
        guards=tuple(build_guard(guard) for guard in file.guards or ()),
        drift=None if drift is None else Drift(
            drift.every, drift.size, drift.pixels, drift.line_time, drift.largest
        ),
        tip_change=None if tip is None else TipChange(
            z=_or_infinite(tip.z),
            current=_or_infinite(tip.current),
            spectrum=_or_infinite(tip.spectrum),
            reaction=tip.reaction,
        ),
        want={name: parse(text, WANTED[name]) for name, text in (file.want or {}).items()},
        most=adaptive.most if adaptive else 1,
        again=again.most if again else 0,
    )  # fmt: skip


def _or_infinite(limit: float | None) -> float:
    return math.inf if limit is None else limit


def build_guard(block: GuardBlock) -> Guard:
    """Make one guard."""
    watch, unit = next((n, u) for n, u in WATCHED if getattr(block, n) is not None)
    low, high, parameter = -math.inf, math.inf, ""
    if block.time_of_day is not None:
        low, high = _seconds(block.time_of_day.start), _seconds(block.time_of_day.end)
    elif watch == "overload":
        low = high = 0.0
    else:
        limits = getattr(block, watch)
        low = -math.inf if limits.min is None else limits.min
        high = math.inf if getattr(limits, "max", None) is None else limits.max
        parameter = getattr(limits, "name", "")
    return Guard(watch, block.action, low, high, unit, parameter, block.good_for, block.deadline)


def _seconds(time: str) -> float:
    hours, minutes = time.split(":")
    return 3600.0 * int(hours) + 60.0 * int(minutes)

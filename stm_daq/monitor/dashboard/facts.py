"""What the page says in words: plain data for its script, which only ever shows it as text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from stm_daq.monitor.bodies import Alert
from stm_daq.monitor.dashboard.shown import fitted, in_order
from stm_daq.monitor.dashboard.source import Health, Shown
from stm_daq.quantities import show, show_duration, show_moment
from stm_daq.records import Axis, Event, Fit, Progress, RunStarted

EVENTS_SHOWN = 60
_WARNINGS = {"warning", "pause", "disk_full", "tip_change", "drift"}
_ERRORS = {"error", "watchdog", "alert"}

type Facts = dict[str, Any]


def health(told: Health) -> Facts:
    """State of the run and how well it is heard."""
    return {
        "state": told.state,
        "text": told.text,
        "silent": round(told.silent, 1),
        "stale": told.stale,
        "lost": told.lost,
        "notes": list(told.notes),
    }


def run(started: RunStarted | None, has_maps: Sequence[str]) -> Facts:
    """The run, and what of it can be chosen."""
    if started is None:
        return {"name": ""}
    where = f"{started.grid_shape[0]} × {started.grid_shape[1]} sites"
    return {
        "name": started.name,
        "id": started.run_id,
        "kind": started.kind,
        "sample": started.sample,
        "where": where
        if started.sites == "grid"
        else f"{started.sites}, {started.site_count} sites",
        "begun": show_moment(started.time),
        "topograph": min(started.topograph_shape) > 0,
        "grid": started.sites == "grid",
        "shape": list(started.grid_shape),
        "steps": steps(started),
        "maps": [[name, fitted(name).title] for name in in_order(list(has_maps))],
    }


def steps(started: RunStarted) -> list[str]:
    """Return a text for every step of the outer axes; none without axes."""
    if not started.axes:
        return []
    values = itertools.product(*(axis.values for axis in started.axes))
    return [
        ", ".join(_axis_value(axis, value) for axis, value in zip(started.axes, step, strict=True))
        for step in values
    ]


def _axis_value(axis: Axis, value: float) -> str:
    return f"{axis.name.replace('_', ' ')} {show(value, axis.unit, 4)}"


def progress(where: Progress | None) -> Facts:
    """How far the run is, and when it will be done."""
    if where is None:
        return {"done": 0, "total": 0}
    finish = ""
    if math.isfinite(where.finish_time):
        left = where.finish_time - where.time
        finish = show_moment(where.finish_time)
        finish += f" (in {show_duration(left)})" if left > 0 else ""
    rate = f"{where.rate:.0f} per hour" if math.isfinite(where.rate) and where.rate > 0 else ""
    return {"done": where.done, "total": where.total, "finish": finish, "rate": rate}


def site(shown: Shown | None, chosen: bool) -> Facts:
    """One spectrum: where, when, how; its fit and what to think of it."""
    if shown is None:
        return {"there": False, "chosen": chosen}
    spectrum = shown.spectrum
    place = spectrum.site
    details = [
        ["Place", f"x {place.x * 1e9:.2f} nm, y {place.y * 1e9:.2f} nm"],
        ["Measured", show_moment(spectrum.time) + _repeat(spectrum.attempt, spectrum.reason)],
        ["Stage", _known(spectrum.temperature, "K")],
        ["Tip height", _known(spectrum.z, "m")],
        ["Set-point current", _known(spectrum.setpoint_current, "A")],
    ]
    return {
        "there": True,
        "chosen": chosen,
        "index": place.index,
        "step": place.step,
        "row": place.row,
        "column": place.col,
        "attempt": spectrum.attempt,
        "details": details,
        "flags": list(spectrum.flags),
        "fit": fit(shown.fit),
    }


def _known(value: float, unit: str) -> str:
    return show(value, unit, 4) if math.isfinite(value) else "unknown"


def _repeat(attempt: int, reason: str) -> str:
    return f", attempt {attempt + 1}: {reason}" if attempt else ""


def fit(found: Fit | None) -> Facts:
    """Values with their uncertainties, and the verdict."""
    if found is None:
        return {"there": False}
    values = [[fitted(name).label, _value(found, name)] for name in in_order(list(found.values))]
    return {
        "there": True,
        "ok": found.ok,
        "model": found.model,
        "values": [*values, ["Reduced χ²", f"{found.reduced_chi_square:.2f}"]],
        "flags": [flag.replace("_", " ") for flag in found.flags],
    }


def _value(found: Fit, name: str) -> str:
    quantity, std = fitted(name), found.std.get(name, math.nan)
    spread = f"{std * quantity.factor:.2g}" if math.isfinite(std) else "unknown"
    return f"{found.values[name] * quantity.factor:.4g} ± {spread} {quantity.unit}".rstrip()


def events(noted: Sequence[Event]) -> list[Facts]:
    """The latest events, newest first."""
    latest = list(noted)[-EVENTS_SHOWN:][::-1]
    return [
        {"time": show_moment(event.time), "kind": event.kind, "text": event.text,
         "level": _level(event)}
        for event in latest
    ]  # fmt: skip


def _level(event: Event) -> str:
    if event.kind in _ERRORS:
        return "error"
    if event.kind in _WARNINGS or (event.kind == "guard" and event.data.get("good") is False):
        return "warning"
    return "note"


def alerts(raised: Sequence[Alert]) -> list[Facts]:
    """Alerts, newest first; those that did not get out stay visible as such."""
    newest = sorted(raised, key=lambda alert: alert.time, reverse=True)
    return [{"time": show_moment(a.time), "text": a.text, "sent": a.delivered} for a in newest]

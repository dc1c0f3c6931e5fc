"""What the limits of a station forbid in a plan."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from stm_daq.errors import Problem
from stm_daq.plan.axes import AxisKind
from stm_daq.plan.model import Plan
from stm_daq.plan.power_sweep import PowerSweep
from stm_daq.plan.travel import misfits_of_travel
from stm_daq.quantities import show
from stm_daq.records import Array
from stm_daq.station.limits import Limits, Range, extent
from stm_daq.yaml_model import dotted
from stm_daq.yaml_source import KeyPath


def forbidden(plan: Plan, limits: Limits) -> Iterator[Problem]:
    """Yield everything in a plan that the limits of a station forbid, with its position."""
    if not _inside(limits.bias, plan.setpoint_bias):
        text = show(plan.setpoint_bias, "V")
        yield _forbidden(plan, ("setpoint", "bias"), text, limits.bias)
    if not _inside(limits.setpoint_current, plan.setpoint_current):
        text = show(plan.setpoint_current, "A")
        yield _forbidden(plan, ("setpoint", "current"), text, limits.setpoint_current)
    yield from _axes(plan, limits)
    yield from _travel(plan, limits)
    yield from _frame_outside(plan, limits)
    yield from _sites_outside(plan, limits)
    yield from _bias_sweep(plan, limits)
    yield from _height(plan, limits)
    if plan.sweep.swept_name == "microwave_power":
        yield from _ends(plan, plan.sweep.swept, limits.microwave_power, "microwave_power")
    cycles = plan.sweep.power_sweep
    if cycles is not None:
        ends = np.array([cycles.start, cycles.end])
        yield from _ends(plan, ends, limits.microwave_power, "power_sweep")
        yield from _reference(plan, cycles, limits)


def _axes(plan: Plan, limits: Limits) -> Iterator[Problem]:
    ranges: dict[AxisKind, Range] = {
        "setpoint_current": limits.setpoint_current,
        "setpoint_bias": limits.bias,
    }
    if math.isfinite(limits.temperature.low):  # without, the station regulates no temperature
        ranges["temperature"] = limits.temperature
    for number, axis in enumerate(plan.axes):
        allowed = ranges.get(axis.kind)
        for value in axis.values if allowed is not None else ():
            assert allowed is not None
            if not _inside(allowed, value):
                path: KeyPath = ("axes", number, axis.kind)
                yield _forbidden(plan, path, show(value, axis.unit), allowed)


def _travel(plan: Plan, limits: Limits) -> Iterator[Problem]:
    if plan.travel is not None:
        path: KeyPath = ("setpoint", "travel")
        bias = math.copysign(plan.travel.bias, plan.setpoint_bias)
        if not _inside(limits.bias, bias):
            yield _forbidden(plan, (*path, "bias"), show(bias, "V"), limits.bias)
        allowed = limits.setpoint_current
        if not _inside(allowed, plan.travel.current):
            yield _forbidden(plan, (*path, "current"), show(plan.travel.current, "A"), allowed)
    for path, text in misfits_of_travel(plan, limits.travel_conductance):
        yield problem(plan, path, text)


def _bias_sweep(plan: Plan, limits: Limits) -> Iterator[Problem]:
    sweep, peak = plan.sweep, plan.sweep.modulation_peak
    if sweep.swept_name != "bias":
        volts = float(sweep.bias[0])
        if not _inside(limits.bias, volts + peak, volts - peak):
            text = f"{show(volts, 'V')} with its modulation of {show(peak, 'V')} peak"
            yield _forbidden(plan, ("sweep", sweep.swept_name, "bias"), text, limits.bias)
        return
    way = sweep.bias[: len(sweep.bias) // sweep.directions]
    segments = ("sweep", "bias", "segments") in plan.source.keys
    for name, place in (("start", 0), ("end", -1)):
        volts = float(way[place])
        if not _inside(limits.bias, volts + peak, volts - peak):
            text = f"{show(volts, 'V')} with its modulation of {show(peak, 'V')} peak"
            key = "segments" if segments and name == "end" else name
            yield _forbidden(plan, ("sweep", "bias", key), text, limits.bias)
    step = float(np.max(np.abs(np.diff(way))))
    if step > limits.bias_step:
        text = (
            f"one step would be {show(step, 'V')}; the station allows {show(limits.bias_step, 'V')}"
        )
        key = "segments" if segments else "points"
        yield problem(plan, ("sweep", "bias", key), f"{text}; take more points")
    if step / sweep.dwell > limits.bias_slew:
        text = f"{show(step, 'V')} per dwell is {show(step / sweep.dwell, 'V/s')}"
        text += f"; the station allows {show(limits.bias_slew, 'V/s')}; take more points or time"
        yield problem(plan, ("sweep", "bias", "dwell"), text)


def _height(plan: Plan, limits: Limits) -> Iterator[Problem]:
    """Yield what is wrong if the tip would be moved further than the whole range of z."""
    span = limits.z.high - limits.z.low
    sweep = plan.sweep
    moves: tuple[tuple[KeyPath, float], ...] = ((("sweep", "z_offset"), sweep.z_offset),)
    if sweep.swept_name == "z":
        way = sweep.swept[: len(sweep.swept) // sweep.directions]
        moves = (("sweep", "z", "start"), float(way[0])), (("sweep", "z", "end"), float(way[-1]))
    for path, distance in moves:
        if not abs(distance) < span:
            text = f"the tip would move by {show(distance, 'm')}; the station's range of z is "
            yield problem(plan, path, text + show(span, "m"))


def _reference(plan: Plan, cycles: PowerSweep, limits: Limits) -> Iterator[Problem]:
    place = cycles.reference
    if place is None:
        return
    for axis, value, allowed in (("x", place.x, limits.x), ("y", place.y, limits.y)):
        if not _inside(allowed, value):
            path: KeyPath = ("sweep", "power_sweep", "reference", "place")
            yield _forbidden(plan, path, f"{axis} = {show(value, 'm')}", allowed)


def _ends(plan: Plan, values: Array, allowed: Range, key: str) -> Iterator[Problem]:
    way = values[: len(values) // plan.sweep.directions]
    for name, value in (("start", float(way[0])), ("end", float(way[-1]))):
        if not _inside(allowed, value):
            yield _forbidden(plan, ("sweep", key, name), show(value, allowed.unit), allowed)


def _frame_outside(plan: Plan, limits: Limits) -> Iterator[Problem]:
    """Yield what is wrong if any corner of the frame is where the tip must not go."""
    if plan.sites.kind != "grid":
        return
    frame = plan.sites.frame
    centre = (frame.centre_x, frame.centre_y)
    for axis, allowed, middle, ends in zip(
        "xy", (limits.x, limits.y), centre, extent(frame), strict=True
    ):
        if not _inside(allowed, *ends):
            text = f"the frame reaches in {axis} from {show(ends[0], 'm')} to {show(ends[1], 'm')}; this"
            key = "size" if _inside(allowed, middle) else "centre"
            yield _forbidden(plan, ("sites", "grid", "frame", key), text, allowed)


def _sites_outside(plan: Plan, limits: Limits) -> Iterator[Problem]:
    """Yield what is wrong if a site of a line or a list lies where the tip must not go."""
    if plan.sites.kind == "grid":
        return
    for number, (x, y) in enumerate(plan.sites.positions[0].tolist()):
        for axis, value, allowed in (("x", x, limits.x), ("y", y, limits.y)):
            if not _inside(allowed, value):
                text = f"site {number} at {axis} = {show(value, 'm')}"
                yield _forbidden(plan, ("sites", plan.sites.kind), text, allowed)
                return


def _inside(allowed: Range, *values: float) -> bool:
    return all(allowed.low <= value <= allowed.high for value in values)


def _forbidden(plan: Plan, path: KeyPath, what: str, allowed: Range) -> Problem:
    low, high = show(allowed.low, allowed.unit), show(allowed.high, allowed.unit)
    return problem(plan, path, f"{what} is outside the station's limits {low} to {high}")


def problem(plan: Plan, path: KeyPath, text: str) -> Problem:
    """Return something that is wrong at a place in the plan file."""
    return plan.source.at_value(path, f"{dotted(path)}: {text}")

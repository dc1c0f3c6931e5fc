"""At which set-point the tip moves sideways, and where that would be too near the surface."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stm_daq.plan.axes import AxisKind, steps
from stm_daq.quantities import show
from stm_daq.yaml_source import KeyPath

if TYPE_CHECKING:
    from stm_daq.plan.model import Plan

ROUNDING = 1e-9
"""Relative; "1 nA" at "1 mV" is 1 uS, whatever the last bit."""


@dataclass(frozen=True, slots=True)
class Travel:
    """The set-point under which the tip moves from place to place."""

    bias: float
    """Without sign, V; the junction gets the sign of the set-point at the sites."""
    current: float
    """A."""


type Complaint = tuple[KeyPath, str]


def misfits_of_travel(plan: Plan, limit: float) -> Iterator[Complaint]:
    """Yield, by key, what would bring the tip too near the surface while it moves sideways.

    That is a conductance above the station's limit (S); and a set-point for travel that is nearer to the
    surface than one of the sites, where the tip would have to approach in order to leave.
    """
    if plan.travel is None:
        yield from _moves_too_near(plan, limit)
        return
    path: KeyPath = ("setpoint", "travel")
    bias, current = plan.travel.bias, plan.travel.current
    largest_bias = max(abs(b) for b in _values(plan, "setpoint_bias", plan.setpoint_bias))
    least_current = min(_values(plan, "setpoint_current", plan.setpoint_current))
    if bias < largest_bias:
        text = f"{show(bias, 'V')} is less than the {show(largest_bias, 'V')} of a set-point"
        yield (*path, "bias"), f"{text}: the tip would approach in order to leave"
    if current > least_current:
        text = f"{show(current, 'A')} is more than the {show(least_current, 'A')} of a set-point"
        yield (*path, "current"), f"{text}: the tip would approach in order to leave"
    if current / bias > limit * (1 + ROUNDING):
        yield (*path, "current"), _too_near(current / bias, limit)


def _moves_too_near(plan: Plan, limit: float) -> Iterator[Complaint]:
    """Look at every set-point at which the tip moves."""
    moved = [(plan.setpoint_bias, plan.setpoint_current)]  # the way to the first place
    for step in steps(plan.axes):
        values = {axis.kind: v for axis, v in zip(plan.axes, step.values, strict=True)}
        bias = values.get("setpoint_bias", plan.setpoint_bias)
        moved.append((bias, values.get("setpoint_current", plan.setpoint_current)))
        if not _moves_between_steps(plan):
            break
    conductance = max(current / abs(bias) for bias, current in moved)
    if conductance > limit * (1 + ROUNDING):
        text = (
            f"{_too_near(conductance, limit)}; write `travel: {{bias, current}}` into `setpoint`, "
        )
        yield _place(plan), f"{text}under which it moves instead (see docs/plans.md)"


def _moves_between_steps(plan: Plan) -> bool:
    """Whether the tip leaves its first place at all."""
    cycles = plan.sweep.power_sweep
    elsewhere = cycles is not None and cycles.reference is not None
    scans = plan.sites.topograph is not None or plan.care.drift is not None
    return plan.sites.count > 1 or scans or elsewhere


def _too_near(conductance: float, limit: float) -> str:
    return (
        f"the tip would move sideways at a junction of {show(conductance, 'S')}; the station allows "
        f"{show(limit, 'S')} (limits: travel_conductance)"
    )


def _values(plan: Plan, kind: AxisKind, planned: float) -> tuple[float, ...]:
    """Return all values of half a set-point: the plan's own, under which the run begins, and an axis'."""
    return planned, *(v for axis in plan.axes if axis.kind == kind for v in axis.values)


def _place(plan: Plan) -> KeyPath:
    """Return the key that is to blame for the largest conductance."""
    for number, axis in enumerate(plan.axes):
        if axis.kind == "setpoint_current" and max(axis.values) > plan.setpoint_current:
            return "axes", number, axis.kind
    return "setpoint", "current"


def travel_time(plan: Plan, bias_slew: float) -> float:
    """Return the time for the ways of the bias to one site's set-point and back, s."""
    if plan.travel is None:
        return 0.0
    biases = [abs(b) for b in _values(plan, "setpoint_bias", plan.setpoint_bias)]
    way = plan.travel.bias - min(biases)
    return 2 * way / bias_slew if math.isfinite(bias_slew) else 0.0

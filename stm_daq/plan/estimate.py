"""How long a plan takes, how much it stores, and whether the station allows it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stm_daq.errors import OutOfRangeError, Problem
from stm_daq.plan.axes import step_count, steps
from stm_daq.plan.forbidden import forbidden, problem
from stm_daq.plan.model import Plan, Sweep
from stm_daq.plan.sites import Sites, groups
from stm_daq.plan.travel import travel_time
from stm_daq.plan.voltages import list_voltages
from stm_daq.quantities import show_duration
from stm_daq.station.limits import Limits

MOVE_SPEED = 100e-9
"""Assumed speed of the tip between sites, m/s."""
BUS_TIME_PER_SITE = 0.06
"""Commands, replies and the read-out of the buffer on GPIB and LAN, s per spectrum."""
TRAVEL_BUS_TIME = 0.1
"""To the set-point for travel and back, with what is read back, s per spectrum."""
BUS_TIME_PER_POINT = 0.02
"""The same for one point of a sweep that the program makes point by point, s."""
STRIP_STEP = 0.04
"""One reading of the strip, s."""
FORGET = 10.0
"""Time constants after which the lock-in has forgotten that the modulation was off before a sweep: with a
filter of two poles 5e-4 are left, of four poles 1 %."""
SET_UP_TIME = 8.0
"""Opening the station, reading its settings, going to the set-point, s."""
LONG_HOLD = 30.0
"""Seconds without feedback after which drift of the tip is worth a warning."""
BYTES_PER_POINT = 24
"""Bias, current and conductance as float64."""
BYTES_PER_SITE = 2500
"""Everything else that is stored with a spectrum, its fit, and unused parts of pages."""
BYTES_PER_RUN = 600_000
"""Plan, station, snapshot and an empty journal."""


REPEATED = ("settling", "sweeps", "ways back", "recovery", "instruments", "travel set-point")
"""Parts of the work that are done again when a site is measured again."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a night will be like."""

    sites: int
    parts: dict[str, float]
    """Seconds spent on each part of the work."""
    disk_bytes: int
    largest_bias_step: float
    """Largest single step in the list of voltages, V."""
    largest_bias_slew: float
    """The same per dwell, V/s."""
    dwell_over_time_constant: float
    longer: dict[str, float]
    """Seconds that may be added at most: repeated sites, and waiting for outer axes."""
    warnings: tuple[Problem, ...]
    """What the station allows but is doubtful, with positions in the plan."""

    @property
    def total(self) -> float:
        """Duration of the whole run, s."""
        return sum(self.parts.values())

    @property
    def once(self) -> float:
        """What it takes to measure every site once more without moving, s."""
        return sum(self.parts.get(name, 0.0) for name in REPEATED)

    @property
    def longest(self) -> float:
        """Duration if everything takes as long as the plan allows, guards not included, s."""
        return self.total + sum(self.longer.values())


def estimate(plan: Plan, limits: Limits) -> Estimate:
    """Estimate duration and size of a run, and check the plan against the station.

    Parameters
    ----------
    plan : Plan
    limits : Limits
        Of the station.

    Raises
    ------
    OutOfRangeError
        If the plan wants what the station forbids; a line for each value, with its position in
        the plan. See :func:`forbidden`.
    """
    problems = list(forbidden(plan, limits))
    if problems:
        raise OutOfRangeError("\n".join(str(problem) for problem in problems))
    voltages = list_voltages(plan.sweep, limits.bias_step, limits.bias_slew)
    played = len(voltages if plan.sweep.kind == "dac" else plan.sweep.bias)
    step = float(np.max(np.abs(np.diff(voltages))))
    maps = step_count(plan.axes)
    sites = maps * plan.sites.count
    pixels = maps * math.prod(plan.sites.topograph_shape)
    per_site = BYTES_PER_POINT * len(plan.sweep.bias) + BYTES_PER_SITE
    parts = _parts(plan, played, limits)
    return Estimate(
        sites=sites,
        parts=parts,
        disk_bytes=sites * per_site + 8 * pixels + BYTES_PER_RUN,
        largest_bias_step=step,
        largest_bias_slew=step / plan.sweep.dwell,
        dwell_over_time_constant=plan.sweep.dwell / plan.sweep.time_constant,
        longer=_longer(plan, parts),
        warnings=tuple(_doubts(plan, played)),
    )


def _parts(plan: Plan, list_length: int, limits: Limits) -> dict[str, float]:
    sweep, timing, maps = plan.sweep, plan.timing, step_count(plan.axes)
    sites, points = maps * plan.sites.count, len(sweep.bias)
    bus = BUS_TIME_PER_SITE
    if sweep.modulation_only_in_sweep:
        bus += FORGET * sweep.time_constant
    if sweep.kind == "points":
        bus += sweep.averages * points * BUS_TIME_PER_POINT
    parts = {
        "set-up": SET_UP_TIME,
        "outer axes": _axes_time(plan),
        "topograph": maps * _topograph_time(plan.sites),
        "moves": maps * _moves(plan.sites),
        "settling": sites * (timing.settle + timing.z_average + timing.initial_settle),
        "sweeps": sites * sweep.averages * (points * sweep.dwell + _more(sweep)),
        "ways back": sites * sweep.averages * (list_length - points) * sweep.dwell,
        "recovery": sites * (timing.end_settle + timing.recover),
        "instruments": sites * bus,
    }
    if plan.travel is not None:
        way = TRAVEL_BUS_TIME + travel_time(plan, limits.bias_slew)
        parts["travel set-point"] = sites * way
    parts["drift references"] = _drift_time(plan, sum(parts.values()))
    optional = ("outer axes", "topograph", "drift references")
    return {name: seconds for name, seconds in parts.items() if seconds or name not in optional}


def _more(sweep: Sweep) -> float:
    """Return what a power sweep takes besides the dwell at each point, s."""
    cycles = sweep.power_sweep
    if cycles is None:
        return 0.0
    places = max(len(cycles.frequencies), 1)
    slower = (cycles.slow - 1) * 2 * (cycles.points + cycles.fine) * sweep.dwell
    currents = (2 + cycles.cycles) * cycles.transport.points * STRIP_STEP
    probe = STRIP_STEP * len(sweep.bias) / places if cycles.transport.probe else 0.0
    return places * (slower + 2 * cycles.rest + currents + probe)


def _drift_time(plan: Plan, night: float) -> float:
    """Return the time for all reference topographs of a night of so many seconds, s."""
    drift = plan.care.drift
    if drift is None:
        return 0.0
    return (1 + night // drift.every) * drift.pixels * 2 * drift.line_time  # both ways


def _longer(plan: Plan, parts: dict[str, float]) -> dict[str, float]:
    """Return what the plan allows beyond the expected duration, s by what it is."""
    once = sum(parts.get(name, 0.0) for name in REPEATED)
    further = max(math.ceil(plan.care.most / plan.sweep.averages) - 1, 0)
    waits = sum(
        plan.axes[k].deadline - plan.axes[k].stable
        for step in steps(plan.axes)
        for k in step.changed
        if math.isfinite(plan.axes[k].deadline)
    )
    found = {
        "repeated sites": further * once,
        "flagged sites measured again": plan.care.again * (1 + further) * once,
        "outer axes until their deadlines": waits,
    }
    return {name: seconds for name, seconds in found.items() if seconds > 0}


def _axes_time(plan: Plan) -> float:
    """Return the time until every step of the outer axes is reached, the ways not included, s."""
    changes = (plan.axes[k] for step in steps(plan.axes) for k in step.changed)
    return sum(axis.stable + axis.settle for axis in changes)


def _topograph_time(sites: Sites) -> float:
    topograph = sites.topograph
    return 0.0 if topograph is None else topograph.shape[0] * 2 * topograph.line_time  # both ways


def _moves(sites: Sites) -> float:
    """Return the time for all ways from site to site, and back to the scan, s.

    A row begins at the left edge, where the topograph was paused. The controller takes the tip back
    there at the speed of the scan.
    """
    total = 0.0
    for group in groups(sites):
        places = np.array([(site.x, site.y) for site in group.sites]).reshape(-1, 2)
        total += float(np.sum(np.hypot(*np.diff(places, axis=0).T))) / MOVE_SPEED
        if sites.topograph is not None and len(places) and sites.order == "rows":
            columns = [site.col for site in group.sites]
            total += float(sites.x[min(columns)]) / MOVE_SPEED
            total += float(sites.x[max(columns)]) / (sites.frame.width / sites.topograph.line_time)
    return total


def _doubts(plan: Plan, list_length: int) -> Iterator[Problem]:
    sweeps = plan.sweep.averages * list_length * plan.sweep.dwell
    held = plan.timing.initial_settle + sweeps + plan.timing.end_settle
    if held > LONG_HOLD:
        text = f"the feedback is off for {show_duration(held)} per spectrum; the tip drifts freely"
        yield problem(plan, ("sweep", plan.sweep.swept_name, "dwell"), text)

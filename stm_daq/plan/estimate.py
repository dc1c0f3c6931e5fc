"""How long a plan takes, how much it stores, and whether the station allows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stm_daq.errors import OutOfRangeError, Problem
from stm_daq.plan.model import Grid, Plan
from stm_daq.plan.voltages import list_voltages
from stm_daq.quantities import show, show_duration
from stm_daq.station.limits import Limits, Range, extent

MOVE_SPEED = 100e-9
"""Assumed speed of the tip between sites, m/s."""
BUS_TIME_PER_SITE = 0.06
"""Commands, replies and the read-out of the buffer on GPIB and LAN, s per spectrum."""
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
    warnings: tuple[Problem, ...]
    """What the station allows but is doubtful, with positions in the plan."""

    @property
    def total(self) -> float:
        """Duration of the whole run, s."""
        return sum(self.parts.values())


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
    rows, columns = plan.grid.shape
    step = float(np.max(np.abs(np.diff(voltages))))
    pixels = plan.grid.topograph_shape[0] * plan.grid.topograph_shape[1]
    per_site = BYTES_PER_POINT * len(plan.sweep.bias) + BYTES_PER_SITE
    return Estimate(
        sites=rows * columns,
        parts=_parts(plan, len(voltages)),
        disk_bytes=rows * columns * per_site + 8 * pixels + BYTES_PER_RUN,
        largest_bias_step=step,
        largest_bias_slew=step / plan.sweep.dwell,
        dwell_over_time_constant=plan.sweep.dwell / plan.sweep.time_constant,
        warnings=tuple(_doubts(plan, len(voltages))),
    )


def _parts(plan: Plan, list_length: int) -> dict[str, float]:
    grid, sweep, timing = plan.grid, plan.sweep, plan.timing
    rows, columns = grid.shape
    sites, points = rows * columns, len(sweep.bias)
    return {
        "set-up": SET_UP_TIME,
        "topograph": grid.topograph_shape[0] * 2 * grid.line_time,  # forward and backward
        "moves": rows * _moves(grid),
        "settling": sites * (timing.settle + timing.initial_settle),
        "sweeps": sites * points * sweep.dwell,
        "ways back": sites * (list_length - points) * sweep.dwell,
        "recovery": sites * timing.recover,
        "instruments": sites * BUS_TIME_PER_SITE,
    }


def _moves(grid: Grid) -> float:
    """Return the time for the way along one row of sites and back to the scan, s.

    A row begins at the left edge, where the topograph was paused. The controller takes the tip back
    there at the speed of the scan.
    """
    way = float(grid.x[-1])
    return way / MOVE_SPEED + way / (grid.frame.width / grid.line_time)


def _doubts(plan: Plan, list_length: int) -> Iterator[Problem]:
    held = plan.timing.initial_settle + list_length * plan.sweep.dwell
    if held > LONG_HOLD:
        text = f"the feedback is off for {show_duration(held)} per spectrum; the tip drifts freely"
        yield _problem(plan, ("sweep", "bias", "dwell"), text)


def forbidden(plan: Plan, limits: Limits) -> Iterator[Problem]:
    """Yield everything in a plan that the limits of a station forbid, with its position."""
    sweep, peak = plan.sweep, plan.sweep.modulation_peak
    bias, current = limits.bias, limits.setpoint_current
    for name, volts in (("start", sweep.bias[0]), ("end", sweep.bias[-1])):
        if not _inside(bias, volts + peak, volts - peak):
            text = f"{show(float(volts), 'V')} with its modulation of {show(peak, 'V')} peak"
            yield _forbidden(plan, ("sweep", "bias", name), text, bias)
    if not _inside(bias, plan.setpoint_bias):
        text = show(plan.setpoint_bias, "V")
        yield _forbidden(plan, ("setpoint", "bias"), text, bias)
    if not _inside(current, plan.setpoint_current):
        text = show(plan.setpoint_current, "A")
        yield _forbidden(plan, ("setpoint", "current"), text, current)
    yield from _frame_outside(plan, limits)
    step = abs(float(sweep.bias[-1] - sweep.bias[0])) / (len(sweep.bias) - 1)
    if step > limits.bias_step:
        text = (
            f"one step would be {show(step, 'V')}; the station allows {show(limits.bias_step, 'V')}"
        )
        yield _problem(plan, ("sweep", "bias", "points"), f"{text}; take more points")
    if step / sweep.dwell > limits.bias_slew:
        text = f"{show(step, 'V')} per dwell is {show(step / sweep.dwell, 'V/s')}"
        text += f"; the station allows {show(limits.bias_slew, 'V/s')}; take more points or time"
        yield _problem(plan, ("sweep", "bias", "dwell"), text)


def _frame_outside(plan: Plan, limits: Limits) -> Iterator[Problem]:
    """Yield what is wrong if any corner of the frame is where the tip must not go."""
    frame = plan.grid.frame
    centre = (frame.centre_x, frame.centre_y)
    for axis, allowed, middle, ends in zip(
        "xy", (limits.x, limits.y), centre, extent(frame), strict=True
    ):
        if not _inside(allowed, *ends):
            text = f"the frame reaches in {axis} from {show(ends[0], 'm')} to {show(ends[1], 'm')}; this"
            key = "size" if _inside(allowed, middle) else "centre"
            yield _forbidden(plan, ("sites", "grid", "frame", key), text, allowed)


def _inside(allowed: Range, *values: float) -> bool:
    return all(allowed.low <= value <= allowed.high for value in values)


def _forbidden(plan: Plan, path: tuple[str, ...], what: str, allowed: Range) -> Problem:
    low, high = show(allowed.low, allowed.unit), show(allowed.high, allowed.unit)
    return _problem(plan, path, f"{what} is outside the station's limits {low} to {high}")


def _problem(plan: Plan, path: tuple[str, ...], text: str) -> Problem:
    return plan.source.at_value(path, f"{'.'.join(path)}: {text}")

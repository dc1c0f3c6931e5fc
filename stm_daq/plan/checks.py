"""Physical sense of a plan: checks that compare several of its values.

A check names the values it looks at. It is made whenever those could be read, whatever is wrong with
the rest of the file, and points at the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stm_daq.quantities import show
from stm_daq.yaml_source import KeyPath

ENOUGH_TIME_CONSTANTS = 3.0
"""Dwell over lock-in time constant below which a point still remembers the one before: a filter of
one pole has then reached 95 % of a step."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has to say."""

    text: str
    is_error: bool = True


type Judge = Callable[..., Finding | None]


def _sweep_goes_somewhere(end: float, start: float) -> Finding | None:
    if end == start:
        return Finding("the sweep ends where it starts; start and end must differ")
    return None


def _feedback_needs_bias(setpoint: float) -> Finding | None:
    if setpoint == 0:
        return Finding("without bias no current flows and the feedback would crash the tip")
    return None


def _filter_settles(dwell: float, time_constant: float) -> Finding | None:
    ratio = dwell / time_constant
    if ratio >= ENOUGH_TIME_CONSTANTS * (1 - 1e-9):
        return None
    advice = f"it should be at least {show(ENOUGH_TIME_CONSTANTS * time_constant, 's')}"
    return Finding(
        f"the dwell is only {ratio:.2g} lock-in time constants, so that neighbouring points are "
        f"mixed; {advice}",
        is_error=ratio < 1,
    )


def _filter_removes_the_carrier(time_constant: float, frequency: float) -> Finding | None:
    if time_constant * frequency >= 1:
        return None
    return Finding(
        f"the time constant is shorter than one period of the modulation ({show(1 / frequency, 's')}); "
        "the lock-in cannot remove the ripple"
    )


def _modulation_resolves(peak: float, start: float, end: float) -> Finding | None:
    if 2 * peak >= abs(end - start) > 0:
        return Finding(
            f"the modulation ({show(2 * peak, 'V')} peak to peak) is as wide as the whole sweep"
        )
    return None


def _step_below_modulation(points: int, peak: float, start: float, end: float) -> Finding | None:
    step = abs(end - start) / (points - 1)
    if step > 2 * peak:
        return Finding(
            f"the bias steps ({show(step, 'V')}) are wider than the modulation "
            f"({show(2 * peak, 'V')} peak to peak); features between points are missed",
            is_error=False,
        )
    return None


def _every_divides(every: int, columns: int, rows: int) -> Finding | None:
    for what, count in (("columns", columns), ("rows", rows)):
        if count % every:
            return Finding(f"{every} does not divide the {count} {what} of the topograph")
    return None


def _tolerance_below_temperature(tolerance: float, expected: float) -> Finding | None:
    if tolerance >= expected:
        return Finding("a tolerance as large as the temperature itself checks nothing")
    return None


_GRID, _SWEEP = "sites.grid", "sweep"
CHECKS: tuple[tuple[Judge, tuple[str, ...]], ...] = (
    (_sweep_goes_somewhere, (f"{_SWEEP}.bias.end", f"{_SWEEP}.bias.start")),
    (_feedback_needs_bias, ("setpoint.bias",)),
    (_filter_settles, (f"{_SWEEP}.bias.dwell", f"{_SWEEP}.lockin.time_constant")),
    (_filter_settles, (f"{_SWEEP}.power_sweep.dwell", f"{_SWEEP}.lockin.time_constant")),
    (
        _filter_removes_the_carrier,
        (f"{_SWEEP}.lockin.time_constant", f"{_SWEEP}.modulation.frequency"),
    ),
    (
        _modulation_resolves,
        (f"{_SWEEP}.modulation.peak", f"{_SWEEP}.bias.start", f"{_SWEEP}.bias.end"),
    ),
    (
        _step_below_modulation,
        (
            f"{_SWEEP}.bias.points",
            f"{_SWEEP}.modulation.peak",
            f"{_SWEEP}.bias.start",
            f"{_SWEEP}.bias.end",
        ),
    ),
    (_every_divides, (f"{_GRID}.every", f"{_GRID}.topograph.columns", f"{_GRID}.topograph.rows")),
    (_tolerance_below_temperature, ("temperature.tolerance", "temperature.expect")),
)
"""(check, the values it takes)."""


def findings(values: Mapping[KeyPath, Any]) -> Iterator[tuple[KeyPath, Finding]]:
    """Carry out every check whose values are there; yield what was found and where."""
    for judge, names in CHECKS:
        paths: list[KeyPath] = [tuple(name.split(".")) for name in names]
        if all(path in values for path in paths):
            finding = judge(*(values[path] for path in paths))
            if finding is not None:
                yield paths[0], finding

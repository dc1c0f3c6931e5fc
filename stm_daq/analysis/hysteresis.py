"""Hysteresis of a power sweep: where it switches, how wide its loop is, and what kind of loop it is.

Works on any recorded sweep up and down: microwave power, or anything else that is swept both ways.

>>> import numpy as np
>>> power = np.linspace(-10, 0, 41)
>>> up, down = (power > -3) * 1.0, (power[::-1] > -6) * 1.0
>>> loop = analyse([Cycle(power, up, power[::-1], down)])
>>> loop.verdict, round(loop.width, 1)
('bistable', 3.0)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stm_daq.analysis.microwave.jumps import Jump, despiked, jumps_of, noise_of
from stm_daq.analysis.microwave.lag import distance, rate_test, without_lag
from stm_daq.analysis.microwave.loops import Cycle, Loop, Switch, Verdict
from stm_daq.records import Array

__all__ = ["Cycle", "Loop", "Switch", "Verdict", "analyse", "rate_test"]

SIGNAL_TO_NOISE = 5.0
"""A range of the signal below this many times its noise is no signal."""
TELEGRAPH = 3
"""So many jumps of one branch, or spikes as high as the jump, are no single switch."""
RETURNED = 0.35
"""Part of the loop's height within which the end counts as the state at the beginning."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A cycle without spikes, and its jumps."""

    cycle: Cycle
    up: list[Jump]
    down: list[Jump]
    spikes: list[float]
    """Their heights."""

    @property
    def flips(self) -> int:
        """Most jumps of one branch."""
        return max(len(self.up), len(self.down))


def analyse(cycles: Sequence[Cycle], cold_again: bool | None = None) -> Loop:
    """Judge the cycles of one place.

    Parameters
    ----------
    cycles : sequence of Cycle
        Repetitions, also with different dwells.
    cold_again : bool, optional
        Whether the sample was found in its first state after the last cycle, if that was verified;
        otherwise the ends of the branches tell.

    Returns
    -------
    Loop
    """
    known = [cycle.known() for cycle in cycles]
    usable = [cycle for cycle in known if not cycle.problem]
    if not usable:
        return _unusable(known)
    noise = noise_of([branch for cycle in usable for branch in (cycle.up, cycle.down)])
    extent = _extent(usable)
    if not math.isfinite(extent) or extent <= SIGNAL_TO_NOISE * noise or extent == 0:
        return Loop("invalid", "the signal does not change by more than its noise", noise=noise)
    judged = [_judge(cycle, noise, extent) for cycle in usable]
    glitches = sum(len(each.spikes) for each in judged)
    if _is_telegraph(judged, extent):
        return Loop(
            "telegraph", "the signal jumps to and fro", noise=noise, glitches=glitches,
            area=_area(judged, extent),
        )  # fmt: skip
    test = rate_test([each.cycle for each in judged], noise)
    lag = 0.0
    if test.explains and test.before > max(noise, 0.01 * extent):
        lag = test.lag
        seconds = lag * min(cycle.dwell for cycle in usable)
        judged = [_judge(without_lag(each.cycle, seconds), 2 * noise, extent) for each in judged]
    verdict, reason = _verdict(judged, extent, noise, lag, cold_again)
    if len(usable) < len(known) and verdict in ("bistable", "smooth", "sharp and reversible"):
        reason += f"; {len(known) - len(usable)} of {len(known)} cycles cannot be used"
    return Loop(
        verdict,
        reason,
        up=_switch([(e.cycle.up_power, e.up) for e in judged]),
        down=_switch([(e.cycle.down_power, e.down) for e in judged]),
        area=_area(judged, extent),
        lag=lag,
        noise=noise,
        glitches=glitches,
    )


def _unusable(known: list[Cycle]) -> Loop:
    """Tell a cycle that was broken off from one that makes no sense."""
    if not known:
        return Loop("invalid", "there is no cycle")
    begun = [cycle for cycle in known if len(cycle.up) >= 5 and np.all(np.diff(cycle.up_power) > 0)]
    if begun and all(len(cycle.down) < 5 for cycle in begun):
        return Loop("incomplete", "there is no way back")
    return Loop("invalid", known[0].problem)


def _extent(cycles: list[Cycle]) -> float:
    values = np.concatenate([branch for cycle in cycles for branch in (cycle.up, cycle.down)])
    low, high = np.percentile(values, [2, 98])
    return float(high - low)


def _judge(cycle: Cycle, noise: float, extent: float) -> _Judged:
    up, up_spikes = despiked(cycle.up, noise, extent)
    down, down_spikes = despiked(cycle.down, noise, extent)
    heights = [float(abs(cycle.up[k] - up[k])) for k in up_spikes]
    heights += [float(abs(cycle.down[k] - down[k])) for k in down_spikes]
    clean = Cycle(cycle.up_power, up, cycle.down_power, down, cycle.dwell)
    return _Judged(
        clean,
        jumps_of(up, noise, extent, cycle.up_power),
        jumps_of(down, noise, extent, cycle.down_power),
        heights,
    )


def _is_telegraph(judged: list[_Judged], extent: float) -> bool:
    flips = sum(each.flips >= TELEGRAPH for each in judged)
    as_high = [sum(0.4 < h / extent < 1.3 for h in each.spikes) for each in judged]
    doubtful = [
        each.flips + 2 * spikes >= TELEGRAPH + 2 and spikes > 0
        for each, spikes in zip(judged, as_high, strict=True)
    ]
    return 2 * max(flips, sum(doubtful)) >= len(judged)


def _verdict(
    judged: list[_Judged], extent: float, noise: float, lag: float, cold_again: bool | None
) -> tuple[Verdict, str]:
    up = sum(bool(each.up) for each in judged)
    down = sum(bool(each.down) for each in judged)
    enough = (len(judged) + 1) // 2
    returned = np.median([_end_apart(each.cycle) for each in judged]) < RETURNED * extent
    covered = all(e.cycle.down_power[-1] <= e.cycle.up_power[0] + _spacing(e.cycle) for e in judged)
    if up and (cold_again is False or (not returned and covered)):
        return "latched", "the sample does not come back to its first state"
    if not covered and (not returned or up != down):
        return "incomplete", "the way back ends before the way up began, in the hot state"
    if _truncated(judged):
        return "incomplete", "the branches do not cover the same powers"
    if up < enough and down < enough:
        apart = float(np.median([distance(each.cycle) for each in judged]))
        if apart > max(0.12 * extent, 3 * noise) and not lag:
            return "incomplete", "the branches lie apart, but no switch was seen"
        said = " (the read-out lags)" if lag else ""
        return "smooth", f"no jump in either branch{said}"
    if up < enough or down < enough:
        if up >= enough and returned:
            return "bistable", "it jumps up, and comes back gradually"
        return "incomplete", "only one branch jumps"
    return _two_jumps(judged, lag)


def _two_jumps(judged: list[_Judged], lag: float) -> tuple[Verdict, str]:
    up = _switch([(e.cycle.up_power, e.up) for e in judged])
    down = _switch([(e.cycle.down_power, e.down) for e in judged])
    assert up is not None
    assert down is not None
    step = max(up.step, down.step)
    if lag or abs(up.power - down.power) <= 1.25 * step + 1e-9:
        said = "; the read-out lags" if lag else ""
        return "sharp and reversible", f"both branches jump at the same power{said}"
    if up.power < down.power:
        return "invalid", "it switches down above where it switches up"
    return "bistable", "up and down switch at different powers"


def _truncated(judged: list[_Judged]) -> bool:
    """Whether the way down begins far below the end of the way up."""
    return any(
        abs(e.cycle.up_power[-1] - e.cycle.down_power[0]) > 3 * _spacing(e.cycle) for e in judged
    )


def _spacing(cycle: Cycle) -> float:
    return float(np.max(np.diff(cycle.up_power)))


def _end_apart(cycle: Cycle) -> float:
    """Return how far the end of a cycle is from its beginning."""
    end = np.median(cycle.down[-3:])
    start = np.interp(np.median(cycle.down_power[-3:]), cycle.up_power, cycle.up)
    return float(abs(end - min(start, np.median(cycle.up[:3]), key=lambda v: abs(v - end))))


def _switch(branches: list[tuple[Array, list[Jump]]]) -> Switch | None:
    """Average the largest jump of every branch."""
    places, steps, heights = [], [], []
    for power, jumps in branches:
        if jumps:
            jump = max(jumps, key=lambda j: abs(j.height))
            places.append((power[jump.first] + power[jump.last]) / 2)
            steps.append(abs(power[jump.last] - power[jump.first]))
            heights.append(jump.height)
    if not places:
        return None
    return _finest(np.array(places), np.array(steps), np.array(heights))


def _finest(places: Array, steps: Array, heights: Array) -> Switch:
    """Average the jumps that were seen with fine steps, if there are such."""
    # a fine point may lie close to a coarse one: that alone makes no finer step
    fine = steps <= max(2 * float(np.min(steps)), 0.35 * float(np.max(steps))) + 1e-12
    step = float(np.max(steps[fine]))
    count = int(fine.sum())
    spread = float(np.std(places[fine], ddof=1)) if count > 1 else 0.0
    return Switch(
        power=float(np.mean(places[fine])),
        std=math.hypot(spread, step / math.sqrt(12.0)),
        step=float(np.median(steps[fine])),
        height=float(np.mean(heights)),
        height_std=float(np.std(heights, ddof=1)) if len(heights) > 1 else 0.0,
        count=count,
    )


def _area(judged: list[_Judged], extent: float) -> float:
    """Return the mean area between the branches over the signal's height, dB."""
    spans = [min(e.cycle.up_power[-1], e.cycle.down_power[0]) - e.cycle.up_power[0] for e in judged]
    areas = [distance(e.cycle) * span / extent for e, span in zip(judged, spans, strict=True)]
    return float(np.mean(areas))

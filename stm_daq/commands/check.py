"""``stm-daq check``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stm_daq.clock import RealClock
from stm_daq.errors import InstrumentError
from stm_daq.night import Night, Outlook, outlook, prepare_night, written_moment
from stm_daq.night.sample import Expectation, expectation
from stm_daq.plan import Plan
from stm_daq.quantities import show, show_duration, show_moment

UNITS = {"gap": "eV", "temperature": "K", "broadening": "eV", "scale": "S", "offset": "V",
         "slope": "1/V"}  # fmt: skip
"""Of fitted parameters; the others are pure numbers."""


def check_plan(
    plan: Path,
    station: Path,
    runs: Path,
    start: str | None,
    helium_until: str | None,
    sample: bool,
    as_json: bool,
) -> None:
    """Print what the night would be like.

    Raises
    ------
    BadInputError, OutOfRangeError
        If it cannot be: all facts that are known were printed before.
    """
    night = prepare_night(plan, station)
    now = RealClock().wall()
    begins = written_moment("--start", start, now) or now
    seen = outlook(night, runs, begins, helium_until)
    expected, failure = None, ""
    if sample and night.config.simulation:
        try:
            expected = expectation(night)
        except InstrumentError as error:
            failure = str(error)
    if as_json:
        print(json.dumps(_facts(night, seen, expected), indent=1))
    else:
        _print_facts(night, seen)
        if expected is not None:
            _print_expectation(night, expected)
        for warning in (*night.plan.warnings, *night.estimate.warnings, *seen.warnings):
            print(f"warning: {warning}")
    seen.require()
    if failure:
        raise InstrumentError(failure)
    if not as_json:
        print("ok: plan and station can be used")


def _facts(night: Night, seen: Outlook, expected: Expectation | None) -> dict[str, Any]:
    estimate, sweep = night.estimate, night.plan.sweep
    return {
        "plan": str(night.plan.path),
        "station": str(night.config.path),
        "name": night.plan.name,
        "sites": estimate.sites,
        "axes": {axis.name: list(axis.values) for axis in night.plan.axes},
        "points": len(sweep.bias),
        "averages": sweep.averages,
        "seconds": estimate.total,
        "parts": dict(estimate.parts),
        "longer": dict(estimate.longer),
        "begins": seen.begins,
        "ends": seen.ends,
        "latest": seen.latest,
        "deadline": seen.deadline,
        "helium_until": seen.helium,
        "disk_bytes": estimate.disk_bytes,
        "disk_free": seen.free,
        "largest_bias_step": estimate.largest_bias_step,
        "largest_bias_slew": estimate.largest_bias_slew,
        "dwell_over_time_constant": estimate.dwell_over_time_constant,
        "expected": None if expected is None else _expected(expected),
        "refusals": [str(refusal) for refusal in seen.refusals],
        "warnings": [
            str(w) for w in (*night.plan.warnings, *estimate.warnings, *seen.warnings)
        ],
    }  # fmt: skip


def _expected(expected: Expectation) -> dict[str, Any]:
    facts = asdict(expected)
    for name, known in expected.known.items():
        facts["known"][name]["longer"] = known.longer
    return facts


def _print_facts(night: Night, seen: Outlook) -> None:
    plan, estimate, limits = night.plan, night.estimate, night.config.limits
    print(f"{plan.name}: {plan.sample}")
    print(f"  sites            {estimate.sites}  ({_shape(plan)}), {_points(plan)} each")
    print(f"  duration         {show_duration(estimate.total)}")
    for part, seconds in estimate.parts.items():
        print(f"    {part:<17}{show_duration(seconds)}")
    for part, seconds in estimate.longer.items():
        print(f"    at most for {part}: {show_duration(seconds)} more")
    print(f"  begins           {show_moment(seen.begins)}")
    print(f"  ends             {show_moment(seen.ends)}{_latest(seen)}")
    for name, until in (("deadline", seen.deadline), ("helium until", seen.helium)):
        if until is not None:
            spare = until - seen.ends
            over = f"{show_duration(abs(spare))} {'to spare' if spare >= 0 else 'too late'}"
            print(f"  {name:<17}{show_moment(until)}, {over}")
    print(f"  disk             {show(estimate.disk_bytes, 'B')} of {show(seen.free, 'B')} free")
    if plan.sweep.swept_name == "bias":
        print(
            f"  bias             steps up to {show(estimate.largest_bias_step, 'V')} "
            f"(limit {show(limits.bias_step, 'V')}), slew up to "
            f"{show(estimate.largest_bias_slew, 'V/s')} (limit {show(limits.bias_slew, 'V/s')})"
        )
    print(f"  dwell            {estimate.dwell_over_time_constant:.1f} lock-in time constants")


def _latest(seen: Outlook) -> str:
    return f", at the latest {show_moment(seen.latest)}" if seen.latest > seen.ends else ""


def _points(plan: Plan) -> str:
    sweep = plan.sweep
    ways = " there and back" if sweep.directions == 2 else ""
    average = f", {sweep.averages} sweeps averaged," if sweep.averages > 1 else ""
    return f"{len(sweep.bias)} points{ways}{average}"


def _shape(plan: Plan) -> str:
    """Return the sizes of the axes, slowest first, as in "3 set_current x 32 x 32"."""
    rows, columns = plan.sites.shape
    outer = [f"{len(axis.values)} {axis.name}" for axis in plan.axes]
    sites = [str(columns), str(rows)] if plan.sites.kind == "grid" else [str(columns)]
    inside = " inside a polygon" if plan.sites.count < rows * columns else ""
    return " x ".join([*outer, *sites]) + inside


def _print_expectation(night: Night, expected: Expectation) -> None:
    fits = f", {expected.good} good fits" if night.plan.is_fitted else ""
    print(f"  rehearsed        {expected.spectra} sites on the twin{fits}")
    for name, known in expected.known.items():
        unit = UNITS.get(name, "")
        text = f"± {show(known.std, unit, 2)} (up to {show(known.worst, unit, 2)} at 84 %)"
        wanted = "" if known.wanted is None else f"; wanted {show(known.wanted, unit)}"
        print(f"    {name:<17}{text}{wanted}")
    for flag, count in sorted(expected.flags.items()):
        print(f"    flagged          {flag}: {count}")
    for violation in expected.violations:
        print(f"    the twin objects: {violation}")
    if expected.repetitions > 1:
        print(
            f"    repeated         a site is measured {expected.repetitions:.1f} times on average: "
            f"{show_duration(expected.adaptive_total)} in all"
        )
    if expected.averages is not None and expected.dwell is not None:
        _print_needed(night, expected, expected.averages, expected.dwell)


def _print_needed(night: Night, expected: Expectation, averages: int, dwell: float) -> None:
    sweep = night.plan.sweep
    if averages <= sweep.averages:
        print("    wanted           is reached at the median site")
        return
    constant = sweep.time_constant * dwell / sweep.dwell
    print(
        f"    wanted needs     average: {averages} ({show_duration(expected.total or 0)} in all), or"
    )
    print(
        f'                     dwell: "{show(dwell, "s")}" with time_constant: "{show(constant, "s")}"'
    )

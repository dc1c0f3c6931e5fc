"""``stm-daq check``."""

from __future__ import annotations

import json
from pathlib import Path

from stm_daq.clock import RealClock
from stm_daq.night import Night, prepare_night
from stm_daq.plan import Plan
from stm_daq.quantities import show, show_duration, show_moment


def check_plan(plan: Path, station: Path, as_json: bool) -> None:
    """Print what the night would be like; raise if it cannot be."""
    night = prepare_night(plan, station)
    if as_json:
        print(json.dumps(_facts(night), indent=1))
    else:
        _print_facts(night)


def _facts(night: Night) -> dict[str, object]:
    estimate = night.estimate
    return {
        "plan": str(night.plan.path),
        "station": str(night.config.path),
        "name": night.plan.name,
        "sites": estimate.sites,
        "seconds": estimate.total,
        "parts": dict(estimate.parts),
        "disk_bytes": estimate.disk_bytes,
        "largest_bias_step": estimate.largest_bias_step,
        "largest_bias_slew": estimate.largest_bias_slew,
        "dwell_over_time_constant": estimate.dwell_over_time_constant,
        "warnings": [str(w) for w in (*night.plan.warnings, *estimate.warnings)],
    }


def _print_facts(night: Night) -> None:
    plan, estimate, limits = night.plan, night.estimate, night.config.limits
    ending = show_moment(RealClock().wall() + estimate.total)
    print(f"{plan.name}: {plan.sample}")
    print(
        f"  sites            {estimate.sites}  ({_shape(plan)}), {len(plan.sweep.bias)} points each"
    )
    print(f"  duration         {show_duration(estimate.total)}; started now it ends {ending}")
    for part, seconds in estimate.parts.items():
        print(f"    {part:<15}{show_duration(seconds)}")
    print(f"  disk             {show(estimate.disk_bytes, 'B')}")
    print(
        f"  bias             steps up to {show(estimate.largest_bias_step, 'V')} "
        f"(limit {show(limits.bias_step, 'V')}), slew up to {show(estimate.largest_bias_slew, 'V/s')} "
        f"(limit {show(limits.bias_slew, 'V/s')})"
    )
    print(f"  dwell            {estimate.dwell_over_time_constant:.1f} lock-in time constants")
    for warning in (*plan.warnings, *estimate.warnings):
        print(f"warning: {warning}")
    print("ok: plan and station can be used")


def _shape(plan: Plan) -> str:
    """Return the sizes of the axes, slowest first, as in "3 set_current x 32 x 32"."""
    rows, columns = plan.sites.shape
    outer = [f"{len(axis.values)} {axis.name}" for axis in plan.axes]
    sites = [str(columns), str(rows)] if plan.sites.kind == "grid" else [str(columns)]
    return " x ".join([*outer, *sites])

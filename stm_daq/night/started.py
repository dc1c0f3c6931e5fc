"""The first record of a run."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from stm_daq.night.prepare import Night
from stm_daq.plan import Plan, Sites
from stm_daq.plan.power_sweep import TRACES
from stm_daq.records import RunStarted
from stm_daq.sequencer.sweeper import Sweeper
from stm_daq.station.loader import Station


def run_started(
    night: Night,
    kind: str,
    run_id: str,
    now: float,
    station: Station,
    sweep: Sweeper,
    origin: Mapping[str, Any],
) -> RunStarted:
    """Return all that is needed to read the records of a run, and to go on with it.

    Parameters
    ----------
    night : Night
    kind : {"rehearsal", "run"}
    run_id : str
    now : float
        Wall time.
    station : Station
        Open; its settings are read.
    sweep : Sweeper
        Set up.
    origin : mapping
        What a rehearsal needs to make the same twin again.
    """
    plan, sites = night.plan, night.plan.sites
    return RunStarted(
        run_id=run_id,
        kind=kind,
        time=now,
        name=plan.name,
        sample=plan.sample,
        plan_text=plan.text,
        station_text=night.config.text,
        frame=sites.frame,
        grid_shape=sites.shape,
        grid_x=sites.x,
        grid_y=sites.y,
        topograph_shape=sites.topograph_shape,
        bias=plan.sweep.bias,
        modulation=sweep.modulation,
        metadata={
            "step_memory": sweep.step_memory.tolist(),
            "current": "integrated from dI/dV" if sweep.current_integrated else "measured",
            "versions": versions(),
            "computer": platform.platform(),
            "setpoint": {"bias": plan.setpoint_bias, "current": plan.setpoint_current},
            "fit_model": plan.fit_model if plan.is_fitted else "",
            "files": {
                "plan": str(plan.path.resolve()),
                "station": str(night.config.path.resolve()),
            },
            "rehearsal": dict(origin),
            "snapshot": station.snapshot(),
            **_wanted(sites),
            **_power_sweep(plan),
        },
        axes=tuple(axis.record for axis in plan.axes),
        sites=sites.kind,
        swept_name=plan.sweep.swept_name,
        swept_unit=plan.sweep.swept_unit,
        swept=plan.sweep.swept,
        directions=plan.sweep.directions,
    )


def _wanted(sites: Sites) -> dict[str, list[str]]:
    """Mark the sites inside a polygon, row by row; nothing if all are measured."""
    if sites.wanted.all():
        return {}
    return {"wanted": ["".join("01"[int(w)] for w in row) for row in sites.wanted]}


def _power_sweep(plan: Plan) -> dict[str, Any]:
    """Describe the points of a power sweep; nothing for other sweeps."""
    cycles = plan.sweep.power_sweep
    if cycles is None:
        return {}
    return {
        "traces": [list(trace) for trace in TRACES],
        "layout": cycles.layout.record,
        "power_sweep": {
            "frequencies": list(cycles.frequencies),
            "dwell": plan.sweep.dwell,
            "slow": cycles.slow,
            "cycles": cycles.cycles,
        },
    }


def versions() -> dict[str, str]:
    packages = ("stm-daq", "qcodes", "qcodes-contrib-drivers", "pyvisa", "numpy", "scipy", "numba")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}

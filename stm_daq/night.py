"""Wires one run: plan, station (or its twin), journal, fit, publisher, runner, report."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from stm_daq.clock import Clock, RealClock
from stm_daq.errors import BadInputError, OutOfRangeError, Problem
from stm_daq.plan import Estimate, Plan, estimate, forbidden, list_voltages, load_plan
from stm_daq.recording import Derive, Observer, OnlineFit, Recording, RecordTruth
from stm_daq.records import Array, RunEnded, RunStarted
from stm_daq.rehearsal import Rehearsal, TwinLike, make_twin, twin_problems, visa_library
from stm_daq.sequencer.runner import Runner
from stm_daq.sequencer.stop import StopSwitch, stop_on_signals
from stm_daq.sequencer.sweep import DacSweep
from stm_daq.station.adapters import examine_adapters
from stm_daq.station.config import examine_station
from stm_daq.station.limits import Limits
from stm_daq.station.loader import Station, StationConfig, open_station
from stm_daq.station.roles import Finding, PlanNeeds
from stm_daq.station.streams import streams_from
from stm_daq.store.journal import Journal, new_run_folder

if TYPE_CHECKING:
    from stm_daq.fitting import OnlineFitter

type TwinUse = Literal["needed", "checked", "ignored"]

LOG = "log.txt"
"""Warnings and errors of a run with their tracebacks, in its folder."""


@dataclass(frozen=True, slots=True)
class NightResult:
    """What is left of a run."""

    folder: Path
    ended: RunEnded
    seconds: float
    """Duration in the run's own time (virtual in a rehearsal)."""
    transactions: int = 0
    """Bus transactions (rehearsals only)."""
    transactions_opening: int = 0
    """Those of them that opened the station, took its snapshot and prepared the run."""
    violations: tuple[str, ...] = ()
    """What the twin's world saw go wrong (rehearsals only)."""


@dataclass(frozen=True)
class Night:
    """A checked plan on a checked station; nothing has been touched yet."""

    plan: Plan
    config: StationConfig
    estimate: Estimate
    observers: tuple[Observer, ...] = ()

    def watched_by(self, observers: Sequence[Observer]) -> Night:
        """Return the same night with these observers."""
        return replace(self, observers=tuple(observers))


def prepare_night(plan_path: Path, station_path: Path, twin: TwinUse = "checked") -> Night:
    """Read and check plan and station; imports the drivers, touches no instrument.

    Parameters
    ----------
    plan_path, station_path : Path
    twin : {"needed", "checked", "ignored"}
        What the ``simulation:`` block is for: a rehearsal, nothing yet, a run on the microscope.

    Raises
    ------
    BadInputError
        Naming every mistake with file, line and column.
    OutOfRangeError
        Likewise, if the plan wants what the station cannot do and nothing else is wrong.
    """
    mistakes: list[Problem] = []
    refused: list[Problem] = []
    plan = config = None
    try:
        plan = load_plan(plan_path)
    except BadInputError as error:
        mistakes += error.problems
    try:
        config, found = examine_station(station_path)
        mistakes += found
    except BadInputError as error:
        mistakes += error.problems
    if config is not None:
        needs = _needs(plan, config.limits) if plan is not None else None
        _, found, findings = examine_adapters(config, needs)
        mistakes += found
        if twin == "needed" or (twin == "checked" and config.simulation):
            mistakes += twin_problems(config)
        if plan is not None:
            refused = [*forbidden(plan, config.limits), *_places(plan, findings)]
    if plan is None or config is None or mistakes:
        raise BadInputError.from_problems([*mistakes, *refused])
    if refused:
        raise OutOfRangeError("\n".join(str(problem) for problem in refused))
    return Night(plan, config, estimate(plan, config.limits))


def _needs(plan: Plan, limits: Limits) -> PlanNeeds:
    sweep = plan.sweep
    return PlanNeeds(
        columns=plan.sites.topograph_shape[1],
        dwell=sweep.dwell,
        samples=len(list_voltages(sweep, limits.bias_step, limits.bias_slew)),
        modulation_peak=sweep.modulation_peak,
        modulation_frequency=sweep.modulation_frequency,
        time_constant=sweep.time_constant,
    )


def _places(plan: Plan, findings: Sequence[Finding]) -> list[Problem]:
    return [
        plan.source.at_value(tuple(place.split(".")), f"{place}: {text}")
        for place, text in findings
    ]


def rehearse(night: Night, runs: Path, rehearsal: Rehearsal) -> NightResult:
    """Run a plan on the twin of its station, in virtual time."""
    twin = make_twin(night.config, rehearsal)
    with twin, visa_library(twin.visa_library), streams_from(twin.open_stream):
        result = _measure(night, runs, "rehearsal", twin.clock, twin)
        return replace(
            result, transactions=twin.transactions(), violations=tuple(twin.violations())
        )


def run(night: Night, runs: Path) -> NightResult:
    """Run a plan on the microscope."""
    return _measure(night, runs, "run", RealClock(), None)


def _measure(
    night: Night, runs: Path, kind: str, clock: Clock, twin: TwinLike | None
) -> NightResult:
    plan, began = night.plan, clock.now()
    _fitter(plan, plan.sweep.modulation_peak, np.ones(1)).warm_up()
    stop = StopSwitch()
    with ExitStack() as stack:
        station = stack.enter_context(open_station(night.config, clock))
        recording = Recording(clock)
        runner = Runner(
            plan, station, clock, recording.emit, stop, expected_seconds=night.estimate.total
        )
        stack.enter_context(stop_on_signals(stop))
        folder = stack.enter_context(_run_folder(runs, plan.name, clock.wall()))
        stack.enter_context(_log_file(folder / LOG))
        sweep = stack.enter_context(runner.prepared())
        started = _run_started(night, kind, folder.name, clock.wall(), station, sweep)
        journal = stack.enter_context(Journal.create(folder, started))
        derive: list[Derive] = [
            OnlineFit(_fitter(plan, sweep.modulation, sweep.step_memory), plan.fit_model)
        ]
        if twin is not None:
            derive.append(RecordTruth(twin))
        opening = twin.transactions() if twin else 0
        recording.connect(journal, started, derive, night.observers)
        ended = runner.run()
    return NightResult(folder, ended, clock.now() - began, transactions_opening=opening)


def _fitter(plan: Plan, modulation: float, memory: Array) -> OnlineFitter:
    from stm_daq.fitting import OnlineFitter

    return OnlineFitter(plan.sweep.bias, modulation, plan.fit_model, memory=memory)


@contextmanager
def _run_folder(runs: Path, name: str, now: float) -> Iterator[Path]:
    """Make the folder of a run; leave none behind if the run does not get as far as a journal."""
    folder = new_run_folder(runs, name, now)
    try:
        yield folder
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Keep what the program logs, with tracebacks, beside the run."""
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _run_started(
    night: Night, kind: str, run_id: str, now: float, station: Station, sweep: DacSweep
) -> RunStarted:
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
            "versions": _versions(),
            "computer": platform.platform(),
            "setpoint": {"bias": plan.setpoint_bias, "current": plan.setpoint_current},
            "fit_model": plan.fit_model,
            "snapshot": station.snapshot(),
        },
        axes=tuple(axis.record for axis in plan.axes),
        sites=sites.kind,
        swept_name=plan.sweep.swept_name,
        swept_unit=plan.sweep.swept_unit,
        swept=plan.sweep.swept,
        directions=plan.sweep.directions,
    )


def _versions() -> dict[str, str]:
    packages = ("stm-daq", "qcodes", "qcodes-contrib-drivers", "pyvisa", "numpy", "scipy", "numba")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}

"""A night is prepared: plan, station and twin are checked together, nothing is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from stm_daq.errors import BadInputError, OutOfRangeError, Problem
from stm_daq.monitor.orders import Desk
from stm_daq.night.parts import missing_parts
from stm_daq.plan import Estimate, Plan, estimate, forbidden, list_voltages, load_plan
from stm_daq.recording import Observer
from stm_daq.rehearsal import twin_problems
from stm_daq.station.adapters import examine_adapters
from stm_daq.station.config import examine_station
from stm_daq.station.limits import Limits
from stm_daq.station.loader import StationConfig
from stm_daq.station.roles import Finding, PlanNeeds

type TwinUse = Literal["needed", "checked", "ignored"]
type Attendant = Callable[[Desk | None], None]
"""Is given the desk of a run that goes on, and None when there is nothing more to command."""


@dataclass(frozen=True)
class Night:
    """A checked plan on a checked station; nothing has been touched yet."""

    plan: Plan
    config: StationConfig
    estimate: Estimate
    observers: tuple[Observer, ...] = ()
    attendants: tuple[Attendant, ...] = ()

    def watched_by(self, observers: Sequence[Observer]) -> Night:
        """Return the same night with these observers."""
        return replace(self, observers=tuple(observers))

    def attended_by(self, attendants: Sequence[Attendant]) -> Night:
        """Return the same night, commanded by these."""
        return replace(self, attendants=tuple(attendants))


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
            mistakes += missing_parts(plan, config)
            refused = [*forbidden(plan, config.limits), *_places(plan, findings)]
    if plan is None or config is None or mistakes:
        raise BadInputError.from_problems([*mistakes, *refused])
    if refused:
        raise OutOfRangeError("\n".join(str(problem) for problem in refused))
    return Night(plan, config, estimate(plan, config.limits))


def _needs(plan: Plan, limits: Limits) -> PlanNeeds:
    sweep = plan.sweep
    played = sweep.kind == "dac"
    return PlanNeeds(
        columns=plan.sites.topograph_shape[1],
        dwell=sweep.dwell,
        samples=len(list_voltages(sweep, limits.bias_step, limits.bias_slew)) if played else 0,
        modulation_peak=sweep.modulation_peak,
        modulation_frequency=sweep.modulation_frequency,
        time_constant=sweep.time_constant,
        sweep_kind=sweep.kind,
    )


def _places(plan: Plan, findings: Sequence[Finding]) -> list[Problem]:
    return [
        plan.source.at_value(tuple(place.split(".")), f"{place}: {text}")
        for place, text in findings
    ]

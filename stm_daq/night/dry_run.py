"""Dry runs: a plan is rehearsed, shortened, and everything that went wrong is listed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.errors import StmDaqError
from stm_daq.night.measure import NightResult
from stm_daq.night.outlook import outlook
from stm_daq.night.prepare import Night, prepare_night
from stm_daq.night.sample import shortened
from stm_daq.plan import estimate, step_count
from stm_daq.rehearsal import Rehearsal
from stm_daq.store.reading import events

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class DryRun:
    """What became of one plan."""

    plan: Path
    failures: tuple[str, ...]
    """Everything that keeps the plan from being run tonight; empty if it may."""
    sites: int = 0
    """Sites that were rehearsed."""
    of_sites: int = 0
    """Sites of the plan."""
    good: int = 0
    """Fits that can be trusted."""
    result: NightResult | None = None
    """None if the plan was refused before anything was rehearsed."""

    @property
    def passed(self) -> bool:
        """Whether nothing went wrong."""
        return not self.failures

    def open(self) -> xr.Dataset:
        """Return what was rehearsed; see :func:`stm_daq.open_run`.

        Raises
        ------
        ValueError
            If the plan was refused: there is no run then.
        """
        from stm_daq import open_run

        if self.result is None:
            raise ValueError(f"{self.plan} was refused: {'; '.join(self.failures)}")
        return open_run(self.result.folder)


def dry_run(
    plan: Path, station: Path, runs: Path, rehearsal: Rehearsal, sites: int | None
) -> DryRun:
    """Rehearse a plan on the twin of its station.

    Parameters
    ----------
    plan, station : Path
    runs : Path
        Where the rehearsal is stored.
    rehearsal : Rehearsal
        Its `epoch` is when the night begins, by which deadlines and times of day are judged.
    sites : int, optional
        How many sites are rehearsed, spread over map and outer axes; None: all.
    """
    from stm_daq.night import rehearse

    rehearsal = rehearsal.fixed()
    try:
        night = prepare_night(plan, station, "needed")
        assert rehearsal.epoch is not None
        late = outlook(night, runs, rehearsal.epoch, None).refusals
        if late:
            return DryRun(plan, tuple(map(str, late)), of_sites=night.estimate.sites)
        result = rehearse(_shortened(night, sites), runs, rehearsal)
    except StmDaqError as error:
        return DryRun(plan, tuple(str(error).splitlines()))
    return _judged(DryRun(plan, (), of_sites=night.estimate.sites, result=result), night, sites)


def _shortened(night: Night, sites: int | None) -> Night:
    if sites is None:
        return night
    plan = shortened(night.plan, sites)
    return replace(night, plan=plan, estimate=estimate(plan, night.config.limits))


def _judged(run: DryRun, night: Night, sites: int | None) -> DryRun:
    plan = _shortened(night, sites).plan
    wanted = step_count(plan.axes) * plan.sites.count
    dataset = run.open()
    measured = np.isfinite(dataset["time"].values)
    ok = dataset["fit_ok"].values.astype(bool)
    flagged = int(np.count_nonzero((dataset["flags"].values != "") & measured))
    run = replace(run, sites=int(measured.sum()), good=int(ok.sum()))
    return replace(run, failures=tuple(_failures(run, wanted, flagged, plan.is_fitted)))


def _failures(run: DryRun, wanted: int, flagged: int, is_fitted: bool) -> Iterator[str]:
    assert run.result is not None
    ended = run.result.ended
    if ended.state != "finished":
        yield f"{ended.state}: {ended.text}"
    for violation in run.result.violations:
        yield f"the twin objects: {violation}"
    for event in events(run.result.folder):
        if event.kind == "error" or (event.kind == "guard" and not event.data.get("good", False)):
            yield f"{event.kind}: {event.text}"
    if run.sites < wanted:
        yield f"{wanted - run.sites} of {wanted} sites were not measured"
    half = math.ceil(run.sites / 2)
    if is_fitted and run.good < half:
        yield f"only {run.good} of {run.sites} fits can be trusted"
    if flagged > half:
        yield f"{flagged} of {run.sites} spectra are flagged"

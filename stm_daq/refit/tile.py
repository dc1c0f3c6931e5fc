"""One tile of a run, fitted with every model and its verdicts; runs wherever a worker is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stm_daq.fitting.checks import check_fixed
from stm_daq.fitting.code_version import code_version
from stm_daq.fitting.contest import contest
from stm_daq.fitting.data import read
from stm_daq.fitting.dataset import as_dataset
from stm_daq.fitting.models import choose
from stm_daq.fitting.settings import FitSettings
from stm_daq.fitting.spectra import run
from stm_daq.records import Array
from stm_daq.store.columns import Columns


@dataclass(frozen=True)
class RefitJob:
    """One tile of a run: all that a worker needs."""

    first: int
    """Number of its first site."""
    places: Columns
    bias: Array
    """V, shape (n,)."""
    conductance: Array
    """S, shape (p, n)."""
    settings: tuple[FitSettings, ...]
    """One for each model."""


def fit_job(job: RefitJob) -> tuple[str, Columns]:
    """Fit one tile with every model; also tells the code that did it."""
    return code_version(), job.places | fit_models(job.bias, job.conductance, job.settings)


def fit_models(bias: Array, conductance: Array, settings: Sequence[FitSettings]) -> Columns:
    """Fits as by `stm_daq.fitting.fit`, called model:variable; verdicts as by `compare`."""
    conditions = settings[0].conditions
    data = read(bias, conductance, conditions)
    choices = [
        check_fixed(choose(s.model, s.fixed, s.free), data.leading, data.volts) for s in settings
    ]
    solvers = [conditions.solver(choice, data.volts) for choice in choices]
    outcomes = [run(data, solver, conditions.engine) for solver in solvers]
    columns: Columns = {}
    for own, outcome in zip(settings, outcomes, strict=True):
        for name, variable in as_dataset(outcome, data, {}).data_vars.items():
            columns[f"{own.model}:{name}"] = np.asarray(variable.values)
    if len(settings) > 1:
        found = contest(data, solvers, outcomes)
        columns |= {"preferred": found.preferred, "verdict": found.verdict}
        columns["evidence"] = found.evidence
    return columns

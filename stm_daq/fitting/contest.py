"""Models against each other, spectrum by spectrum: equal noise, information, a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.data import Data
from stm_daq.fitting.outcome import Outcome
from stm_daq.fitting.solver import Solver
from stm_daq.fitting.stack import TILE, StackFitter

type Array = NDArray[np.float64]
type Mask = NDArray[np.bool_]

PREFERRED, WEAK, TIED, SUFFICIENT = "preferred", "weak", "tied", "sufficient"
NONE_ADEQUATE, NO_GAP, NOT_FITTED = "none_adequate", "no_gap", "not_fitted"

VERDICTS = {
    PREFERRED: "{model} describes the spectrum, and the others do worse beyond chance",
    WEAK: "{model} describes the spectrum, and the others do worse, which may be chance",
    SUFFICIENT: "{model} suffices: the other models contain it and gain nothing by that",
    TIED: "several models do equally well: this spectrum does not tell them apart",
    NONE_ADEQUATE: "even the best of the models misses something systematic",
    NO_GAP: "a smooth background does as well as every model with a gap",
    NOT_FITTED: "no spectrum that can be fitted",
}
"""What each verdict says; {model} is the preferred one."""

CLOSE = 2.0
"""Difference of Akaike's criterion below which two models are tied."""
DECISIVE = 10.0
"""Difference above which a verdict is not a matter of chance."""

CONTAINED = {
    "bcs": {"dynes", "btk", "btk+broadening", "two_barriers", "two_gaps", "sis",
            "btk_altshuler_aronov", "dynes_altshuler_aronov"},
    "dynes": {"btk+broadening", "dynes_altshuler_aronov", "sis"},
    "btk": {"btk+broadening", "two_barriers", "two_gaps", "btk_altshuler_aronov"},
}  # fmt: skip
"""Models and those that are the same at a bound of their other parameters."""

_NOT_FITTED = frozenset({"too_few_points", "constant", "negative"})
_WRONG = frozenset({"model_inadequate", "no_gap", "not_converged"})


@dataclass(frozen=True)
class Contest:
    """k models fitted to p spectra with the same noise; arrays (p, k) and (p,)."""

    outcomes: tuple[Outcome, ...]
    chi_square: Array
    aic: Array
    bic: Array
    delta_aic: Array
    """Akaike's criterion, chi-squares divided by what the best model has left, above the lowest."""
    preferred: NDArray[np.object_]
    verdict: NDArray[np.object_]
    evidence: Array
    """How much larger `delta_aic` of the next model is that is not the same; NaN if there is none."""


def contest(data: Data, solvers: Sequence[Solver], outcomes: Sequence[Outcome]) -> Contest:
    """Compare fits of the same spectra by several models."""
    models = tuple(solver.choice.model.name for solver in solvers)
    if data.deviation is None:
        outcomes = _with_common_noise(data, solvers, outcomes)
    chi_square = np.stack([o.chi_square for o in outcomes], axis=1)
    parameters = np.stack([o.parameters for o in outcomes], axis=1)
    inflation = np.stack([o.inflation for o in outcomes], axis=1)
    best = np.argmin(np.where(np.isfinite(chi_square), chi_square, np.inf), axis=1)
    inflation = np.take_along_axis(inflation, best[:, None], axis=1)
    delta = chi_square / inflation + 2.0 * parameters
    delta -= np.min(delta, axis=1, keepdims=True)
    verdicts = [
        _verdict(models, lead, [frozenset(o.flags[p]) for o in outcomes])
        for p, lead in enumerate(delta)
    ]
    words = np.array(verdicts, dtype=object).reshape(-1, 3)
    return Contest(
        outcomes=tuple(outcomes),
        chi_square=chi_square,
        aic=np.stack([o.aic for o in outcomes], axis=1),
        bic=np.stack([o.bic for o in outcomes], axis=1),
        delta_aic=delta,
        preferred=words[:, 0],
        verdict=words[:, 1],
        evidence=words[:, 2].astype(np.float64),
    )


def _with_common_noise(
    data: Data, solvers: Sequence[Solver], outcomes: Sequence[Outcome]
) -> tuple[Outcome, ...]:
    """Fit again with the noise of the model that leaves least of it."""
    fitted = np.all([np.isfinite(o.chi_square) for o in outcomes], axis=0)
    known = np.isfinite(data.bias) & np.isfinite(data.conductance)
    level = np.array(
        [np.sum(np.log(o.deviation), axis=1, where=known & fitted[:, None]) for o in outcomes]
    )
    quietest = np.argmin(level, axis=0)
    deviation = np.choose(quietest[:, None], [o.deviation for o in outcomes])
    return tuple(
        _again(data, solver, outcome, deviation, np.flatnonzero(fitted & (quietest != k)))
        for k, (solver, outcome) in enumerate(zip(solvers, outcomes, strict=True))
    )


def _again(
    data: Data, solver: Solver, outcome: Outcome, deviation: Array, rows: NDArray[np.int64]
) -> Outcome:
    """The same fits, those of `rows` made again with this noise."""
    stack = StackFitter(solver)
    again = stack.nothing(data.conductance.shape)
    for first in range(0, len(rows), TILE):
        tile = rows[first : first + TILE]
        stack.fit_tile(again, tile, data.bias[tile], data.conductance[tile], deviation[tile])
    others = np.ones(len(data.bias), dtype=np.bool_)
    others[rows] = False
    again.take(outcome, others)
    return again


def _verdict(
    models: tuple[str, ...], lead: Array, flags: list[frozenset[str]]
) -> tuple[str, str, float]:
    """The preferred model, the verdict, and the evidence, from Akaike's criterion above the lowest."""
    if any(f & _NOT_FITTED for f in flags) or not np.all(np.isfinite(lead)):
        return "", NOT_FITTED, np.nan
    best = int(np.argmin(lead))
    equal = _equal(models, lead, best)
    evidence = min((lead[k] for k in range(len(models)) if k not in equal), default=np.nan)
    if all("no_gap" in f for f, model in zip(flags, models, strict=True) if model != "normal"):
        flat = "normal" in models and not flags[models.index("normal")] & _WRONG
        return "normal" if flat else "", NO_GAP, evidence
    if flags[best] & _WRONG:
        return "", NONE_ADEQUATE, evidence
    simplest = _simplest([models[k] for k in equal])
    if simplest is None:
        return "", TIED, lead[np.argsort(lead)[1]]
    if np.isnan(evidence):
        return simplest, SUFFICIENT, evidence
    return simplest, PREFERRED if evidence > DECISIVE else WEAK, evidence


def _equal(models: tuple[str, ...], lead: Array, best: int) -> list[int]:
    """The best model, those that do as well, and those that contain it (they cannot do worse)."""
    within = CONTAINED.get(models[best], set())
    return [k for k, model in enumerate(models) if lead[k] < CLOSE or model in within]


def _simplest(models: list[str]) -> str | None:
    """The model that all others contain, if there is one."""
    for model in models:
        if set(models) <= CONTAINED.get(model, set()) | {model}:
            return model
    return None

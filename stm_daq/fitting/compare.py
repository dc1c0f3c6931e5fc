"""Which of several models spectra prefer: `compare`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from stm_daq.fitting.checks import check_fixed
from stm_daq.fitting.contest import Contest, contest
from stm_daq.fitting.data import Conditions, Data, read
from stm_daq.fitting.dataset import texts
from stm_daq.fitting.models import MODELS, Choice, choose
from stm_daq.fitting.spectra import run

if TYPE_CHECKING:
    import xarray


def compare(
    bias: ArrayLike,
    conductance: ArrayLike,
    models: Sequence[str] = ("btk", "dynes"),
    *,
    free: Iterable[str] | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    noise: ArrayLike | None = None,
    modulation: float = 0.0,
    voltage_noise: float = 0.0,
    memory: ArrayLike = (1.0,),
    loss: str = "linear",
    engine: str = "exact",
) -> xarray.Dataset:
    """Fit several models to dI/dV spectra and tell which of them each spectrum prefers.

    All models are given the same noise: where it is not known, that of the model whose residuals
    have the least of it. (Were it estimated for each model, one that misses something would take
    that for noise.) Chi-squares are divided by what correlated neighbours or a misfit enlarge
    variances by, in the best model: what no model explains is no evidence. Then Akaike's criterion,
    chi-square + 2 (number of parameters), decides: differences below 2 mean nothing, above 10 they
    are not a matter of chance (K. P. Burnham, D. R. Anderson, Sociol. Methods Res. 33, 261 (2004)).
    Where a model contains another one and gains nothing by that, the simpler one is meant. Every
    model must also do better than a smooth background (a polynomial of fourth degree).

    Parameters
    ----------
    bias, conductance, noise, modulation, voltage_noise, memory, loss, engine
        As for `stm_daq.fitting.fit`.
    models : sequence of str
        At least two different keys of `stm_daq.fitting.MODELS`. "normal" is the flat background.
    free, fixed : optional
        As for `fit`; each model takes those that it has. Other parameters are those that are free
        in `fit` by default, or what the model has them fixed at.

    Returns
    -------
    xarray.Dataset
        Over the stack and `model`: `chi_square`, `dof`, `reduced_chi_square`, `misfit`, `aic`,
        `bic`, `delta_aic` (to the lowest, chi-squares divided as above), `ok`, `flags`. Of a model
        flagged "no_gap" they are those of the smooth background. Over the stack: `preferred` (a
        model, or "" if none is), `verdict` (a key of `stm_daq.fitting.VERDICTS`, which has the
        sentences) and `evidence`: how much larger the criterion of the next model is that is not
        the same.

    Raises
    ------
    ValueError
        As `fit`; or if there are fewer than two models, or a parameter belongs to none.
    """
    names = tuple(models)
    if isinstance(models, str) or len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"models {models}: give at least two different ones")
    conditions = Conditions(modulation, voltage_noise, memory, loss, engine)
    data = read(bias, conductance, conditions, noise)
    choices = _choices(names, fixed or {}, free, data)
    solvers = [conditions.solver(choice, data.volts) for choice in choices]
    outcomes = [run(data, solver, engine) for solver in solvers]
    settings = conditions.as_dict() | {"noise": "common" if noise is None else "given"}
    return _as_dataset(contest(data, solvers, outcomes), data, settings)


def _choices(
    names: tuple[str, ...],
    fixed: Mapping[str, ArrayLike],
    free: Iterable[str] | None,
    data: Data,
) -> list[Choice]:
    """Each model with those of the parameters that it has."""
    if isinstance(free, str):
        raise ValueError(f"free is the text '{free}': give a list of names")
    wanted = None if free is None else tuple(free)
    choices, used = [], set()
    for name in names:
        own = MODELS[name].names if name in MODELS else ()
        values = {key: value for key, value in fixed.items() if key in own}
        open_ = None if wanted is None else [key for key in wanted if key in own]
        choices.append(check_fixed(choose(name, values, open_), data.leading, data.volts))
        used |= set(own)
    unknown = (set(fixed) | set(wanted or ())) - used
    if unknown:
        raise ValueError(f"none of {names} has a parameter {', '.join(sorted(unknown))}")
    return choices


def _as_dataset(found: Contest, data: Data, settings: Mapping[str, Any]) -> xarray.Dataset:
    import xarray

    outcomes = found.outcomes
    models = [o.choice.model.name for o in outcomes]
    each = {
        "chi_square": found.chi_square,
        "dof": np.stack([o.dof for o in outcomes], axis=1),
        "reduced_chi_square": np.stack([o.reduced for o in outcomes], axis=1),
        "misfit": np.stack([o.misfit for o in outcomes], axis=1),
        "aic": found.aic,
        "bic": found.bic,
        "delta_aic": found.delta_aic,
        "ok": np.stack([o.ok for o in outcomes], axis=1),
        "flags": np.stack([texts(",".join(f) for f in o.flags) for o in outcomes], axis=1),
    }
    one = {"preferred": found.preferred, "verdict": found.verdict, "evidence": found.evidence}
    dims, shape = data.dims, data.leading
    variables = {
        name: ((*dims, "model"), values.reshape(*shape, len(models)))
        for name, values in each.items()
    } | {name: (dims, values.reshape(shape)) for name, values in one.items()}
    coords = dict(data.coords) | {"model": models}
    return xarray.Dataset(variables, coords).assign_attrs(settings)

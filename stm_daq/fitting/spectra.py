"""Fit one spectrum or a stack of them: `fit`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.fitting.checks import check_bias, check_fixed, check_noise, check_stack
from stm_daq.fitting.lag import forget
from stm_daq.fitting.models import Choice, choose, unit
from stm_daq.fitting.solver import LOSSES, Solver
from stm_daq.fitting.stack import Outcome, StackFitter
from stm_daq.fitting.table import fit_table

if TYPE_CHECKING:
    import xarray

type Array = NDArray[np.float64]

ENGINES = ("exact", "table")


def fit(
    bias: ArrayLike,
    conductance: ArrayLike,
    model: str = "btk",
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
    """Fit dI/dV spectra: G(V) = scale g(V - offset) [1 + slope (V - offset)].

    Parameters
    ----------
    bias : array_like, shape (n,) or that of `conductance`
        V, in any order and spacing.
    conductance : array_like, shape (..., n)
        dI/dV in S (any unit will do; `scale` is in the same one): one spectrum or a stack. NaN
        points are left out. Of an `xarray.DataArray` the leading dimensions keep their names and
        coordinates; else they are called spectrum, or y and x, or dim_0, dim_1, ...
    model : str
        A key of `stm_daq.fitting.MODELS`.
    free : iterable of str, optional
        Parameters to fit; by default those of the model, scale and offset.
    fixed : mapping, optional
        Parameters not to fit and their values (eV, K, 1, eV, S, V, 1/V), each one number or an array
        over the stack.
    noise : float or array_like, shape (n,) or that of `conductance`, optional
        Standard deviation of the conductance, in its unit. By default it is estimated for every
        spectrum from differences between residuals of near points, constant plus a part growing
        with |V| (shot noise).
    modulation, voltage_noise : float
        Peak amplitude of the lock-in modulation and rms of Gaussian noise of the bias, V.
    memory : array_like, shape (m,)
        Weights of the present and earlier points in each measured value, as a lock-in's time
        constant makes them; taken out before the fit. Points must be in the order in which they
        were measured. See `stm_daq.fitting.lag`.
    loss : str
        "linear" (least squares), or "soft_l1", "huber", "cauchy", which give outliers less weight.
    engine : str
        "exact": every spectrum is compared with the model itself. "table", for maps on one bias
        grid: with a table of the model, and with the model itself where that is not exact enough;
        see `stm_daq.fitting.table`.

    Returns
    -------
    xarray.Dataset
        Per spectrum and parameter `<name>`, `<name>_std` (0 for fixed ones) and, for barriers and
        broadenings, `<name>_limit` (95 %) where a flag says that there is only a limit;
        `correlation` over (parameter, parameter_); `chi_square` (with a robust loss its cost),
        `dof`, `reduced_chi_square`, `misfit`, `aic`, `bic`, `ok` and `flags`, joined by commas,
        which `stm_daq.fitting.explain` explains. See `FitResult` for their meaning. NaN where a
        spectrum does not tell. Attributes hold model and settings, those of variables the units.

    Raises
    ------
    ValueError
        If shapes differ, the bias is not in V, or the choice of parameters is not possible.
    """
    _check_settings(loss, engine)
    values = check_stack(conductance)
    leading, points = values.shape[:-1], values.shape[-1]
    volts = check_bias(bias, values.shape, modulation)
    choice = choose(model, fixed, free)
    choice = check_fixed(choice, leading)
    deviation = check_noise(noise, values.shape)
    solver = prepare(volts, choice, modulation, voltage_noise, loss)
    rows = forget(values.reshape(-1, points), np.asarray(memory, dtype=np.float64))
    grids = np.broadcast_to(volts, values.shape).reshape(-1, points)
    if engine == "table":
        outcome = fit_table(solver, grids, rows, deviation)
    else:
        outcome = StackFitter(solver).fit(grids, rows, deviation)
    settings = {
        "modulation": modulation,
        "voltage_noise": voltage_noise,
        "memory": np.asarray(memory, dtype=np.float64),
        "loss": loss,
        "engine": engine,
        "noise": "estimated" if noise is None else "given",
    }
    return as_dataset(outcome, conductance, leading, settings | outcome.notes)


def prepare(
    bias: Array, choice: Choice, modulation: float, voltage_noise: float, loss: str
) -> Solver:
    """The solver for spectra at these biases (V, any shape)."""
    finite = np.sort(np.atleast_2d(np.where(np.isfinite(bias), bias, np.nan)), axis=-1)
    largest = float(np.nanmax(np.abs(finite)))
    spacing = float(np.nanmedian(np.diff(finite, axis=-1)))
    return Solver(choice, largest, spacing, float(modulation), float(voltage_noise), loss)


def _check_settings(loss: str, engine: str) -> None:
    if loss not in LOSSES:
        raise ValueError(f"unknown loss '{loss}': use one of {', '.join(LOSSES)}")
    if engine not in ENGINES:
        raise ValueError(f"unknown engine '{engine}': use one of {', '.join(ENGINES)}")


def as_dataset(
    outcome: Outcome,
    conductance: Any,
    leading: tuple[int, ...],
    settings: Mapping[str, Any],
) -> xarray.Dataset:
    """Fits of a stack with `leading` axes as a dataset, with the names these have in `conductance`."""
    # variables and indices made here keep xarray from importing every array library that is installed
    import pandas
    import xarray

    choice = outcome.choice
    dims, coords = _leading(conductance, leading)
    data: dict[str, xarray.Variable] = {}

    def put(name: str, values: Any, what: str, units: str = "") -> None:
        shaped = np.asarray(values).reshape(leading)
        attributes = {"long_name": what} | ({"units": units} if units else {})
        data[name] = xarray.Variable(dims, shaped, attributes, fastpath=True)

    for name in choice.reported:
        units = unit(choice.model, name)
        put(name, outcome.values[name], name.replace("_", " "), units)
        put(f"{name}_std", outcome.std[name], f"standard deviation of {name}", units)
        if name in outcome.limits:
            what = f"95 % limit of {name} where it is not determined"
            put(f"{name}_limit", outcome.limits[name], what, units)
    put("chi_square", outcome.chi_square, "chi-square")
    put("dof", outcome.dof, "degrees of freedom")
    put("reduced_chi_square", outcome.reduced, "chi-square per degree of freedom")
    put("misfit", outcome.misfit, "power of the residuals over that of independent noise")
    parameters = outcome.points - outcome.dof
    put("aic", outcome.chi_square + 2.0 * parameters, "Akaike's information criterion")
    penalty = parameters * np.log(np.maximum(outcome.points, 1))
    put("bic", outcome.chi_square + penalty, "Bayesian information criterion")
    put("ok", outcome.ok, "whether every value may be used within its standard deviation")
    put("flags", np.array([",".join(f) for f in outcome.flags], dtype=object), "verdicts")
    square = (*leading, len(choice.free), len(choice.free))
    pairs = (*dims, "parameter", "parameter_")
    data["correlation"] = xarray.Variable(pairs, outcome.correlation.reshape(square), fastpath=True)
    names = pandas.Index(choice.free)
    coords |= {"parameter": names, "parameter_": names}
    return xarray.Dataset(data, coords, _attributes(choice, settings))


def _leading(conductance: Any, leading: tuple[int, ...]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Names and coordinates of the axes of the stack."""
    names = getattr(conductance, "dims", None)
    if names is not None:
        kept = {key: c for key, c in conductance.coords.items() if names[-1] not in c.dims}
        return tuple(names[:-1]), kept
    if len(leading) <= 2:
        return ((), ("spectrum",), ("y", "x"))[len(leading)], {}
    return tuple(f"dim_{axis}" for axis in range(len(leading))), {}


def _attributes(choice: Choice, settings: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {
        f"fixed_{name}": float(value) if value.ndim == 0 else "one for every spectrum"
        for name, value in choice.fixed.items()
        if name in choice.reported
    }
    return {"model": choice.model.name, "free": list(choice.free)} | fixed | dict(settings)

"""Fit one spectrum or a stack of them: `fit`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from stm_daq.fitting.checks import check_fixed
from stm_daq.fitting.data import Conditions, Data, read
from stm_daq.fitting.dataset import as_dataset
from stm_daq.fitting.joint import fit_with_current
from stm_daq.fitting.models import choose
from stm_daq.fitting.outcome import Outcome
from stm_daq.fitting.solver import Solver
from stm_daq.fitting.stack import StackFitter
from stm_daq.fitting.table import fit_table

if TYPE_CHECKING:
    import xarray


def fit(
    bias: ArrayLike,
    conductance: ArrayLike,
    model: str = "btk",
    *,
    free: Iterable[str] | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    noise: ArrayLike | None = None,
    current: ArrayLike | None = None,
    current_noise: ArrayLike | None = None,
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
    conditions = Conditions(modulation, voltage_noise, memory, loss, engine)
    data = read(bias, conductance, conditions, noise, current, current_noise)
    chosen = choose(model, fixed, free, with_current=current is not None)
    choice = check_fixed(chosen, data.leading, data.volts)
    if current is None:
        outcome = run(data, conditions.solver(choice, data.volts), engine)
    else:
        outcome = fit_with_current(data, choice, conditions)
    settings = conditions.as_dict() | {"noise": "estimated" if noise is None else "given"}
    return as_dataset(outcome, data, settings)


def run(data: Data, solver: Solver, engine: str = "exact") -> Outcome:
    """Fit checked spectra with one model."""
    if engine == "table":
        return fit_table(solver, data.bias, data.conductance, data.deviation)
    return StackFitter(solver).fit(data.bias, data.conductance, data.deviation)

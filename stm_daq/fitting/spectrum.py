"""Fit one measured spectrum at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from stm_daq.fitting.checks import check_bias, check_fixed, check_noise, check_stack
from stm_daq.fitting.data import Conditions
from stm_daq.fitting.lag import forget, remember
from stm_daq.fitting.models import choose
from stm_daq.fitting.outcome import Outcome
from stm_daq.fitting.result import FitResult
from stm_daq.fitting.stack import StackFitter


class OnlineFitter:
    """Fits spectra one at a time that share a bias grid, a modulation and a model.

    What the spectra have in common (order of the bias, bounds, templates) is prepared once. The
    result of a spectrum does not depend on those before it.

    Parameters
    ----------
    bias : array_like, shape (n,)
        V, in any order and spacing; NaN points are ignored.
    modulation : float
        Peak amplitude of the lock-in modulation at the junction, V.
    model : str
        A key of `stm_daq.fitting.MODELS`.
    fixed, free : optional
        See `stm_daq.fitting.models.choose`.
    memory : array_like, shape (m,)
        Weights of the present and earlier points in each measured value, in the order in which they
        were measured; see :func:`stm_daq.fitting.lag.forget`.

    Raises
    ------
    ValueError
        If the bias is not a vector in V, or the choice of parameters is not possible.
    """

    def __init__(
        self,
        bias: ArrayLike,
        modulation: float = 0.0,
        model: str = "btk",
        *,
        fixed: Mapping[str, float] | None = None,
        free: Iterable[str] | None = None,
        memory: ArrayLike = (1.0,),
    ) -> None:
        self.bias = np.array(bias, dtype=np.float64)
        self.memory = np.array(memory, dtype=np.float64)
        if self.bias.ndim != 1:
            raise ValueError(f"bias has shape {self.bias.shape}: give a vector in V")
        conditions = Conditions(modulation, memory=self.memory)
        check_bias(self.bias, self.bias.shape, modulation)
        self.choice = check_fixed(choose(model, fixed, free), (), self.bias)
        self._stack = StackFitter(conditions.solver(self.choice, self.bias))

    def warm_up(self) -> None:
        """Compile and load the kernels, so that the first spectrum is as quick as the others."""
        noise = 0.02 * np.random.default_rng(0).standard_normal(self.bias.shape)
        self.fit(1.0 + noise + np.abs(self.bias) / np.nanmax(np.abs(self.bias)))

    def fit(self, conductance: ArrayLike, *, noise: ArrayLike | None = None) -> FitResult:
        """Fit one spectrum; see :func:`fit_spectrum`."""
        values = check_stack(conductance)
        if values.shape != self.bias.shape:
            raise ValueError(
                f"conductance has shape {values.shape} but bias {self.bias.shape}: "
                "give one value for every bias"
            )
        deviation = check_noise(noise, values.shape)
        rows = forget(values, self.memory)[None]
        return self._result(self._stack.fit(self.bias[None], rows, deviation))

    def _result(self, outcome: Outcome) -> FitResult:
        choice = self.choice
        curve = self._stack.curve(outcome, 0, self.bias)
        return FitResult(
            model=choice.model.name,
            values={name: float(outcome.values[name][0]) for name in choice.reported},
            std={name: float(outcome.std[name][0]) for name in choice.reported},
            limits={n: float(v[0]) for n, v in outcome.limits.items() if np.isfinite(v[0])},
            free=choice.free,
            correlation=outcome.correlation[0],
            chi_square=float(outcome.chi_square[0]),
            reduced_chi_square=float(outcome.reduced[0]),
            dof=int(outcome.dof[0]),
            misfit=float(outcome.misfit[0]),
            ok=bool(outcome.ok[0]),
            flags=outcome.flags[0],
            curve=remember(curve, self.memory),
        )


def fit_spectrum(
    bias: ArrayLike,
    conductance: ArrayLike,
    *,
    model: str = "btk",
    modulation: float = 0.0,
    fixed: Mapping[str, float] | None = None,
    free: Iterable[str] | None = None,
    noise: ArrayLike | None = None,
) -> FitResult:
    """Fit a model to one dI/dV spectrum: G(V) = scale g(V - offset) [1 + slope (V - offset)].

    Parameters
    ----------
    bias : array_like, shape (n,)
        V, in any order and spacing.
    conductance : array_like, shape (n,)
        dI/dV in S (any unit will do; `scale` is in the same one). NaN points are left out.
    model : str
        A key of `stm_daq.fitting.MODELS`.
    modulation : float
        Peak amplitude of the lock-in modulation at the junction, V.
    fixed : mapping, optional
        Parameters not to fit and their values (eV, K, 1, eV, S, V, 1/V).
    free : iterable of str, optional
        Parameters to fit, if not those of the model, scale and offset.
    noise : float or array_like, shape (n,), optional
        Standard deviation of the conductance, in its unit. By default it is estimated from
        differences between residuals of near points, constant plus a part growing with |V| (shot
        noise).

    Returns
    -------
    FitResult
        Standard deviations are those of the linearised fit with all parameters free, from the
        noise and the correlation of its neighbours (as a lock-in's filter makes it, in a sweep of
        one direction). Where the residuals are systematic ("model_inadequate") they are multiplied by the
        square root of the reduced chi-square, or of the same ratio taken over blocks of
        neighbouring points if that is larger; they then measure the misfit, not the noise.

    Raises
    ------
    ValueError
        If shapes differ, the bias is not in V, or the choice of parameters is not possible.
    """
    vector = np.array(bias, dtype=np.float64)
    held = tuple(sorted((fixed or {}).items()))
    wanted = None if free is None else tuple(free)
    fitter = _fitter(vector.tobytes(), vector.shape, modulation, model, held, wanted)
    return fitter.fit(conductance, noise=noise)


@lru_cache(maxsize=8)
def _fitter(
    bias: bytes,
    shape: tuple[int, ...],
    modulation: float,
    model: str,
    fixed: tuple[tuple[str, float], ...],
    free: tuple[str, ...] | None,
) -> OnlineFitter:
    """The prepared fitter of a bias grid; templates are worth keeping for the next spectrum."""
    vector = np.frombuffer(bias).reshape(shape)
    return OnlineFitter(vector, modulation, model, fixed=dict(fixed), free=free)

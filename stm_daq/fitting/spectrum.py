"""Fit one measured spectrum: start values, search, noise, errors, verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.fitting.background import TERMS, smooth_background
from stm_daq.fitting.checks import check_bias, check_conductance, noise_in_order
from stm_daq.fitting.judge import judge
from stm_daq.fitting.lag import forget, remember
from stm_daq.fitting.models import Choice, bounds, choose, to_physical
from stm_daq.fitting.result import FitResult
from stm_daq.fitting.solver import Search
from stm_daq.fitting.start import Templates
from stm_daq.fitting.verdict import is_ok

type Array = NDArray[np.float64]

SPARE_POINTS = 10
"""A fit needs this many points more than parameters."""

ACCURACY = 1e-4
"""The noise is never taken smaller than this part of the conductance."""

POOR = 1.5
"""Reduced chi-square above which the second template is tried too."""

COARSE, FINE = 0.1, 2e-3
"""Decrease of chi-square at which the search stops before and after the noise is known."""


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
        "btk", "btk+broadening" or "dynes".
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
        self.modulation = float(modulation)
        check_bias(self.bias, self.modulation)
        self.choice: Choice = choose(model, fixed, free)
        finite = np.flatnonzero(np.isfinite(self.bias))
        self._order = finite[np.argsort(self.bias[finite], kind="stable")]
        self._sorted = self.bias[self._order]
        self._largest = float(np.max(np.abs(self._sorted)))
        spacing = float(np.median(np.diff(self._sorted)))
        self._bounds = bounds(self._largest, spacing, 1.0)
        self._templates = Templates(self._largest, self.modulation, self.choice)

    def warm_up(self) -> None:
        """Compile and load the kernels, so that the first spectrum is as quick as the others."""
        noise = 0.02 * np.random.default_rng(0).standard_normal(self.bias.shape)
        self.fit(1.0 + noise + np.abs(self.bias) / self._largest)

    def fit(self, conductance: ArrayLike, *, noise: ArrayLike | None = None) -> FitResult:
        """Fit one spectrum; see :func:`fit_spectrum`."""
        ordered = forget(check_conductance(conductance, self.bias.shape), self.memory)[self._order]
        deviation = noise_in_order(noise, self.bias.shape, self._order)
        bias = self._sorted
        valid = np.isfinite(ordered)
        if not valid.all():
            bias, ordered = bias[valid], ordered[valid]
            deviation = None if deviation is None else deviation[valid]
        if len(ordered) < len(self.choice.free) + SPARE_POINTS:
            return self._hopeless("too_few_points")
        if np.ptp(ordered) == 0.0:
            return self._hopeless("constant")
        if np.median(ordered) < 0.0 and np.max(ordered) < -np.min(ordered):
            return self._hopeless("negative")
        unit = float(np.median(np.abs(ordered))) or float(np.max(np.abs(ordered)))
        relative = None if deviation is None else deviation / unit
        return self._fit_normalised(bias, ordered / unit, relative, unit)

    def _fit_normalised(
        self, bias: Array, values: Array, deviation: Array | None, unit: float
    ) -> FitResult:
        from stm_daq.fitting import kernel

        centre = self._centre(bias, values)
        if deviation is None:
            weight = 1.0 / kernel.raw_variance(bias, values, centre, ACCURACY**2)
        else:
            weight = 1.0 / np.maximum(np.square(deviation), ACCURACY**2)
        rows, scales = self._templates.rank(bias, values, weight, centre)
        if "scale" in self.choice.fixed:
            scales[:] = self.choice.fixed["scale"] / unit
        search = self._descend(bias, values, weight, centre, rows[0], scales[0])
        if search.reduced_chi_square > POOR:
            other = self._descend(bias, values, weight, centre, rows[1], scales[1])
            search = other if other.chi_square < search.chi_square else search
        if deviation is None:
            offset = float(search.theta[5])
            variance = kernel.residual_variance(bias, search.residual, offset, ACCURACY**2)
            search.reweight(1.0 / variance)
        search.run(FINE)
        return self._result(search, unit)

    def _centre(self, bias: Array, values: Array) -> float:
        """Bias offset to start from: the centre of symmetry, if the sweep covers both polarities."""
        from stm_daq.fitting import kernel

        if "offset" in self.choice.fixed:
            return self.choice.fixed["offset"]
        first, last = float(bias[0]), float(bias[-1])
        if first + last > 0.2 * (last - first) or first + last < -0.2 * (last - first):
            return 0.0
        step = (last - first) / (len(bias) - 1)
        uniform = np.interp(first + step * np.arange(len(bias)), bias, values)
        return float(kernel.symmetry_centre(uniform, first, step, 0.15 * self._largest))

    def _descend(
        self, bias: Array, values: Array, weight: Array, centre: float, row: Array, scale: float
    ) -> Search:
        """Search from one template."""
        gap, kelvin, reflection, broadening = row.tolist()
        slope = self.choice.fixed.get("slope", 0.0)
        theta = np.array([gap, math.log(kelvin), reflection, broadening, scale, centre, slope])
        search = Search(bias, values, self.modulation, self.choice.index, *self._bounds)
        search.start(theta, weight)
        search.run(COARSE)
        return search

    def _result(self, search: Search, unit: float) -> FitResult:
        background = smooth_background(search.bias, search.values, search.weight)
        judgement = judge(search, self.choice, background)
        if "no_gap" in judgement.flags:
            values = dict.fromkeys(self.choice.free, math.nan)
            std = dict(values)
            values["scale"], std["scale"] = background.at_zero, background.at_zero_std
            values = dict(self.choice.fixed) | values
            std = dict.fromkeys(self.choice.fixed, 0.0) | std
            chi_square, dof = background.chi_square, len(search.bias) - TERMS
            curve = background.curve(self.bias)
        else:
            values, std = to_physical(search.theta), judgement.std
            chi_square, dof = search.chi_square, search.dof
            curve = search.curve(self.bias)
        values["scale"] *= unit
        std["scale"] *= unit
        return FitResult(
            model=self.choice.model,
            values={name: values[name] for name in self.choice.reported},
            std={name: std[name] for name in self.choice.reported},
            free=self.choice.free,
            correlation=judgement.correlation,
            chi_square=chi_square,
            reduced_chi_square=chi_square / dof,
            dof=dof,
            misfit=judgement.misfit,
            ok=is_ok(judgement.flags),
            flags=judgement.flags,
            curve=remember(curve * unit, self.memory),
        )

    def _hopeless(self, flag: str) -> FitResult:
        """The result of a spectrum that cannot be fitted at all."""
        names, count = self.choice.reported, len(self.choice.free)
        nothing = dict.fromkeys(names, math.nan)
        return FitResult(
            model=self.choice.model,
            values=nothing,
            std=dict(nothing),
            free=self.choice.free,
            correlation=np.full((count, count), math.nan),
            chi_square=math.nan,
            reduced_chi_square=math.nan,
            dof=0,
            misfit=math.nan,
            ok=False,
            flags=(flag,),
            curve=np.full(self.bias.shape, math.nan),
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
        "btk", "btk+broadening" or "dynes"; see `stm_daq.physics`.
    modulation : float
        Peak amplitude of the lock-in modulation at the junction, V.
    fixed : mapping, optional
        Parameters not to fit and their values (eV, K, 1, eV, S, V, 1/V).
    free : iterable of str, optional
        Parameters to fit, if not those of the model: gap, temperature, barrier, scale, offset, and
        broadening where the model has it.
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

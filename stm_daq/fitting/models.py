"""What can be fitted: models, their parameters, bounds, and the coordinates of the search.

The search runs in gap, ln T, R = Z^2/(1 + Z^2), broadening, scale, offset and slope, because the
spectrum hardly depends on Z near Z = 0 but always on R, and T is known by ratio.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.btk import K_B, LOWEST_TEMPERATURE

NAMES = ("gap", "temperature", "barrier", "broadening", "scale", "offset", "slope")
"""Order of the parameters everywhere in this package (eV, K, 1, eV, S, V, 1/V)."""

MOST_REFLECTION = 100.0 / 101.0
"""Z = 10. Beyond, a contact cannot be told from a tunnel junction."""


@dataclass(frozen=True)
class Model:
    """A model of the differential conductance."""

    name: str
    free: tuple[str, ...]
    """Parameters fitted unless the caller says otherwise."""
    fixed: Mapping[str, float]
    """Values of the others."""


_CORE = ("gap", "temperature", "barrier", "scale", "offset")
MODELS = {
    "btk": Model("btk", _CORE, {"broadening": 0.0, "slope": 0.0}),
    "btk+broadening": Model("btk+broadening", (*_CORE, "broadening"), {"slope": 0.0}),
    "dynes": Model(
        "dynes",
        ("gap", "temperature", "scale", "offset", "broadening"),
        {"barrier": math.inf, "slope": 0.0},
    ),
}


@dataclass(frozen=True)
class Choice:
    """A model with the caller's choice of free and fixed parameters."""

    model: str
    free: tuple[str, ...]
    """In the order of `NAMES`."""
    fixed: Mapping[str, float]

    @property
    def index(self) -> NDArray[np.int64]:
        """Positions of the free parameters in `NAMES`."""
        return np.array([NAMES.index(name) for name in self.free], dtype=np.int64)

    @property
    def reported(self) -> tuple[str, ...]:
        """Parameters that a result lists: no barrier in "dynes", no nuisance nobody asked for."""
        silent = MODELS[self.model].fixed
        return tuple(n for n in NAMES if n in self.free or silent.get(n) != self.fixed[n])


def choose(
    model: str, fixed: Mapping[str, float] | None = None, free: Iterable[str] | None = None
) -> Choice:
    """Combine a model with the parameters the caller wants fixed or free.

    Parameters
    ----------
    model : str
        A key of `MODELS`.
    fixed : mapping, optional
        Values of parameters that must not be fitted, in the units of `NAMES`.
    free : iterable of str, optional
        The parameters to fit; those of the model by default. Others need a value in `fixed`, except
        `broadening`, `offset` and `slope`, which are 0 when not fitted.

    Raises
    ------
    ValueError
        If a name is unknown, a parameter is both free and fixed, or one has no value.
    """
    if model not in MODELS:
        raise ValueError(f"unknown model '{model}': use one of {', '.join(MODELS)}")
    given = dict(fixed or {})
    wanted = MODELS[model].free if free is None else tuple(free)
    unknown = sorted((set(given) | set(wanted)) - set(NAMES))
    if unknown:
        raise ValueError(f"unknown parameter {unknown}: use {', '.join(NAMES)}")
    if free is None:
        wanted = tuple(name for name in wanted if name not in given)
    values = {"offset": 0.0, "slope": 0.0, "broadening": 0.0} | dict(MODELS[model].fixed) | given
    both = sorted(set(wanted) & set(given))
    if both:
        raise ValueError(f"parameter {both} cannot be both free and fixed")
    if model == "dynes" and ("barrier" in wanted or "barrier" in given):
        raise ValueError("model 'dynes' has no barrier: use 'btk+broadening'")
    missing = [name for name in NAMES if name not in wanted and name not in values]
    if missing:
        raise ValueError(f"parameter {missing} is not free: give its value in fixed")
    if not wanted:
        raise ValueError("no parameter is free: there is nothing to fit")
    _check_fixed(given)
    held = {name: value for name, value in values.items() if name not in wanted}
    return Choice(model, tuple(name for name in NAMES if name in wanted), held)


def _check_fixed(given: Mapping[str, float]) -> None:
    for name, value in given.items():
        positive = name in ("gap", "temperature", "scale")
        signed = name in ("offset", "slope")
        if not math.isfinite(value) or (value <= 0 and positive) or (value < 0 and not signed):
            raise ValueError(
                f"fixed {name} of {value}: give a finite number in V, eV, K or S"
                + ("" if signed else ", positive" if positive else ", not negative")
            )


def to_physical(theta: NDArray[np.float64]) -> dict[str, float]:
    """Physical values from a vector of search coordinates."""
    values = dict(zip(NAMES, theta.tolist(), strict=True))
    values["temperature"] = math.exp(theta[1])
    values["barrier"] = math.sqrt(theta[2] / (1.0 - theta[2])) if theta[2] < 1.0 else math.inf
    return values


def bounds(
    largest: float, spacing: float, scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper bounds of the search coordinates.

    Parameters
    ----------
    largest : float
        Largest |bias|, V: a gap beyond it, or kT beyond half of it, cannot be seen.
    spacing : float
        Typical distance of neighbouring biases, V: kT far below it cannot be seen.
    scale : float
        Estimate of the normal-state conductance, S.
    """
    coldest = max(0.1 * spacing / K_B, 2.0 * LOWEST_TEMPERATURE)
    hottest = 0.5 * largest / K_B
    lower = [1e-2 * largest, math.log(coldest), 0.0, 1e-4 * largest, 1e-2 * scale]
    upper = [largest, math.log(hottest), MOST_REFLECTION, largest, 1e2 * scale]
    shift, tilt = 0.2 * largest, 0.5 / largest
    return np.array([*lower, -shift, -tilt]), np.array([*upper, shift, tilt])

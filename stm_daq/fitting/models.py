"""What can be fitted: models, their parameters, bounds, and the coordinates of the search.

The fitted curve is G(V) = scale g(V - offset) [1 + slope (V - offset)] with g a model of
`stm_daq.physics.models`. The search runs in that model's coordinates (the logarithm of a temperature,
the reflection R of a barrier), then scale, offset, slope and, where a current is fitted with the
conductance, the offset of the current.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.physics import models as physics
from stm_daq.physics.btk import K_B, LOWEST_TEMPERATURE

type Array = NDArray[np.float64]

NUISANCES = {"scale": "S", "offset": "V", "slope": "1/V", "current_offset": "A"}
"""Parameters of the measurement, behind those of the model; and their units."""

MOST_REFLECTION = 100.0 / 101.0
"""Z = 10. Beyond, a contact cannot be told from a tunnel junction."""

HIGHEST_GAP = 0.1
"""eV. No superconductor known has a larger one: the bias was not in V."""
HIGHEST_TEMPERATURE = 200.0
"""K. Nothing superconducts there: the bias was not in V."""

_SIGNED = ("offset", "slope", "current_offset")
_MAY_VANISH = ("barrier", "broadening", "weight", "exponent")
"""Kinds of parameters that may be zero."""


@cache
def family(name: str) -> str:
    """Kind of parameter: "gap" for gap, gap1, gap2 and tip_gap."""
    return name if name in NUISANCES else name.rstrip("0123456789").split("_")[-1]


@dataclass(frozen=True)
class Model:
    """A model of the differential conductance and what is fitted of it by default."""

    name: str
    shape: physics.Model
    fixed: Mapping[str, float]
    """Parameters that are not fitted unless the caller says so, and their values."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All parameters in the order of the search."""
        return (*self.shape.names, *NUISANCES)


def _models() -> dict[str, Model]:
    quiet = {"slope": 0.0, "current_offset": 0.0}
    found = {}
    for name, shape in physics.MODELS.items():
        fixed = dict(quiet)
        if any(family(n) == "barrier" for n in shape.names):
            fixed["broadening"] = 0.0  # a barrier is smearing enough unless asked for more
        found[name] = Model(name, shape, fixed)
    found["btk+broadening"] = Model("btk+broadening", physics.MODELS["btk"], quiet)
    found["normal"] = Model("normal", physics.MODELS["normal"], {"offset": 0.0} | quiet)
    return found


MODELS = _models()
"""Models by name."""


@dataclass(frozen=True)
class Choice:
    """A model with the caller's choice of free and fixed parameters."""

    model: Model
    free: tuple[str, ...]
    """In the order of the model's `names`."""
    fixed: Mapping[str, Array]
    """Numbers, or one for every spectrum of the stack."""

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Positions of the free parameters among the model's names."""
        return np.array([self.model.names.index(name) for name in self.free], dtype=np.int64)

    @cached_property
    def reported(self) -> tuple[str, ...]:
        """Parameters that a result lists: no nuisance nobody asked for."""
        silent = self.model.fixed
        return tuple(
            name
            for name in self.model.names
            if name in self.free or name not in silent or np.any(silent[name] != self.fixed[name])
        )

    def scalar(self, name: str) -> float | None:
        """Value of a parameter that is fixed at the same one in all spectra, else None."""
        value = self.fixed.get(name)
        return None if value is None or value.ndim else float(value)


def choose(
    model: str,
    fixed: Mapping[str, ArrayLike] | None = None,
    free: Iterable[str] | None = None,
    *,
    with_current: bool = False,
) -> Choice:
    """Combine a model with the parameters the caller wants fixed or free.

    Parameters
    ----------
    model : str
        A key of `MODELS`.
    fixed : mapping, optional
        Values of parameters that must not be fitted: numbers, or arrays over the stack of spectra.
    free : iterable of str, optional
        The parameters to fit; those of the model by default. Others need a value in `fixed`, except
        those that a model has at a default (broadening, offset and slope: 0).
    with_current : bool
        Whether a current is fitted too; then its offset is free unless fixed.

    Raises
    ------
    ValueError
        If a name is unknown, a parameter is both free and fixed, or one has no value.
    """
    if model not in MODELS:
        raise ValueError(f"unknown model '{model}': use one of {', '.join(MODELS)}")
    chosen = MODELS[model]
    given = {name: _number(name, value) for name, value in (fixed or {}).items()}
    if isinstance(free, str):
        raise ValueError(f"free is the text '{free}': give a list of names")
    wanted = _default_free(chosen, given, with_current) if free is None else tuple(free)
    unknown = sorted((set(given) | set(wanted)) - set(chosen.names))
    if unknown:
        raise ValueError(
            f"model '{model}' has no parameter {', '.join(unknown)}: use {', '.join(chosen.names)}"
        )
    both = sorted(set(wanted) & set(given))
    if both:
        raise ValueError(f"parameter {both} cannot be both free and fixed")
    at_zero = {n: np.zeros(()) for n in chosen.names if family(n) in ("offset", "broadening")}
    values = at_zero | dict(chosen.fixed) | given
    missing = [name for name in chosen.names if name not in wanted and name not in values]
    if missing:
        raise ValueError(f"parameter {missing} is not free: give its value in fixed")
    if not wanted:
        raise ValueError("no parameter is free: there is nothing to fit")
    if "current_offset" in wanted and not with_current:
        raise ValueError("current_offset can only be fitted if a current is given")
    _check_fixed(given)
    held = {n: np.asarray(values[n], dtype=np.float64) for n in chosen.names if n not in wanted}
    return Choice(chosen, tuple(name for name in chosen.names if name in wanted), held)


def _number(name: str, value: ArrayLike) -> Array:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"fixed {name} of {value!r}: give a number, or one a spectrum") from None


def _default_free(model: Model, given: Mapping[str, Array], with_current: bool) -> tuple[str, ...]:
    return tuple(
        name
        for name in model.names
        if name not in given
        and (name not in model.fixed or (name == "current_offset" and with_current))
    )


def _check_fixed(given: Mapping[str, Array]) -> None:
    for name, value in given.items():
        signed = name in _SIGNED
        may_vanish = signed or family(name) in _MAY_VANISH
        bad = ~np.isfinite(value) | (not signed and value < 0) | (not may_vanish and value == 0)
        if np.any(bad):
            raise ValueError(
                f"fixed {name} of {value}: give a finite number in V, eV, K or S"
                + ("" if signed else ", not negative" if may_vanish else ", positive")
            )


def to_coordinate(model: Model, name: str, values: ArrayLike) -> Array:
    """Search coordinates of physical values of one parameter."""
    array = np.asarray(values, dtype=np.float64)
    kind = _coordinate(model, name)
    if kind == "logarithm":
        return np.asarray(np.log(array))
    if kind == "reflection":
        return np.asarray(array**2 / (1.0 + array**2))
    return array


def to_value(model: Model, name: str, coordinates: ArrayLike) -> Array:
    """Physical values at search coordinates of one parameter."""
    array = np.asarray(coordinates, dtype=np.float64)
    kind = _coordinate(model, name)
    if kind == "logarithm":
        return np.asarray(np.exp(array))
    if kind == "reflection":
        return np.asarray(np.sqrt(array / (1.0 - array)))
    return array


def _coordinate(model: Model, name: str) -> str:
    for parameter in model.shape.parameters:
        if parameter.name == name:
            return parameter.coordinate
    return "itself"


def unit(model: Model, name: str) -> str:
    """Unit of a parameter; empty for plain numbers."""
    for parameter in model.shape.parameters:
        if parameter.name == name:
            return parameter.unit
    return NUISANCES[name]


def bounds(model: Model, largest: float, spacing: float) -> tuple[Array, Array]:
    """Lower and upper bounds of the search coordinates of a spectrum whose median is 1.

    Parameters
    ----------
    model : Model
    largest : float
        Largest |bias|, V: a gap beyond it, or kT beyond half of it, cannot be seen. Nor is there any
        beyond `HIGHEST_GAP` and `HIGHEST_TEMPERATURE`.
    spacing : float
        Typical distance of neighbouring biases, V: kT far below it cannot be seen.
    """
    coldest = min(max(0.1 * spacing / K_B, 2.0 * LOWEST_TEMPERATURE), 0.1 * HIGHEST_TEMPERATURE)
    hottest = min(0.5 * largest / K_B, HIGHEST_TEMPERATURE)
    ranges = {
        "gap": (1e-2 * largest, min(largest, HIGHEST_GAP)),
        "temperature": (math.log(coldest), math.log(hottest)),
        "barrier": (0.0, MOST_REFLECTION),
        "broadening": (1e-4 * largest, largest),
        "weight": (0.0, 1.0),
        "exponent": (0.0, 2.0),
        "scale": (1e-2, 1e2),
        "offset": (-0.2 * largest, 0.2 * largest),
        "slope": (-0.5 / largest, 0.5 / largest),
        "current_offset": (-10.0 * largest, 10.0 * largest),
    }
    pairs = [ranges[family(name)] for name in model.names]
    lower, upper = np.array(pairs, dtype=np.float64).T
    return np.ascontiguousarray(lower), np.ascontiguousarray(upper)

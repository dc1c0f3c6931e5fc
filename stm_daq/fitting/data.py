"""What is fitted: checked spectra, one a row, and how they were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.fitting.checks import (
    check_bias,
    check_current,
    check_memory,
    check_noise,
    check_smearing,
    check_stack,
)
from stm_daq.fitting.lag import forget
from stm_daq.fitting.models import Choice
from stm_daq.fitting.solver import LOSSES, Solver
from stm_daq.fitting.table import check as check_table

type Array = NDArray[np.float64]

ENGINES = ("exact", "table")


@dataclass(frozen=True)
class Conditions:
    """What decides a fit besides the spectra and the model; see `stm_daq.fitting.fit`.

    Raises
    ------
    ValueError
        If the loss or the engine is unknown, or a number is out of question.
    """

    modulation: float = 0.0
    voltage_noise: float = 0.0
    memory: ArrayLike = (1.0,)
    loss: str = "linear"
    engine: str = "exact"

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"unknown loss '{self.loss}': use one of {', '.join(LOSSES)}")
        if self.engine not in ENGINES:
            raise ValueError(f"unknown engine '{self.engine}': use one of {', '.join(ENGINES)}")
        check_smearing(self.modulation, self.voltage_noise)
        check_memory(self.memory)

    def solver(self, choice: Choice, bias: Array) -> Solver:
        """The solver for spectra at these biases (V, any shape).

        Raises
        ------
        ValueError
            If the engine does not know the model or the choice of its parameters.
        """
        finite = np.sort(np.atleast_2d(np.where(np.isfinite(bias), bias, np.nan)), axis=-1)
        largest = float(np.nanmax(np.abs(finite)))
        spacing = float(np.nanmedian(np.diff(finite, axis=-1)))
        smearing = float(self.modulation), float(self.voltage_noise)
        solver = Solver(choice, largest, spacing, *smearing, self.loss)
        if self.engine == "table":
            check_table(solver)
        return solver

    def as_dict(self) -> dict[str, Any]:
        """For the attributes of a result."""
        return {
            "modulation": self.modulation,
            "voltage_noise": self.voltage_noise,
            "memory": np.asarray(self.memory, dtype=np.float64),
            "loss": self.loss,
            "engine": self.engine,
        }


@dataclass(frozen=True)
class Data:
    """A stack of p spectra of n points, flattened to rows (p, n)."""

    volts: Array
    """Bias as it was given, V: (n,) or one for every point."""
    bias: Array
    """The same as rows."""
    conductance: Array
    """S, without the lock-in's lag; NaN where there is no point."""
    deviation: Array | None
    """Standard deviation of the conductance, if known."""
    current: Array | None
    """A."""
    current_deviation: Array | None
    leading: tuple[int, ...]
    """Shape of the stack."""
    dims: tuple[str, ...]
    """Names of its axes."""
    coords: Mapping[str, Any]


def read(
    bias: ArrayLike,
    conductance: ArrayLike,
    conditions: Conditions,
    noise: ArrayLike | None = None,
    current: ArrayLike | None = None,
    current_noise: ArrayLike | None = None,
) -> Data:
    """Check the arguments of `stm_daq.fitting.fit` and bring them into rows.

    Raises
    ------
    ValueError
        If shapes differ, or numbers cannot be what they should be.
    """
    if current is not None and conditions.engine == "table":
        raise ValueError("engine 'table' knows no current: use 'exact'")
    if current is None and current_noise is not None:
        raise ValueError("current_noise is given, but no current")
    values = check_stack(conductance)
    leading, points = values.shape[:-1], values.shape[-1]
    smearing = conditions.modulation, conditions.voltage_noise
    volts = check_bias(bias, values.shape, *smearing)
    dims, coords = axes_of(conductance, leading)
    return Data(
        volts=volts,
        bias=np.broadcast_to(volts, values.shape).reshape(-1, points),
        conductance=forget(
            values.reshape(-1, points), np.asarray(conditions.memory, dtype=np.float64)
        ),
        deviation=check_noise(noise, values.shape),
        current=check_current(current, values.shape),
        current_deviation=check_noise(current_noise, values.shape, "current_noise"),
        leading=leading,
        dims=dims,
        coords=coords,
    )


def axes_of(
    conductance: Any, leading: tuple[int, ...]
) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Names and coordinates of the axes of a stack of shape `leading`."""
    names = getattr(conductance, "dims", None)
    if names is not None:
        kept = {key: c for key, c in conductance.coords.items() if names[-1] not in c.dims}
        return tuple(names[:-1]), kept
    if len(leading) <= 2:
        return ((), ("spectrum",), ("y", "x"))[len(leading)], {}
    return tuple(f"dim_{axis}" for axis in range(len(leading))), {}

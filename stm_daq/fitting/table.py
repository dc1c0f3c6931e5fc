"""Fits of a whole map on one bias grid by a table of the model: `fit_table`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.models import to_coordinate
from stm_daq.fitting.outcome import Outcome
from stm_daq.fitting.solver import Found, Solver, Tile
from stm_daq.fitting.stack import TILE, StackFitter
from stm_daq.fitting.table_basis import Basis
from stm_daq.fitting.table_batch import GIVEN, GROWTHS, STRAY, Batch
from stm_daq.fitting.table_judge import Searches, judge, some
from stm_daq.fitting.table_model import Request, Table, axis_of, table_of
from stm_daq.fitting.table_search import Searcher
from stm_daq.fitting.verdict import is_ok

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]
type Mask = NDArray[np.bool_]

SHARE = 0.1
"""Largest error of the table, in standard deviations of the fitted parameters."""

BATCH = 1024
"""Spectra handled together, a multiple of 4: their arrays stay in the processor's cache."""


def fit_table(
    solver: Solver, bias: Array, conductance: Array, deviation: Array | None = None
) -> Outcome:
    """Fit p spectra on one bias grid with a table of the model.

    Spectra the table does not suit go to the exact engine: those with NaN, outside of its range, of
    so little noise that its own error would show, or with a doubtful verdict.

    Parameters
    ----------
    solver : Solver
    bias, conductance : ndarray, shape (p, n)
        V and S; all rows of the bias must be the same.
    deviation : ndarray, shape (p, n), optional
        Standard deviation of the conductance, S; estimated if not given. Spectra where it does not
        have the same course along the bias as in the first one go to the exact engine.

    Returns
    -------
    Outcome
        `notes` hold the table's largest error and its 99 % quantile (in units of the normal
        conductance), its bytes, and how many spectra were fitted by it.

    Raises
    ------
    ValueError
        If the bias grids differ, or there is no table for the choice of parameters.
    """
    check(solver)
    if len(bias) and bias.strides[0] and not np.array_equal(bias, bias[:1] + 0.0 * bias):
        raise ValueError("engine 'table' needs one bias grid for all spectra: use 'exact'")
    return TableFitter(solver, bias, conductance, deviation).fit()


def check(solver: Solver) -> None:
    """Refuse what there is no table for."""
    choice, model = solver.choice, solver.choice.model
    reasons = {
        f"the loss '{solver.loss}'": solver.loss != "linear",
        f"the model '{model.name}'": len(model.shape.places) != 1
        or any(axis_of(name) is None and name != "broadening" for name in model.shape.names),
    }
    for name in ("broadening", "slope", "current_offset"):
        reasons[f"a free {name}"] = name in choice.free
    for name in ("slope", "current_offset"):
        reasons[f"a {name}"] = bool(np.any(choice.fixed.get(name, np.zeros(1)) != 0.0))
    for name, value in choice.fixed.items():
        reasons[f"a {name} of every spectrum"] = bool(value.ndim) and name != "scale"
    missing = [what for what, given in reasons.items() if given]
    if missing:
        raise ValueError(f"engine 'table' knows no {', '.join(missing)}: use 'exact'")


class TableFitter:
    """One stack of spectra and the table that suits it."""

    def __init__(
        self, solver: Solver, bias: Array, conductance: Array, deviation: Array | None
    ) -> None:
        self.solver, self.choice = solver, solver.choice
        self.all_bias, self.conductance, self.deviation = bias, conductance, deviation
        order = np.argsort(bias[0], kind="stable")
        ascending = np.array_equal(order, np.arange(len(order)))
        self.order: Index | slice = slice(None) if ascending else order  # to spare a copy
        self.bias = np.ascontiguousarray(bias[0][self.order])
        names = self.choice.model.shape.names
        self.axes = [axis_of(name) for name in names]
        places = [-1 if axis is None else axis for axis in self.axes]
        self.free = np.array([[*places, 3, 4, -1, -1][k] for k in self.choice.index])
        self.numbers = np.arange(len(conductance))
        self.stack = StackFitter(solver)
        self.bases: dict[tuple[int, int], Basis] = {}

    def fit(self) -> Outcome:
        """Fit all of them."""
        count = len(self.conductance)
        outcome = self.stack.nothing((count, 0))
        outcome.deviation = np.empty(self.conductance.shape)
        left = np.arange(count)
        if np.all(np.isfinite(self.bias)):
            left = self._fit_by_table(outcome)
        outcome.notes["by_table"] = count - len(left)
        for first in range(0, len(left), TILE):
            rows = left[first : first + TILE]
            known = None if self.deviation is None else self.deviation[rows]
            self.stack.fit_tile(outcome, rows, self.all_bias[rows], self.conductance[rows], known)
        if self.deviation is not None:
            outcome.deviation = self.deviation
        return outcome

    def _fit_by_table(self, outcome: Outcome) -> Index:
        """Fit what the table suits; returns the others."""
        count, points = self.conductance.shape
        searches = Searches.of(count, len(self.free))
        for first in range(0, count, BATCH):
            rows = slice(first, min(first + BATCH, count))
            Batch(self, rows).fit(searches, outcome.deviation)
        outcome.notes |= {
            "table_error": self.table.worst,
            "table_error_99": self.table.typical,
            "table_bytes": self.table.memory,
        }
        at = np.flatnonzero(self._inside(searches))
        found = searches if len(at) == count else searches.take(at)
        theta = self._in_volts(found)
        judgement = judge(self.solver, found, theta[:, self.choice.index], points)
        sure = np.array([not flags or _sure(flags) for flags in judgement.flags], dtype=np.bool_)
        if not np.all(sure):
            at, found, theta = at[sure], found.take(sure), theta[sure]
            judgement = some(judgement, sure)
        outcome.unit[at], outcome.points[at] = found.unit, points
        self.stack.fill(outcome, at, *self._filling(found, theta, points), judgement)
        left = np.ones(count, dtype=np.bool_)
        left[at] = False
        return np.flatnonzero(left)

    def _inside(self, found: Searches) -> Mask:
        """Where the table is exact enough and its edge was not met."""
        table, theta = self.table, found.theta
        error = table.error[table.bins(theta[:, :3], theta[:, 4] * table.reach)]
        good = np.isfinite(found.unit) & (error * theta[:, 3] * np.sqrt(found.highest) < SHARE)
        for axis in (0, 1):
            if table.open[axis]:
                margin = 1e-3 * (table.upper[axis] - table.lower[axis])
                good &= theta[:, axis] > table.lower[axis] + margin
                good &= theta[:, axis] < table.upper[axis] - margin
        return np.asarray(good & (np.abs(theta[:, 4]) <= 1.0))

    def _in_volts(self, found: Searches) -> Array:
        """Search coordinates of the solver (p, m + 4); the matrices are changed accordingly."""
        table, theta = self.table, found.theta
        out = np.zeros((len(theta), len(self.axes) + 4))
        for k, axis in enumerate(self.axes):
            out[:, k] = table.request.broadening if axis is None else theta[:, axis]
        out[:, len(self.axes)] = theta[:, 3]
        out[:, len(self.axes) + 1] = (
            self.offset + found.centre * table.spacing + theta[:, 4] * table.reach
        )
        per_volt = np.where(self.free == 4, 1.0 / table.reach, 1.0)
        found.matrix *= per_volt[:, None] * per_volt
        return out

    def _filling(self, found: Searches, theta: Array, points: int) -> tuple[Tile, Found]:
        """Searches as `StackFitter.fill` takes them: without what it does not look at."""
        nothing, count = np.empty((len(theta), 0)), len(theta)
        tile = Tile(nothing, nothing, np.full(count, points), None, nothing)
        return tile, Found(
            theta=theta, chi_square=found.chi_square, matrix=found.matrix, vector=nothing,
            columns=nothing, residual=nothing, weight=nothing, converged=found.settled,
            rival=found.rival,
        )  # fmt: skip

    @cached_property
    def table(self) -> Table:
        """The table of this model, grid and offset."""
        model = self.choice.model
        fixed: list[float | None] = [0.0, 0.0, 1.0]
        broadening = 0.0
        for name, axis in zip(model.shape.names, self.axes, strict=True):
            value = self.choice.scalar(name)
            if axis is not None:
                fixed[axis] = None if value is None else float(to_coordinate(model, name, value))
            elif value is not None:
                broadening = value
        free_offset = "offset" in self.choice.free
        modulation, noise = self.solver.smearing
        return table_of(
            Request(
                self.bias.tobytes(), tuple(fixed), broadening, modulation, noise, self.offset,
                free_offset,
            )
        )  # fmt: skip

    @cached_property
    def offset(self) -> float:
        """Offset of the table, V: the fixed one, or none, so that a tile has the table of the map."""
        return float(self.choice.fixed.get("offset", 0.0))

    @cached_property
    def searcher(self) -> Searcher:
        """Searches within the bounds of the solver and the range of the table."""
        table = self.table
        low = np.array([*table.lower, 0.0, -STRAY])[self.free]
        high = np.array([*table.upper, np.inf, STRAY])[self.free]
        offset = self.free == 4
        lower = np.where(offset, low, np.maximum(low, self.solver.lower))
        upper = np.where(offset, high, np.minimum(high, self.solver.upper))
        return Searcher(table, self.free, lower, upper)

    def basis(self, centre: int, level: int) -> Basis:
        """Basis about a centre for a course of the noise: a number of GROWTHS, or GIVEN."""
        if (centre, level) not in self.bases:
            if level == GIVEN:
                assert self.deviation is not None
                profile = 1.0 / np.square(self.deviation[0][self.order])
            else:
                away = np.abs(self.bias - self.offset) / self.solver.largest
                profile = 1.0 / (1.0 + GROWTHS[level] * away)
            self.bases[centre, level] = self.searcher.basis(centre, profile)
        return self.bases[centre, level]


def _sure(flags: tuple[str, ...]) -> bool:
    """Whether a verdict needs no second look by the exact engine: the error is not a doubt."""
    return "not_white" not in flags and is_ok(tuple(f for f in flags if f != "too_noisy"))

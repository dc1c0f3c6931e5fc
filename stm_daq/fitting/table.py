"""Fits of a whole map on one bias grid by a table of the model: `fit_table`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.background import Background
from stm_daq.fitting.judge import judge
from stm_daq.fitting.models import to_coordinate
from stm_daq.fitting.outcome import Outcome
from stm_daq.fitting.solver import ACCURACY, Found, Solver, Tile
from stm_daq.fitting.stack import TILE, StackFitter
from stm_daq.fitting.table_model import Request, Table, axis_of, table_of
from stm_daq.fitting.table_search import Basis, Searcher, State
from stm_daq.fitting.verdict import is_ok

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Index = NDArray[np.int64]
type Mask = NDArray[np.bool_]

SHARE = 0.1
"""Largest error of the table, in standard deviations of the fitted parameters."""

BATCH = 512
"""Spectra handled together."""

GROWTHS = np.array(
    [0.0, 0.1, 0.2, 0.35, 0.55, 0.8, 1.2, 1.8, 2.7, 4.0, 6.0, 10.0, 17.0, 30.0, 50.0]
)
"""Estimated noise is taken as one of these: variance proportional to 1 + growth |V| / largest."""

GIVEN = -1
"""In place of a number of GROWTHS: the course of the given noise."""


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
        self.stack = StackFitter(solver)
        self.bases: dict[int, Basis] = {}

    def fit(self) -> Outcome:
        """Fit all of them."""
        outcome = self.stack.nothing(self.conductance.shape)
        rest = np.ones(len(self.conductance), dtype=np.bool_)
        if np.all(np.isfinite(self.bias)):
            for first in range(0, len(rest), BATCH):
                rows = np.arange(first, min(first + BATCH, len(rest)))
                rest[self._fit_batch(outcome, rows)] = False
            outcome.notes |= {
                "table_error": self.table.worst,
                "table_error_99": self.table.typical,
                "table_bytes": self.table.memory,
            }
        left = np.flatnonzero(rest)
        outcome.notes["by_table"] = len(rest) - len(left)
        for first in range(0, len(left), TILE):
            rows = left[first : first + TILE]
            known = None if self.deviation is None else self.deviation[rows]
            self.stack.fit_tile(outcome, rows, self.all_bias[rows], self.conductance[rows], known)
        return outcome

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
        """Offset at which the table is made: the fixed one, or that of most spectra, V.

        The latter is rounded so that maps alike share a table.
        """
        from stm_daq.fitting import kernel_start

        if "offset" in self.choice.fixed:
            return float(self.choice.fixed["offset"])
        part = self.conductance[:: max(1, len(self.conductance) // 200)][:, self.order]
        part = np.ascontiguousarray(part[np.all(np.isfinite(part), axis=1)])
        if not len(part):
            return 0.0
        centre, counts = np.empty(len(part)), np.full(len(part), len(self.bias))
        kernel_start.centres(
            self._grids(len(part)), part, counts, 0.15 * self.solver.largest, centre
        )
        step = 1e-3 * self.solver.largest
        return float(np.round(np.median(centre) / step) * step)

    def _grids(self, count: int) -> Array:
        return np.ascontiguousarray(np.broadcast_to(self.bias, (count, len(self.bias))))

    @cached_property
    def searcher(self) -> Searcher:
        """Searches within the bounds of the solver and the range of the table."""
        table = self.table
        low = np.array([*table.lower, 0.0, -1.0])[self.free]
        high = np.array([*table.upper, np.inf, 1.0])[self.free]
        offset = self.free == 4
        lower = np.where(offset, low, np.maximum(low, self.solver.lower))
        upper = np.where(offset, high, np.minimum(high, self.solver.upper))
        return Searcher(table, self.free, lower, upper)

    def basis(self, level: int) -> Basis:
        """Basis for a course of the noise: a number of GROWTHS, or GIVEN."""
        if level not in self.bases:
            if level == GIVEN:
                assert self.deviation is not None
                profile = np.square(self.deviation[0][self.order])
            else:
                away = np.abs(self.bias - self.offset) / self.solver.largest
                profile = 1.0 + GROWTHS[level] * away
            self.bases[level] = self.searcher.basis(1.0 / profile)
        return self.bases[level]

    def _fit_batch(self, outcome: Outcome, rows: Index) -> Index:
        """Fit some spectra; returns which of them are done."""
        from stm_daq.fitting import table_kernel

        measured = np.ascontiguousarray(self.conductance[rows[0] : rows[-1] + 1][:, self.order])
        values, single = np.empty(measured.shape), np.empty(measured.shape, dtype=np.float32)
        unit = np.empty(len(rows))
        table_kernel.normalise(measured, values, single, unit)
        weight = self._given_weight(rows, unit)
        good = np.isfinite(unit) if weight is None else weight < ACCURACY**-2
        if not np.all(good):
            rows, unit, values, single = rows[good], unit[good], values[good], single[good]
            weight = None if weight is None else weight[good]
        if not len(rows):
            return rows
        state, weights = self._search(rows, values, single, weight, unit)
        found = self._found(values, weights, state)
        tile = Tile(
            bias=np.tile(self.bias, (len(values), 1)),
            values=values,
            counts=np.full(len(rows), len(self.bias)),
            weight=None if weight is None else weights,
            held=np.empty((0, 0)),
        )
        smooth = found.chi_square + state.smooth
        background = Background(np.empty((len(rows), 0)), smooth, np.empty(0))
        judgement = judge(self.solver, tile, found, background)
        sure = np.array([not f or (is_ok(f) and "not_white" not in f) for f in judgement.flags])
        outcome.unit[rows], outcome.points[rows] = unit, len(self.bias)
        self.stack.fill(outcome, rows, tile, found, judgement)
        if self.deviation is not None:
            outcome.deviation[rows] = self.deviation[rows]
        else:
            outcome.deviation[rows[:, None], np.arange(len(self.bias))[self.order]] = unit[
                :, None
            ] / np.sqrt(weights)
        return np.asarray(rows[self._inside(weights, state) & sure])

    def _given_weight(self, rows: Index, unit: Array) -> Array | None:
        """Mean weight of the points by the given noise (p,), NaN where its course is another."""
        if self.deviation is None:
            return None
        if not self.deviation.strides[0]:
            return np.asarray(np.square(unit) * np.mean(np.square(1.0 / self.deviation[0])))
        part = self.deviation[rows[0] : rows[-1] + 1][:, self.order]
        ratio = part / self.deviation[0][self.order]
        same = np.ptp(ratio, axis=1) < 1e-6 * ratio[:, 0]
        return np.where(same, np.square(unit) * np.mean(np.square(1.0 / part), axis=1), np.nan)

    def _search(
        self, rows: Index, values: Array, single: Single, weight: Array | None, unit: Array
    ) -> tuple[State, Array]:
        """Where searches ended, and inverse variances of the points (p, n)."""
        scale = None
        if "scale" in self.choice.fixed:
            value = self.choice.fixed["scale"]
            scale = (value[rows] if value.ndim else value) / unit
        basis = self.basis(0 if weight is None else GIVEN)
        z = single @ basis.project
        state = self.searcher.begin(z, basis, scale)
        if weight is not None:
            self.searcher.descend(z, basis, weight, state)
            return state, weight[:, None] * basis.profile
        rough = np.mean(np.square(np.diff(single, 2, axis=1)), axis=1) / 6.0
        self.searcher.descend(z, basis, 1.0 / np.maximum(rough, ACCURACY**2), state)
        weights = self._weights(values, state)
        self._again(single, weights, state)
        return state, weights

    def _weights(self, values: Array, state: State) -> Array:
        """Estimated inverse variances (p, n)."""
        from stm_daq.fitting import kernel_noise

        weights = np.empty_like(values)
        kernel_noise.weights_after(
            self._grids(len(values)), values - state.curves,
            np.full(len(values), len(self.bias)), self._offsets(state) + self.offset, 16.0,
            ACCURACY**2, weights,
        )  # fmt: skip
        return weights

    def _again(self, single: Single, weights: Array, state: State) -> None:
        """Search with estimated weights, each spectrum with the basis of the nearest course."""
        away = np.abs(self.bias - self.offset) / self.solver.largest
        near, far = np.argmin(away), np.argmax(away)
        rise = weights[:, near] / weights[:, far] - 1.0
        growth = rise / np.maximum(away[far] - away[near] * (1.0 + rise), 1e-9)
        level = np.searchsorted(0.5 * (GROWTHS[1:] + GROWTHS[:-1]), growth)
        for one in np.unique(level).tolist():
            at = np.flatnonzero(level == one)
            basis, part = self.basis(one), state.take(at)
            z = single[at] @ basis.project
            self.searcher.descend(z, basis, weights[at].mean(axis=1), part)
            state.put(at, part)

    def _offsets(self, state: State) -> Array:
        """Offsets from that of the table, V."""
        return np.asarray(state.theta[:, 4] * self.table.reach)

    def _inside(self, weights: Array, state: State) -> Mask:
        """Where the table is exact enough and its edge was not met."""
        error = self.table.error[self.table.bins(state.theta[:, :3], self._offsets(state))]
        good = error * state.theta[:, 3] * np.sqrt(weights.max(axis=1)) < SHARE
        table, theta = self.table, state.theta
        for axis in (0, 1):
            if table.open[axis]:
                margin = 1e-3 * (table.upper[axis] - table.lower[axis])
                good &= theta[:, axis] > table.lower[axis] + margin
                good &= theta[:, axis] < table.upper[axis] - margin
        return np.asarray(good & (np.abs(theta[:, 4]) < 0.99))

    def _found(self, values: Array, weights: Array, state: State) -> Found:
        """What the judge needs, in the coordinates of the solver."""
        count, shape = len(values), len(self.axes)
        theta = np.zeros((count, shape + 4))
        for k, axis in enumerate(self.axes):
            if axis is not None:
                theta[:, k] = state.theta[:, axis]
            else:
                theta[:, k] = self.table.request.broadening
        theta[:, shape] = state.theta[:, 3]
        theta[:, shape + 1] = self.offset + self._offsets(state)
        per_unit = np.where(self.free == 4, 1.0 / self.table.reach, 1.0)
        residual = values - state.curves
        chi_square = np.einsum("pn,pn,pn->p", weights, residual, residual)
        return Found(
            theta=theta,
            chi_square=chi_square,
            matrix=state.matrix * per_unit[:, None] * per_unit,
            vector=state.vector * per_unit,
            columns=np.empty((count, 0)),
            residual=residual,
            weight=weights,
            converged=state.settled,
            rival=state.other - state.chi_square + chi_square,
        )

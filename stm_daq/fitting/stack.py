"""Fits of many spectra: from what was measured to tiles for the solver, and back to units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.background import TERMS, Background, smooth_background
from stm_daq.fitting.judge import Judgement, judge
from stm_daq.fitting.models import to_value
from stm_daq.fitting.outcome import Outcome
from stm_daq.fitting.solver import ACCURACY, Found, Solver, Tile

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]

SPARE_POINTS = 10
"""A fit needs this many points more than parameters."""

TILE = 128
"""Spectra that are handled together: their arrays stay in the processor's cache."""

_OF_CONDUCTANCE = ("scale", "current_offset")


class StackFitter:
    """Fits stacks of spectra of one bias range.

    Parameters
    ----------
    solver : Solver
    """

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.choice = solver.choice

    def fit(self, bias: Array, conductance: Array, deviation: Array | None = None) -> Outcome:
        """Fit p spectra.

        Parameters
        ----------
        bias, conductance : ndarray, shape (p, n)
            V and S, any order. NaN points are left out, also those of a NaN deviation.
        deviation : ndarray, shape (p, n), optional
            Standard deviation of the conductance, S; estimated if not given.
        """
        outcome = self.nothing(conductance.shape)
        for first in range(0, len(conductance), TILE):
            part = slice(first, min(first + TILE, len(conductance)))
            known = None if deviation is None else deviation[part]
            rows = np.arange(part.start, part.stop)
            self.fit_tile(outcome, rows, bias[part], conductance[part], known)
        return outcome

    def nothing(self, shape: tuple[int, ...]) -> Outcome:
        """The outcome of spectra that cannot be fitted at all."""
        count, free = shape[0], len(self.choice.free)
        names = self.choice.model.names

        def unknown(*more: int) -> Array:
            return np.full((count, *more), np.nan)

        return Outcome(
            choice=self.choice,
            values={name: unknown() for name in names},
            std={name: unknown() for name in names},
            limits={},
            correlation=unknown(free, free),
            chi_square=unknown(),
            reduced=unknown(),
            misfit=unknown(),
            inflation=unknown(),
            dof=np.zeros(count, dtype=np.int64),
            points=np.zeros(count, dtype=np.int64),
            flags=[()] * count,
            deviation=unknown(shape[1]),
            theta=unknown(len(names)),
            unit=np.ones(count),
        )

    def fit_tile(
        self, outcome: Outcome, rows: Index, bias: Array, values: Array, deviation: Array | None
    ) -> None:
        """Fit the few spectra (k, n) of these rows of the stack."""
        line = _in_line(bias, values, deviation)
        outcome.points[rows] = line.counts
        hopeless = self._hopeless(line)
        for row, flag in zip(rows.tolist(), hopeless, strict=True):
            outcome.flags[row] = (flag,) if flag else ()
        good = np.flatnonzero([not flag for flag in hopeless])
        if not len(good):
            return
        if len(good) < len(rows):
            rows = rows[good]
            line = line.only(good)
        unit = _units(line)
        outcome.unit[rows] = unit
        tile = Tile(
            bias=line.bias,
            values=line.values / unit[:, None],
            counts=line.counts,
            weight=_weight(line, unit),
            held=self.solver.held(rows, unit),
        )
        found = self.solver.solve(tile)
        background = smooth_background(
            tile.bias, tile.values, found.weight, tile.counts, self.solver.largest
        )
        judgement = judge(self.solver, tile, found, background)
        self.fill(outcome, rows, tile, found, judgement)
        self._fill_without_gap(outcome, rows, background)
        spread = np.empty_like(found.weight)
        np.put_along_axis(spread, line.order, unit[:, None] / np.sqrt(found.weight), axis=1)
        outcome.deviation[rows] = spread

    def _hopeless(self, line: _Line) -> list[str]:
        """Why each spectrum cannot be fitted; empty if it can."""
        used = np.arange(line.values.shape[1]) < line.counts[:, None]
        lowest = np.min(line.values, axis=1, initial=np.inf, where=used)
        highest = np.max(line.values, axis=1, initial=-np.inf, where=used)
        few = line.counts < len(self.choice.free) + SPARE_POINTS
        reasons = [""] * len(few)
        for row in np.flatnonzero(few | (lowest == highest) | (highest < -lowest)).tolist():
            reasons[row] = self._reason(line.values[row, : line.counts[row]])
        return reasons

    def _reason(self, values: Array) -> str:
        if len(values) < len(self.choice.free) + SPARE_POINTS:
            return "too_few_points"
        if values.min() == values.max():
            return "constant"
        return "negative" if np.median(values) < 0.0 else ""

    def fill(
        self, outcome: Outcome, rows: Index, tile: Tile, found: Found, judgement: Judgement
    ) -> None:
        """Put finished searches of spectra with a gap into their rows."""
        model, free = self.choice.model, self.choice.free
        unit = outcome.unit[rows]
        for k, name in enumerate(model.names):
            factor = unit if name in _OF_CONDUCTANCE else 1.0
            std = judgement.std[:, free.index(name)] if name in free else np.zeros(len(rows))
            outcome.values[name][rows] = to_value(model, name, found.theta[:, k]) * factor
            outcome.std[name][rows] = std * factor
        for name, limit in judgement.limits.items():
            every = outcome.limits.setdefault(name, np.full(len(outcome.unit), np.nan))
            every[rows] = limit
        outcome.theta[rows] = found.theta
        outcome.correlation[rows] = judgement.correlation
        outcome.chi_square[rows] = found.chi_square
        outcome.reduced[rows] = judgement.reduced
        outcome.misfit[rows] = judgement.misfit
        outcome.inflation[rows] = judgement.inflation
        outcome.dof[rows] = tile.counts - len(free)
        for row, flags in zip(rows.tolist(), judgement.flags, strict=True):
            outcome.flags[row] = flags

    def _fill_without_gap(self, outcome: Outcome, rows: Index, background: Background) -> None:
        """Where no gap is seen, only a smooth curve and its value at zero bias are known."""
        for k, row in enumerate(rows.tolist()):
            if "no_gap" not in outcome.flags[row]:
                continue
            for name in self.choice.free:
                outcome.values[name][row] = outcome.std[name][row] = np.nan
            outcome.values["scale"][row] = background.at_zero[k] * outcome.unit[row]
            outcome.std["scale"][row] = background.at_zero_std[k] * outcome.unit[row]
            for limit in outcome.limits.values():
                limit[row] = np.nan
            outcome.correlation[row] = np.nan
            outcome.dof[row] = outcome.points[row] - TERMS
            outcome.chi_square[row] = background.chi_square[k]
            outcome.reduced[row] = background.chi_square[k] / outcome.dof[row]
            outcome.backgrounds[row] = background.coefficients[k]

    def curve(self, outcome: Outcome, row: int, bias: Array) -> Array:
        """Fitted conductance of one spectrum at any bias, S; a polynomial where no gap is seen."""
        if row in outcome.backgrounds:
            x = bias / self.solver.largest
            return np.asarray(
                outcome.unit[row] * np.polyval(outcome.backgrounds[row][::-1], x), dtype=np.float64
            )
        if not np.isfinite(outcome.theta[row, 0]):
            return np.full(bias.shape, np.nan)
        return np.asarray(outcome.unit[row] * self.solver.curve(outcome.theta[row], bias))


@dataclass(frozen=True)
class _Line:
    """Spectra in ascending bias, those points first that are valid; 0 behind them."""

    order: Index
    bias: Array
    values: Array
    deviation: Array | None
    counts: Index

    def only(self, rows: Index) -> _Line:
        """Some of the spectra."""
        deviation = None if self.deviation is None else self.deviation[rows]
        return _Line(
            self.order[rows], self.bias[rows], self.values[rows], deviation, self.counts[rows]
        )


def _in_line(bias: Array, values: Array, deviation: Array | None) -> _Line:
    valid = np.isfinite(bias) & np.isfinite(values)
    if deviation is not None:
        valid &= np.isfinite(deviation)
    counts = np.count_nonzero(valid, axis=1)
    complete = bool(valid.all())
    if complete and len(bias) and not bias.strides[0]:  # one grid for all
        order = np.broadcast_to(np.argsort(bias[0], kind="stable"), bias.shape)
    else:
        keys = bias if complete else np.where(valid, bias, np.inf)
        order = np.argsort(keys, axis=1, kind="stable")

    def arranged(rows: Array) -> Array:
        if complete and not order.strides[0]:
            return np.ascontiguousarray(rows[:, order[0]])
        return np.take_along_axis(rows if complete else np.where(valid, rows, 0.0), order, axis=1)

    known = None if deviation is None else arranged(deviation)
    return _Line(order, arranged(bias), arranged(values), known, counts)


def _units(line: _Line) -> Array:
    """Typical magnitude of each spectrum, the median of the absolute values, never 0."""
    points = line.values.shape[1]
    ascending = np.sort(np.abs(line.values), axis=1)
    every = np.arange(len(ascending))
    middle = ascending[every, points - line.counts + line.counts // 2]  # padding comes first
    return np.asarray(np.where(middle > 0.0, middle, ascending[:, -1]))


def _weight(line: _Line, unit: Array) -> Array | None:
    """Inverse variances of spectra divided by `unit`, if the noise is known."""
    if line.deviation is None:
        return None
    return 1.0 / np.maximum(np.square(line.deviation / unit[:, None]), ACCURACY**2)

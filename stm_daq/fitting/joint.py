"""Conductance and current of the same sweep fitted together: `fit_with_current`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.background import Background
from stm_daq.fitting.calibration import TOLERATED, calibration
from stm_daq.fitting.data import Conditions, Data
from stm_daq.fitting.descent import Minimum, Part
from stm_daq.fitting.judge import judge
from stm_daq.fitting.models import Choice
from stm_daq.fitting.outcome import Outcome
from stm_daq.fitting.solver import ACCURACY, FINE, Found, Solver, Tile
from stm_daq.fitting.stack import SPARE_POINTS, TILE, StackFitter

type Array = NDArray[np.float64]
type Mask = NDArray[np.bool_]


def fit_with_current(data: Data, choice: Choice, conditions: Conditions) -> Outcome:
    """Fit conductances, then each together with its current.

    The current is left out where it contradicts the conductance ("calibration"), where no gap is
    seen, and where it has too few points.
    """
    alone = _without_current(choice)
    first = StackFitter(conditions.solver(alone, data.volts))
    outcome = first.fit(data.bias, data.conductance, data.deviation)
    joint = JointFitter(data, conditions.solver(choice, data.volts), outcome)
    return joint.fit()


def _without_current(choice: Choice) -> Choice:
    if "current_offset" not in choice.free:
        return choice
    free = tuple(name for name in choice.free if name != "current_offset")
    return replace(choice, free=free, fixed={**choice.fixed, "current_offset": np.zeros(())})


@dataclass(frozen=True)
class _Spectrum:
    """Conductance and current of one sweep, in units of the conductance's median."""

    row: int
    parts: tuple[Part, Part]
    best: Minimum

    @property
    def points(self) -> int:
        return sum(len(part.bias) for part in self.parts)


class JointFitter:
    """Goes on from the fits of the conductances alone.

    Parameters
    ----------
    data : Data
        With currents.
    solver : Solver
        Of the choice of parameters with the current's offset.
    alone : Outcome
        The fits of the conductances.
    """

    def __init__(self, data: Data, solver: Solver, alone: Outcome) -> None:
        self.data, self.solver, self.alone = data, solver, alone
        self.stack = StackFitter(solver)
        self._shape = len(solver.choice.model.shape.names)

    def fit(self) -> Outcome:
        """Fit all of them."""
        data = self.data
        outcome = self.stack.nothing(data.conductance.shape)
        outcome.take(self.alone, np.ones(len(data.bias), dtype=np.bool_))
        outcome.values["current_offset"][:] = outcome.std["current_offset"][:] = np.nan
        outcome.calibration = calibration(data.bias, data.conductance, data.current)
        wrong = np.abs(outcome.calibration - 1.0) > TOLERATED
        wrong &= np.isfinite(outcome.chi_square)
        rows = np.flatnonzero(self._usable() & ~wrong)
        for start in range(0, len(rows), TILE):
            self._fill(outcome, [self._search(row) for row in rows[start : start + TILE].tolist()])
        for row in np.flatnonzero(wrong).tolist():
            outcome.flags[row] = (*outcome.flags[row], "calibration")
        return outcome

    def _usable(self) -> Mask:
        """Spectra whose current can be fitted with them."""
        assert self.data.current is not None
        points = np.count_nonzero(np.isfinite(self.data.bias + self.data.current), axis=1)
        gap = np.array(["no_gap" not in flags for flags in self.alone.flags], dtype=np.bool_)
        return np.asarray(np.isfinite(self.alone.chi_square) & gap & (points > SPARE_POINTS))

    def _search(self, row: int) -> _Spectrum:
        conductance = self._conductance(row)
        theta = self._start(row)
        current = self._current(row, theta)
        parts = (conductance, current)
        return _Spectrum(row, parts, self.solver.descent.search(parts, theta, FINE))

    def _conductance(self, row: int) -> Part:
        bias, values = self.data.bias[row], self.data.conductance[row]
        deviation, unit = self.alone.deviation[row], self.alone.unit[row]
        at = _ascending(bias, values + deviation)
        return Part(bias[at], values[at] / unit, np.square(unit / deviation[at]))

    def _start(self, row: int) -> Array:
        """Coordinates of the conductance's fit; the fixed offset of the current, if it is."""
        theta = np.array(self.alone.theta[row])
        held = self.solver.held(np.array([row]), self.alone.unit[row : row + 1])[0]
        theta[-1] = 0.0 if np.isnan(held[-1]) else held[-1]
        return theta

    def _current(self, row: int, theta: Array) -> Part:
        """The current, its noise from what the conductance's fit leaves of it; sets its offset."""
        assert self.data.current is not None
        bias, values = self.data.bias[row], self.data.current[row]
        deviation, unit = self.data.current_deviation, self.alone.unit[row]
        known = np.zeros_like(values) if deviation is None else deviation[row]
        at = _ascending(bias, values + known)
        volts, scaled = bias[at], values[at] / unit
        floor = (ACCURACY * self.solver.largest) ** 2
        curve, _ = self.solver.descent.curve(volts, theta, True)
        if "current_offset" in self.solver.choice.free:
            theta[-1] = np.median(scaled - curve)
        if deviation is not None:
            weight = 1.0 / np.maximum(np.square(known[at] / unit), floor)
        else:
            centre = theta[self._shape + 1]
            weight = self.solver.weights(volts, scaled - curve - theta[-1], centre, floor)
        return Part(volts, scaled, weight, is_current=True)

    def _fill(self, outcome: Outcome, spectra: list[_Spectrum]) -> None:
        """Judge finished searches like those of conductances with as many more points."""
        rows = np.array([s.row for s in spectra], dtype=np.int64)
        tile, found = self._stacked(rows, spectra)
        infinite = np.full(len(rows), np.inf)  # that there is a gap is known
        background = Background(np.empty((len(rows), 0)), infinite, infinite)
        judgement = judge(self.solver, tile, found, background)
        outcome.points[rows] = tile.counts
        for k, row in enumerate(rows.tolist()):
            if "second_minimum" in self.alone.flags[row]:
                judgement.flags[k] = (*judgement.flags[k], "second_minimum")
        self.stack.fill(outcome, rows, tile, found, judgement)

    def _stacked(self, rows: NDArray[np.int64], spectra: list[_Spectrum]) -> tuple[Tile, Found]:
        counts = np.array([s.points for s in spectra], dtype=np.int64)
        padded = np.zeros((3, len(spectra), int(counts.max(initial=0))))
        bias = np.full(padded[0].shape, np.nan)  # a current's misfit is odd: left to the others
        for k, s in enumerate(spectra):
            bias[k, : len(s.parts[0].bias)] = s.parts[0].bias
            padded[0, k, : counts[k]] = np.concatenate([part.values for part in s.parts])
            padded[1, k, : counts[k]] = np.concatenate([part.weight for part in s.parts])
            padded[2, k, : counts[k]] = np.concatenate(s.best.residuals)
        values, weight, residual = padded
        best = [s.best for s in spectra]
        held = self.solver.held(rows, self.alone.unit[rows])
        found = Found(
            theta=np.array([b.theta for b in best]),
            chi_square=np.array([b.chi_square for b in best]),
            matrix=np.array([b.matrix for b in best]),
            vector=np.array([b.vector for b in best]),
            columns=np.empty((len(best), 0)),
            residual=residual,
            weight=weight,
            converged=np.array([b.converged for b in best], dtype=np.bool_),
            rival=np.full(len(best), np.inf),
        )
        return Tile(bias, values, counts, weight, held), found


def _ascending(bias: Array, values: Array) -> NDArray[np.int64]:
    """Indices of valid points in ascending bias."""
    order = np.argsort(bias, kind="stable")
    return order[np.isfinite(bias + values)[order]]

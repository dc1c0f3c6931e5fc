"""One batch of a map: from the measured spectra to finished searches in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting import judge, residuals
from stm_daq.fitting.solver import ACCURACY
from stm_daq.fitting.table_kernel_sizes import SIGNS
from stm_daq.fitting.table_search import State

if TYPE_CHECKING:
    from stm_daq.fitting.table import TableFitter
    from stm_daq.fitting.table_judge import Searches

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Index = NDArray[np.int64]
type Mask = NDArray[np.bool_]

GROWTHS = np.array(
    [0.0, 0.1, 0.2, 0.35, 0.55, 0.8, 1.2, 1.8, 2.7, 4.0, 6.0, 10.0, 17.0, 30.0, 50.0]
)
"""Estimated noise is taken as one of these: variance proportional to 1 + growth |V| / largest."""

GIVEN = len(GROWTHS)
"""In place of a number of GROWTHS: the course of the given noise."""

STRAY = 1.5
"""Distance from its centre, in units of `reach`, to which an offset is searched."""

ROUNDS = 3
"""Centres of the offset that a search may try."""


class Batch:
    """The spectra of some rows of a map.

    Parameters
    ----------
    fitter : TableFitter
    rows : slice
    """

    def __init__(self, fitter: TableFitter, rows: slice) -> None:
        self.fitter, self.searcher, self.table = fitter, fitter.searcher, fitter.table
        self.rows: slice | Index = rows
        self.unit, self.single = self._spectra(fitter.conductance[rows][:, fitter.order])
        self.weight = self._given_weight(rows)
        good = np.isfinite(self.unit) if self.weight is None else self.weight < ACCURACY**-2
        if not np.all(good):
            self._keep(good)

    def _spectra(self, measured: Array) -> tuple[Array, Single]:
        """What spectra (p, n) are divided by, and the quotients, filled up to a multiple of 4."""
        from stm_daq.fitting import table_kernel_rows

        unit = np.empty(len(measured))
        single = self.searcher.space.take("single", _fours(len(unit)), measured.shape[1])
        table_kernel_rows.normalise(np.ascontiguousarray(measured), single, unit)
        single[len(unit) :] = 0.0
        return unit, single

    def _given_weight(self, rows: slice) -> Array | None:
        """Mean weight of the points by the given noise (p,), NaN where its course is another."""
        deviation, order = self.fitter.deviation, self.fitter.order
        if deviation is None:
            return None
        first = deviation[0][order]
        if not deviation.strides[0]:
            return np.asarray(np.square(self.unit) * np.mean(np.square(1.0 / first)))
        part = deviation[rows][:, order]
        ratio = part / first
        same = np.ptp(ratio, axis=1) < 1e-6 * ratio[:, 0]
        mean = np.mean(np.square(1.0 / part), axis=1)
        return np.where(same, np.square(self.unit) * mean, np.nan)

    def _keep(self, good: Mask) -> None:
        """Leave the other spectra to the exact engine."""
        count = int(np.count_nonzero(good))
        kept = self.single[: len(good)][good]
        self.single = self.single[: _fours(count)]
        self.single[:count], self.single[count:] = kept, 0.0
        self.rows = self.fitter.numbers[self.rows][good]
        self.unit = self.unit[good]
        self.weight = None if self.weight is None else self.weight[good]

    def fit(self, searches: Searches, deviation: Array) -> None:
        """Search, and fill the rows of `searches` and, where it is estimated, the noise (p, n)."""
        count = len(self.unit)
        if not count:
            return
        points = self.single.shape[1]
        self.state = State.of(len(self.single), len(self.fitter.free), points, self.searcher.space)
        self.centre, self.scale = self._centres(), self._fixed_scale()
        if self.weight is not None:
            level = np.full(count, GIVEN)
            self._search_about(self.weight, level)
            root = self.fitter.basis(0, GIVEN).root
            self._put(searches, root, np.sqrt(self.weight), self.weight * np.square(root).max())
            return
        rough = np.mean(np.square(np.diff(self.single[:count], 2, axis=1)), axis=1) / 6.0
        self._search_about(1.0 / np.maximum(rough, ACCURACY**2), np.zeros(count, dtype=np.int64))
        weights = self._estimated_weights()
        self._descend(np.arange(count), weights.mean(axis=1), self._levels(weights), fresh=False)
        root = np.sqrt(weights).astype(np.float32)
        columns = np.arange(points)[self.fitter.order]
        deviation[self.fitter.numbers[self.rows][:, None], columns] = self.unit[:, None] / root
        self._put(searches, root, np.ones(count), weights.max(axis=1))

    def _fixed_scale(self) -> Array | None:
        """Scale of every spectrum, filled up to a multiple of 4, if it is fixed."""
        value = self.fitter.choice.fixed.get("scale")
        if value is None:
            return None
        scale = np.ones(len(self.single))
        scale[: len(self.unit)] = (value[self.rows] if value.ndim else value) / self.unit
        return scale

    def _centres(self) -> Index:
        """Centre of the offset from which to search each spectrum."""
        from stm_daq.fitting import kernel_start

        count = len(self.unit)
        if not self.table.centres:
            return np.zeros(count, dtype=np.int64)
        offsets = np.empty(count)
        kernel_start.centres(
            self._grids(), self.single[:count].astype(np.float64),
            np.full(count, self.single.shape[1]), self.table.limit, offsets,
        )  # fmt: skip
        return self.table.nearest(offsets)

    def _grids(self) -> Array:
        """The bias of every spectrum (p, n), V."""
        bias = self.fitter.bias
        return np.ascontiguousarray(np.broadcast_to(bias, (len(self.unit), len(bias))))

    def _search_about(self, weight: Array, level: Index) -> None:
        """Search every spectrum from templates, about the next centre too if it strays from one."""
        wanted = np.arange(len(weight))
        for _ in range(ROUNDS):
            self._descend(wanted, weight, level, fresh=True)
            if not self.table.centres:
                break
            nearest = self.table.nearest(self._offsets()[wanted])
            astray = np.abs(self.state.theta[wanted, 4]) > 1.0
            moved = astray & (nearest != self.centre[wanted])
            wanted = wanted[moved]
            if not len(wanted):
                break
            self.centre[wanted] = nearest[moved]

    def _descend(self, wanted: Index, weight: Array, level: Index, *, fresh: bool) -> None:
        """Search some spectra, those of one basis together: from templates, or from where they are."""
        kinds = (self.centre * (GIVEN + 1) + level)[wanted]
        for kind in np.unique(kinds).tolist():
            at = wanted[kinds == kind]
            basis = self.fitter.basis(int(self.centre[at[0]]), int(level[at[0]]))
            if len(at) == len(self.unit):
                part, rows, scale = self.state, self.single, self.scale
            else:
                filled = np.append(at, np.repeat(at[-1:], -len(at) % 4))
                part, rows = self.state.take(filled), self.single[filled]
                scale = None if self.scale is None else self.scale[filled]
            z = self.searcher.project(rows, basis)
            if fresh:
                self.searcher.begin(z, basis, scale, part)
            self.searcher.descend(z, basis, weight[at], part, fresh=fresh)
            if part is not self.state:
                self.state.put(at, part)

    def _offsets(self) -> Array:
        """Offsets from that of the table, V."""
        distance = self.state.theta[: len(self.unit), 4] * self.table.reach
        return np.asarray(self.centre * self.table.spacing + distance)

    def _estimated_weights(self) -> Array:
        """Inverse variances (p, n) estimated from what the fitted curves leave."""
        from stm_daq.fitting import kernel_noise

        count, points = len(self.unit), self.single.shape[1]
        residual = (self.single - self.state.curves)[:count].astype(np.float64)
        weights = np.empty((count, points))
        kernel_noise.weights_after(
            self._grids(), residual, np.full(count, points), self._offsets() + self.fitter.offset,
            16.0, ACCURACY**2, weights,
        )  # fmt: skip
        return weights

    def _levels(self, weights: Array) -> Index:
        """For each spectrum the nearest of GROWTHS."""
        fitter = self.fitter
        away = np.abs(fitter.bias - fitter.offset) / fitter.solver.largest
        near, far = np.argmin(away), np.argmax(away)
        rise = weights[:, near] / weights[:, far] - 1.0
        growth = rise / np.maximum(away[far] - away[near] * (1.0 + rise), 1e-9)
        levels: Index = np.searchsorted(0.5 * (GROWTHS[1:] + GROWTHS[:-1]), growth)
        return levels

    def _put(self, searches: Searches, root: Single, factor: Array, highest: Array) -> None:
        """Fill in what was found; roots of the weights are factor (p,) times root, (1 or p, n).

        `highest` (p,) is the largest weight of each spectrum.
        """
        from stm_daq.fitting import table_kernel_residuals

        count, rows, state, fitter = len(self.unit), self.rows, self.state, self.fitter
        chi_square, signs = np.empty(count), np.empty((count, SIGNS))
        table_kernel_residuals.diagnose(
            self.single, state.curves, root, factor.astype(np.float32), judge.BLOCKS, fitter.bias,
            fitter.offset + self._offsets(), fitter.solver.largest, residuals.BLOCKS,
            residuals.LEAST, chi_square, signs,
        )  # fmt: skip
        searches.unit[rows], searches.signs[rows] = self.unit, signs
        searches.chi_square[rows], searches.settled[rows] = chi_square, state.settled[:count]
        searches.theta[rows], searches.centre[rows] = state.theta[:count], self.centre
        searches.matrix[rows], searches.highest[rows] = state.matrix[:count], highest
        extra = chi_square - state.chi_square[:count]
        searches.rival[rows] = state.other[:count] + extra
        searches.smooth[rows] = state.smooth[:count] + chi_square


def _fours(count: int) -> int:
    """The next multiple of 4."""
    return -(-count // 4) * 4

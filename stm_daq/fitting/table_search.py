"""Starts and searches of many spectra at once in the reduced space of a table."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.background import TERMS
from stm_daq.fitting.solver import RIVAL
from stm_daq.fitting.table_basis import Basis, basis_of, template_places
from stm_daq.fitting.table_model import Table, in_lines

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Index = NDArray[np.int64]

TOLERANCE = 1e-3
"""Decrease of chi-square at which a search stops."""

APART = 0.4
"""Logarithm of the ratio of gaps by which the second start differs from the first."""


@dataclass
class State:
    """Where searches of p spectra stand; theta as in `table_kernel_search`, the offset in `reach`."""

    theta: Array
    chi_square: Array
    """Of the components only."""
    matrix: Array
    """J^T W J, (p, f, f)."""
    vector: Array
    settled: NDArray[np.bool_]
    other: Array
    """Chi-square of a second minimum, infinite if there is none."""
    smooth: Array
    """By how much chi-square of the best smooth curve exceeds that of the model."""
    curves: Single
    """Fitted spectra (p, n)."""
    starts: Index
    """Templates of both starts (p, 2)."""
    scales: Array
    """Scales of both starts (p, 2)."""
    promise: Array
    """Chi-square of both starts less that of no curve at all, in units of the components, (p, 2)."""

    @classmethod
    def of(cls, count: int, free: int, points: int, space: Space) -> State:
        """Of spectra not yet searched."""
        return cls(
            theta=np.zeros((count, 5)), chi_square=np.empty(count),
            matrix=np.empty((count, free, free)), vector=np.empty((count, free)),
            settled=np.zeros(count, dtype=np.bool_), other=np.empty(count), smooth=np.empty(count),
            curves=space.take("curves", count, points),
            starts=np.empty((count, 2), dtype=np.int64), scales=np.empty((count, 2)),
            promise=np.empty((count, 2)),
        )  # fmt: skip

    def take(self, at: Index) -> State:
        """Some of the spectra (copies)."""
        return State(*(getattr(self, field.name)[at] for field in fields(self)))

    def put(self, at: Index, part: State) -> None:
        """Some of the spectra back."""
        for field in fields(self):
            getattr(self, field.name)[at] = getattr(part, field.name)[: len(at)]


class Space:
    """Memory used again for every batch: fresh memory costs as much as some of the work."""

    def __init__(self) -> None:
        self._arrays: dict[str, Single] = {}

    def take(self, name: str, rows: int, columns: int) -> Single:
        """An array (rows, columns) with anything in it, valid until the name is used again."""
        if name not in self._arrays or self._arrays[name].size < rows * columns:
            self._arrays[name] = in_lines(np.zeros(rows * columns))
        return self._arrays[name][: rows * columns].reshape(rows, columns)


class Searcher:
    """Searches in one table with some parameters free.

    The number of spectra of a call is a multiple of 4.

    Parameters
    ----------
    table : Table
    free : ndarray, shape (f,)
        Positions in `theta`.
    lower, upper : ndarray, shape (f,)
    """

    def __init__(self, table: Table, free: Index, lower: Array, upper: Array) -> None:
        self.table, self.free = table, free
        self.lower, self.upper = lower, upper
        self.places, self.groups = template_places(table)
        self.space = Space()

    def basis(self, centre: int, profile: Array) -> Basis:
        """The basis about a centre for weights of this profile (n,)."""
        return basis_of(self.table, centre, (profile / np.mean(profile)).tobytes())

    def project(self, rows: Single, basis: Basis) -> Single:
        """Components of spectra (p, n) and their overlaps with smooth curves, (p, R + TERMS + 1)."""
        from stm_daq.fitting import table_kernel_rows

        z = self.space.take("z", len(rows), len(basis.project))
        table_kernel_rows.project(rows, basis.project, z)
        return z

    def begin(self, z: Single, basis: Basis, scale: Array | None, state: State) -> None:
        """Choose two starts of every spectrum; `scale` (p,) if it is fixed."""
        from stm_daq.fitting import table_kernel_start

        if scale is None:
            templates: Single = basis.templates
            lift: Single = np.zeros_like(basis.norms, dtype=np.float32)
            factor = np.zeros(len(z), dtype=np.float32)
        else:
            templates = basis.sized
            lift = np.asarray(-0.5 * np.square(basis.norms), dtype=np.float32)
            factor = scale.astype(np.float32)
        best = np.empty((len(z), 2), dtype=np.float32)
        table_kernel_start.choose(
            z, templates, lift, factor, self.groups, APART, state.starts, best
        )
        if scale is None:
            state.scales[:] = best / basis.norms[state.starts]
            state.promise[:] = -best * np.abs(best)
        else:
            state.scales[:] = scale[:, None]
            state.promise[:] = -2.0 * scale[:, None] * best

    def descend(self, z: Single, basis: Basis, weight: Array, state: State, *, fresh: bool) -> None:
        """Search the minima from templates, or else from where `state` stands.

        `weight` multiplies the profile; only as many spectra are searched as it has values.
        """
        from stm_daq.fitting import table_kernel_rows, table_kernel_search

        fitted = self.space.take("fitted", len(z), basis.width)
        depth = np.zeros(len(z), dtype=np.int64)
        table = self.table
        table_kernel_search.search(
            table.coefficients, table.knots, table.ranks, basis.powers, basis.heights, basis.stored,
            basis.stored_heights, self.places, z, weight, self.free, self.lower, self.upper,
            TOLERANCE, RIVAL, fresh, state.starts, state.scales, state.promise, state.theta,
            state.chi_square, state.matrix, state.vector, state.settled, state.other, TERMS,
            state.smooth, fitted, depth,
        )  # fmt: skip
        table_kernel_rows.combine(fitted, depth, basis.back, state.curves)

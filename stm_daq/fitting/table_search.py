"""Starts and searches of many spectra at once in the reduced space of a table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.background import TERMS
from stm_daq.fitting.solver import RIVAL
from stm_daq.fitting.table_model import Table

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Index = NDArray[np.int64]

TOLERANCE = 1e-3
"""Decrease of chi-square at which a search stops."""

APART = 0.4
"""Logarithm of the ratio of gaps by which the second start differs from the first."""

MATCHED = 28
"""Components by which spectra are compared with templates."""

STARTS = (15, 8, 6)
"""Templates along the axes of the table."""


@dataclass(frozen=True)
class Basis:
    """A table for one course of the noise along the bias: orthonormal curves of the weighted space."""

    profile: Array
    """Weight of every point, mean 1, (n,)."""
    project: Single
    """(n, R + TERMS): spectra @ project are the components, then those along smooth curves."""
    back: Single
    """(R, n): components @ back are curves."""
    plain: bool
    """Whether these are the components of the table itself."""
    powers: Single
    """(q, R, r): from the table's components to these; power q of the offset in units of reach."""
    heights: Index
    """(r,): how many components the table's component k, and those before it, reach."""
    templates: Single
    """(R, t), of norm 1."""
    norms: Array
    """(t,): what they were divided by."""


@dataclass
class State:
    """Where searches of p spectra stand; theta as in `table_kernel`, its offset in units of reach."""

    theta: Array
    rival: Array
    """Second starts."""
    chi_square: Array
    """Of the components only."""
    matrix: Array
    vector: Array
    settled: NDArray[np.bool_]
    other: Array
    """Chi-square of a second minimum, infinite if there is none."""
    promise: Array
    """Chi-square of both starts less that of no curve at all, in units of the components, (p, 2)."""
    curves: Single
    """Fitted spectra (p, n)."""
    smooth: Array
    """By how much chi-square of the best smooth curve exceeds that of the model."""

    def take(self, at: Index) -> State:
        """Some of the spectra (copies)."""
        return State(*(getattr(self, field.name)[at] for field in fields(self)))

    def put(self, at: Index, part: State) -> None:
        """Some of the spectra back."""
        for field in fields(self):
            getattr(self, field.name)[at] = getattr(part, field.name)


@lru_cache(maxsize=64)
def basis_of(table: Table, profile_bytes: bytes) -> Basis:
    """The basis for weights of this profile (n,), as bytes; the last ones are kept."""
    from stm_daq.fitting import table_kernel

    profile = np.frombuffer(profile_bytes)
    starts, _ = template_places(table)
    root = np.sqrt(profile)[:, None]
    orders, points, rank = table.curves.shape
    # columns by component, then by power: a search with few components needs few rows
    columns = np.moveaxis(table.curves, 0, 2).reshape(points, rank * orders) * root
    plain = orders == 1 and bool(np.ptp(profile) == 0.0)
    if plain:
        orthonormal, heights = columns, np.arange(1, rank + 1)
    else:
        orthonormal, heights = _orthonormal(columns, orders)
    powers = np.einsum("nk,nj->kj", orthonormal, columns).reshape(-1, rank, orders)
    theta = np.zeros((len(starts), table_kernel.SIZE))
    theta[:, :3] = starts
    rows = np.empty((len(theta), rank), dtype=np.float32)
    table_kernel.expand(table.compiled, theta, rows)
    templates = (rows @ powers[:, :, 0].T)[:, :MATCHED]
    norms = np.linalg.norm(templates, axis=1)
    away = table.bias / np.max(np.abs(table.bias))
    smooth, _ = np.linalg.qr(np.vander(away, TERMS) * root)
    return Basis(
        profile=profile,
        project=np.ascontiguousarray(np.hstack([orthonormal, smooth]) * root, dtype=np.float32),
        back=np.ascontiguousarray((orthonormal / root).T, dtype=np.float32),
        plain=plain,
        powers=np.ascontiguousarray(np.moveaxis(powers, 2, 0), dtype=np.float32),
        heights=heights.astype(np.int64),
        templates=np.ascontiguousarray((templates / norms[:, None]).T, dtype=np.float32),
        norms=norms.astype(np.float64),
    )


def _orthonormal(columns: Array, orders: int) -> tuple[Array, Index]:
    """Gram-Schmidt without columns that add nothing; how many are kept up to each component."""
    kept = np.zeros((len(columns), 0))
    heights = []
    for k in range(columns.shape[1]):
        column = columns[:, k]
        for _ in range(2):  # twice is enough to be orthogonal to rounding
            column = column - kept @ (kept.T @ column)
        size = np.linalg.norm(column)
        if size > 1e-3 * np.linalg.norm(columns[:, k - k % orders]) and kept.shape[1] < len(kept):
            kept = np.hstack([kept, column[:, None] / size])
        if k % orders == orders - 1:
            heights.append(kept.shape[1])
    return kept, np.array(heights)


def template_places(table: Table) -> tuple[Array, Array]:
    """Coordinates (t, 3) of templates, gap by gap, and the logarithms of these gaps."""
    sides = [
        np.linspace(low, high, 2 * count + 1)[1::2] if high > low else np.array([low])
        for low, high, count in zip(table.lower, table.upper, STARTS, strict=True)
    ]
    if len(sides[0]) > 1:
        sides[0] = np.geomspace(table.lower[0] * 1.1, table.upper[0] / 1.1, STARTS[0])
    places = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    return places, np.log(sides[0])


class Searcher:
    """Searches in one table with some parameters free.

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
        self.starts, self.groups = template_places(table)

    def basis(self, profile: Array) -> Basis:
        """The basis for weights of this profile (n,)."""
        return basis_of(self.table, (profile / np.mean(profile)).tobytes())

    def begin(self, z: Single, basis: Basis, scale: Array | None) -> State:
        """Two starts of every spectrum; `scale` (p,) if it is fixed."""
        from stm_daq.fitting import table_kernel

        count, free = len(z), len(self.free)
        match = z[:, : len(basis.templates)] @ basis.templates
        lift = np.zeros(len(basis.norms), dtype=np.float32)
        if scale is not None:
            ratio = basis.norms / scale[:, None]
            match = np.multiply(match, ratio, dtype=np.float32)
            lift = (-0.5 * basis.norms**2).astype(np.float32)
        chosen = np.empty((2, count), dtype=np.int64)
        best = np.empty((2, count), dtype=np.float32)
        table_kernel.choose_starts(match, lift, self.groups, APART, chosen, best)
        theta = np.zeros((2, count, table_kernel.SIZE))
        for start, at in zip(theta, chosen, strict=True):
            start[:, :3] = self.starts[at]
            start[:, table_kernel.SCALE] = (
                match[np.arange(count), at] / basis.norms[at] if scale is None else scale
            )
        factor = np.abs(best) if scale is None else 2.0 * np.square(scale)
        return State(
            theta=theta[0], rival=theta[1], chi_square=np.empty(count),
            matrix=np.empty((count, free, free)), vector=np.empty((count, free)),
            settled=np.zeros(count, dtype=np.bool_), other=np.empty(count),
            promise=(-best * factor).T.astype(np.float64), smooth=np.empty(count),
            curves=np.empty((count, len(self.table.bias)), dtype=np.float32),
        )  # fmt: skip

    def descend(self, z: Single, basis: Basis, weight: Array, state: State) -> None:
        """Search the minima from where `state` stands; `weight` (p,) multiplies the profile."""
        from stm_daq.fitting import table_kernel

        fitted = np.zeros((len(z), len(basis.back)), dtype=np.float32)
        table_kernel.search(
            self.table.compiled, (basis.plain, basis.powers, basis.heights), z, weight, self.free,
            self.lower, self.upper, TOLERANCE, RIVAL, state.rival, state.promise.T, state.theta,
            state.chi_square, state.matrix, state.vector, state.settled, state.other, fitted,
        )  # fmt: skip
        state.curves = fitted @ basis.back
        own, smooth = z[:, :-TERMS], z[:, -TERMS:]
        seen = np.einsum("pk,pk->p", own, own) - np.einsum("pk,pk->p", smooth, smooth)
        state.smooth = weight * seen - state.chi_square

"""Orthonormal curves in which spectra of a map are compared with a table, and templates in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.background import TERMS
from stm_daq.fitting.table_kernel_sizes import LANES
from stm_daq.fitting.table_model import Table, in_lines

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Index = NDArray[np.int64]

MATCHED = (28, 56)
"""Components by which spectra are compared with templates, without and with a free offset."""

STARTS = (15, 8, 6)
"""Templates along the axes of the table."""


@dataclass(frozen=True)
class Basis:
    """Curves about one centre for one course of the noise along the bias, and templates.

    R components (a multiple of LANES) of a spectrum are compared with r of the table.
    """

    root: Single
    """Root of the weight of every point, mean square 1, (1, n)."""
    project: Single
    """(R + TERMS + 1, n): overlaps with these are the components, then those along smooth curves."""
    back: Single
    """(R, n): components @ back are curves."""
    powers: Single
    """(q, r, R): table's components @ these; power q of the distance from the centre over `reach`.
    None of them where these are the components of the table itself."""
    heights: Index
    """(r,): how many components the table's component k, and those before it, reach."""
    stored: Single
    """(t, 5, R): templates and their derivatives by the coordinates and the offset."""
    stored_heights: Index
    """(t,): how many components of a template are not 0."""
    templates: Single
    """(m, t) to compare spectra with, of norm 1."""
    sized: Single
    """(m, t) the same with their own norms."""
    norms: Single
    """(t,): their norms."""

    @property
    def width(self) -> int:
        """R."""
        return int(self.back.shape[0])


@lru_cache(maxsize=64)
def basis_of(table: Table, centre: int, profile_bytes: bytes) -> Basis:
    """The basis about a centre for weights of this profile (n,), as bytes; the last ones are kept."""
    profile = np.frombuffer(profile_bytes)
    root = np.sqrt(profile)[:, None]
    curves = table.curves(centre)
    orders, points, rank = curves.shape
    # columns by component, then by power: a search with few components needs few of them
    columns = np.moveaxis(curves, 0, 2).reshape(points, rank * orders) * root
    plain = orders == 1 and bool(np.ptp(profile) == 0.0)
    if plain:
        orthonormal, heights = columns, np.arange(1, rank + 1)
    else:
        orthonormal, heights = _orthonormal(columns, orders)
    powers = np.moveaxis((orthonormal.T @ columns).reshape(-1, rank, orders), (0, 2), (2, 0))
    heights = -(-heights // LANES) * LANES
    stored, stored_heights = _templates(table, powers, heights)
    matched = stored[:, 0, : min(MATCHED[orders > 1], orthonormal.shape[1])]
    norms = np.linalg.norm(matched, axis=1)
    smooth, _ = np.linalg.qr(np.vander(table.bias / np.max(np.abs(table.bias)), TERMS) * root)
    return Basis(
        root=in_lines(root.T),
        project=in_lines(np.pad(np.hstack([orthonormal, smooth]) * root, ((0, 0), (0, 1))).T),
        back=in_lines((orthonormal / root).T),
        powers=in_lines(powers[: 0 if plain else orders]),
        heights=heights,
        stored=in_lines(stored),
        stored_heights=stored_heights,
        templates=in_lines((matched / norms[:, None]).T),
        sized=in_lines(matched.T),
        norms=norms.astype(np.float32),
    )


def _orthonormal(columns: Array, orders: int) -> tuple[Array, Index]:
    """Gram-Schmidt without columns that add nothing; how many are kept up to each component.

    Columns of 0 make their number a multiple of LANES.
    """
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
            heights.append(max(kept.shape[1], 1))
    return np.pad(kept, ((0, 0), (0, -kept.shape[1] % LANES))), np.array(heights)


def _templates(table: Table, powers: Array, heights: Index) -> tuple[Single, Index]:
    """Templates and their derivatives (t, 5, R) in the basis, and how many components are not 0."""
    places, _ = template_places(table)
    rows = table.rows(places)
    out = np.zeros((len(rows), 5, powers.shape[2]), dtype=np.float32)
    out[:, :4] = rows @ powers[0]
    if len(powers) > 1:
        out[:, 4] = rows[:, 0] @ powers[1]
    ranks = np.array([np.max(np.flatnonzero(row)) + 1 for row in rows[:, 0]])
    return out, heights[ranks - 1]


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

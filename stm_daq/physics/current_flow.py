"""Supercurrent through a strip that carries it unevenly, and what a normal hole in it costs.

The film is a sheet with a local critical sheet current ``j_c(x, y)`` (A/m). It can carry the current I
from end to end if a divergence-free flow with ``|K| <= j_c`` exists; by the theorem of the largest flow
and the smallest cut (in the continuum: G. Strang, Mathematical Programming 26, 123 (1983)) the
largest I is that of the weakest cut from edge to edge,

    I_c = min over curves from one edge to the other of  integral j_c dl,

a shortest way through a landscape of price j_c. A ring driven normal by microwaves carries nothing,
so that cuts pass it for free, whether or not its core still superconducts. This is a model of a film
that fills up with current to its local limits (weak links side by side); how current spreads by the
kinetic inductance far below I_c is :func:`london_flow`.

x is along the strip (axis 1 of every array), y across it (axis 0).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1))
"""(rows, columns) of the ways between cells: those of a knight make round distances within 3 %."""


class Strip:
    """A strip with a pattern of critical currents.

    Parameters
    ----------
    critical : array of shape (rows, columns)
        Local critical sheet current at the centres of square cells, A/m; not negative.
    cell : float
        Edge of a cell, m.

    Raises
    ------
    ValueError
        If the pattern has fewer than 2 x 2 cells, or a negative or unknown value.
    """

    def __init__(self, critical: Array, cell: float) -> None:
        if critical.ndim != 2 or min(critical.shape) < 2:
            raise ValueError("a strip needs at least 2 x 2 cells")
        if not (np.all(np.isfinite(critical)) and np.all(critical >= 0) and cell > 0):
            raise ValueError("critical sheet currents must be finite and not negative")
        self.critical = critical
        self.cell = cell
        below, above = self._prices()
        self._below, self._above = below, above
        self.critical_current = float(np.min(below[-1] + critical[-1] * cell / 2))
        """Largest supercurrent without a hole, A."""

    def with_hole(self, x: float, y: float, radius: float) -> float:
        """Return the critical current, A, with everything normal within `radius` of (x, y), all m.

        The origin is the lower left corner of the strip. A hole beyond the edges cuts what of it
        lies inside.
        """
        inside = self._disk(x, y, radius)
        if not inside.any():
            return self.critical_current
        to_one = 0.0 if y - radius <= 0 else float(self._below[inside].min())
        to_other = 0.0 if y + radius >= self._height else float(self._above[inside].min())
        return min(self.critical_current, to_one + to_other)

    def loss(self, x: float, y: float, radius: float) -> float:
        """Return by how much such a hole lowers the critical current, A."""
        return self.critical_current - self.with_hole(x, y, radius)

    @property
    def _height(self) -> float:
        return float(self.critical.shape[0] * self.cell)

    def _disk(self, x: float, y: float, radius: float) -> NDArray[np.bool_]:
        rows, columns = self.critical.shape
        at_y = (np.arange(rows)[:, None] + 0.5) * self.cell - y
        at_x = (np.arange(columns)[None, :] + 0.5) * self.cell - x
        inside: NDArray[np.bool_] = np.hypot(at_x, at_y) <= max(radius, 0.0)
        return inside

    def _prices(self) -> tuple[Array, Array]:
        """Return the cheapest cut from the lower and from the upper edge to every cell, A."""
        from scipy.sparse.csgraph import dijkstra

        rows, columns = self.critical.shape
        cells = rows * columns
        graph = self._graph()
        found = dijkstra(graph, directed=False, indices=[cells, cells + 1])
        below, above = found[:, :cells].reshape(2, rows, columns)
        return below, above

    def _graph(self) -> Any:
        """Return the ways between cells, and from two more nodes to the edges, with prices in A."""
        from scipy.sparse import csr_array

        critical = self.critical
        rows, columns = critical.shape
        number = np.arange(rows * columns).reshape(rows, columns)
        start, end, price = [], [], []
        for down, right in _STEPS:
            one = (slice(0, rows - down), slice(max(0, -right), columns - max(0, right)))
            other = (slice(down, rows), slice(max(0, right), columns + min(0, right)))
            start.append(number[one].ravel())
            end.append(number[other].ravel())
            mean = (critical[one] + critical[other]).ravel() / 2
            price.append(mean * self.cell * math.hypot(down, right))
        for node, row in ((rows * columns, 0), (rows * columns + 1, rows - 1)):
            start.append(np.full(columns, node))
            end.append(number[row])
            price.append(critical[row] * self.cell / 2)
        # csgraph takes a price of zero for no way at all
        prices = np.maximum(np.concatenate(price), 1e-300)
        size = rows * columns + 2
        return csr_array((prices, (np.concatenate(start), np.concatenate(end))), (size, size))


def london_flow(stiffness: Array, current: float, cell: float) -> tuple[Array, Array]:
    """Return how a supercurrent far below its critical value spreads over an uneven strip.

    ``K = s grad(phi)``, ``div K = 0``: the sheet current follows the local stiffness s (the inverse
    kinetic inductance); nothing flows over the long edges, and the ends have one phase each.

    Parameters
    ----------
    stiffness : array of shape (rows, columns)
        Local stiffness, any unit; zero where the film is normal.
    current : float
        Through the strip along x, A.
    cell : float
        Edge of a cell, m.

    Returns
    -------
    along, across : array of shape (rows, columns)
        Sheet current at the centres of the cells, A/m.

    Raises
    ------
    ValueError
        If the pattern is negative, or nothing superconducting connects the ends.
    """
    from scipy.sparse.linalg import spsolve

    rows, columns = stiffness.shape
    if not np.all(stiffness >= 0):
        raise ValueError("a stiffness must not be negative")
    right = _harmonic(stiffness[:, :-1], stiffness[:, 1:])
    up = _harmonic(stiffness[:-1], stiffness[1:])
    ends = np.zeros_like(stiffness)
    ends[:, 0] += 2 * stiffness[:, 0]
    source = ends.ravel().copy()  # phase 1 at the left end, 0 at the right
    ends[:, -1] += 2 * stiffness[:, -1]
    matrix = _laplacian(right, up, ends)
    phase = spsolve(matrix, source).reshape(rows, columns)
    flow_x = np.empty((rows, columns + 1))
    flow_x[:, 1:-1] = right * (phase[:, :-1] - phase[:, 1:])
    flow_x[:, 0] = 2 * stiffness[:, 0] * (1 - phase[:, 0])
    flow_x[:, -1] = 2 * stiffness[:, -1] * phase[:, -1]
    total = float(flow_x[:, 0].sum())
    if not total > 1e-9 * float(stiffness.max(initial=0.0)):
        raise ValueError("nothing superconducting connects the ends of the strip")
    flow_y = np.zeros((rows + 1, columns))
    flow_y[1:-1] = up * (phase[:-1] - phase[1:])
    scale = current / (total * cell)
    along: Array = scale * (flow_x[:, :-1] + flow_x[:, 1:]) / 2
    across: Array = scale * (flow_y[:-1] + flow_y[1:]) / 2
    return along, across


def _harmonic(one: Array, other: Array) -> Array:
    """Return the stiffness of the link between the centres of two neighbouring cells."""
    total = one + other
    mean: Array = np.divide(2 * one * other, total, out=np.zeros_like(total), where=total > 0)
    return mean


def _laplacian(right: Array, up: Array, ends: Array) -> Any:
    from scipy.sparse import coo_array

    rows, columns = ends.shape
    number = np.arange(rows * columns).reshape(rows, columns)
    diagonal = ends.copy()
    diagonal[:, :-1] += right
    diagonal[:, 1:] += right
    diagonal[:-1] += up
    diagonal[1:] += up
    # a normal cell without links keeps some phase, whichever
    diagonal[diagonal == 0] = 1.0
    one = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    other = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    link = -np.concatenate([right.ravel(), up.ravel()])
    at_row = np.concatenate([number.ravel(), one, other])
    at_column = np.concatenate([number.ravel(), other, one])
    values = np.concatenate([diagonal.ravel(), link, link])
    return coo_array((values, (at_row, at_column))).tocsr()

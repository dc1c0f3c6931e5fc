"""A model on one bias grid as a table: a basis of curves and splines of their coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.models import MOST_REFLECTION, family
from stm_daq.fitting.table_kernel_sizes import LANES
from stm_daq.physics.btk import K_B

type Array = NDArray[np.float64]
type Single = NDArray[np.float32]
type Index = NDArray[np.int64]

KINDS = ("gap", "temperature", "barrier")
"""Axes of the table; others of a model's parameters must be fixed."""

CELLS = (112, 24, 15)
"""Cells of the splines along the axes."""
GAPS = (0.04, 0.45)
"""Range of the gap in units of the largest bias."""
KT = (0.006, 0.1)
"""Range of kT in units of the largest bias."""

RANK = 96
"""Curves of the basis at most."""
KEPT = 1e-5
"""Rms norm, over spectra, above which a curve belongs to the basis."""
GROUPS = 4
"""Groups of temperature for which it is found."""
LOST = 3e-4
"""Norm of a spectrum that may be lost by leaving out curves at its temperature."""
REACH = 0.004
"""Largest distance from the nearest centre, in units of the largest bias, where the offset is free."""
SPACING = 0.006
"""Distance of the centres."""
CENTRES = 8
"""Centres on either side of no offset."""
ORDERS = 4
"""Powers of the distance from the centre."""
CHECKS = 8000
"""Random points at which the error of a table is measured."""
BINS = (9, 5, 3)
"""Bins of temperature, barrier and |offset| in which it is kept."""
MOVED = 6
"""Spectra per curve by which the basis is carried to another centre."""
_SAMPLE = 2000


@dataclass(frozen=True)
class Request:
    """What a table is of; equal requests share one."""

    bias: bytes
    """float64, V."""
    fixed: tuple[float | None, ...]
    """Search coordinates of gap, ln T and R where they are not free."""
    broadening: float
    modulation: float
    voltage_noise: float
    offset: float
    with_offset: bool


class Table:
    """A model as splines of coefficients of a basis, built when made.

    Attributes
    ----------
    lower, upper : ndarray, shape (3,)
        Range of the search coordinates gap (eV), ln T, R.
    coefficients, knots, ranks : ndarray
        See `table_kernel_spline.spline`.
    error : ndarray, shape BINS
        Largest norm over the grid of table minus model, by temperature, barrier and distance from
        the centre.
    worst, typical : float
        Largest error of a point of a spectrum and its 99 % quantile over spectra.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.bias = np.frombuffer(request.bias)
        largest = float(np.max(np.abs(self.bias)))
        self.reach, self.spacing = REACH * largest, SPACING * largest
        self.limit = 2.0 * SPACING * CENTRES * largest
        self.centres = CENTRES if request.with_offset else 0
        lower = [GAPS[0] * largest, math.log(KT[0] * largest / K_B), 0.0]
        upper = [GAPS[1] * largest, math.log(KT[1] * largest / K_B), MOST_REFLECTION]
        for axis, value in enumerate(request.fixed):
            if value is not None:
                lower[axis] = upper[axis] = value
        self.lower, self.upper = np.array(lower), np.array(upper)
        self.open = self.upper > self.lower
        self.step = np.where(self.open, (self.upper - self.lower) / np.array(CELLS), 1.0)
        self._curves: dict[int, Array] = {}
        self._build()
        self._measure()

    def spectra(self, coordinates: Array, offsets: Array) -> Array:
        """Exact spectra (p, n) at coordinates (p, 3), shifted by one offset (or one each)."""
        from stm_daq.physics import kernel

        contacts = np.zeros((len(coordinates), 8))
        contacts[:, 0] = coordinates[:, 0]
        contacts[:, 1] = K_B * np.exp(coordinates[:, 1])
        contacts[:, 2] = coordinates[:, 2]
        contacts[:, 3:6] = (
            self.request.broadening, self.request.modulation, self.request.voltage_noise,
        )  # fmt: skip
        contacts[:, 7] = kernel.REFERENCE
        out = np.empty((len(coordinates), len(self.bias) * max(1, offsets.shape[1])))
        shifted = self.bias[None, None, :] - self.request.offset - offsets[:, :, None]
        kernel.many(shifted.reshape(len(offsets), -1), contacts, False, out)
        return out

    @cached_property
    def memory(self) -> int:
        """Bytes."""
        return int(self.coefficients.nbytes + self._basis.nbytes)

    def _nodes(self, centre: int) -> Array:
        """Offsets from which curves about a centre are interpolated, V."""
        if not self.request.with_offset:
            return np.zeros(1)
        place = np.cos(np.pi * (np.arange(ORDERS) + 0.5) / ORDERS)
        return np.asarray(centre * self.spacing + self.reach * place)

    def _build(self) -> None:
        axes = [self._samples(axis) for axis in range(3)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        offsets = self._nodes(0)[None]
        self._basis = self._find_basis(offsets)
        rank = self._basis.shape[1]
        rows = np.empty((len(grid), rank))
        for first in range(0, len(grid), 2048):
            part = grid[first : first + 2048]
            rows[first : first + 2048] = self.spectra(part, offsets) @ self._basis
        shaped = rows.reshape(*(len(axis) for axis in axes), rank)
        self.ranks = self._needed(shaped)
        for axis in range(3):
            shaped = np.moveaxis(
                np.tensordot(_collocation(self.open[axis], CELLS[axis]), shaped, (1, axis)), 0, axis
            )
        self.coefficients = _in_blocks(shaped)
        self.knots = np.column_stack([self.lower, self.step])

    def curves(self, centre: int) -> Array:
        """The basis on the bias grid, (q, n, r): power q of the distance from a centre over `reach`."""
        if centre not in self._curves:
            nodes = self._nodes(centre)
            basis = self._moved_basis(nodes) if centre else self._basis
            powers = np.linalg.inv(
                np.vander((nodes - centre * self.spacing) / self.reach, increasing=True)
            )
            curves = basis.reshape(len(nodes), len(self.bias), -1)
            padding = self.coefficients.shape[2] * LANES - curves.shape[2]
            padded = np.pad(curves, ((0, 0), (0, 0), (0, padding)))
            self._curves[centre] = np.einsum("qm,mnr->qnr", powers, padded)
        return self._curves[centre]

    def _find_basis(self, offsets: Array) -> Array:
        """Orthonormal curves (q n, r): first those of the hottest spectra, then what colder ones add."""
        rng = np.random.default_rng(0)
        basis = np.empty((offsets.shape[1] * len(self.bias), 0))
        for group in range(GROUPS):
            place = rng.uniform(size=(_SAMPLE, 3))
            place[:, 1] = (GROUPS - 1 - group + place[:, 1]) / GROUPS
            place = self.lower + place * (self.upper - self.lower)
            some = self.spectra(place, offsets)
            some -= (some @ basis) @ basis.T
            values, vectors = np.linalg.eigh(some.T @ some)
            wanted = int(np.sum(values > _SAMPLE * KEPT**2))
            new = vectors[:, ::-1][:, : min(wanted, RANK - basis.shape[1])]
            basis = np.hstack([basis, new])
        return np.ascontiguousarray(basis)

    def _moved_basis(self, offsets: Array) -> Array:
        """The same curves (q n, r) at other offsets, from spectra there of which the parts are known.

        A spectrum counts the more the less the basis misses of it.
        """
        places, parts, weight = self._witnesses
        return np.linalg.lstsq(parts * weight, self.spectra(places, offsets[None]) * weight)[0].T

    @cached_property
    def _witnesses(self) -> tuple[Array, Array, Array]:
        """Coordinates (s, 3), components (s, r) and weights (s, 1) of spectra of all temperatures."""
        rng = np.random.default_rng(2)
        count = MOVED * self._basis.shape[1]
        places = self.lower + rng.uniform(size=(count, 3)) * (self.upper - self.lower)
        spectra = self.spectra(places, self._nodes(0)[None])
        parts = spectra @ self._basis
        missed = np.linalg.norm(spectra - parts @ self._basis.T, axis=1)
        return places, parts, 1.0 / (missed + KEPT)[:, None]

    def _samples(self, axis: int) -> Array:
        if not self.open[axis]:
            return self.lower[axis : axis + 1]
        return np.asarray(self.lower[axis] + self.step[axis] * _places(CELLS[axis]))

    def _needed(self, rows: Array) -> Index:
        """Rank by cell of temperature, a multiple of LANES: what is behind it is less than LOST."""
        size = np.abs(rows).max(axis=(0, 2))
        tail = np.sqrt(np.cumsum(size[:, ::-1] ** 2, axis=1)[:, ::-1])
        needed = -(-np.sum(tail > LOST, axis=1) // LANES) * LANES
        if not self.open[1]:
            return np.asarray(needed, dtype=np.int64)
        cells = np.clip(_places(CELLS[1]).astype(int), 0, CELLS[1] - 1)
        ranks = np.zeros(CELLS[1], dtype=np.int64)
        for cell, rank in zip(cells.tolist(), needed.tolist(), strict=True):
            for near in range(max(cell - 1, 0), cell + 1):
                ranks[near] = max(ranks[near], rank)
        return ranks

    def rows(self, coordinates: Array) -> Single:
        """Coefficients and their derivatives by the coordinates, (p, 4, r), at coordinates (p, 3)."""
        from stm_daq.fitting import table_kernel_spline

        out = np.empty((len(coordinates), 4, self.coefficients.shape[2] * LANES), dtype=np.float32)
        table_kernel_spline.expand(self.coefficients, self.knots, self.ranks, coordinates, out)
        return out

    def evaluate(self, coordinates: Array, offsets: Array) -> Array:
        """Spectra (p, n) from the table at coordinates (p, 3) and offsets (p,) from its own, V."""
        rows = self.rows(coordinates)[:, 0]
        out = np.zeros((len(rows), len(self.bias)))
        centres = self.nearest(offsets)
        distance = (offsets - centres * self.spacing) / self.reach
        for centre in np.unique(centres).tolist():
            at = np.flatnonzero(centres == centre)
            for power, curves in enumerate(self.curves(centre)):
                out[at] += (rows[at] @ curves.T) * (distance[at] ** power)[:, None]
        return out

    def nearest(self, offsets: Array) -> Index:
        """Numbers of the centres next to offsets from the table's own, V."""
        number = np.round(offsets / self.spacing).astype(np.int64)
        return np.clip(number, -self.centres, self.centres)

    def _measure(self) -> None:
        """Compare with the model at random points, a third of them in the coldest fifth."""
        rng = np.random.default_rng(1)
        place = rng.uniform(size=(CHECKS, 3))
        place[::3, 1] *= 0.2
        coordinates = self.lower + place * (self.upper - self.lower)
        offsets = np.zeros(CHECKS)
        if self.request.with_offset:
            centres = rng.integers(-CENTRES, CENTRES + 1, CHECKS)
            offsets = centres * self.spacing + self.reach * rng.uniform(-1.0, 1.0, CHECKS)
        error = self.evaluate(coordinates, offsets) - self.spectra(coordinates, offsets[:, None])
        highest = np.max(np.abs(error), axis=1)
        self.worst, self.typical = float(np.max(highest)), float(np.quantile(highest, 0.99))
        self.error = np.zeros(BINS)
        distance = offsets - self.nearest(offsets) * self.spacing
        np.maximum.at(self.error, self.bins(coordinates, distance), np.linalg.norm(error, axis=1))

    def bins(self, coordinates: Array, distance: Array) -> tuple[Index, ...]:
        """Where in `error` coordinates (p, 3) and distances (p,) from the centre (V) are."""
        span = np.where(self.open, self.upper - self.lower, 1.0)
        place = (coordinates - self.lower) / span
        parts = (place[:, 1], place[:, 2], np.abs(distance) / self.reach)
        return tuple(
            np.clip((part * count).astype(np.int64), 0, count - 1)
            for part, count in zip(parts, BINS, strict=True)
        )


def _in_blocks(shaped: Array) -> Single:
    """Coefficients (n0, n1, n2, r) as `table_kernel_spline` has them, padded with 0."""
    n0, n1, n2, rank = shaped.shape
    blocks = -(-rank // LANES)
    padded = np.zeros((n0, n1, n2, blocks * LANES), dtype=np.float32)
    padded[..., :rank] = shaped
    moved = padded.reshape(n0, n1, n2, blocks, LANES).transpose(0, 1, 3, 2, 4)
    return in_lines(moved.reshape(n0, n1, blocks, n2 * LANES))


def in_lines(values: NDArray[np.floating]) -> Single:
    """Single-precision copy that begins at a line of the processor's cache: reading is faster."""
    space = np.empty(values.nbytes + 64, dtype=np.uint8)
    first = -space.ctypes.data % 64
    copy = space[first:][: 4 * values.size].view(np.float32).reshape(values.shape)
    copy[...] = values
    return copy


def _places(cells: int) -> Array:
    """Where along an axis the model is computed: at the knots and in the middle of both end cells."""
    return np.sort(np.append(np.arange(cells + 1.0), (0.5, cells - 0.5)))


def _collocation(open_: bool, cells: int) -> Array:
    """From values at `_places` to coefficients of B-splines; four equal ones along a closed axis."""
    if not open_:
        return np.ones((4, 1))
    from stm_daq.fitting import table_kernel_spline

    places = _places(cells)
    matrix = np.zeros((len(places), cells + 3))
    value, slope = np.empty(4, dtype=np.float64), np.empty(4, dtype=np.float64)
    for row, place in zip(matrix, places.tolist(), strict=True):
        cell = table_kernel_spline.cubic(place, cells, value, slope)
        row[cell : cell + 4] = value
    return np.asarray(np.linalg.inv(matrix))


@lru_cache(maxsize=4)
def table_of(request: Request) -> Table:
    """The table of a request; the last few are kept while the process lives."""
    return Table(request)


def axis_of(name: str) -> int | None:
    """Axis of the table of a parameter, None if it has none."""
    return KINDS.index(name) if family(name) == name and name in KINDS else None

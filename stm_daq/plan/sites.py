"""Where spectra are taken, and in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array, Frame, Site

type Order = Literal["rows", "coarse_to_fine"]
type Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Topograph:
    """The topograph that is scanned before or between the spectra."""

    shape: tuple[int, int]
    """Pixels (rows, columns)."""
    line_time: float
    """Seconds per line, each way."""


@dataclass(frozen=True, slots=True)
class Sites:
    """A map of sites: a grid in a frame; a line and a list of points are maps of one row."""

    kind: Literal["grid", "line", "points"]
    frame: Frame
    """Of the topograph, or around all sites."""
    x: Array
    """Columns of sites from the left edge of the frame, or along the sites, m, shape (columns,)."""
    y: Array
    """Rows from the bottom edge of the frame, m, shape (rows,)."""
    positions: Array
    """Controller's coordinates, m, shape (rows, columns, 2)."""
    wanted: NDArray[np.bool_]
    """Whether a site is measured, shape (rows, columns)."""
    order: Order = "rows"
    topograph: Topograph | None = None
    every: int = 1
    """Rows of the topograph for one row of sites."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of sites (rows, columns), whether they are wanted or not."""
        return len(self.y), len(self.x)

    @property
    def topograph_shape(self) -> tuple[int, int]:
        """Pixels of the topograph; (0, 0) without one."""
        return self.topograph.shape if self.topograph else (0, 0)

    @property
    def count(self) -> int:
        """Number of sites that are measured."""
        return int(np.count_nonzero(self.wanted))


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of the topograph that are scanned, and the sites that are measured after them."""

    first_row: int
    rows: int
    sites: tuple[Site, ...]


def grid(
    frame: Frame,
    shape: tuple[int, int],
    topograph: Topograph | None = None,
    *,
    order: Order = "rows",
) -> Sites:
    """Sites on a grid in a frame.

    Parameters
    ----------
    frame : Frame
    shape : (rows, columns)
        Number of sites. With a topograph they lie on its pixels, and have to divide these; else
        in the middle of equal parts of the frame.
    topograph : Topograph, optional
    order : {"rows", "coarse_to_fine"}
    """
    rows, columns = shape
    if topograph is None:
        every, pixel_rows, pixel_columns = 1, rows, columns
    else:
        pixel_rows, pixel_columns = topograph.shape
        every = pixel_rows // rows
    x = (np.arange(columns, dtype=np.float64) * every + 0.5) * (frame.width / pixel_columns)
    y = (np.arange(rows, dtype=np.float64) * every + 0.5) * (frame.height / pixel_rows)
    positions = np.array([[frame.position(u, v) for u in x.tolist()] for v in y.tolist()])
    wanted = np.ones(shape, dtype=np.bool_)
    return Sites("grid", frame, x, y, positions, wanted, order, topograph, every)


def line(start: Place, end: Place, count: int, *, order: Order = "rows") -> Sites:
    """`count` sites from `start` to `end` (m), both included."""
    share = np.linspace(0.0, 1.0, count)[:, None]
    positions = (1.0 - share) * np.array(start) + share * np.array(end)
    length = math.dist(start, end)
    return _row("line", share[:, 0] * length, positions, order)


def points(places: Sequence[Place]) -> Sites:
    """Sites at a list of places (m), in this order; `x` is the way from the first one."""
    positions = np.array(places, dtype=np.float64)
    ways = np.hypot(*np.diff(positions, axis=0).T) if len(places) > 1 else np.empty(0)
    return _row("points", np.concatenate([[0.0], np.cumsum(ways)]), positions, "rows")


def _row(kind: Literal["line", "points"], x: Array, positions: Array, order: Order) -> Sites:
    low, high = positions.min(axis=0), positions.max(axis=0)
    (centre_x, centre_y), (width, height) = (low + high) / 2, high - low
    frame = Frame(float(centre_x), float(centre_y), float(width), float(height))
    wanted = np.ones((1, len(x)), dtype=np.bool_)
    return Sites(kind, frame, x, np.zeros(1), positions[None], wanted, order)


def groups(sites: Sites, step: int = 0) -> list[Group]:
    """Return the sites in the order of measurement, with the topograph's rows before them.

    In the order of rows, ``sites.every`` rows of the topograph are scanned before each row of
    sites; from coarse to fine, the whole topograph comes first. Rows go from the bottom, each from
    the left.
    """
    every = [
        [_site(sites, step, r, c) for c in range(sites.shape[1])] for r in range(sites.shape[0])
    ]
    wanted = sites.wanted
    scanned = sites.topograph_shape[0]
    if sites.order == "rows":
        each = sites.every if scanned else 0
        return [
            Group(r * each, each, tuple(s for c, s in enumerate(row) if wanted[r, c]))
            for r, row in enumerate(every)
        ]
    places = [place for place in _coarse_to_fine(*sites.shape) if wanted[place]]
    return [Group(0, scanned, tuple(every[r][c] for r, c in places))]


def _site(sites: Sites, step: int, row: int, col: int) -> Site:
    rows, columns = sites.shape
    x, y = sites.positions[row, col].tolist()
    return Site((step * rows + row) * columns + col, row, col, x, y, step)


def _coarse_to_fine(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield every (row, column): first on a coarse grid, then on finer and finer ones between."""
    stride = 1 << max(rows - 1, columns - 1, 1).bit_length()
    seen = np.zeros((rows, columns), dtype=np.bool_)
    while stride >= 1:
        for row in range(0, rows, stride):
            for col in range(0, columns, stride):
                if not seen[row, col]:
                    seen[row, col] = True
                    yield row, col
        stride //= 2


def strip(
    frame: Frame,
    rows: int,
    first: int,
    last: int,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Frame:
    """Return the part of a frame of `rows` rows from row `first` to before `last`.

    It is moved by `shift` (m).
    """
    height = frame.height / rows
    x, y = frame.position(frame.width / 2, 0.5 * (first + last) * height)
    return Frame(x + shift[0], y + shift[1], frame.width, (last - first) * height, frame.angle)


def inside(polygon: Sequence[Place], positions: Array) -> NDArray[np.bool_]:
    """Tell which positions (..., 2) lie inside a polygon (m), by the number of edges crossed."""
    x, y = positions[..., 0], positions[..., 1]
    odd = np.zeros(x.shape, dtype=np.bool_)
    corners = list(polygon)
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        odd ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return odd

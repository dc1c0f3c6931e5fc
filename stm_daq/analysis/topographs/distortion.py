"""Drift and distortion: shifts between images, and maps of positions that undo them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import image_of, plane_of, span
from stm_daq.analysis.topographs.lattice import Lattice
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array, Event
from stm_daq.registration import CLEAR, shift_between

if TYPE_CHECKING:
    import xarray as xr

MOST_MISSING = 0.1


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one image is shifted against another."""

    x: float
    """m: what was at x is at x + shift in the second image."""
    y: float
    """m."""
    clearness: float
    """Correlation of the two when laid over one another, -1 to 1."""

    @property
    def length(self) -> float:
        """Distance, m."""
        return math.hypot(self.x, self.y)


def image_shift(first: xr.DataArray, second: xr.DataArray) -> Shift:
    """Return how far the second of two images of the same frame is shifted, in parts of a pixel.

    Trace and retrace, or two topographs one after the other. Missing pixels do not take part: they
    are set to the plane through the others. See :func:`stm_daq.registration.shift_between`.

    Parameters
    ----------
    first, second : xarray.DataArray
        Maps with the same positions, m.

    Raises
    ------
    BadInputError
        If the positions differ.
    CannotTellError
        If the two, laid over one another, do not look alike (correlation below 0.5), or too much is
        missing.
    """
    one, other = (image_of(data, 64, MOST_MISSING) for data in (first, second))
    same = one.values.shape == other.values.shape
    if not same or not (_same(one.x, other.x) and _same(one.y, other.y)):
        raise BadInputError("the two images have different positions: choose the same frame")
    flat = [_filled(image.values, image.x, image.y) for image in (one, other)]
    rows, columns, clearness = shift_between(*flat)
    if clearness < CLEAR:
        raise CannotTellError(
            f"the two images do not look alike (correlation {clearness:.2f}, {CLEAR:g} is needed)"
        )
    dx, dy = one.step
    return Shift(columns * dx, rows * dy, clearness)


def _same(one: Array, other: Array) -> bool:
    """Return whether positions agree to a hundredth of their step."""
    return float(np.abs(one - other).max()) < 0.01 * span(one)


def _filled(z: Array, x: Array, y: Array) -> Array:
    from stm_daq.analysis.topographs.surface import without_plane

    flat = without_plane(z, x, y)
    return np.where(np.isfinite(flat), flat, 0.0)


@dataclass(frozen=True, slots=True)
class Affine:
    """A linear map of positions: true = matrix @ (measured - origin) + origin + offset."""

    matrix: Array
    """Shape (2, 2), on (x, y)."""
    offset: tuple[float, float] = (0.0, 0.0)
    """m."""
    origin: tuple[float, float] = (0.0, 0.0)
    """The place that stays where it is, but for the offset, m."""

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the true positions of measured ones, m, of any shape."""
        (a, b), (c, d) = self.matrix
        u, v = np.asarray(x) - self.origin[0], np.asarray(y) - self.origin[1]
        return (
            a * u + b * v + self.origin[0] + self.offset[0],
            c * u + d * v + self.origin[1] + self.offset[1],
        )

    def inverse(self) -> Affine:
        """Return the map from true to measured positions."""
        back = np.linalg.inv(self.matrix)
        x, y = -back @ np.array(self.offset)
        return Affine(back, (float(x), float(y)), self.origin)

    @property
    def magnification(self) -> float:
        """Square root of the change of areas."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix))))

    @property
    def shear(self) -> float:
        """Ratio of the largest to the smallest stretch, minus one; 0 for a mere turn and scale."""
        large, small = np.linalg.svd(self.matrix, compute_uv=False)
        return float(large / small) - 1.0


def affine_of_drift(velocity: tuple[float, float], row_time: float, row_step: float) -> Affine:
    """Return the distortion of an image whose rows were scanned one after the other while it drifted.

    A feature seen at height y was seen y / row_step * row_time after the first row; by then it had
    moved by velocity times that.

    Parameters
    ----------
    velocity : (float, float)
        Of the sample in the frame of the scanner, m/s.
    row_time : float
        From one row to the next, s; negative if the rows were scanned from the top down.
    row_step : float
        Distance of the rows, m.

    Raises
    ------
    BadInputError
        If the sample drifts as fast as the rows go.
    """
    per_height = row_time / row_step
    along, across = (component * per_height for component in velocity)
    if across >= 1.0:
        raise BadInputError("the sample drifts as fast as the rows are scanned: no image of it")
    return Affine(np.array([[1.0, -along], [0.0, 1.0 - across]]))


def affine_of_lattice(
    measured: Lattice, constant: float, origin: tuple[float, float] = (0.0, 0.0)
) -> Affine:
    """Return the map of positions that makes a measured lattice the one it is known to be.

    Wave vectors transform with the inverse transpose of positions: with measured and true ones as
    columns of K and Q, the matrix is (K Q^-1)^T. A lattice does not tell how the sample is turned;
    of the turns that which turns nothing on average is taken: the map is symmetric.

    Parameters
    ----------
    measured : Lattice
        From :func:`stm_daq.analysis.topographs.lattice.lattice_of`.
    constant : float
        True lattice constant, m.
    origin : (float, float)
        The place that stays where it is, m.

    Raises
    ------
    BadInputError
        If the constant is not positive.
    """
    if constant <= 0:
        raise BadInputError(f"a lattice constant of {constant:g} m: give a positive one")
    hexagonal = measured.symmetry == "hexagonal"
    length = 2 * math.pi / constant / (math.sqrt(3) / 2 if hexagonal else 1.0)
    first, second = measured.reciprocal.T
    turn = math.copysign(
        math.radians(60 if hexagonal else 90), first[0] * second[1] - first[1] * second[0]
    )
    ideal = length * np.array([[1.0, math.cos(turn)], [0.0, math.sin(turn)]])
    matrix = (measured.reciprocal @ np.linalg.inv(ideal)).T
    _, stretch, vt = np.linalg.svd(matrix)
    # matrix = (turn)(symmetric); the turn is that of the ideal lattice, which was put along x
    return Affine(np.asarray(vt.T @ np.diag(stretch) @ vt), origin=origin)


def with_true_positions(data: xr.DataArray, affine: Affine) -> xr.DataArray:
    """Give a map the positions where its pixels truly were; its values stay as they are.

    Parameters
    ----------
    data : xarray.DataArray
        A map, m.
    affine : Affine
        From measured to true positions.

    Returns
    -------
    xarray.DataArray
        The map with two more coordinates, ``true_x`` and ``true_y``, of its shape, m. For a figure
        ``axes.pcolormesh(z.true_x, z.true_y, z)``.
    """
    image = image_of(data, 1, 1.0, constant=True)
    x, y = affine(*np.meshgrid(image.x, image.y))
    return _with_positions(data.transpose(*plane_of(data)), x, y)


def _with_positions(data: xr.DataArray, x: Array, y: Array) -> xr.DataArray:
    """Add two coordinates to a map."""
    unit = {"units": "m"}
    dims = data.dims
    return data.assign_coords(
        true_x=(dims, x, unit | {"long_name": "x without drift"}),
        true_y=(dims, y, unit | {"long_name": "y without drift"}),
    )


@dataclass(frozen=True, slots=True)
class DriftTrack:
    """Where the sample was during a night, as the reference topographs have told."""

    time: Array
    """s since 1970, shape (n,)."""
    x: Array
    """m, since the first reference."""
    y: Array

    @property
    def rate(self) -> tuple[float, float]:
        """Mean velocity by a straight line through all, m/s."""
        slopes = [
            float(np.polyfit(self.time - self.time[0], way, 1)[0]) for way in (self.x, self.y)
        ]
        return slopes[0], slopes[1]

    def at(self, time: Array) -> tuple[Array, Array]:
        """Return where the sample was, m; NaN before the first and after the last look."""
        looks = {"left": np.nan, "right": np.nan}
        return np.interp(time, self.time, self.x, **looks), np.interp(
            time, self.time, self.y, **looks
        )


def drift_of_events(events: Sequence[Event]) -> DriftTrack:
    """Collect the drift that a run has measured.

    Parameters
    ----------
    events : sequence of Event
        Of :func:`stm_daq.store.reading.events`.

    Raises
    ------
    CannotTellError
        If there were fewer than two reference topographs.
    """
    looks = sorted((e for e in events if e.kind == "drift"), key=lambda event: event.time)
    if len(looks) < 2:
        raise CannotTellError(
            f"the run has {len(looks)} reference topographs; drift needs two (`care: drift:` in the plan)"
        )
    columns = (
        [e.time for e in looks],
        *([float(e.data[way]) for e in looks] for way in ("x", "y")),
    )
    return DriftTrack(*(np.array(column) for column in columns))


def with_drift_between_looks(
    data: xr.DataArray, time: xr.DataArray, track: DriftTrack
) -> xr.DataArray:
    """Give a map of a run the positions on the sample that its sites truly had.

    The run moves its sites by the drift known at the latest look; what the sample went on drifting
    until the site was measured is known only afterwards, from the next look.

    Parameters
    ----------
    data : xarray.DataArray
        A map of the run, over ``y``, ``x``.
    time : xarray.DataArray
        ``time`` of the run, same axes.
    track : DriftTrack
        From :func:`drift_of_events`.

    Returns
    -------
    xarray.DataArray
        With ``true_x`` and ``true_y``; NaN for sites not between two looks.
    """
    image = image_of(data, 1, 1.0, constant=True)
    when = time.transpose("y", "x").values
    looked = np.clip(np.searchsorted(track.time, when, side="right") - 1, 0, None)
    x, y = track.at(when)
    X, Y = np.meshgrid(image.x, image.y)
    # the tip went to the planned place plus the known drift; the sample had drifted to `track.at`
    return _with_positions(
        data.transpose("y", "x"), X + track.x[looked] - x, Y + track.y[looked] - y
    )

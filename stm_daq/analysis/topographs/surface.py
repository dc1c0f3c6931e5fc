"""Topographs made level: planes, polynomials, terraces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import Image, Numbers, image_of, like, robust_std
from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

TUKEY = 4.685
"""Tukey's constant: residuals beyond so many standard deviations do not count."""
ROUNDS = 30
STEEP = 5.0
"""A step edge is steeper than so many robust standard deviations of the slopes."""
SMALLEST = 0.01
"""A terrace is at least this part of the frame."""


def without_plane(z: Array, x: Array, y: Array) -> Array:
    """Subtract the best plane from heights with gaps, for a picture; it never refuses.

    Parameters
    ----------
    z : ndarray
        Heights, shape (rows, columns), NaN = not measured.
    x, y : ndarray
        Column and row positions, shapes (columns,) and (rows,).

    Returns
    -------
    ndarray
        Same shape; a frame of fewer than three rows or columns only loses its mean.
    """
    known = np.isfinite(z)
    if not known.any():
        return z
    result: Array = z - z[known].mean()
    rows, columns = np.nonzero(known)
    if np.ptp(rows) < 2 or np.ptp(columns) < 2:
        return result
    terms = _terms(x, y, 1)
    result -= terms @ _solve(terms[known], result[known])
    return result


def level(heights: xr.DataArray, degree: int = 1, robust: bool = False) -> xr.DataArray:
    """Subtract the best plane or polynomial; the rest has the mean (robust: the bulk) at zero.

    Parameters
    ----------
    heights : xarray.DataArray
        Over (``y``, ``x``) or (``topograph_y``, ``topograph_x``), m; NaN = missing.
    degree : int
        Highest total power of x and y: 1 is a plane, 2 takes out the bow of the scanner.
    robust : bool
        Least squares with Tukey's weights (P. J. Huber and E. M. Ronchetti, Robust Statistics,
        2009, sec. 7): adsorbates, holes and terraces smaller than half the frame do not
        count. With terraces of similar size use :func:`level_terraces`.

    Returns
    -------
    xarray.DataArray
        Same axes.

    Raises
    ------
    BadInputError, CannotTellError
        See :func:`stm_daq.analysis.maps.images.image_of`; or if the pixels do not determine the
        polynomial.
    """
    if not 0 <= degree <= 6:
        raise BadInputError(f"degree={degree}: give a degree from 0 to 6")
    terms_needed = (degree + 1) * (degree + 2) // 2
    image = image_of(heights, least=max(9, 2 * terms_needed), constant=True)
    terms, known = _terms(image.x, image.y, degree), image.known
    solve = solve_robust if robust else _solve
    return like(heights, image.values - terms @ solve(terms[known], image.values[known]))


def level_three_points(
    heights: xr.DataArray, points: Sequence[tuple[float, float]], radius: float
) -> xr.DataArray:
    """Subtract the plane through three points, such as three places of one terrace.

    Parameters
    ----------
    heights : xarray.DataArray
        As in :func:`level`.
    points : sequence of (x, y)
        Three places in the coordinates of the map, m.
    radius : float
        The height of a point is the median within this distance, m.

    Raises
    ------
    BadInputError
        If there are not three points, or they lie on a line.
    CannotTellError
        If there is no value around a point.
    """
    image = image_of(heights, constant=True)
    if len(points) != 3:
        raise BadInputError(f"{len(points)} points given; a plane goes through three")
    X, Y = np.meshgrid(image.x, image.y)
    found = []
    for px, py in points:
        near = image.known & (np.hypot(X - px, Y - py) <= radius)
        if not near.any():
            raise CannotTellError(
                f"no pixel has a value within {radius:.3g} m of ({px:.3g}, {py:.3g}) m"
            )
        found.append(float(np.median(image.values[near])))
    corners = np.array([[1.0, px, py] for px, py in points])
    scaled = corners / np.array([1.0, np.ptp(image.x), np.ptp(image.y)])
    if abs(np.linalg.det(scaled)) < 1e-3:
        raise BadInputError("the three points lie on a line: they determine no plane")
    constant, slope_x, slope_y = np.linalg.solve(corners, np.array(found))
    return like(heights, image.values - constant - slope_x * X - slope_y * Y)


def level_terraces(heights: xr.DataArray, smoothing: float = 1.5) -> xr.DataArray:
    """Subtract the plane that all terraces of a stepped surface have in common.

    Edges are where the smoothed surface is much steeper than usual; what lies between them are
    terraces. One plane for all, and a height for each terrace, are fitted together by least
    squares, and only the plane is subtracted: steps keep their height.

    Parameters
    ----------
    heights : xarray.DataArray
        As in :func:`level`.
    smoothing : float
        Width of the Gaussian with which edges are sought, pixels.

    Raises
    ------
    CannotTellError
        If no flat piece is as large as a hundredth of the frame; and see :func:`level`.
    """
    from scipy import ndimage

    image = image_of(heights, least=64)
    flat = _without_median_slopes(image)
    label, count = ndimage.label(_between_edges(flat, image.known, smoothing))
    sizes = np.bincount(label.ravel(), minlength=count + 1)
    kept = np.flatnonzero(sizes >= max(SMALLEST * label.size, 9))
    kept = kept[kept > 0]
    if not len(kept):
        raise CannotTellError(f"'{image.name}' has no terrace of 1 % of the frame: no step edges")
    terms = _terms(image.x, image.y, 1)[..., 1:]
    used = np.isin(label, kept)
    number, z, slopes = label[used], image.values[used], terms[used]
    centred = np.stack([_minus_mean(column, number) for column in slopes.T], axis=-1)
    plane = _solve(centred, _minus_mean(z, number))
    level_z = image.values - terms @ plane
    largest = label == kept[np.argmax(sizes[kept])]
    return like(heights, level_z - np.median(level_z[largest]))


def _terms(x: Array, y: Array, degree: int) -> Array:
    """Return the powers of scaled positions, shape (rows, columns, terms); 1, x, y come first."""
    X, Y = np.meshgrid((x - x.mean()) / np.ptp(x), (y - y.mean()) / np.ptp(y))
    powers = [(total - j, j) for total in range(degree + 1) for j in range(total + 1)]
    return np.stack([X**i * Y**j for i, j in powers], axis=-1)


def _solve(terms: Array, z: Array) -> Array:
    coefficients, _, rank, _ = np.linalg.lstsq(terms, z)
    if rank < terms.shape[1]:
        raise CannotTellError("the pixels with a value lie on a line: they determine no plane")
    return np.asarray(coefficients)


def solve_robust(terms: Array, z: Array) -> Array:
    """Solve with Tukey's weights, reweighted until they stay."""
    found = _solve(terms, z)
    for _ in range(ROUNDS):
        rest = z - terms @ found
        scale = robust_std(rest)
        if scale <= 1e-15 * (np.abs(z).max() or 1.0):
            break
        weight = np.clip(1 - ((rest - np.median(rest)) / (TUKEY * scale)) ** 2, 0, None)
        before, found = found, _solve(terms * weight[:, None], z * weight)
        if np.abs(found - before).max() < 1e-6 * scale:
            break
    return found


def _without_median_slopes(image: Image) -> Array:
    """Subtract the plane of the median slopes along rows and columns, which few steps leave alone."""
    dx, dy = image.step
    slope_x = np.nanmedian(np.diff(image.values, axis=1)) / dx
    slope_y = np.nanmedian(np.diff(image.values, axis=0)) / dy
    X, Y = np.meshgrid(image.x - image.x.mean(), image.y - image.y.mean())
    return np.asarray(image.values - slope_x * X - slope_y * Y)


def _between_edges(flat: Array, known: Mask, smoothing: float) -> Mask:
    """Return where the smoothed surface is not much steeper than usual."""
    from scipy import ndimage

    weight = ndimage.gaussian_filter(known.astype(float), smoothing)
    smooth = ndimage.gaussian_filter(np.where(known, flat, 0.0), smoothing)
    smooth /= np.where(weight > 0, weight, 1.0)
    along_y, along_x = np.gradient(smooth)
    usual_x, usual_y = (robust_std(slope[known]) for slope in (along_x, along_y))
    edge = (np.abs(along_x) > STEEP * usual_x) | (np.abs(along_y) > STEEP * usual_y)
    return np.asarray(known & ~edge)


def _minus_mean(values: Array, number: Numbers) -> Array:
    """Subtract from each value the mean of those with the same number."""
    counts = np.bincount(number)
    means = np.bincount(number, values) / np.maximum(counts, 1)
    return np.asarray(values - means[number])

"""Regions of interest: drawn as polygons, cut out by a threshold, or grains; and values in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import Image, image_of, like, plane_of
from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

type Point = tuple[float, float]


@dataclass(frozen=True)
class Regions:
    """Parts of a map; no pixel is in two of them."""

    labels: xr.DataArray
    """Integers over the axes of the map: 0 outside, n in the region ``names[n - 1]``."""
    names: tuple[str, ...]

    def mask(self, name: str) -> Mask:
        """Return where a region is, shape (rows, columns)."""
        return np.asarray(self.labels.values == self.names.index(name) + 1)


@dataclass(frozen=True, slots=True)
class RegionValue:
    """The values of a map in one region, in the unit of the map."""

    name: str
    sites: int
    """That have a value."""
    mean: float
    median: float
    std: float
    """Of the sites, not of the mean; NaN for a single site."""


def drawn(data: xr.DataArray, polygons: Mapping[str, Sequence[Point]]) -> Regions:
    """Return the regions inside polygons, such as ``settings_of(dataset).regions``.

    Parameters
    ----------
    data : xarray.DataArray
        A map over (``y``, ``x``) or (``topograph_y``, ``topograph_x``), m; its values do not matter.
    polygons : mapping of str to sequence of (x, y)
        Corners in order, m; a pixel belongs to the polygon that its centre lies in.

    Raises
    ------
    BadInputError
        If there is no polygon, one has fewer than three corners or holds no pixel, or two overlap.
    """
    rows, columns = plane_of(data)
    X, Y = np.meshgrid(data[columns].values, data[rows].values)
    labels = np.zeros(X.shape, dtype=np.int64)
    if not polygons:
        raise BadInputError("no region is drawn: give polygons, such as in `report: regions:`")
    for number, (name, corners) in enumerate(polygons.items(), 1):
        inside = inside_polygon(X, Y, corners)
        if not inside.any():
            raise BadInputError(
                f"region '{name}' holds no pixel of '{data.name or 'map'}', which reaches from "
                f"({X.min():.4g}, {Y.min():.4g}) m to ({X.max():.4g}, {Y.max():.4g}) m"
            )
        if (labels[inside] > 0).any():
            other = list(polygons)[int(labels[inside].max()) - 1]
            raise BadInputError(f"regions '{other}' and '{name}' overlap; draw them apart")
        labels[inside] = number
    return Regions(_labelled(data, labels), tuple(polygons))


def inside_polygon(x: Array, y: Array, corners: Sequence[Point]) -> Mask:
    """Return which points lie in a polygon: a ray to the right crosses its border an odd number of times.

    Parameters
    ----------
    x, y : ndarray
        Any one shape.
    corners : sequence of (x, y)
        In order, same unit.

    Raises
    ------
    BadInputError
        If there are fewer than three corners.
    """
    if len(corners) < 3:
        raise BadInputError(f"a polygon has at least three corners, not {len(corners)}")
    inside = np.zeros(np.shape(x), dtype=np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y1 == y2:
            continue
        beside = (y1 <= y) != (y2 <= y)
        inside ^= beside & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return inside


def thresholded(data: xr.DataArray, limits: Mapping[str, tuple[float, float]]) -> Regions:
    """Return the regions where ``low <= value < high``, such as those of a low gap.

    Parameters
    ----------
    data : xarray.DataArray
        A map; missing pixels are in no region.
    limits : mapping of str to (low, high)
        In the unit of the map; they must not overlap.

    Raises
    ------
    BadInputError
        If limits are not in order, or overlap.
    CannotTellError
        If a region holds no pixel.
    """
    image = image_of(data)
    labels = np.zeros(image.values.shape, dtype=np.int64)
    for number, (name, (low, high)) in enumerate(limits.items(), 1):
        if not low < high:
            raise BadInputError(f"region '{name}': its limits {low:g} and {high:g} are in no order")
        inside = (image.values >= low) & (image.values < high)
        if (labels[inside] > 0).any():
            raise BadInputError(f"the limits of region '{name}' overlap with those of another")
        if not inside.any():
            raise CannotTellError(f"no pixel of '{image.name}' lies from {low:g} to {high:g}")
        labels[inside] = number
    return Regions(_labelled(data, labels), tuple(limits))


def interiors(regions: Regions) -> Regions:
    """Return regions without the pixels that touch another region, the outside or the edge.

    What belongs to a region beyond doubt: a boundary is known to about a pixel.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    labels = regions.labels.values
    inner = (maximum_filter(labels, 3, mode="constant") == labels) & (
        minimum_filter(labels, 3, mode="constant") == labels
    )
    return Regions(_labelled(regions.labels, np.where(inner, labels, 0)), regions.names)


def on_sites(regions: Regions, sites: xr.DataArray) -> Regions:
    """Carry regions, such as grains of a topograph, over to the sites of the spectra.

    A site belongs to the region of the pixel that it lies on; outside all pixels it is in none.

    Parameters
    ----------
    regions : Regions
    sites : xarray.DataArray
        Any map over the sites, (``y``, ``x``), m.
    """
    rows, columns = plane_of(sites)
    of_rows, of_columns = plane_of(regions.labels)
    i = _nearest(regions.labels[of_rows].values, sites[rows].values)
    j = _nearest(regions.labels[of_columns].values, sites[columns].values)
    picked = regions.labels.values[np.ix_(np.maximum(i, 0), np.maximum(j, 0))]
    outside = (i < 0)[:, None] | (j < 0)
    return Regions(_labelled(sites, np.where(outside, 0, picked)), regions.names)


def values_by_region(values: xr.DataArray, regions: Regions, least: int = 1) -> list[RegionValue]:
    """Summarise a map in every region that has at least `least` sites with a value.

    Raises
    ------
    BadInputError
        If map and regions have different axes: see :func:`on_sites`.
    """
    image = require_same_axes(values, regions)
    found = []
    for number, name in enumerate(regions.names, 1):
        here = image.values[(regions.labels.values == number) & image.known]
        if len(here) >= max(least, 1):
            std = float(np.std(here, ddof=1)) if len(here) > 1 else float("nan")
            found.append(
                RegionValue(name, len(here), float(here.mean()), float(np.median(here)), std)
            )
    return found


def require_same_axes(values: xr.DataArray, regions: Regions) -> Image:
    """Return the image of a map on the axes of regions, or say that they differ."""
    image = image_of(values, least=1, most_missing=1.0, constant=True)
    same = plane_of(values) == plane_of(regions.labels) and all(
        np.array_equal(values[axis], regions.labels[axis]) for axis in plane_of(values)
    )
    if not same:
        raise BadInputError(
            f"'{image.name}' and the regions have different axes: carry the regions over with `on_sites`"
        )
    return image


def _labelled(data: xr.DataArray, labels: Array | np.ndarray) -> xr.DataArray:
    """Return labels over the plane of a map, which may have further axes."""
    plane = plane_of(data)
    first = data.isel({axis: 0 for axis in data.dims if axis not in plane}, drop=True)
    return like(first, labels).rename("region").assign_attrs(units="", long_name="region")


def _nearest(pixels: Array, positions: Array) -> np.ndarray:
    """Return the pixel that every position lies on; -1 beyond the outermost."""
    step = (pixels[-1] - pixels[0]) / (len(pixels) - 1)
    number = np.rint((positions - pixels[0]) / step).astype(np.int64)
    return np.where((number >= 0) & (number < len(pixels)), number, -1)

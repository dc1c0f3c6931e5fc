"""How regions of interest look in every figure: their colours and their outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import plane_of
from stm_daq.analysis.maps.regions import Regions
from stm_daq.records import Array
from stm_daq.report.raster import Extent, extent_of
from stm_daq.report.style import DECORATION

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

NM = 1e9
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""M. Okabe, K. Ito (2008): told apart by the colour-blind as well."""


def colour_of(number: int) -> str:
    """Return the colour of the region of this number, from 0."""
    return COLOURS[number % len(COLOURS)]


def plane_extent(data: xr.DataArray) -> Extent:
    """Return the outer edges of a map, nm."""
    rows, columns = plane_of(data)
    return extent_of(data[columns].values * NM, data[rows].values * NM)


def outline(axes: Axes, regions: Regions, named: bool) -> None:
    """Draw the boundaries of regions: each in its colour, or all of them thin and black."""
    labels, extent = regions.labels.values, plane_extent(regions.labels)
    if not named:
        _lines(axes, labels, extent, "black", 0.35)
        return
    for number in range(len(regions.names)):
        _lines(axes, labels == number + 1, extent, colour_of(number), 1.4)


def _lines(
    axes: Axes, labels: Array | np.ndarray, extent: Extent, colour: str, width: float
) -> None:
    """Draw the edges between pixels of different labels."""
    from matplotlib.collections import LineCollection

    left, right, bottom, top = extent
    framed = np.pad(labels.astype(np.int64), 1)
    rows, columns = labels.shape
    x, y = np.linspace(left, right, columns + 1), np.linspace(bottom, top, rows + 1)
    i, j = np.nonzero(framed[1:-1, 1:] != framed[1:-1, :-1])
    upright = np.stack([np.stack([x[j], y[i]], -1), np.stack([x[j], y[i + 1]], -1)], axis=1)
    i, j = np.nonzero(framed[1:, 1:-1] != framed[:-1, 1:-1])
    level = np.stack([np.stack([x[j], y[i]], -1), np.stack([x[j + 1], y[i]], -1)], axis=1)
    segments = list(np.concatenate([upright, level]))
    for ink, wide in ((colour, width),) if width < 1 else (("white", 2.2 * width), (colour, width)):
        lines = LineCollection(segments, colors=ink, linewidths=wide, capstyle="projecting")
        lines.set_gid(DECORATION)
        axes.add_collection(lines, autolim=False)

"""The topograph and a section through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.topographs.surface import without_plane
from stm_daq.records import Array
from stm_daq.report.raster import draw_image, extent_of, panel_height, robust_limits
from stm_daq.report.style import BLUE, NothingToShowError, in_house_style, letter, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from stm_daq.report.runs.examples import Example

NM = 1e9


@in_house_style
def figure_topograph(dataset: xr.Dataset, examples: tuple[Example, ...] = ()) -> Figure:
    """Draw the topograph (plane subtracted) and a line section through it.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run.
    examples : tuple of Example
        Sites to be marked by their letter.

    Raises
    ------
    NothingToShowError
        If there is no topograph, or no row of it is finished.
    """
    heights = dataset["topography"].values
    if heights.size == 0:
        raise NothingToShowError("The plan has no topograph.")
    if not np.isfinite(heights).any():
        raise NothingToShowError("The run ended before the first row of the topograph.")
    x, y = dataset["topograph_x"].values * NM, dataset["topograph_y"].values * NM
    heights, extent = without_plane(heights, x, y) * NM, extent_of(x, y)
    figure = new_figure(max(panel_height(extent, 3.1) + 0.6, 2.4))
    image, section = figure.subplots(1, 2, width_ratios=(1.25, 1))
    draw_image(image, heights, extent, "cividis", "Height (nm)", robust_limits(heights))
    image.set(xlabel="x (nm)", ylabel="y (nm)")
    letter(image, 0, "Topograph, plane subtracted")
    _mark(image, examples)
    row = _row_for_section(heights)
    image.axhline(y[row], color="white", linewidth=0.7, linestyle=(0, (4, 3)))
    section.plot(x, heights[row], color=BLUE, linewidth=1)
    section.set(xlabel="x (nm)", ylabel="Height (nm)", xlim=extent[:2])
    letter(section, 1, f"Section at y = {y[row]:.1f} nm (dashed)")
    return figure


def _row_for_section(heights: Array) -> int:
    """Return the middle row of those that are complete (or of those with anything in them)."""
    known = np.isfinite(heights)
    rows = np.flatnonzero(known.all(axis=1))
    if not len(rows):
        rows = np.flatnonzero(known.any(axis=1))
    return int(rows[len(rows) // 2])


def _mark(axes: Axes, examples: tuple[Example, ...]) -> None:
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=2, foreground="black")]
    for example in examples:
        x, y = example.x * NM, example.y * NM
        axes.plot(
            x,
            y,
            "o",
            markersize=4,
            markerfacecolor="none",
            markeredgecolor="white",
            path_effects=outline,
        )
        axes.annotate(
            example.letter,
            (x, y),
            (4, 3),
            textcoords="offset points",
            color="white",
            weight="bold",
            path_effects=outline,
        )

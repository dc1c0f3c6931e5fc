"""Grains and regions of interest on the topograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.regions import Regions
from stm_daq.analysis.topographs.grains import grain_sizes
from stm_daq.analysis.topographs.surface import without_plane
from stm_daq.errors import CannotTellError
from stm_daq.report.granular.region_colours import colour_of, outline, plane_extent
from stm_daq.report.raster import draw_image, panel_height, robust_limits
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.style import (
    BLUE,
    DATA,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NM = 1e9
PANEL = 4.2


@in_house_style
def figure_grains(dataset: xr.Dataset, grains: Regions, drawn: Regions | None = None) -> Figure:
    """Draw the topograph with the boundaries of its grains, and how large they are.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run with a topograph.
    grains : Regions
        From :func:`stm_daq.analysis.topographs.grains.segment_grains`.
    drawn : Regions, optional
        Regions of interest, outlined in their colours.

    Raises
    ------
    NothingToShowError
        If there is no topograph.
    """
    data = dataset["topography"]
    if not np.isfinite(data.values).any():
        raise NothingToShowError("The run has no topograph.")
    heights = without_plane(data.values, data["topograph_x"].values, data["topograph_y"].values)
    extent = plane_extent(data)
    figure = new_figure(max(panel_height(extent, PANEL) + 0.7, 2.4))
    image, histogram = figure.subplots(1, 2, width_ratios=(1.9, 1))
    draw_image(image, heights * NM, extent, "YlGnBu_r", "Height (nm)", robust_limits(heights * NM))
    outline(image, grains, named=False)
    if drawn is not None:
        outline(image, drawn, named=True)
        _name(image, drawn)
    image.set(xticks=(), yticks=())
    letter(image, 0, f"Topograph: {len(grains.names)} grains")
    scale_bar(image, extent)
    _draw_sizes(histogram, grains)
    letter(histogram, 1, "Circles of equal area")
    return figure


def _name(axes: Axes, regions: Regions) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour_of(number), label=name)
        for number, name in enumerate(regions.names)
    ]
    axes.legend(
        handles=handles, loc="upper right", bbox_to_anchor=(1, -0.09), ncols=4, columnspacing=1.2
    )


def _draw_sizes(axes: Axes, grains: Regions) -> None:
    axes.set(xlabel="Diameter (nm)", ylabel="Grains")
    try:
        sizes = grain_sizes(grains)
    except CannotTellError as error:
        axes.text(0.5, 0.5, "cannot be told", transform=axes.transAxes, ha="center")
        axes.set_title(str(error), fontsize=6, wrap=True)
        return
    diameters = sizes.diameters * NM
    bins = int(np.clip(round(np.sqrt(len(diameters)) * 1.5), 5, 40))
    counts, _, _ = axes.hist(diameters, bins=bins, color=BLUE, alpha=0.85)
    axes.axvline(sizes.median * NM, ymax=0.7, color=DATA, linestyle="--", linewidth=1)
    lines = [
        f"median {sizes.median * NM:.1f} nm",
        f"90 % below {sizes.large * NM:.1f} nm",
        f"{len(diameters)} grains",
    ]
    axes.text(
        0.97,
        0.97,
        "\n".join(lines),
        transform=axes.transAxes,
        va="top",
        ha="right",
        linespacing=1.4,
    )
    axes.set_ylim(0, 1.4 * float(np.max(counts)))

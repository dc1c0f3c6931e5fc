"""Do neighbouring sites agree within what their fits state?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stm_daq.analysis.maps.neighbours import NeighbourScatter
from stm_daq.report.granular.region_colours import plane_extent
from stm_daq.report.numbers import FITTED
from stm_daq.report.raster import draw_image, panel_height
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.style import NothingToShowError, in_house_style, letter, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL = 1.9
LIMITS = (0.3, 30.0)


@in_house_style
def figure_uncertainty(found: Sequence[NeighbourScatter]) -> Figure:
    """Draw by how much more neighbours differ than their standard deviations say, for each quantity.

    Raises
    ------
    NothingToShowError
        If there is no quantity.
    """
    if not found:
        raise NothingToShowError("No quantity has neighbouring sites to compare.")
    extent = plane_extent(found[0].ratio_map)
    figure = new_figure(panel_height(extent, PANEL) + 0.9)
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    quantities = {quantity.name: quantity for quantity in FITTED}
    for number, (axes, one) in enumerate(zip(panels, found, strict=True)):
        quantity = quantities[one.name]
        last = number == len(found) - 1
        draw_image(
            axes, one.ratio_map.values, extent, "cividis", "difference / stated" if last else "",
            LIMITS, logarithmic=True,
        )  # fmt: skip
        axes.set(xticks=(), yticks=())
        scale_bar(axes, extent)
        std, stated = one.std * quantity.factor, one.stated * quantity.factor
        unit = f" {quantity.unit}".rstrip()
        numbers = f"{std:.2g}{unit} between neighbours,\n{stated:.2g}{unit} stated"
        letter(axes, number, f"{quantity.title}: ratio {one.ratio:.1f}\n{numbers}")
    return figure

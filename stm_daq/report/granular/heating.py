"""Gap, temperature and barrier against one another by region, with the curves of BCS and of heating."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.granular.heating import Heating
from stm_daq.analysis.granular.zero_gap import RegionGap, region_gaps, zero_temperature_gap
from stm_daq.analysis.maps.regions import Regions
from stm_daq.errors import CannotTellError
from stm_daq.records import Array
from stm_daq.report.granular.region_colours import colour_of, outline, plane_extent
from stm_daq.report.numbers import BARRIER, GAP, TEMPERATURE, Quantity
from stm_daq.report.raster import draw_image, panel_height, robust_limits
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.style import (
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 2.7
ELSEWHERE = "#c4c4c4"
"""Sites in no region."""


@in_house_style
def figure_heating(maps: xr.Dataset, regions: Regions, heating: Heating | None = None) -> Figure:
    """Draw gap-temperature, temperature-barrier and gap-barrier by region, as in the paper's Fig. 5.

    Parameters
    ----------
    maps : Dataset
        From :func:`stm_daq.analysis.maps.fitted_maps.fitted_maps`.
    regions : Regions
        A few, on the sites.
    heating : Heating, optional
        From :func:`stm_daq.analysis.granular.heating.fit_heating` with these regions; without it,
        no curves of it.

    Raises
    ------
    NothingToShowError
        If no site has all three values.
    """
    known = np.all([np.isfinite(maps[q.name].values) for q in (GAP, TEMPERATURE, BARRIER)], axis=0)
    if not known.any():
        raise NothingToShowError("No site has gap, temperature and barrier.")
    extent = plane_extent(maps["gap"])
    figure = new_figure(max(panel_height(extent, PANEL) + 0.6, 2.2) + 2.6)
    panels = figure.subplots(
        2, 2, height_ratios=(max(panel_height(extent, PANEL), 1.9), 2.1)
    ).ravel()
    gap = maps["gap"].values * GAP.factor
    draw_image(panels[0], gap, extent, "viridis", GAP.unit, robust_limits(gap))
    outline(panels[0], regions, named=True)
    panels[0].set(xticks=(), yticks=())
    scale_bar(panels[0], extent)
    letter(panels[0], 0, "Gap, and the regions")
    pairs = ((TEMPERATURE, GAP), (BARRIER, TEMPERATURE), (BARRIER, GAP))
    titles = (r"BCS $\Delta(T)$", "Temperature and barrier", r"Gap and barrier, $\Delta(T(Z))$")
    for number, (axes, (x, y), title) in enumerate(zip(panels[1:], pairs, titles, strict=True), 1):
        _draw_sites(axes, maps, regions, x, y)
        letter(axes, number, title)
    gaps: list[RegionGap] = []
    with suppress(CannotTellError):  # regions without enough sites have points, but no curve
        gaps = region_gaps(zero_temperature_gap(maps)["gap0"], regions)
    _draw_curves(panels, maps, regions, heating, gaps)
    _legend(panels[0], regions, gaps)
    return figure


def _draw_sites(axes: Axes, maps: xr.Dataset, regions: Regions, x: Quantity, y: Quantity) -> None:
    labels = regions.labels.values
    across, up = (maps[q.name].values * q.factor for q in (x, y))
    for number in range(len(regions.names) + 1):
        here = labels == number
        axes.plot(
            across[here],
            up[here],
            ".",
            markersize=2.0 if number == 0 or here.sum() > 500 else 5.0,
            markeredgewidth=0,
            color=ELSEWHERE if number == 0 else colour_of(number - 1),
            alpha=0.5 if number == 0 else 0.8,
            rasterized=bool(here.sum() > 300),
            zorder=1 if number == 0 else 3,
        )
    axes.set(xlabel=x.label, ylabel=y.label, xlim=_range(across), ylim=_range(up))


def _range(values: Array) -> tuple[float, float]:
    low, high = (float(v) for v in np.nanpercentile(values, [0.3, 99.7]))
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _draw_curves(
    panels: Array | np.ndarray,
    maps: xr.Dataset,
    regions: Regions,
    heating: Heating | None,
    gaps: list[RegionGap],
) -> None:
    colours = {name: colour_of(number) for number, name in enumerate(regions.names)}
    temperatures = np.linspace(0.05, float(np.nanmax(maps["temperature"])) * 1.05, 200)
    barriers = np.linspace(0.0, float(np.nanmax(maps["barrier"])) * 1.05, 200)
    for one in gaps:
        _curve(panels[1], temperatures, one.curve(temperatures) * GAP.factor, colours[one.name])
    if heating is None:
        return
    for name in heating.regions:
        _curve(panels[2], barriers, heating.curve(barriers, name), colours[name])
    for one in gaps:
        if one.name in heating.regions:
            warm = one.curve(heating.curve(barriers, one.name))
            _curve(panels[3], barriers, warm * GAP.factor, colours[one.name])
    base, ratio = heating.base, heating.ratio
    said = (
        rf"$T_n$ = {base.value:.2f} ± {base.std:.2f} K, $r$ = {ratio.value:.1f} ± {ratio.std:.1f}"
    )
    letter(panels[2], 2, f"Heating model: {said}")


def _curve(axes: Axes, x: Array, y: Array, colour: str) -> None:
    from matplotlib.patheffects import withStroke

    edge = [withStroke(linewidth=2.0, foreground="white")]
    axes.plot(x, y, color=colour, linewidth=1.0, path_effects=edge, zorder=2)


def _legend(axes: Axes, regions: Regions, gaps: list[RegionGap]) -> None:
    from matplotlib.lines import Line2D

    known = {one.name: f": {one.gap0 * GAP.factor:.3f} meV" for one in gaps}
    handles = [
        Line2D([], [], color=colour_of(number), label=name + known.get(name, ""))
        for number, name in enumerate(regions.names)
    ]
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(-0.02, -0.12), ncols=2,
        fontsize=7, columnspacing=1.0, title=r"Regions and their $\Delta(0)$", title_fontsize=7,
        alignment="left",
    )  # fmt: skip

"""Spectra along a line through the map, with height and gap beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.fitted_maps import fitted_maps
from stm_daq.analysis.maps.linecut import Point, line_cut
from stm_daq.analysis.topographs.surface import without_plane
from stm_daq.errors import CannotTellError
from stm_daq.records import Array
from stm_daq.report.granular.region_colours import plane_extent
from stm_daq.report.numbers import GAP
from stm_daq.report.raster import draw_image, panel_height, robust_limits
from stm_daq.report.style import (
    BLUE,
    FAILED,
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
PANEL = 5.6


@in_house_style
def figure_line_cut(dataset: xr.Dataset, start: Point, end: Point) -> Figure:
    """Draw dI/dV against bias and position along a line, and height and gap below.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run with fits, without outer axes.
    start, end : (x, y)
        Ends of the line, m, in the coordinates of the sites.

    Raises
    ------
    NothingToShowError
        If the line meets no spectra.
    """
    try:
        spectra = line_cut(_normalised(dataset), start, end)
    except CannotTellError as error:
        raise NothingToShowError(f"There is no line cut: {error}.") from None
    maps = fitted_maps(dataset, ["gap"])
    extent = plane_extent(maps["gap"])
    map_height = panel_height(extent, PANEL)
    figure = new_figure(map_height + 3.6)
    panels = figure.subplots(3, 1, height_ratios=(map_height, 1.8, 1.2))
    gap = maps["gap"].values * GAP.factor
    draw_image(panels[0], gap, extent, "viridis", GAP.unit, robust_limits(gap))
    arrow = {"arrowstyle": "->", "color": "white", "linewidth": 1.4}
    ends = ((end[0] * NM, end[1] * NM), (start[0] * NM, start[1] * NM))
    panels[0].annotate("", *ends, arrowprops=arrow)
    panels[0].set(xlabel="x (nm)", ylabel="y (nm)")
    letter(panels[0], 0, "Gap, and the line")
    _draw_spectra(panels[1], spectra)
    letter(panels[1], 1, "dI/dV along the line, relative to the normal state")
    _draw_profiles(panels[2], dataset, maps["gap"], start, end)
    letter(panels[2], 2, "Gap (blue, small values up) and height (grey)")
    panels[2].set_xlim(panels[1].get_xlim())
    return figure


def _normalised(dataset: xr.Dataset) -> xr.DataArray:
    """Return dI/dV over the fitted normal-state conductance, or over its own mean at the ends."""
    conductance = dataset["conductance"]
    if "direction" in conductance.dims:
        conductance = conductance.isel(direction=0)
    if "scale" in dataset:
        normal = dataset["scale"]
    else:
        points = conductance.sizes["bias"]
        edge = max(points // 20, 1)
        normal = conductance.isel(bias=[*range(edge), *range(points - edge, points)]).mean("bias")
    return (conductance / normal).rename("conductance")


def _draw_spectra(axes: Axes, spectra: xr.DataArray) -> None:
    position, bias = spectra["position"].values * NM, spectra["bias"].values * 1e3
    values = spectra.values.T
    low, high = robust_limits(values)
    image = axes.pcolormesh(
        position,
        bias,
        values,
        cmap="magma",
        vmin=low,
        vmax=high,
        shading="nearest",
        rasterized=True,
    )
    axes.figure.colorbar(image, cax=axes.inset_axes((1.03, 0, 0.02, 1)), label="dI/dV")
    axes.set(xlabel="Position (nm)", ylabel="Bias (mV)")


def _draw_profiles(
    axes: Axes, dataset: xr.Dataset, gap: xr.DataArray, start: Point, end: Point
) -> None:
    heights = _height(dataset, start, end)
    if heights is not None:
        axes.fill_between(*heights, heights[1].min(), color=FAILED, alpha=0.5, linewidth=0)
    axes.set(xlabel="Position (nm)", ylabel="Height (nm)")
    try:
        cut = line_cut(gap, start, end)
    except CannotTellError:
        return  # no fit along the line: its heights are shown alone
    right = axes.twinx()
    right.plot(cut["position"] * NM, cut.values * GAP.factor, "o-", ms=2.5, lw=0.8, color=BLUE)
    right.set_ylabel(f"{GAP.symbol} ({GAP.unit})", color=BLUE)
    right.invert_yaxis()
    axes.tick_params(right=False)
    axes.set_facecolor("none")


def _height(dataset: xr.Dataset, start: Point, end: Point) -> tuple[Array, Array] | None:
    """Return position and height along the line, nm: of the topograph, else of the sites."""
    name = "topography" if dataset["topography"].size else "z"
    data = dataset[name]
    rows, columns = data.dims[-2:]
    level = without_plane(data.values, data[columns].values, data[rows].values)
    try:
        cut = line_cut(data.copy(data=level), start, end)
    except CannotTellError:
        return None
    known = np.isfinite(cut.values)
    return cut["position"].values[known] * NM, cut.values[known] * NM

"""A topograph made level, and the heights on it; a line profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import robust_std
from stm_daq.analysis.stability.noise import stripes_of
from stm_daq.analysis.topographs.roughness import Distribution, height_distribution, roughness
from stm_daq.analysis.topographs.rows import align_rows, scars_of
from stm_daq.analysis.topographs.surface import level
from stm_daq.report.raster import (
    draw_image,
    extent_of,
    panel_height,
    panels_aspect,
    robust_limits,
)
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.style import BLUE, FIT, GREEN, in_house_style, letter, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NM = 1e9
FLAT = 0.5e-9
"""Surfaces of less roughness are drawn in pm."""


def levelled(heights: xr.DataArray) -> xr.DataArray:
    """Level a topograph as the figures do: robust plane, rows aligned if striped, scars missing."""
    flat = level(heights, robust=True)
    if stripes_of(flat).p_value < 0.01:
        flat = align_rows(flat, "median")
    return flat.where(~scars_of(flat))


@in_house_style
def figure_surface(heights: xr.DataArray) -> Figure:
    """Draw a topograph with its plane subtracted, made level, and the distribution of heights.

    Parameters
    ----------
    heights : xarray.DataArray
        Over (``y``, ``x``) or (``topograph_y``, ``topograph_x``), m.

    Raises
    ------
    NothingToShowError
        If it cannot be levelled: constant, too little of it.
    BadInputError
        If the axes are not those of a map in m.
    """
    raw, flat = level(heights), levelled(heights)
    factor, unit = (1e12, "pm") if robust_std(flat.values) < FLAT else (NM, "nm")
    y, x = (flat[axis].values * NM for axis in flat.dims)
    extent = extent_of(x, y)
    figure = new_figure(panel_height(extent, 1.9) + 0.65)
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
    titles = ("Plane subtracted", "Levelled")
    for number, (axes, shown, title) in enumerate(
        zip(panels[:2], (raw, flat), titles, strict=True)
    ):
        values = shown.values * factor
        draw_image(axes, values, extent, "cividis", f"Height ({unit})", robust_limits(values))
        axes.set(xticks=(), yticks=())
        scale_bar(axes, extent)
        letter(axes, number, title)
    panels[2].set_box_aspect(panels_aspect(extent))
    _draw_heights(panels[2], height_distribution(flat), factor, unit)
    found = roughness(flat)
    letter(panels[2], 2, f"Sq = {found.rms * factor:.3g} ± {found.rms_std * factor:.1g} {unit}")
    return figure


def _draw_heights(axes: Axes, found: Distribution, factor: float, unit: str) -> None:
    axes.fill_between(found.heights * factor, found.density / factor, color=BLUE, alpha=0.3)
    axes.plot(found.heights * factor, found.density / factor, color=BLUE, linewidth=1)
    if len(found.terraces) > 1:
        for terrace in found.terraces:
            axes.axvline(terrace.height * factor, color=FIT, linewidth=0.8, linestyle="--")
    axes.set(xlabel=f"Height ({unit})", ylabel=f"Density (1/{unit})", ylim=(0, None))
    share = np.cumsum(found.density) / found.density.sum()
    low, high = np.interp([0.002, 0.998], share, found.heights) * factor
    axes.set_xlim(low - 0.1 * (high - low), high + 0.1 * (high - low))


@in_house_style
def figure_profile(profile: xr.DataArray) -> Figure:
    """Draw a line profile of heights, its terraces, and the distribution of heights.

    Parameters
    ----------
    profile : xarray.DataArray
        Heights (m) over one axis of positions (m).

    Raises
    ------
    NothingToShowError
        If there are too few heights.
    """
    found = height_distribution(profile)
    along = str(profile.dims[0])
    figure = new_figure(2.5)
    line, heights = figure.subplots(1, 2, width_ratios=(1.9, 1))
    line.plot(profile[along].values * NM, profile.values * NM, color=BLUE, linewidth=0.9)
    _mark_terraces(line, found)
    line.set(xlabel=f"{along.capitalize()} (nm)", ylabel="Height (nm)")
    line.set_xlim(*(profile[along].values[[0, -1]] * NM))
    letter(line, 0, "Profile and its terraces (dashed)")
    _draw_heights(heights, found, NM, "nm")
    steps = ", ".join(f"{step * NM:.3f}" for step in found.steps)
    letter(heights, 1, f"Steps: {steps} nm" if steps else "No steps")
    return figure


def _mark_terraces(axes: Axes, found: Distribution) -> None:
    for terrace in found.terraces:
        axes.axhline(terrace.height * NM, color=GREEN, linewidth=0.7, linestyle="--", zorder=0)

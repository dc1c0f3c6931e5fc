"""The maps of fitted quantities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.analysis.maps.sites import Mask, Sites, sites_of
from stm_daq.records import Array
from stm_daq.report.numbers import BARRIER, GAP, TEMPERATURE, Quantity
from stm_daq.report.raster import (
    Extent,
    draw_image,
    edges,
    extent_of,
    panel_height,
    robust_limits,
)
from stm_daq.report.style import (
    BLUE,
    DECORATION,
    DOUBTFUL,
    FAILED,
    NOT_MEASURED,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

NM = 1e9
PANEL = 2.7
"""Width of a map, inch."""
GOODNESS = Quantity("reduced_chi_square", "Goodness of fit", r"$\chi^2_\nu$", "", 1.0)
_MAPS = ((GAP, "viridis"), (TEMPERATURE, "inferno"), (BARRIER, "plasma"), (GOODNESS, "YlGnBu"))
WIDE = 30.0
"""Misfits whose limits are further apart than this are coloured by their logarithm."""
REPRESENTATIVE = 0.1
"""Trusted sites set the colours alone if they are at least this fraction of those measured."""


@in_house_style
def figure_maps(dataset: xr.Dataset) -> Figure:
    """Draw the maps of gap, temperature, barrier and reduced chi square.

    Doubtful values carry a dot. A map of a single row or column is drawn as profiles with error
    bars.

    Raises
    ------
    NothingToShowError
        If no spectrum was taken.
    """
    sites = sites_of(dataset)
    if not sites.measured.any():
        raise NothingToShowError("No spectrum was taken.")
    if min(sites.measured.shape) == 1:
        return _figure_profiles(dataset, sites)
    extent = extent_of(dataset["x"].values * NM, dataset["y"].values * NM)
    figure = new_figure(2 * (panel_height(extent, PANEL) + 0.45) + 0.3)
    panels = figure.subplots(2, 2).ravel()
    for number, (axes, (quantity, colours)) in enumerate(zip(panels, _MAPS, strict=True)):
        _draw_map(axes, dataset, sites, quantity, colours, extent)
        axes.set(xticks=(), yticks=())
        letter(axes, number, quantity.label.removesuffix(f" ({quantity.unit})"))
        scale_bar(axes, extent)
    _legend(figure, sites)
    return figure


def _draw_map(
    axes: Axes,
    dataset: xr.Dataset,
    sites: Sites,
    quantity: Quantity,
    colours: str,
    extent: Extent,
) -> None:
    shown = _with_value(dataset, sites, quantity)
    values = np.where(shown, dataset[quantity.name].values * quantity.factor, np.nan)
    setting = shown if quantity is GOODNESS else _setting_colours(sites)
    limits = robust_limits(values[setting])
    grey = sites.measured & ~shown
    wide = quantity is GOODNESS and limits[1] > WIDE * limits[0] > 0 and np.nanmin(values) > 0
    image = draw_image(axes, values, extent, colours, quantity.unit, limits, grey, bool(wide))
    if quantity is not GOODNESS:
        _dot(axes, image, values, sites.doubtful & shown, extent)


def _with_value(dataset: xr.Dataset, sites: Sites, quantity: Quantity) -> Mask:
    """Return where a value is shown: the misfit of every fit, other values of usable fits."""
    known: Mask = np.isfinite(dataset[quantity.name].values)
    return known & (sites.measured if quantity is GOODNESS else sites.usable)


def _setting_colours(sites: Sites) -> Mask:
    enough = sites.trusted.sum() >= REPRESENTATIVE * sites.measured.sum()
    return sites.trusted if enough else sites.usable


def _dot(axes: Axes, image: AxesImage, values: Array, mask: Mask, extent: Extent) -> None:
    """Put a dot on every pixel of `mask`, white on dark colours and black on bright ones."""
    left, right, bottom, top = extent
    rows, columns = mask.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows
    luminance = image.to_rgba(values)[..., :3] @ (0.299, 0.587, 0.114)
    pixel = 72 * PANEL / columns
    for colour, where in (("white", luminance < 0.5), ("black", luminance >= 0.5)):
        row, column = np.nonzero(mask & where)
        axes.plot(
            x[column],
            y[row],
            linestyle="none",
            marker="o",
            markersize=float(np.clip(0.28 * pixel, 0.5, 2.0)),
            markeredgewidth=0,
            color=colour,
            alpha=0.7,
            rasterized=len(row) > 300,
            label="model not adequate",
            scalex=False,
            scaley=False,
        )


def scale_bar(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    """Draw a bar of a round length, at most a third of the map, below its left corner.

    The label of the axes (``axes.get_label()``, never drawn) then is the unit of x and y.
    """
    from matplotlib.transforms import ScaledTranslation

    left, right, bottom, _ = extent
    length = round_length((right - left) / 3)
    lower = ScaledTranslation(0, -8 / 72, axes.figure.dpi_scale_trans)
    axes.plot(
        [left, left + length],
        [bottom, bottom],
        transform=axes.transData + lower,
        color="black",
        linewidth=2,
        solid_capstyle="butt",
        clip_on=False,
        gid=DECORATION,
    )
    axes.set_label("nm")
    axes.annotate(
        f"{length:g} nm",
        (left + length, bottom),
        (4, -8),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, 50, ... that is not longer than `longest`."""
    decade = 10.0 ** math.floor(math.log10(longest))
    return max(step * decade for step in (1, 2, 5) if step * decade <= longest * 1.0001)


def _legend(figure: Figure, sites: Sites) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: dict[str, Any] = {}
    if sites.doubtful.any():
        dot = Line2D([], [], linestyle="none", marker="o", markersize=2, color="white")
        handles["model not adequate: value indicative"] = (Patch(facecolor="#21918c"), dot)
    grey = {"fit failed": sites.failed, "not fitted": sites.unfitted}
    reasons = [reason for reason, mask in grey.items() if mask.any()]
    if reasons:
        handles[", or ".join(reasons)] = Patch(facecolor=FAILED)
    if not sites.measured.all():
        handles[_why_hatched(sites)] = Patch(
            facecolor=NOT_MEASURED, edgecolor="#b0b0b0", hatch="////"
        )
    if handles:
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3)


def _why_hatched(sites: Sites) -> str:
    missing = bool((sites.wanted & ~sites.measured).any())
    if sites.wanted.all():
        return "not measured"
    return "not measured or not in the plan" if missing else "not in the plan"


def _figure_profiles(dataset: xr.Dataset, sites: Sites) -> Figure:
    from matplotlib.lines import Line2D

    rows, columns = sites.measured.shape
    along = "y" if columns == 1 and rows > 1 else "x"
    position = dataset[along].values * NM
    figure = new_figure(5.2)
    panels = figure.subplots(4, 1, sharex=True)
    for number, (axes, (quantity, _)) in enumerate(zip(panels, _MAPS, strict=True)):
        shown = _with_value(dataset, sites, quantity)
        _draw_profile(axes, dataset, quantity, position, shown & ~sites.doubtful, BLUE)
        _draw_profile(axes, dataset, quantity, position, shown & sites.doubtful, DOUBTFUL)
        for place in position[sites.failed.ravel()]:
            axes.axvline(place, color=FAILED, linewidth=2, alpha=0.6)
        axes.set_ylabel(
            f"{quantity.symbol} ({quantity.unit})" if quantity.unit else quantity.symbol
        )
        letter(axes, number, quantity.title)
    panels[-1].set(xlabel=f"{along} (nm)", xlim=edges(position, position))
    marks = (
        (sites.doubtful, DOUBTFUL, "o", "model not adequate: value indicative"),
        (sites.failed, FAILED, "|", "fit failed"),
    )
    handles = [
        Line2D([], [], color=colour, linestyle="none", marker=marker, mfc="white", label=label)
        for mask, colour, marker, label in marks
        if mask.any()
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_profile(
    axes: Axes, dataset: xr.Dataset, quantity: Quantity, position: Array, mask: Mask, colour: str
) -> None:
    """Draw values with their standard deviations; those of doubtful sites are open circles."""
    where = mask.ravel()
    values = dataset[quantity.name].values.ravel()[where] * quantity.factor
    std = None
    if f"{quantity.name}_std" in dataset:
        std = dataset[f"{quantity.name}_std"].values.ravel()[where] * quantity.factor
    axes.errorbar(
        position[where],
        values,
        std,
        fmt="o",
        markersize=3,
        color=colour,
        markerfacecolor="white" if colour == DOUBTFUL else colour,
        capsize=2,
    )

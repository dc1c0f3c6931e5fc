"""The topograph and the maps of fitted quantities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.records import Array
from stm_daq.report.numbers import (
    BARRIER,
    GAP,
    TEMPERATURE,
    Quantity,
    Sites,
    sites_of,
    without_plane,
)
from stm_daq.report.style import (
    BLUE,
    FAILED,
    NOT_MEASURED,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
    shade_not_measured,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from stm_daq.report.spectra import Example

NM = 1e9
GOODNESS = Quantity("reduced_chi_square", "Goodness of fit", r"$\chi^2_\nu$", "", 1.0)
_MAPS = ((GAP, "viridis"), (TEMPERATURE, "inferno"), (BARRIER, "plasma"), (GOODNESS, "YlGnBu"))


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
    heights = without_plane(heights, x, y) * NM
    panel = _panel_height(x, y, 3.1)
    figure = new_figure(max(panel + 0.6, 2.4))
    image, section = figure.subplots(1, 2, width_ratios=(1.25, 1))
    drawn = _draw_image(image, heights, x, y, "cividis", "Height (nm)")
    image.set(xlabel="x (nm)", ylabel="y (nm)")
    letter(image, 0, "Topograph, plane subtracted")
    _mark(image, examples)
    row = _row_for_section(heights)
    image.axhline(y[row], color="white", linewidth=0.7, linestyle=(0, (4, 3)))
    section.plot(x, heights[row], color=BLUE, linewidth=1)
    section.set(xlabel="x (nm)", ylabel="Height (nm)", xlim=drawn[:2])
    letter(section, 1, f"Section at y = {y[row]:.1f} nm (dashed)")
    return figure


@in_house_style
def figure_maps(dataset: xr.Dataset) -> Figure:
    """Draw the maps of gap, temperature, barrier and reduced chi square.

    A map of a single row or column is drawn as profiles with error bars.

    Raises
    ------
    NothingToShowError
        If no spectrum was taken.
    """
    sites = sites_of(dataset)
    if not sites.measured.any():
        raise NothingToShowError("No spectrum was taken.")
    if min(sites.ok.shape) == 1:
        return _figure_profiles(dataset, sites)
    x, y = dataset["x"].values * NM, dataset["y"].values * NM
    figure = new_figure(2 * (_panel_height(x, y, 2.7) + 0.45) + 0.3)
    panels = figure.subplots(2, 2).ravel()
    for number, (axes, (quantity, colours)) in enumerate(zip(panels, _MAPS, strict=True)):
        values = np.where(sites.ok, dataset[quantity.name].values * quantity.factor, np.nan)
        extent = _draw_image(axes, values, x, y, colours, quantity.unit, sites)
        axes.set(xticks=(), yticks=())
        letter(axes, number, quantity.label.removesuffix(f" ({quantity.unit})"))
        _scale_bar(axes, extent)
    _legend(figure, sites)
    return figure


def robust_limits(values: Array) -> tuple[float, float]:
    """Return the 2nd and 98th percentile of the finite values, never equal ones."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, [2, 98]))
    margin = max(abs(low), abs(high), 1e-12) * 0.01
    return (low, high) if high - low > margin * 1e-3 else (low - margin, high + margin)


def _draw_image(
    axes: Axes,
    values: Array,
    x: Array,
    y: Array,
    colours: str,
    label: str,
    sites: Sites | None = None,
) -> tuple[float, float, float, float]:
    """Draw a map with its colour bar; return its extent (left, right, bottom, top)."""
    from matplotlib.colors import ListedColormap

    extent = (*_edges(x, y), *_edges(y, x))
    shade_not_measured(axes)
    if sites is not None:
        failed = np.where(sites.failed, 1.0, np.nan)
        _show(axes, failed, extent, cmap=ListedColormap([FAILED]))
    low, high = robust_limits(values)
    image = _show(axes, values, extent, cmap=colours, vmin=low, vmax=high)
    finite = values[np.isfinite(values)]
    if len(finite):
        below, above = bool(finite.min() < low), bool(finite.max() > high)
        ends = {(False, False): "neither", (True, False): "min", (False, True): "max"}
        axes.figure.colorbar(
            image,
            cax=axes.inset_axes((1.03, 0, 0.045, 1)),
            label=label,
            extend=ends.get((below, above), "both"),
            extendfrac=0.03,
        )
    else:
        axes.text(
            0.5,
            0.5,
            "no values",
            ha="center",
            va="center",
            transform=axes.transAxes,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
        )
    return extent


def _show(
    axes: Axes, values: Array, extent: tuple[float, float, float, float], **colours: Any
) -> Any:
    return axes.imshow(
        values, origin="lower", extent=extent, interpolation="none", aspect="equal", **colours
    )


def _edges(centres: Array, others: Array) -> tuple[float, float]:
    """Return the outer edges of pixels; a single pixel is as wide as those of the other axis."""
    if len(centres) > 1:
        half = (centres[-1] - centres[0]) / (len(centres) - 1) / 2
    else:
        half = (others[1] - others[0]) / 2 if len(others) > 1 else 0.5
    return float(centres[0] - half), float(centres[-1] + half)


def _panel_height(x: Array, y: Array, width: float) -> float:
    """Return how high (inch) a map of `width` is, within what fits on a page."""
    left, right = _edges(x, y)
    bottom, top = _edges(y, x)
    return float(np.clip(width * (top - bottom) / (right - left), 0.5, 1.6 * width))


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


def _scale_bar(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    """Draw a bar of a round length, at most a third of the map, below its left corner."""
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
    )
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
    from matplotlib.patches import Patch

    handles = []
    if sites.failed.any():
        handles.append(Patch(facecolor=FAILED, label="no good fit"))
    if not sites.measured.all():
        handles.append(
            Patch(facecolor=NOT_MEASURED, edgecolor="#b0b0b0", hatch="////", label="not measured")
        )
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2)


def _figure_profiles(dataset: xr.Dataset, sites: Sites) -> Figure:
    along = "y" if sites.ok.shape[1] == 1 and sites.ok.shape[0] > 1 else "x"
    position = dataset[along].values * NM
    figure = new_figure(5.2)
    panels = figure.subplots(4, 1, sharex=True)
    ok = sites.ok.ravel()
    for number, (axes, (quantity, _)) in enumerate(zip(panels, _MAPS, strict=True)):
        values = dataset[quantity.name].values.ravel() * quantity.factor
        std = None
        if f"{quantity.name}_std" in dataset:
            std = dataset[f"{quantity.name}_std"].values.ravel()[ok] * quantity.factor
        axes.errorbar(position[ok], values[ok], std, fmt="o", markersize=3, color=BLUE, capsize=2)
        for place in position[sites.failed.ravel()]:
            axes.axvline(place, color=FAILED, linewidth=2, alpha=0.6)
        axes.set_ylabel(
            f"{quantity.symbol} ({quantity.unit})" if quantity.unit else quantity.symbol
        )
        letter(axes, number, quantity.title)
    left, right = _edges(position, position)
    panels[-1].set(xlabel=f"{along} (nm)", xlim=(left, right))
    return figure

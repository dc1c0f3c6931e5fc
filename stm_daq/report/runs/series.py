"""Series: how the map changes along the outer axes, and spectra side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.sites import sites_of
from stm_daq.records import Array
from stm_daq.report.numbers import FITTED, GAP, Quantity, spread_of
from stm_daq.report.raster import draw_image, extent_of, panel_height, robust_limits
from stm_daq.report.runs.maps import GOODNESS
from stm_daq.report.shape import (
    OuterStep,
    axis_title,
    has_return,
    is_line,
    is_single,
    outer_axes,
    outer_steps,
    swept_of,
    trace_of,
)
from stm_daq.report.style import (
    BLUE,
    DATA,
    FAILED,
    WIDTH,
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

NM = 1e9
MOST_MAPS = 12
"""More small maps than this are not legible; they are taken evenly from the series."""
MOST_TRACES = 60
"""The same for spectra above one another."""
APART = 3.0
"""Factor between the mean spectra of a series from which on each is divided by its mean."""
MOST_ROWS = 24
"""The same for the names of rows."""
ACROSS = 4
_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


@in_house_style
def figure_series(dataset: xr.Dataset) -> Figure:
    """Draw gap, temperature, barrier and misfit against the last outer axis, a line for the others.

    Points are medians over the map, bars reach from 16 to 84 % of its sites; of a single site they
    are its value and its standard deviation.

    Raises
    ------
    NothingToShowError
        If the run has no outer axes, or no fit is usable.
    """
    names = outer_axes(dataset)
    if not names or not sites_of(dataset).usable.any():
        raise NothingToShowError("No fit can be trusted, so there is no series to show.")
    last = names[-1]
    others: dict[str, list[OuterStep]] = {}
    for step in outer_steps(dataset):
        others.setdefault(", ".join(step.label.split(", ")[:-1]), []).append(step)
    position, label, logarithmic = _scaled_axis(dataset, last)
    colours = _in_order(len(others))
    figure = new_figure(4.4 + 0.16 * (len(others) // 4))
    panels = figure.subplots(2, 2, sharex=True).ravel()
    for number, (axes, quantity) in enumerate(zip(panels, (*FITTED, GOODNESS), strict=True)):
        for colour, (name, steps) in zip(colours, others.items(), strict=True):
            _draw_course(axes, quantity, position, steps, name, colour)
        axes.set_ylabel(
            f"{quantity.symbol} ({quantity.unit})" if quantity.unit else quantity.symbol
        )
        if logarithmic:
            axes.set_xscale("log")
        letter(axes, number, quantity.title)
    for axes in panels[-2:]:
        axes.set_xlabel(label)
    if len(others) > 1:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=6.5)
    return figure


def _draw_course(
    axes: Axes,
    quantity: Quantity,
    position: Array,
    steps: Sequence[OuterStep],
    name: str,
    colour: str,
) -> None:
    middle, low, high = np.full((3, len(steps)), np.nan)
    for number, step in enumerate(steps):
        middle[number], low[number], high[number] = _middle(step.dataset, quantity)
    bars = np.array([middle - low, high - middle])
    axes.errorbar(
        position,
        middle,
        bars,
        fmt="o-",
        markersize=3.5,
        capsize=2,
        linewidth=0.8,
        label=name,
        color=colour,
    )


def _in_order(count: int) -> list[str]:
    """Return colours for the steps of an axis, dark to light, so that they read without a legend."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return (
        [BLUE]
        if count == 1
        else [to_hex(c) for c in colormaps["viridis"](np.linspace(0, 0.9, count))]
    )


def _middle(dataset: xr.Dataset, quantity: Quantity) -> tuple[float, float, float]:
    """Return a median and the ends of its bar."""
    mask = sites_of(dataset).usable
    if quantity is GOODNESS:
        values = dataset[quantity.name].values[mask]
        values = values[np.isfinite(values)]
        found = np.percentile(values, [50, 16, 84]) if len(values) else np.full(3, np.nan)
        return float(found[0]), float(found[1]), float(found[2])
    spread = spread_of(dataset, quantity, mask)
    if is_single(dataset):
        std = spread.typical_std
        return spread.median, spread.median - std, spread.median + std
    return spread.median, spread.low, spread.high


def _scaled_axis(dataset: xr.Dataset, name: str) -> tuple[Array, str, bool]:
    """Return the values of an axis in a handy unit, its label, and whether it is logarithmic."""
    values = dataset[name].values.astype(float)
    unit = str(dataset[name].attrs.get("units", ""))
    title = axis_title(dataset, name)
    title = title[:1].upper() + title[1:]
    largest = float(np.max(np.abs(values), initial=0.0))
    power = 0
    if unit not in ("", "dBm") and largest > 0:
        power = int(np.clip(3 * math.floor(math.log10(largest) / 3), -12, 9))
    label = f"{title} ({_PREFIXES[power]}{unit})" if unit else title
    smallest = float(np.min(values, initial=math.inf))
    return values * 10.0**-power, label, bool(smallest > 0 and largest / smallest > 20)


@in_house_style
def figure_small_maps(dataset: xr.Dataset) -> Figure:
    """Draw the map of the gap at each step of the outer axes, all in the same colours.

    Maps of one row, a line of sites, become the rows of one picture.

    Raises
    ------
    NothingToShowError
        If there are no maps: a single site, no outer axes, or no usable fit.
    """
    sites = sites_of(dataset)
    if not outer_axes(dataset) or is_single(dataset) or not sites.usable.any():
        raise NothingToShowError("There are no maps of the gap to compare.")
    if is_line(dataset):
        return _lines_as_picture(dataset)
    every = outer_steps(dataset)
    chosen = np.unique(np.linspace(0, len(every) - 1, min(len(every), MOST_MAPS)).astype(int))
    steps = [every[k] for k in chosen]
    values = dataset["gap"].values * GAP.factor
    limits = robust_limits(values[sites.usable])
    extent = extent_of(dataset["x"].values * NM, dataset["y"].values * NM)
    across = min(ACROSS, len(steps))
    width = WIDTH / ACROSS - 0.45
    rows = math.ceil(len(steps) / across)
    figure = new_figure(rows * (panel_height(extent, width) + 0.45) + 0.1)
    panels = figure.subplots(rows, ACROSS, squeeze=False).ravel()
    for number, (axes, step) in enumerate(zip(panels, steps, strict=False)):
        here = sites_of(step.dataset)
        gap = np.where(here.usable, step.dataset["gap"].values * GAP.factor, np.nan)
        draw_image(axes, gap, extent, "viridis", GAP.unit, limits, here.measured & ~here.usable)
        axes.set(xticks=(), yticks=(), label="nm")
        letter(axes, number, step.label.replace(", ", "\n"))
        axes.title.set_fontsize(6.5)
    for unused in panels[len(steps) :]:
        unused.set_axis_off()
    return figure


def _lines_as_picture(dataset: xr.Dataset) -> Figure:
    """Draw the gap with a row for each step and a column for each site of the line."""
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    steps, sites = outer_steps(dataset), sites_of(dataset)
    usable = sites.usable.reshape(len(steps), -1)
    gap = np.where(usable, dataset["gap"].values.reshape(usable.shape) * GAP.factor, np.nan)
    low, high = robust_limits(gap)
    figure = new_figure(float(np.clip(0.2 * len(steps) + 0.8, 1.8, 7.0)))
    axes = figure.subplots()
    grey = np.where(sites.measured.reshape(usable.shape) & ~usable, 1.0, np.nan)
    across, up = np.arange(gap.shape[1] + 1) + 0.5, np.arange(len(steps) + 1)
    shade_not_measured(axes)
    axes.pcolormesh(across, up, grey, cmap=ListedColormap([FAILED]))
    mesh = axes.pcolormesh(across, up, gap, cmap="viridis", vmin=low, vmax=high)
    shown = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MOST_ROWS)).astype(int))
    axes.set_yticks(shown + 0.5, [steps[k].label for k in shown], fontsize=6.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="Site along the line")
    figure.colorbar(mesh, ax=axes, label=GAP.label)
    return figure


@in_house_style
def figure_waterfall(dataset: xr.Dataset) -> Figure:
    """Draw the spectra of a line, or of a series at one site, above one another and as an image.

    Of a map at several steps it is the mean spectrum of each; of a sweep there and back the way
    there.

    Raises
    ------
    NothingToShowError
        If no spectrum was taken.
    """
    swept, trace = swept_of(dataset), trace_of(dataset)
    spectra, position, label = _side_by_side(dataset, trace.name)
    spectra, up = _comparable(spectra * trace.factor, trace.label)
    known = np.isfinite(spectra).any(axis=-1)
    if not known.any():
        raise NothingToShowError("No spectrum was taken.")
    figure = new_figure(3.6)
    lines, image = figure.subplots(1, 2)
    shown = np.flatnonzero(known)
    shown = shown[
        np.unique(np.linspace(0, len(shown) - 1, min(len(shown), MOST_TRACES)).astype(int))
    ]
    shift = 0.35 * float(np.nanmedian(np.ptp(spectra[shown], axis=-1)))
    for height, number in enumerate(shown):
        lines.plot(swept.values, spectra[number] + height * shift, color=DATA, linewidth=0.7)
    lines.set(xlabel=swept.label, ylabel=f"{up}, each {shift:.2g} higher")
    letter(lines, 0, f"{len(shown)} spectra above one another")
    mesh = image.pcolormesh(
        swept.values, np.arange(len(spectra)) + 1, spectra, cmap="magma", rasterized=True,
        vmin=float(np.nanpercentile(spectra, 1)), vmax=float(np.nanpercentile(spectra, 99)),
    )  # fmt: skip
    _label_rows(image, position)
    image.set(xlabel=swept.label, ylabel=label)
    figure.colorbar(mesh, ax=image, label=up)
    letter(image, 1, "The same as an image")
    return figure


def _comparable(spectra: Array, label: str) -> tuple[Array, str]:
    """Divide spectra by their means if these differ too much to be shown on one scale."""
    means = np.abs(np.nanmean(spectra, axis=-1, keepdims=True, where=np.isfinite(spectra)))
    known = means[np.isfinite(means)]
    if not len(known) or not 0 < APART * known.min() < known.max():
        return spectra, label
    return spectra / means, label.partition(" (")[0] + " over its mean"


def _side_by_side(dataset: xr.Dataset, name: str) -> tuple[Array, Array, str]:
    """Return spectra, shape (m, n), where each belongs, and what that is."""
    there = dataset[name].isel(direction=0) if has_return(dataset) else dataset[name]
    names = outer_axes(dataset)
    values = there.values
    if not names:
        along = "x" if dataset.sizes["x"] > 1 else "y"
        return values.reshape(-1, values.shape[-1]), dataset[along].values * NM, f"{along} (nm)"
    steps = values.reshape(-1, dataset.sizes["y"] * dataset.sizes["x"], values.shape[-1])
    counted = np.isfinite(steps).sum(axis=1)
    mean = np.full(counted.shape, np.nan)
    np.divide(np.nansum(steps, axis=1), counted, out=mean, where=counted > 0)
    if len(names) > 1:
        return mean, np.arange(1.0, len(mean) + 1), "Step"
    position, label, _ = _scaled_axis(dataset, names[0])
    return mean, position, label


def _label_rows(axes: Axes, position: Array) -> None:
    """Write what a row of the image is, at some of the rows: they need not be evenly spaced."""
    chosen = np.unique(np.linspace(0, len(position) - 1, min(len(position), 8)).astype(int))
    axes.set_yticks(chosen + 1, [f"{position[k]:.3g}" for k in chosen])

"""Maps of two runs beside one another, and their difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.sites import sites_of
from stm_daq.records import Array
from stm_daq.report.numbers import Quantity
from stm_daq.report.raster import draw_image, extent_of, panel_height, robust_limits
from stm_daq.report.runs.maps import NM, scale_bar
from stm_daq.report.style import WIDTH, NothingToShowError, in_house_style, letter, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

_COLOURS = {"gap": "viridis", "temperature": "inferno", "barrier": "plasma"}


def same_sites(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Whether two maps have the same frame and the same sites, so that they can be subtracted."""
    if one["time"].shape != other["time"].shape or one["time"].ndim != 2:
        return False
    frames = [run.attrs.get("frame") for run in (one, other)]
    # a millionth of a nanometre: what rounding makes of the same plan
    return bool(
        all(np.allclose(one[name], other[name], rtol=0, atol=1e-15) for name in ("x", "y"))
        and all(frame is not None for frame in frames)
        and np.allclose(np.array(frames[0], float), np.array(frames[1], float), rtol=0, atol=1e-15)
    )


def shown_map(dataset: xr.Dataset, quantity: Quantity) -> Array:
    """Return the map of a quantity in the unit of people; NaN where no fit counts."""
    counts = sites_of(dataset).representative
    return np.where(counts, dataset[quantity.name].values * quantity.factor, np.nan)


@in_house_style
def figure_comparison(one: xr.Dataset, other: xr.Dataset, quantity: Quantity) -> Figure:
    """Draw a quantity of two runs in the same colours; of the same sites also the difference.

    Raises
    ------
    NothingToShowError
        If one of them has no map of it.
    """
    maps = [shown_map(run, quantity) if run["time"].ndim == 2 else None for run in (one, other)]
    if any(m is None or min(m.shape) < 2 or not np.isfinite(m).any() for m in maps):
        raise NothingToShowError(f"One of the runs has no map of the {quantity.title.lower()}.")
    first, second = (m for m in maps if m is not None)
    limits = robust_limits(np.concatenate([first.ravel(), second.ravel()]))
    subtract = same_sites(one, other)
    count = 3 if subtract else 2
    width = WIDTH / count - 0.85
    extents = [extent_of(run["x"].values * NM, run["y"].values * NM) for run in (one, other)]
    figure = new_figure(max(panel_height(extent, width) for extent in extents) + 0.7)
    panels = figure.subplots(1, count)
    titles = ("First run", "Second run")
    for number, (values, extent, title) in enumerate(
        zip((first, second), extents, titles, strict=True)
    ):
        axes = panels[number]
        draw_image(axes, values, extent, _COLOURS[quantity.name], quantity.label, limits)
        axes.set(xticks=(), yticks=())
        letter(axes, number, title)
        scale_bar(axes, extent)
    if subtract:
        axes, difference = panels[2], second - first
        known = difference[np.isfinite(difference)]
        largest = float(np.percentile(np.abs(known), 98)) if len(known) else 1.0
        label = "second \N{MINUS SIGN} first" + (f" ({quantity.unit})" if quantity.unit else "")
        draw_image(
            axes, difference, extents[0], "RdBu_r", label, (-largest or -1.0, largest or 1.0)
        )
        axes.set(xticks=(), yticks=())
        letter(axes, 2, "Difference")
        scale_bar(axes, extents[0])
    return figure

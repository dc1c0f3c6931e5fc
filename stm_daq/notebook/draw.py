"""Maps and spectra of a dataset, drawn into axes of matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.topographs.surface import without_plane
from stm_daq.notebook.choose import At, map_of, outer_place, spectrum_of
from stm_daq.records import Array
from stm_daq.report.facts import facts_of
from stm_daq.report.raster import draw_image, extent_of, robust_limits
from stm_daq.report.runs.curve import fitted_curve
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.runs.spectra import curve_at
from stm_daq.report.style import BLUE, DATA, FIT

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_COLOURS = {"topography": "gray", "temperature": "inferno", "barrier": "plasma"}


def draw_map(axes: Axes, data: xr.Dataset, name: str, at: At, level: bool = True) -> None:
    """Draw a map with its colour bar and a scale bar; a line of sites as a profile.

    Parameters
    ----------
    level : bool
        Whether to subtract the best plane from a topograph.
    """
    shown, x, y = map_of(data, name, at)
    values = shown.values
    title = f"{shown.name}, {shown.where}" if shown.where else shown.name
    axes.set_title(title)
    if min(values.shape) == 1:
        along = x if values.shape[0] == 1 else y
        axes.plot(along, values.ravel(), color=DATA, marker=".", linewidth=0.8)
        axes.set(xlabel="position (nm)", ylabel=shown.label)
        return
    if level and name == "topography":
        values = without_plane(values, x, y)
    extent = extent_of(x, y)
    draw_image(
        axes, values, extent, _COLOURS.get(name, "viridis"), shown.unit, robust_limits(values)
    )
    axes.set(xticks=(), yticks=())
    scale_bar(axes, extent)


def draw_spectrum(axes: Axes, data: xr.Dataset, place: dict[str, int], name: str, at: At) -> None:
    """Draw a spectrum; of a run with the curve of its fit and the gap that it found."""
    swept, shown = spectrum_of(data, place, name, at)
    ways = ("there", "back") if len(shown.values) == 2 else ("",)
    for values, colour, way in zip(shown.values, (DATA, BLUE), ways, strict=False):
        axes.plot(swept.values, values, ".", markersize=3, color=colour, label=way or "data")
    fitted = _fit(data.isel(place | outer_place(data, name, at)), name)
    words = [_title(data, place, shown.where)]
    if fitted is not None:
        curves, gap = fitted
        axes.plot(swept.values, curves.T * shown.factor, color=FIT)
        words.append(f"$\\Delta$ = {gap}")
    axes.set(xlabel=swept.label, ylabel=shown.label, title="\n".join(filter(None, words)))
    if len(ways) == 2:
        axes.legend()


def _fit(site: xr.Dataset, name: str) -> tuple[Array, str] | None:
    """Return the fitted curves (S), shape (directions, n), and the gap in words; None without."""
    if name != "conductance" or "gap" not in site or site[name].dims[-1] != "bias":
        return None
    if not math.isfinite(float(site["gap"])) or not facts_of(site).fitted:
        return None
    curve = curve_at(site, (), fitted_curve)
    if curve is None:
        return None
    doubt = "" if bool(site["fit_ok"]) else " (not trusted)"
    std = 1e3 * float(site["gap_std"])
    return np.atleast_2d(curve), f"{1e3 * float(site['gap']):.3f} ± {std:.3f} meV{doubt}"


def _title(data: xr.Dataset, place: Mapping[str, int], where: str) -> str:
    words = [
        f"{axis} = {1e9 * float(data[axis].values[place[axis]]):.1f} nm"
        for axis in ("x", "y")
        if axis in place
    ]
    return ", ".join(filter(None, [*words, where]))

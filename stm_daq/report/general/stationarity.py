"""How steady a night was: readings against time, and their Allan deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.stability.night import Night, series_of
from stm_daq.analysis.stability.stationarity import Stationarity
from stm_daq.records import Array
from stm_daq.report.style import (
    BLUE,
    DATA,
    FAILED,
    FIT,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)
from stm_daq.report.units import unit_for

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HOUR = 3600.0
MOST = 5
ROW = 1.35
"""Height of a quantity, inch."""
RUNNING = 101
"""Values in the running mean."""


@in_house_style
def figure_stationarity(dataset: xr.Dataset, night: Night) -> Figure:
    """Draw the readings of a night against time with their jumps, and their Allan deviations.

    Parameters
    ----------
    dataset : xarray.Dataset
        The run, one map.
    night : Night
        From :func:`stm_daq.analysis.stability.night.night_of`.

    Raises
    ------
    NothingToShowError
        If nothing could be judged.
    """
    shown = list(night.series)[:MOST]
    if not shown:
        raise NothingToShowError(
            "Nothing of this night could be judged: " + "; ".join(night.untold.values())
        )
    time = dataset["time"].transpose("y", "x").values
    start = float(np.nanmin(time))
    span = float(np.nanmax(time)) - start
    unit, unit_name = (HOUR, "h") if span > 2 * HOUR else (60.0, "min")
    maps = series_of(dataset)
    figure = new_figure(ROW * len(shown) + 0.5)
    panels = figure.subplots(len(shown), 2, width_ratios=(2.2, 1), squeeze=False, sharex="col")
    for number, (name, (course, allan)) in enumerate(zip(shown, panels, strict=True)):
        found = night.series[name]
        factor, prefix = unit_for(
            maps[name].values - found.mean, str(maps[name].attrs.get("units", ""))
        )
        _draw_course(
            course, (time - start) / unit, maps[name].values * factor, found, factor, start, unit
        )
        course.set_ylabel(prefix)
        _draw_allan(allan, found, factor)
        allan.set_ylabel(f"$\\sigma$ ({prefix})" if prefix else r"$\sigma$")
        letter(course, number, f"{title(name)}: {found.verdict}{_numbers(found)}")
    for at in night.tip_changes:
        for course in panels[:, 0]:
            course.axvline((at - start) / unit, color=FIT, linewidth=0.9, alpha=0.6)
    panels[-1, 0].set(xlabel=f"Time ({unit_name})")
    panels[-1, 1].set(xlabel="Averaging time (s)")
    panels[0, 1].set_title("Allan deviation")
    figure.align_ylabels()
    return figure


def title(name: str) -> str:
    """Return the name of a series for people: ``"setpoint_current"`` is "Set-point current"."""
    text = name.replace("setpoint", "set-point").replace("_", " ")
    return "Height z, plane subtracted" if name == "z" else text[0].upper() + text[1:]


def _numbers(found: Stationarity) -> str:
    if found.jumps:
        return f" ({len(found.jumps)})"
    return f" (trend p = {found.trend_p:.2g}, KPSS p {_limited(found.kpss_p)})"


def _limited(p: float) -> str:
    """Write a p-value of a table from 0.01 to 0.1."""
    return "> 0.1" if p >= 0.1 else "< 0.01" if p <= 0.01 else f"= {p:.2g}"


def _draw_course(
    axes: Axes,
    time: Array,
    values: Array,
    found: Stationarity,
    factor: float,
    start: float,
    unit: float,
) -> None:
    known = np.isfinite(time) & np.isfinite(values)
    order = np.argsort(time[known])
    t, v = time[known][order], values[known][order]
    axes.plot(t, v, ".", markersize=1.5, color=FAILED, rasterized=len(t) > 500)
    count = min(RUNNING, len(v) // 8)
    if count > 1:
        kernel = np.ones(count) / count
        smooth = (np.convolve(one, kernel, mode="valid") for one in (t, v))
        axes.plot(*smooth, color=BLUE, linewidth=1)
    bounds = [t[0], *((jump.time - start) / unit for jump in found.jumps), t[-1]]
    levels = [found.jumps[0].before, *(jump.after for jump in found.jumps)] if found.jumps else []
    for k, height in enumerate(levels):
        axes.plot(bounds[k : k + 2], [height * factor] * 2, color=FIT, linewidth=1.2)
    low, high = np.percentile(v, [0.5, 99.5])
    margin = 0.15 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    axes.ticklabel_format(axis="y", useOffset=False)


def _draw_allan(axes: Axes, found: Stationarity, factor: float) -> None:
    from matplotlib.ticker import NullFormatter

    if not len(found.allan):
        axes.text(0.5, 0.5, "too few values", transform=axes.transAxes, ha="center")
        return
    axes.loglog(
        found.allan_time, found.allan * factor, "o-", markersize=3, color=DATA, linewidth=0.9
    )
    axes.yaxis.set_minor_formatter(NullFormatter())
    white = found.allan[0] * np.sqrt(found.allan_time[0] / found.allan_time)
    axes.loglog(found.allan_time, white * factor, color=FAILED, linewidth=0.8, linestyle="--")

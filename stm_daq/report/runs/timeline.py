"""The course of the night: stage temperature, pace, events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.records import Array, Event
from stm_daq.report.facts import facts_of, show_date
from stm_daq.report.style import (
    BLUE,
    DATA,
    FIT,
    GREEN,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

HOUR = 3600.0
MOST_BARS = 400
"""A longer night shows its pace over more sites at a time."""
_COLOURS = {
    "warning": FIT,
    "error": "#cc0000",
    "pause": BLUE,
    "continue": GREEN,
    "stop": DATA,
    "guard": "#cc79a7",
    "drift": "#56b4e9",
    "tip_change": "#e69f00",
    "step": "#9a9a9a",
    "resumed": "#7b3294",
    "watchdog": "#8c1515",
}
"""Colour of the line that marks an event, by its kind."""


def notable(events: Sequence[Event]) -> list[Event]:
    """Return the events that a reader should see, in time order: all but temperature readings."""
    told = [event for event in events if event.kind != "temperature"]
    return sorted(told, key=lambda event: event.time)


@in_house_style
def figure_timeline(dataset: xr.Dataset, events: Sequence[Event] = ()) -> Figure:
    """Draw stage temperature, sites per hour and events against time.

    Raises
    ------
    NothingToShowError
        If no spectrum was taken and nothing happened.
    """
    started = facts_of(dataset).started
    times = np.sort(dataset["time"].values[np.isfinite(dataset["time"].values)])
    marked = [event for event in notable(events) if event.kind in _COLOURS]
    if not len(times) and not marked:
        raise NothingToShowError("No spectrum was taken and nothing was noted.")
    figure = new_figure(3.6)
    temperature, pace = figure.subplots(2, 1, sharex=True)
    last = max([started + 60, *times[-1:], *(event.time for event in marked)])
    unit, name = (HOUR, "Hours") if last - started > 2 * HOUR else (60.0, "Minutes")
    _draw_temperature(temperature, dataset, events, started, unit)
    _draw_pace(pace, dataset, started, unit)
    letter(temperature, 0, "Stage temperature")
    letter(pace, 1, "Pace")
    for axes in (temperature, pace):
        for event in marked:
            at = (event.time - started) / unit
            axes.axvline(at, color=_COLOURS[event.kind], linewidth=0.9, alpha=0.8, zorder=0)
    _name_events(pace, sorted({event.kind for event in marked}))
    span = (last - started) / unit
    pace.set(xlabel=f"{name} since {show_date(started)}", xlim=(-0.01 * span, 1.01 * span))
    return figure


def _draw_temperature(
    axes: Axes, dataset: xr.Dataset, events: Sequence[Event], started: float, unit: float
) -> None:
    """Draw the readings that came as events, or those kept with the spectra if there are none."""
    readings = [e for e in events if e.kind == "temperature" and e.data.get("kelvin") is not None]
    if readings:
        times = np.array([event.time for event in readings])
        kelvin = np.array([float(event.data["kelvin"]) for event in readings])
        fresh = np.array([bool(event.data.get("fresh", True)) for event in readings])
    else:
        times, kelvin = dataset["time"].values.ravel(), dataset["stage_temperature"].values.ravel()
        fresh = np.ones(times.shape, dtype=bool)
    known = np.isfinite(kelvin) & np.isfinite(times)
    hours = (times - started) / unit
    _draw_readings(axes, hours[known & fresh], kelvin[known & fresh], BLUE, "fresh")
    if (known & ~fresh).any():
        _draw_readings(axes, hours[known & ~fresh], kelvin[known & ~fresh], FIT, "not fresh")
        _legend_above(axes)
    if not known.any():
        axes.text(0.5, 0.5, "no reading", transform=axes.transAxes, ha="center", va="center")
    axes.set_ylabel("T stage (K)")
    axes.ticklabel_format(axis="y", useOffset=False)


def _draw_readings(axes: Axes, hours: Array, kelvin: Array, colour: str, label: str) -> None:
    axes.plot(
        hours,
        kelvin,
        linestyle="none",
        marker=".",
        markersize=2.5,
        color=colour,
        label=label,
        rasterized=len(hours) > 500,
    )


def _draw_pace(axes: Axes, dataset: xr.Dataset, started: float, unit: float) -> None:
    edges, rates = pace_of(dataset["time"].values, started)
    if len(rates):
        hours = (edges - started) / unit
        axes.stairs(rates, hours, color=BLUE, fill=True, alpha=0.35)
        axes.stairs(rates, hours, color=BLUE, linewidth=0.9)
        axes.set_ylim(0, 1.15 * rates.max())
    else:
        axes.text(
            0.5, 0.5, "no spectrum was taken", transform=axes.transAxes, ha="center", va="center"
        )
    axes.set_ylabel("Sites per hour")


def pace_of(times: Array, started: float) -> tuple[Array, Array]:
    """Return how fast the sites went, a row's number of them at a time, in the order of time.

    In a map that goes row by row each has its share of the topograph and of pauses.

    Parameters
    ----------
    times : ndarray
        When each sweep began, s, shape (outer axes..., rows, columns), NaN = not measured.
    started : float
        When the run began, s.

    Returns
    -------
    edges : ndarray
        The start, and the last sweep of each such number of sites, s, shape (n + 1,).
    rates : ndarray
        Sites per hour, shape (n,).
    """
    known = np.sort(times[np.isfinite(times)])
    if not len(known):
        return np.empty(0), np.empty(0)
    at_a_time = max(times.shape[-1], math.ceil(len(known) / MOST_BARS))
    places = np.append(np.arange(at_a_time, len(known), at_a_time), len(known)) - 1
    edges = np.unique(np.append(min(started, known[0] - 1.0), known[places]))
    counts = np.diff(np.searchsorted(known, edges, side="right"))
    return edges, counts / np.diff(edges) * HOUR


def _name_events(axes: Axes, kinds: list[str]) -> None:
    from matplotlib.lines import Line2D

    if kinds:
        _legend_above(axes, [Line2D([], [], color=_COLOURS[kind], label=kind) for kind in kinds])


def _legend_above(axes: Axes, handles: list[Line2D] | None = None) -> None:
    """Put the legend in line with the title, where it hides no data."""
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1, 1.0), ncols=5, borderaxespad=0
    )

"""Power sweeps: loops with their switches, maps of the switching powers, map of the supercurrent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.microwave.loops import Loop
from stm_daq.analysis.microwave.power_maps import SwitchMaps, places, supercurrent_map, switch_maps
from stm_daq.quantities import show
from stm_daq.records import Array
from stm_daq.report.raster import draw_image, extent_of, panel_height, robust_limits
from stm_daq.report.style import (
    BLUE,
    DATA,
    FAILED,
    FIT,
    GREEN,
    WIDTH,
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
MICRO = 1e6
MOST_LOOPS = 8
"""Loops in one figure."""
SIGNALS = {"conductance": ("dI/dV (nS)", 1e9), "resistance": ("Strip (Ω)", 1.0)}


@in_house_style
def figure_loops(dataset: xr.Dataset, signal: str = "conductance") -> Figure:
    """Draw the signal against the power, up and down, at some of the sites and all frequencies.

    Dashed lines are the switches with their uncertainty.

    Raises
    ------
    NothingToShowError
        If the run holds no loop.
    """
    found = list(places(dataset, signal))
    if not found:
        raise NothingToShowError("No power sweep was taken.")
    chosen = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_LOOPS)).astype(int))
    judged = {
        (m.number, at): loop for m in switch_maps(dataset, signal) for at, loop in m.loops.items()
    }
    rows = math.ceil(len(chosen) / 2)
    figure = new_figure(1.75 * rows)
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    label, factor = SIGNALS[signal]
    for number, (axes, k) in enumerate(zip(panels, chosen, strict=False)):
        place = found[k]
        for cycle in place.cycles:
            known = cycle.known()
            axes.plot(known.up_power, known.up * factor, color=FIT, linewidth=0.8, alpha=0.8)
            axes.plot(known.down_power, known.down * factor, color=BLUE, linewidth=0.8, alpha=0.8)
        loop = judged.get((place.number, place.index))
        said = "" if loop is None else loop.verdict
        if loop is not None:
            _mark(axes, loop)
        at = f"site {np.ravel_multi_index(place.index, dataset['time'].shape)}"
        if math.isfinite(place.frequency):
            at += f", {show(place.frequency, 'Hz')}"
        letter(axes, number, f"{at}: {said}")
        axes.set_ylabel(label)
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()
    for axes in panels[max(len(chosen) - 2, 0) : len(chosen)]:
        axes.set_xlabel("Microwave power (dBm)")
    panels[0].plot([], [], color=FIT, label="up")
    panels[0].plot([], [], color=BLUE, label="down")
    panels[0].legend(fontsize=6.5)
    return figure


def _mark(axes: Axes, loop: Loop) -> None:
    for switch, colour in ((loop.up, FIT), (loop.down, BLUE)):
        if switch is not None:
            axes.axvline(switch.power, color=colour, linestyle="--", linewidth=0.7)
            low, high = switch.power - 2 * switch.std, switch.power + 2 * switch.std
            axes.axvspan(low, high, color=colour, alpha=0.15, linewidth=0)


@in_house_style
def figure_switches(dataset: xr.Dataset) -> Figure:
    """Draw the switching powers and the width of the loop, as maps or place by place.

    Raises
    ------
    NothingToShowError
        If nothing switches.
    """
    maps = switch_maps(dataset)
    if not any(np.isfinite(m.up).any() for m in maps):
        raise NothingToShowError("Nothing switches in this run.")
    if len(maps) == 1 and maps[0].up.ndim == 2 and min(maps[0].up.shape) > 2:
        return _switch_maps(dataset, maps[0])
    figure = new_figure(2.6)
    panels = figure.subplots(1, 3)
    colours = [FIT, BLUE, GREEN, DATA, FAILED]
    for number, (name, title) in enumerate(
        (("up", "Cold state ends"), ("down", "Hot state ends"), ("width", "Width of the loop"))
    ):
        axes = panels[number]
        for m, colour in zip(maps, colours * 9, strict=False):
            values = getattr(m, name).ravel()
            spread = (
                np.hypot(m.up_std, m.down_std) if name == "width" else getattr(m, f"{name}_std")
            )
            axes.errorbar(
                np.arange(len(values)), values, spread.ravel(), fmt="o", color=colour,
                markersize=3, capsize=2, linewidth=0.8, label=_frequency(m),
            )  # fmt: skip
        axes.set(xlabel="Site", ylabel="dB" if name == "width" else "Power (dBm)")
        letter(axes, number, title)
    if any(math.isfinite(m.frequency) for m in maps):
        panels[0].legend(fontsize=6.5)
    return figure


def _frequency(maps: SwitchMaps) -> str:
    return show(maps.frequency, "Hz") if math.isfinite(maps.frequency) else ""


def _switch_maps(dataset: xr.Dataset, maps: SwitchMaps) -> Figure:
    extent = extent_of(dataset["x"].values * NM, dataset["y"].values * NM)
    width = WIDTH / 3 - 0.6
    figure = new_figure(panel_height(extent, width) + 0.5)
    panels = figure.subplots(1, 3)
    shown = ((maps.up, "Cold state ends", "dBm"), (maps.down, "Hot state ends", "dBm"),
             (maps.width, "Width of the loop", "dB"))  # fmt: skip
    for number, (axes, (values, title, unit)) in enumerate(zip(panels, shown, strict=True)):
        known = np.isfinite(values)
        limits = robust_limits(values[known]) if known.any() else (0.0, 1.0)
        draw_image(axes, values, extent, "viridis", unit, limits, ~known)
        axes.set(xlabel="x (nm)", ylabel="y (nm)" if not number else "")
        letter(axes, number, title)
    return figure


@in_house_style
def figure_supercurrent(dataset: xr.Dataset) -> Figure:
    """Draw what a hot spot costs of the critical current, in a rehearsal beside the true supercurrent.

    Raises
    ------
    NothingToShowError
        If there is no map of critical currents.
    """
    if "critical_current" not in dataset or not np.isfinite(dataset["critical_current"]).any():
        raise NothingToShowError("No critical current was measured.")
    loss = supercurrent_map(dataset).loss
    if loss.ndim != 2 or min(loss.shape) < 2 or not np.isfinite(loss).any():
        raise NothingToShowError("The critical currents make no map.")
    truth = dataset["true_supercurrent"].values if "true_supercurrent" in dataset else None
    extent = extent_of(dataset["x"].values * NM, dataset["y"].values * NM)
    count = 1 if truth is None else 3
    figure = new_figure(panel_height(extent, WIDTH / 3 - 0.6) + 0.5)
    panels = np.atleast_1d(figure.subplots(1, count))
    _current_map(panels[0], loss * MICRO, extent, "µA")
    letter(panels[0], 0, "Critical current lost")
    panels[0].set(xlabel="x (nm)", ylabel="y (nm)")
    if truth is None:
        return figure
    _current_map(panels[1], truth, extent, "A/m")
    letter(panels[1], 1, "True supercurrent")
    panels[1].set(xlabel="x (nm)")
    known = np.isfinite(loss) & np.isfinite(truth)
    panels[2].plot(truth[known], loss[known] * MICRO, ".", color=DATA, markersize=3)
    found = correlation(loss, truth)
    panels[2].set(xlabel="True sheet current (A/m)", ylabel="Loss (µA)")
    letter(panels[2], 2, f"correlation {found:.2f}")
    return figure


def _current_map(
    axes: Axes, values: Array, extent: tuple[float, float, float, float], unit: str
) -> None:
    known = np.isfinite(values)
    draw_image(axes, values, extent, "magma", unit, robust_limits(values[known]), ~known)


def correlation(one: Array, other: Array) -> float:
    """Return the correlation of two maps where both are known; NaN if that says nothing."""
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3 or np.ptp(one[known]) == 0 or np.ptp(other[known]) == 0:
        return math.nan
    return float(np.corrcoef(one[known], other[known])[0, 1])

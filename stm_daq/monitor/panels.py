"""Maps and the latest spectrum in frames, for the screen of ``stm-daq watch``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from stm_daq.monitor.blocks import (
    INKS,
    colour_bar,
    heat_map,
    robust_range,
    spectrum_plot,
    without_colour,
)
from stm_daq.monitor.formulas import CurveOf, Formulas
from stm_daq.monitor.view import RunView
from stm_daq.monitor.watcher import Watcher
from stm_daq.quantities import show
from stm_daq.records import Array, Fit, Spectrum

TOPOGRAPH = "topograph"
_UNITS = {
    TOPOGRAPH: "m", "gap": "eV", "temperature": "K", "broadening": "eV", "offset": "V", "scale": "S",
    "slope": "1/V", "z": "m", "setpoint_current": "A", "stage_temperature": "K",
}  # fmt: skip
_SMALLEST_PANEL = 20
_LARGEST_MAP = 130
_WIDEST_SPECTRUM = 80


def map_names(view: RunView) -> list[str]:
    """Return the maps that can be shown, the topograph first."""
    known = [name for name in view.maps.names if name not in ("time", "fit_ok")]
    topograph = [TOPOGRAPH] if min(view.topograph.shape) else []
    return [*topograph, *known]


def panels_of(
    watcher: Watcher,
    width: int,
    rows: int,
    maps: Sequence[str],
    formulas: Formulas,
    colours: bool,
) -> list[Panel]:
    """Return the maps and the spectrum, each with its frame, as wide as the terminal together."""
    view = watcher.view
    if view.started is None:
        return []
    count = min(len(maps), max(0, width // (_SMALLEST_PANEL + 6) - 1))
    shown = [name for name in maps if name in map_names(view)][:count]
    each = min(width // (len(shown) + 1), _LARGEST_MAP, 2 * rows + 2)
    panels = [
        _map_panel(_values(view, name, formulas), name, each, rows, colours) for name in shown
    ]
    spectrum, fit = watcher.latest
    if spectrum is not None:
        rest = min(width - each * len(shown), _WIDEST_SPECTRUM)
        panels.append(_spectrum_panel(view, spectrum, fit, rest, rows, formulas.curve))
    return panels


def _values(view: RunView, name: str, formulas: Formulas) -> Array:
    return formulas.level(view.topograph) if name == TOPOGRAPH else view.map(name)


def _map_panel(values: Array, name: str, width: int, rows: int, colours: bool) -> Panel:
    draw = heat_map if colours else without_colour
    low, high = robust_range(values)
    limits = Text("nothing yet", "dim")
    if math.isfinite(low):
        unit = unit_of(name)
        limits = Text(show(low, unit), no_wrap=True)
        limits.append(" ").append_text(colour_bar(4) if colours else Text("..@@")).append(" ")
        limits.append(show(high, unit))
    content = Group(draw(values, 2 * (rows - 1), width - 2), limits)
    return Panel(content, title=name.replace("_", " "), width=width, height=rows + 2, padding=0)


def unit_of(name: str) -> str:
    """Return the unit of a map, SI; an uncertainty has that of its value."""
    return _UNITS.get(name.removesuffix("_std"), "")


def _spectrum_panel(
    view: RunView,
    spectrum: Spectrum,
    fit: Fit | None,
    width: int,
    rows: int,
    curve: CurveOf,
) -> Panel:
    site = spectrum.site
    lines = [] if fit is None else _fit_lines(fit)
    if len(lines) > rows - 4:
        lines = [lines[0], lines[-1]]  # there is no room for more than gap and verdict
    if spectrum.flags:
        lines.append(Text(", ".join(spectrum.flags), "yellow"))
    drawn = None
    if fit is not None and view.started is not None:
        drawn = curve(view.started, spectrum, fit)
    swept, unit = _swept(view, spectrum)
    plot = spectrum_plot(
        swept, spectrum.conductance, width - 2, max(2, rows - 1 - len(lines)), drawn
    )
    axis = f"{show(float(np.min(swept)), unit)} ... {show(float(np.max(swept)), unit)}"
    ends = Text(axis, no_wrap=True)
    if drawn is not None:
        ends.append("  data", INKS[1]).append(" fit", INKS[2])
    title = f"dI/dV, {_step_text(view)}row {site.row}, column {site.col}"
    return Panel(Group(plot, ends, *lines), title=title, width=width, height=rows + 2, padding=0)


def _swept(view: RunView, spectrum: Spectrum) -> tuple[Array, str]:
    """Return what was swept, and its unit."""
    started = view.started
    if started is None or len(started.swept) != len(spectrum.bias):
        return spectrum.bias, "V"
    return started.swept, started.swept_unit


def _step_text(view: RunView) -> str:
    """Say at which step of the outer axes the run is, if there are any."""
    if view.started is None or not view.started.axes or view.step is None:
        return ""
    return f"step {view.step + 1} of {view.started.steps}, "


def _fit_lines(fit: Fit) -> list[Text]:
    lines = [
        Text(f"{name} {show(fit.values[name], unit_of(name))} ± "
             f"{show(fit.std.get(name, math.nan), unit_of(name), 2)}", no_wrap=True)
        for name in ("gap", "temperature", "barrier") if name in fit.values
    ]  # fmt: skip
    verdict = "good" if fit.ok else ", ".join(fit.flags) or "not to be trusted"
    text = f"chi² {fit.reduced_chi_square:.2f}, {verdict}"
    return [*lines, Text(text, "green" if fit.ok else "yellow", no_wrap=True)]

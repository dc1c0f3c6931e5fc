"""All figures of a page, drawn from a source and what is chosen."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from bokeh.plotting import figure

from stm_daq.monitor.dashboard import shown as units
from stm_daq.monitor.dashboard.curves import CutPanel, HistogramPanel, SpectrumPanel
from stm_daq.monitor.dashboard.maps import Extent, MapPanel
from stm_daq.monitor.dashboard.source import Board, Shown, Source
from stm_daq.monitor.dashboard.strip_panel import StripPanel
from stm_daq.monitor.dashboard.theme import LIGHT, Theme, dress
from stm_daq.monitor.formulas import Formulas
from stm_daq.records import Array, RunStarted


class Figures:
    """The figures of one page.

    Parameters
    ----------
    source : Source
    formulas : Formulas
    chosen : callable
        Called with x and y (m, from the frame's lower left corner) when somebody clicks on a map.
    """

    def __init__(
        self, source: Source, formulas: Formulas, chosen: Callable[[float, float], None]
    ) -> None:
        self._source = source
        self._formulas = formulas
        self.topograph = MapPanel("topograph", chosen)
        self.map = MapPanel("map", chosen)
        self.spectrum = SpectrumPanel()
        self.cut = CutPanel()
        self.histogram = HistogramPanel()
        self.strips = StripPanel()
        self.colour(LIGHT)

    @property
    def all(self) -> list[figure]:
        """Every figure, in the order of the page."""
        return [
            self.topograph.figure,
            self.map.figure,
            self.spectrum.figure,
            self.spectrum.residuals,
            self.cut.figure,
            self.histogram.figure,
            self.strips.temperature,
            self.strips.guards,
        ]

    def colour(self, theme: Theme) -> None:
        """Dress everything in `theme`."""
        for plot in self.all:
            dress(plot, theme)
        for panel in (self.spectrum, self.cut, self.histogram, self.strips):
            panel.colour(theme)

    def draw_topograph(self, started: RunStarted, board: Board) -> None:
        """Show the heights, best plane subtracted."""
        if board.topograph.size == 0:
            return
        frame = started.frame
        heights = self._formulas.level(board.topograph)
        quantity = units.with_prefix("Height", "m", _spread(heights))
        self.topograph.draw(heights, Extent(0.0, 0.0, frame.width, frame.height), quantity)

    def draw_map(self, started: RunStarted, values: Array, name: str) -> None:
        """Show a map of fitted values."""
        extent = Extent.around(started.grid_x, started.grid_y)
        self.map.draw(values, extent, units.fitted(name))

    def draw_histogram(self, values: Array, name: str) -> None:
        """Show how the values of a map are distributed."""
        self.histogram.draw(values, units.fitted(name))

    def draw_cut(
        self, started: RunStarted, name: str, cut: str, site: tuple[int, int], step: int
    ) -> None:
        """Show a map along a "row", a "column" or the "steps", through a site."""
        along, axis, values = cut_through(self._source, started, name, cut, site, step)
        self.cut.draw(along, axis, values, units.fitted(name))

    def draw_spectrum(self, started: RunStarted, shown: Shown | None) -> None:
        """Show a spectrum and the curve of its fit."""
        if shown is None:
            self.spectrum.clear()
            return
        spectrum = shown.spectrum
        swept = started.swept if len(started.swept) == len(spectrum.bias) else spectrum.bias
        name = started.swept_name if len(started.swept) == len(spectrum.bias) else "bias"
        curve = None
        if shown.fit is not None:
            curve = self._formulas.curve(started, spectrum, shown.fit)
        self.spectrum.draw(swept, units.swept(name), spectrum.conductance, curve)

    def mark(self, started: RunStarted, site: tuple[int, int] | None) -> None:
        """Mark a site in both maps; None: none."""
        extent = Extent.around(started.grid_x, started.grid_y)
        rows, columns = started.grid_shape
        width, height = extent.width / columns, extent.height / rows
        x = y = math.nan
        if site is not None:
            x, y = float(started.grid_x[site[1]]), float(started.grid_y[site[0]])
        self.map.mark(x, y, width, height)
        self.topograph.mark(x, y, width, height)


def cut_through(
    source: Source, started: RunStarted, name: str, cut: str, site: tuple[int, int], step: int
) -> tuple[Array, units.Quantity, Array]:
    """Return positions, how they are shown, and the values of a map along a cut through a site."""
    row, column = site
    missing = np.full(started.grid_shape, np.nan)
    if cut == "steps" and started.axes:
        values = [source.board(k).maps.get(name, missing)[site] for k in range(started.steps)]
        axis = started.axes[-1]
        if len(started.axes) == 1:
            label = axis.name.replace("_", " ").capitalize()
            positions = np.array(axis.values)
            known = positions[np.isfinite(positions)]
            return positions, units.with_prefix(label, axis.unit, known), np.array(values)
        return np.arange(1.0, len(values) + 1.0), units.Quantity("Step"), np.array(values)
    shown = source.board(step).maps.get(name, missing)
    if cut == "column":
        return (
            started.grid_y,
            units.Quantity(f"y along column {column}", "nm", 1e9),
            shown[:, column],
        )
    label = f"x along row {row}" if started.sites == "grid" else "Along the sites"
    return started.grid_x, units.Quantity(label, "nm", 1e9), shown[row]


def _spread(heights: Array) -> Array:
    """Return the robust range of heights, which chooses the prefix."""
    finite = heights[np.isfinite(heights)]
    return np.percentile(finite, [2, 98]) if len(finite) else finite

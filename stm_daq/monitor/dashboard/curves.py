"""Figures of lines: a spectrum with its fit and residuals, a line cut, a histogram."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from bokeh.models import BasicTicker, ColumnDataSource, DataRange1d
from bokeh.plotting import figure

from stm_daq.monitor.blocks import robust_range
from stm_daq.monitor.dashboard.shown import Quantity, with_prefix
from stm_daq.monitor.dashboard.theme import FIT, Theme
from stm_daq.records import Array

_BINS = 40
_LARGEST = 1e150
"""Of the values that are counted: squares of them must be numbers."""


def plain_figure(
    name: str, min_height: int, x_axis_type: Literal["auto", "datetime"] = "auto", **ranges: Any
) -> figure:
    """Return an empty figure in the style of the house; `ranges` are x_range and y_range."""
    plot = figure(
        name=name,
        sizing_mode="stretch_both",
        min_height=min_height,
        tools="pan,box_zoom,reset,save",
        active_drag=None,
        toolbar_location="right",
        toolbar_inner=True,
        x_axis_type=x_axis_type,
        **ranges,
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    return plot


class SpectrumPanel:
    """One spectrum, the curve of its fit, and what is left between them.

    Attributes
    ----------
    figure, residuals : bokeh.plotting.figure
    """

    def __init__(self) -> None:
        self._source = ColumnDataSource(data={"x": [], "y": [], "fit": [], "rest": []})
        self.figure = plain_figure("spectrum", 220)
        self._line = self.figure.line("x", "y", source=self._source, line_width=1.6,
                                      legend_label="measured")  # fmt: skip
        self.figure.line("x", "fit", source=self._source, color=FIT, line_width=1.6,
                         legend_label="fit")  # fmt: skip
        self.figure.xaxis.visible = False
        self.residuals = plain_figure("residuals", 110, x_range=self.figure.x_range)
        self.residuals.toolbar_location = None
        self._rest = self.residuals.scatter("x", "rest", source=self._source, size=3)
        self.residuals.yaxis.ticker = BasicTicker(desired_num_ticks=3)
        for plot in (self.figure, self.residuals):
            plot.min_border_left = 62  # both begin at the same place

    def draw(self, x: Array, quantity: Quantity, conductance: Array, curve: Array | None) -> None:
        """Show a spectrum in SI; `curve` has the same shape, shape (n,)."""
        finite = conductance[np.isfinite(conductance)]
        shown = with_prefix("dI/dV", "S", finite)
        fit = np.full(len(x), np.nan) if curve is None else curve
        self.figure.yaxis.axis_label = shown.title
        self.residuals.yaxis.axis_label = f"Residual ({shown.unit})"
        self.residuals.xaxis.axis_label = self.figure.xaxis.axis_label = quantity.title
        # without a fit nothing is left to draw below, and the axis would be lost with it
        self.residuals.visible = curve is not None
        self.figure.xaxis.visible = curve is None
        self._source.data = {
            "x": x * quantity.factor,
            "y": conductance * shown.factor,
            "fit": fit * shown.factor,
            "rest": (conductance - fit) * shown.factor,
        }

    def clear(self) -> None:
        """Show nothing."""
        if len(self._source.data["x"]):
            self._source.data = {"x": [], "y": [], "fit": [], "rest": []}

    def colour(self, theme: Theme) -> None:
        """Draw what was measured in the colour of `theme`."""
        self._line.glyph.line_color = theme.data
        self._rest.glyph.fill_color = self._rest.glyph.line_color = theme.data


class CutPanel:
    """Values of a map along a line of sites."""

    def __init__(self) -> None:
        self._source = ColumnDataSource(data={"x": [], "y": []})
        self.figure = plain_figure("cut", 200)
        self._line = self.figure.line("x", "y", source=self._source, line_width=1.4)
        self._points = self.figure.scatter("x", "y", source=self._source, size=4)

    def draw(self, along: Array, axis: Quantity, values: Array, quantity: Quantity) -> None:
        """Show `values` over positions, both in SI, shape (n,)."""
        self.figure.xaxis.axis_label = axis.title
        self.figure.yaxis.axis_label = quantity.title
        self._source.data = {"x": along * axis.factor, "y": values * quantity.factor}

    def colour(self, theme: Theme) -> None:
        """Draw in the colour of `theme`."""
        self._line.glyph.line_color = theme.data
        self._points.glyph.fill_color = self._points.glyph.line_color = theme.data


class HistogramPanel:
    """How often which value occurs in a map."""

    def __init__(self) -> None:
        self._source = ColumnDataSource(data={"left": [], "right": [], "top": []})
        self.figure = plain_figure("histogram", 200, y_range=DataRange1d(start=0))
        self._bars = self.figure.quad(
            left="left", right="right", top="top", bottom=0, source=self._source, line_color=None
        )
        self.figure.yaxis.axis_label = "Spectra"

    def draw(self, values: Array, quantity: Quantity) -> None:
        """Show the distribution of the finite values of a map in SI."""
        count, edges = histogram(values * quantity.factor)
        self.figure.xaxis.axis_label = quantity.title
        self._source.data = {"left": edges[:-1], "right": edges[1:], "top": count}

    def colour(self, theme: Theme) -> None:
        """Draw in the colour of `theme`."""
        self._bars.glyph.fill_color = theme.data


def histogram(values: Array) -> tuple[Array, Array]:
    """Count finite values in bins over the robust range and half of it on either side.

    Returns
    -------
    count : ndarray, shape (bins,)
    edges : ndarray, shape (bins + 1,)
        Both empty bins (0,) and (0,) if nothing is finite; what lies outside is not counted.
    """
    finite = values[np.abs(values) < _LARGEST]
    if not len(finite):
        return np.empty(0), np.empty(0)
    low, high = robust_range(finite)
    largest = max(abs(low), abs(high))
    margin = (high - low) / 2
    if margin <= 1e-9 * largest:  # the same but for rounding: no room for bins between them
        margin = 1e-3 * largest or 1.0
    count, edges = np.histogram(finite, _BINS, (low - margin, high + margin))
    return count.astype(np.float64), edges

"""Strips over time: the stage's temperature, and below it when which guard was bad."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from bokeh.models import ColumnDataSource, DatetimeTickFormatter, FactorRange
from bokeh.plotting import figure

from stm_daq.monitor.dashboard.curves import plain_figure
from stm_daq.monitor.dashboard.shown import with_prefix
from stm_daq.monitor.dashboard.strips import Strips
from stm_daq.monitor.dashboard.theme import BAD, GOOD, Theme
from stm_daq.records import Array

_MS = 1000.0  # Bokeh counts time in ms


class StripPanel:
    """The strips of a run.

    Attributes
    ----------
    temperature, guards : bokeh.plotting.figure
    """

    def __init__(self) -> None:
        self._source = ColumnDataSource(data={"x": [], "y": []})
        self._bars = ColumnDataSource(data={"y": [], "left": [], "right": [], "colour": []})
        self.temperature = plain_figure("temperature", 160, x_axis_type="datetime")
        self._line = self.temperature.line("x", "y", source=self._source, line_width=1.4)
        self._names = FactorRange(factors=[" "])
        self.guards: figure = plain_figure(
            "guards", 90, "datetime", x_range=self.temperature.x_range, y_range=self._names
        )
        self.guards.toolbar_location = None
        self.guards.hbar("y", left="left", right="right", height=0.6, source=self._bars,
                         fill_color="colour", line_color=None)  # fmt: skip
        self.guards.ygrid.visible = False
        for plot in (self.temperature, self.guards):
            plot.min_border_left = 62
            plot.xaxis.formatter = DatetimeTickFormatter(
                seconds="%H:%M:%S", minsec="%H:%M:%S", minutes="%H:%M", hourmin="%H:%M",
                hours="%H:%M", days="%d %b",
            )  # fmt: skip

    def draw(self, strips: Strips, end: float) -> None:
        """Show the strips; what holds at their end holds until `end` (s since the Unix epoch)."""
        values, guards = strips.temperature.values, strips.turns.guards
        quantity = with_prefix("Stage", "K", values)
        self.temperature.yaxis.axis_label = quantity.title
        times = local(strips.temperature.times)
        self._source.data = {"x": times * _MS, "y": values * quantity.factor}
        names = sorted(guards) or [" "]
        if list(self._names.factors) != names:
            self._names.factors = names
        self._bars.data = bars(guards, end)

    def colour(self, theme: Theme) -> None:
        """Draw in the colour of `theme`."""
        self._line.glyph.line_color = theme.data


def bars(guards: Mapping[str, Sequence[tuple[float, bool]]], end: float) -> dict[str, list[object]]:
    """Return a bar for every time during which a guard was good or bad, the last until `end`."""
    rows: dict[str, list[object]] = {"y": [], "left": [], "right": [], "colour": []}
    for name, turns in guards.items():
        ends = [time for time, _ in turns[1:]] + [max(end, turns[-1][0])]
        for (begin, good), until in zip(turns, ends, strict=True):
            rows["y"].append(name)
            rows["left"].append(float(local(np.array([begin]))[0]) * _MS)
            rows["right"].append(float(local(np.array([until]))[0]) * _MS)
            rows["colour"].append(GOOD if good else BAD)
    return rows


def local(times: Array) -> Array:
    """Shift seconds since the Unix epoch so that Bokeh, which knows UTC only, shows local time."""
    if not len(times) or not math.isfinite(times[0]):
        return times
    offset = datetime.fromtimestamp(times[0]).astimezone().utcoffset()
    return times + (offset.total_seconds() if offset else 0.0)

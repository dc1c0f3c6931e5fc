"""A map as an image: topograph or fitted values, the chosen site marked; only changes are sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    DataRange1d,
    HoverTool,
    LinearColorMapper,
)
from bokeh.models.annotations import ColorBar
from bokeh.models.glyphs import Image
from bokeh.palettes import Cividis256, Viridis256
from bokeh.plotting import figure
from numpy.typing import NDArray

from stm_daq.monitor.blocks import robust_range
from stm_daq.monitor.dashboard.shown import NANOMETRES, Quantity
from stm_daq.monitor.dashboard.theme import MISSING
from stm_daq.records import Array

_PATCHED = 256
"""Of more changed pixels the whole image is sent."""
_STEADY = 0.02
"""Colour limits that would move by less, of their distance, stay: a new scale is painted anew."""
PALETTES = {"topograph": Cividis256, "map": Viridis256}


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the pixels of a map lie, m."""

    left: float
    bottom: float
    width: float
    height: float

    @classmethod
    def around(cls, x: Array, y: Array) -> Extent:
        """Return the extent of pixels centred at `x` and `y`, shapes (columns,) and (rows,)."""
        dx, dy = _spacing(x), _spacing(y)
        if len(y) == 1 and len(x) > 1:
            dy = dx * len(x)  # a line fills the figure: its second axis means nothing
        return cls(x[0] - dx / 2, y[0] - dy / 2, dx * len(x), dy * len(y))


def _spacing(positions: Array) -> float:
    if len(positions) < 2:
        return 1e-9
    return float(positions[-1] - positions[0]) / (len(positions) - 1) or 1e-9


class MapPanel:
    """One map.

    Parameters
    ----------
    name : str
        "topograph" or "map".
    chosen : callable
        Called with x and y (m) when somebody clicks.
    """

    def __init__(self, name: str, chosen: Callable[[float, float], None]) -> None:
        self._sent: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._extent: Extent | None = None
        self._title = ""
        self._limits = (0.0, 1.0)
        blank: dict[str, list[Any]] = {key: [] for key in ("image", "x", "y", "dw", "dh")}
        self._image = ColumnDataSource(data=blank)
        self._mark = ColumnDataSource(data={"x": [], "y": [], "w": [], "h": []})
        self._mapper = LinearColorMapper(palette=PALETTES[name], low=0, high=1, nan_color=MISSING)
        across, up = DataRange1d(range_padding=0), DataRange1d(range_padding=0)
        self.figure = figure(
            name=name,
            sizing_mode="stretch_both",
            min_height=260,
            x_range=across,
            y_range=up,
            match_aspect=True,
            tools="pan,wheel_zoom,box_zoom,reset,save",
            active_drag=None,
            toolbar_location="right",
            toolbar_inner=True,
            x_axis_label="x (nm)",
            y_axis_label="y (nm)",
        )
        self.figure.toolbar.logo = None
        self.figure.toolbar.autohide = True
        self.figure.grid.visible = False
        image = Image(image="image", x="x", y="y", dw="dw", dh="dh", color_mapper=self._mapper)
        glyph = self.figure.add_glyph(self._image, image)
        for colour, line_width in (("white", 4), ("#d00000", 2)):
            # a layer of its own: the image below is not painted anew when the mark moves
            self.figure.rect("x", "y", "w", "h", source=self._mark, fill_color=None,
                             line_color=colour, line_width=line_width, level="overlay")  # fmt: skip
        across.renderers = up.renderers = [glyph]  # the mark changes nothing
        tooltip = [("x, y", "$x{0.0}, $y{0.0} nm"), ("value", "@image{0.0000}")]
        self.figure.add_tools(HoverTool(renderers=[glyph], tooltips=tooltip, visible=False))
        self._bar = ColorBar(color_mapper=self._mapper, ticker=BasicTicker(desired_num_ticks=6),
                             width=12, padding=6)  # fmt: skip
        self.figure.add_layout(self._bar, "right")
        self.figure.on_event(Tap, lambda event: _tapped(event, chosen))

    def draw(self, values: Array, extent: Extent, quantity: Quantity) -> None:
        """Show a map in SI, shape (rows, columns), NaN where missing."""
        shown = (values * quantity.factor).astype(np.float32)
        self.figure.yaxis.visible = len(shown) > 1
        other_map = extent != self._extent or shown.shape != self._sent.shape
        is_new = other_map or quantity.title != self._title
        if other_map:
            self._send_all(shown, extent)
        else:
            self._send_changes(shown)
        if quantity.title != self._title:
            self._title = self._bar.title = quantity.title
        low, high = limits(shown.astype(np.float64))
        moved = max(abs(low - self._limits[0]), abs(high - self._limits[1]))
        if is_new or moved > _STEADY * (high - low):
            self._limits = low, high
            self._mapper.update(low=low, high=high)

    def mark(self, x: float, y: float, width: float, height: float) -> None:
        """Mark a site of a size, all in m; NaN: none."""
        factor = NANOMETRES.factor
        here = [] if math.isnan(x) else [x * factor]
        place = {"x": here, "y": [y * factor] * len(here)}
        size = {"w": [width * factor] * len(here), "h": [height * factor] * len(here)}
        if {**place, **size} != dict(self._mark.data):
            self._mark.data = {**place, **size}

    def _send_all(self, shown: NDArray[np.float32], extent: Extent) -> None:
        factor = NANOMETRES.factor
        self._sent, self._extent = shown, extent
        self._image.data = {
            "image": [shown.copy()],
            "x": [extent.left * factor],
            "y": [extent.bottom * factor],
            "dw": [extent.width * factor],
            "dh": [extent.height * factor],
        }

    def _send_changes(self, shown: NDArray[np.float32]) -> None:
        same = (shown == self._sent) | (np.isnan(shown) & np.isnan(self._sent))
        rows, columns = np.nonzero(~same)
        if len(rows) > _PATCHED:
            assert self._extent is not None
            self._send_all(shown, self._extent)
        elif len(rows):
            self._sent = shown
            # an integer index alone would be taken for a pixel of a list, not of an image
            pixels = [
                ((0, slice(int(row), int(row) + 1), slice(int(column), int(column) + 1)),
                 [float(shown[row, column])])
                for row, column in zip(rows, columns, strict=True)
            ]  # fmt: skip
            self._image.patch({"image": pixels})


def limits(values: Array) -> tuple[float, float]:
    """Return robust colour limits: 2nd and 98th percentile, a little apart if they are the same."""
    low, high = robust_range(values)
    if math.isnan(low):
        return 0.0, 1.0
    if low == high:
        apart = abs(low) * 1e-3 or 1.0
        return low - apart, high + apart
    return low, high


def _tapped(event: Any, chosen: Callable[[float, float], None]) -> None:
    if event.x is not None and event.y is not None:
        chosen(event.x / NANOMETRES.factor, event.y / NANOMETRES.factor)

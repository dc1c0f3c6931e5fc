"""Colours and fonts of the figures, dark and light; data in colours that the colour-blind can tell."""

from __future__ import annotations

from dataclasses import dataclass

from bokeh.models import Axis, Grid
from bokeh.models.annotations import ColorBar, Legend
from bokeh.plotting import figure

MISSING = "#9a9a9a"
"""Grey: not measured, or not fitted."""
DATA, FIT, BAD, GOOD = "#0072b2", "#d55e00", "#e69f00", "#009e73"  # after Okabe and Ito
DATA_DARK = "#56b4e9"
_FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of everything that is not data."""

    paper: str
    ink: str
    faint: str
    grid: str
    data: str


LIGHT = Theme(paper="#ffffff", ink="#1c2430", faint="#5b6675", grid="#e6e9ee", data=DATA)
DARK = Theme(paper="#171c24", ink="#e6eaf0", faint="#9aa6b5", grid="#2a323d", data=DATA_DARK)


def dress(plot: figure, theme: Theme) -> None:
    """Give a figure the colours of `theme`."""
    plot.background_fill_color = plot.border_fill_color = theme.paper
    plot.outline_line_color = theme.grid
    for axis in plot.select(type=Axis):
        axis.update(
            axis_label_text_color=theme.faint,
            major_label_text_color=theme.faint,
            axis_line_color=theme.grid,
            major_tick_line_color=theme.grid,
            minor_tick_line_color=None,
            axis_label_text_font=_FONT,
            major_label_text_font=_FONT,
            axis_label_text_font_style="normal",
            axis_label_text_font_size="12px",
            major_label_text_font_size="11px",
        )
    for grid in plot.select(type=Grid):
        grid.update(grid_line_color=theme.grid)
    for bar in plot.select(type=ColorBar):
        bar.update(
            background_fill_color=theme.paper,
            title_text_color=theme.faint,
            major_label_text_color=theme.faint,
            title_text_font=_FONT,
            major_label_text_font=_FONT,
            title_text_font_style="normal",
        )
    for legend in plot.select(type=Legend):
        legend.update(
            background_fill_alpha=0.0,
            border_line_color=None,
            label_text_color=theme.ink,
            label_text_font=_FONT,
            label_text_font_size="11px",
        )

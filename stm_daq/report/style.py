"""How every figure of a report looks: size, fonts, colours, panel letters."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from stm_daq.errors import CannotTellError, StmDaqError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 7.2
"""Width of a figure, inch: two columns of a journal."""
DATA = "#1a1a1a"
FIT = "#d55e00"
BLUE = "#0072b2"
GREEN = "#009e73"
DOUBTFUL = "#7b3294"
"""A fit whose model is not adequate: its values are indicative."""
FAILED = "#8f8f8f"
"""A site that was measured but has no fit to show."""
NOT_MEASURED = "#f4f4f4"
_NOT_MEASURED_HATCH = "#d0d0d0"
DECORATION = "decoration"
"""Identifier (`gid`) of artists that show no data: they are not among the numbers of a figure."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.linewidth": 0.7,
    "axes.titlelocation": "left",
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.top": True,
    "ytick.right": True,
    "hatch.linewidth": 0.6,
    "hatch.color": _NOT_MEASURED_HATCH,
    "figure.facecolor": "white",
    "mathtext.default": "regular",
}


class NothingToShowError(StmDaqError):
    """The run does not hold what a figure needs; the text says what is missing."""


def in_house_style[**P](draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let `draw` make its figure with our settings, and leave matplotlib's own as they are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        from matplotlib import rc_context

        with rc_context(_SETTINGS):
            try:
                return draw(*args, **kwargs)
            except CannotTellError as reason:  # of an analysis: the data do not hold the answer
                raise NothingToShowError(str(reason)) from None

    return styled


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure of the given size (inch) that arranges its panels by itself.

    It belongs to nobody: not to pyplot, not to a window.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def letter(axes: Axes, number: int, title: str = "") -> None:
    """Write the bold letter of a panel (0 is a) and what it shows above its left corner."""
    axes.set_title(rf"$\mathbf{{{ascii_lowercase[number]}}}$  {title}")


def plain_numbers(axis: Axis) -> None:
    """Write 2, 5, 20 along a logarithmic axis, not powers of ten; at least one number shows."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())


def shade_not_measured(axes: Axes) -> None:
    """Hatch the whole panel; what was measured is drawn on top."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (0, 0),
            1,
            1,
            transform=axes.transAxes,
            facecolor=NOT_MEASURED,
            edgecolor=_NOT_MEASURED_HATCH,
            hatch="////",
            linewidth=0,
            zorder=-1,
        )
    )

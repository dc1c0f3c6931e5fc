"""The numbers in a figure, as CSV: read back from what was drawn.

One row is one point, bar, pixel or vertex, so that

    table = pandas.read_csv("01-topograph.csv", comment="#")
    curve = table[(table.panel == "a") & (table.series == "fit")]

gives a curve. Which label an axis has, with its unit, stands in the lines with ``#`` on top.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.records import Array
from stm_daq.report.figure_artists import drawn_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("x", "y", "x_low", "x_high", "y_low", "y_high", "value")
ALIGNED = 0.02
"""Middles of panels in a row or column are no further apart, in parts of the figure."""
_LETTER = re.compile(r"\$\\mathbf\{(\w)\}\$\s*")


@dataclass(frozen=True, slots=True)
class Series:
    """What one artist shows."""

    panel: str
    """Its letter; of a panel without one that of the panel before it and its number: "a.2"."""
    kind: str
    """"line", "points", "bars", "image", "area", "rectangle", "step"."""
    name: str
    """As in the legend, or a number."""
    columns: Mapping[str, Array]
    """By the names in `COLUMNS`, all of one length, in the units of the axes."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    letter: str
    title: str
    labels: Mapping[str, str]
    """Of x, y and value, as far as there are such, with their units."""
    series: tuple[Series, ...]
    left_out: tuple[str, ...]
    """Kinds of artists that have no numbers here."""


def panels_of(figure: Figure) -> list[Panel]:
    """Return what a figure shows, panel by panel.

    Positions are those of the axes (as plotted, in the unit of the label), and values of images
    those of the colour bar. What belongs to the picture only (text, hatching, scale bars, the colour
    bars themselves) is left out, and so is every value that is not finite.
    """
    panels: list[Panel] = []
    for number, axes in enumerate((axes for axes in figure.axes if axes.get_visible()), 1):
        panels.append(_panel(axes, panels[-1].letter if panels else "", number))
    return [panel for panel in panels if panel.series or panel.left_out]


def figure_csv(figure: Figure, caption: str = "") -> str:
    """Return the numbers in a figure as CSV; see the module."""
    panels = panels_of(figure)
    buffer = StringIO()
    for line in _head(panels, caption):
        buffer.write(f"# {line}\n")
    used = [name for name in COLUMNS if any(name in s.columns for p in panels for s in p.series)]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["panel", "kind", "series", *used])
    for panel in panels:
        for series in panel.series:
            writer.writerows(_rows(series, used))
    return buffer.getvalue()


def _head(panels: Iterable[Panel], caption: str) -> Iterator[str]:
    if caption:
        yield " ".join(caption.split())
    for panel in panels:
        known = {name: " ".join(label.split()) for name, label in panel.labels.items() if label}
        labels = "; ".join(f"{name}: {label}" for name, label in known.items())
        yield f"panel {panel.letter}: {panel.title or 'no title'}; {labels}".rstrip("; ")
        if panel.left_out:
            yield f"panel {panel.letter}: not in this table: {', '.join(panel.left_out)}"


def _rows(series: Series, used: list[str]) -> Iterator[list[str]]:
    start = [series.panel, series.kind, series.name]
    length = len(next(iter(series.columns.values())))
    nothing = [""] * length
    texts = [
        [f"{value:.9g}" if np.isfinite(value) else "" for value in series.columns[name].tolist()]
        if name in series.columns
        else nothing
        for name in used
    ]
    for cells in zip(*texts, strict=True):
        yield [*start, *cells]


def _panel(axes: Axes, before: str, number: int) -> Panel:
    title = " ".join((axes.get_title(loc="left") or axes.get_title()).split())
    found = _LETTER.match(title)
    name = found[1] if found else f"{before.split('.')[0]}.{number}".lstrip(".")
    series: list[Series] = []
    values, left_out = "", []
    for drawn in drawn_in(axes):
        if drawn.columns is None:
            left_out.append(drawn.kind)
            continue
        values = values or drawn.value_label
        columns = _finite(drawn.columns)
        if len(next(iter(columns.values()))):
            label = drawn.label or str(len(series) + 1)
            series.append(Series(name, drawn.kind, label, columns))
    labels = {"x": _axis_label(axes, "x"), "y": _axis_label(axes, "y"), "value": values}
    return Panel(name, _LETTER.sub("", title), labels, tuple(series), tuple(left_out))


def _axis_label(axes: Axes, name: str) -> str:
    """Return the label of an axis: its own, the unit of a scale bar, or what stands at its neighbour's.

    Panels above one another mostly have their common label at the lowest only, those in a row at
    the first.
    """
    own: str = axes.get_xlabel() if name == "x" else axes.get_ylabel()
    if own or axes.get_label():
        return own or f"{name} ({axes.get_label()})"
    here = _middle(axes)
    along, across = (1, 0) if name == "x" else (0, 1)
    found = [
        (here[along] - _middle(other)[along], label)
        for other in axes.figure.axes
        if (label := other.get_xlabel() if name == "x" else other.get_ylabel())
        and abs(_middle(other)[across] - here[across]) < ALIGNED
        and _middle(other)[along] < here[along]
    ]
    return str(min(found)[1]) if found else ""


def _middle(axes: Axes) -> tuple[float, float]:
    box = axes.get_position()
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def _finite(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Leave out rows in which the position or the value is missing."""
    main = [columns[name] for name in ("x", "y", "value") if name in columns]
    known = np.logical_and.reduce([np.isfinite(column) for column in main or columns.values()])
    return {name: column[known] for name, column in columns.items()}

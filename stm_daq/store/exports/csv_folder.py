"""CSV: a folder of tables, for spreadsheets and everything that knows no better.

Numbers are written with all their digits; what is missing is ``nan``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.source import RunSource

MARK = "about.csv"


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write all steps of a run.

    ``current.csv``, ``conductance.csv`` and one for whatever else was recorded at every point have a
    line for every spectrum under the values of what is swept; ``maps.csv`` a line for every site;
    ``topography.csv`` a line for every scanned line, the bottom one first; ``about.csv`` what is said
    of the run.
    """
    for variable in source.traces:
        _table(path / f"{variable.name}.csv", _spectra(source, variable.name))
    _table(path / "maps.csv", _maps(source))
    if source.has_topograph:
        _table(path / "topography.csv", _topograph(source))
    _table(path / MARK, source.attributes.items())


def _table(path: Path, lines: Iterable[Iterable[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


def _spectra(source: RunSource, name: str) -> Iterator[list[Any]]:
    both = source.started.directions == 2
    yield ["step", "row", "column", *(["direction"] if both else []), *source.sweep.tolist()]
    for tile in source.tiles():
        for direction, values in source.halves(tile.traces[name]).items():
            marks = [direction or "there"] if both else []
            for row, line in enumerate(values, tile.first_row):
                for column, spectrum in enumerate(line):
                    yield [tile.step, row, column, *marks, *spectrum.tolist()]


def _maps(source: RunSource) -> Iterator[list[Any]]:
    started = source.started
    names = [f"{v.name} ({v.unit})" if v.unit else v.name for v in source.variables]
    outer = [f"{axis.name} ({axis.unit})" if axis.unit else axis.name for axis in started.axes]
    yield ["step", *outer, "row", "column", "x (m)", "y (m)", *names]
    rows, columns = started.grid_shape
    for step in range(started.steps):
        head = [step, *source.outer(step).values()]
        for row in range(rows):
            lines = [source.maps[v.name][step, row].tolist() for v in source.variables]
            for column in range(columns):
                place = [row, column, float(started.grid_x[column]), float(started.grid_y[row])]
                yield [*head, *place, *(line[column] for line in lines)]


def _topograph(source: RunSource) -> Iterator[list[Any]]:
    rows, columns = source.started.topograph_shape
    frame = source.started.frame
    yield ["step", "y (m)", *((c + 0.5) * frame.width / columns for c in range(columns))]
    for step in range(source.started.steps):
        for row, line in enumerate(source.topograph(step)):
            yield [step, (row + 0.5) * frame.height / rows, *line.tolist()]

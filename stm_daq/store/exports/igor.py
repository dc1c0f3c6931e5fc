"""Igor text (``.itx``): waves with scaled dimensions.

Maps are waves of (x, y) or (x, y, step), spectra of (swept, x, y) or (swept, x, y, step). In the text
of a wave a line holds the columns of a row, layer after layer (Igor Pro manual, "Igor Text Files").
All waves begin with ``stm_``: Igor keeps names such as x, y, z and time for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array
from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.source import RunSource
from stm_daq.store.exports.variables import Variable

_LETTERS = "xyzt"
"""What Igor calls the dimensions of a wave."""

type Scale = tuple[float, float, str]
"""First value, step, unit."""


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write all steps of a run; the steps of the outer axes are the last dimension."""
    started = source.started
    with path.open("w", encoding="utf-8", newline="\n") as file:
        title = f"{started.name}; {started.sample}; {started.run_id}"
        file.write(f"IGOR\nX // {_one_line(title)}\n")
        lines = {"swept": source.sweep, "site_x": started.grid_x, "site_y": started.grid_y}
        lines |= {f"axis_{axis.name}": np.array(axis.values) for axis in started.axes}
        for name, values in lines.items():
            _wave(file, name, values.shape, [values[:, None]], [])
        for trace in source.traces:
            for direction in source.halves(started.bias):
                _write_spectra(source, file, trace, direction)
        scales = [_even(started.grid_x, "m"), _even(started.grid_y, "m")]
        for variable in source.variables:
            texts = variable.kind == "O"
            values = source.maps[variable.name] if texts else source.values(variable.name)
            unit = "s" if variable.name == "time" else variable.unit or ""
            _write_map(file, variable.name, values, scales, unit)
        if source.has_topograph:
            _write_topograph(source, file)


def _write_spectra(source: RunSource, file: TextIO, trace: Variable, direction: str) -> None:
    started = source.started
    rows, columns = started.grid_shape
    steps = (started.steps,) if started.steps > 1 else ()
    scales = [
        _even(source.sweep, started.swept_unit),
        _even(started.grid_x, "m"),
        _even(started.grid_y, "m"),
    ]

    def layers() -> Iterator[Array]:
        for tile in source.tiles():
            for line in source.halves(tile.traces[trace.name])[direction]:
                yield line.T

    shape = (len(source.sweep), columns, rows, *steps)
    name = f"{trace.name}_{direction}".rstrip("_")
    _wave(file, name, shape, layers(), scales, trace.unit or "")


def _write_map(
    file: TextIO, name: str, values: NDArray[np.generic], scales: list[Scale], unit: str
) -> None:
    """Write a map of shape (steps, rows, columns)."""
    steps, rows, columns = values.shape
    shape = (columns, rows, steps) if steps > 1 else (columns, rows)
    _wave(file, name, shape, (step.T for step in values), scales, unit)


def _write_topograph(source: RunSource, file: TextIO) -> None:
    started, frame = source.started, source.started.frame
    rows, columns = started.topograph_shape
    dx, dy = frame.width / columns, frame.height / rows
    z = np.stack([source.topograph(step) for step in range(started.steps)])
    _write_map(file, "topography", z, [(dx / 2, dx, "m"), (dy / 2, dy, "m")], "m")


def _wave(
    file: TextIO,
    name: str,
    shape: tuple[int, ...],
    layers: Iterable[NDArray[np.generic]],
    scales: list[Scale],
    unit: str = "",
) -> None:
    """Write a wave; every layer is an array (rows, columns)."""
    label = re.sub(r"\W", "_", f"stm_{name}")[:31]
    size = ",".join(map(str, shape))
    text = False
    for number, layer in enumerate(layers):
        if number == 0:
            text = layer.dtype.kind == "O"
            file.write(f"WAVES/{'T' if text else 'D'}/N=({size}) {label}\nBEGIN\n")
        plain = layer if text else layer.astype(float)
        for line in plain.tolist():
            file.write("\t".join(map(_quoted if text else repr, line)) + "\n")
    file.write("END\n")
    for letter, (first, step, along) in zip(_LETTERS, scales, strict=False):
        file.write(f'X SetScale/P {letter} {first!r},{step!r},"{along}",{label}\n')
    if unit:
        file.write(f'X SetScale d 0,0,"{unit}",{label}\n')


def _even(places: Array, unit: str) -> Scale:
    """Scale of a dimension; exact where the steps are equal (else see waves swept, site_x, site_y)."""
    step = float(places[-1] - places[0]) / (len(places) - 1) if len(places) > 1 else 1.0
    return (float(places[0]) if len(places) else 0.0, step or 1.0, unit)


def _quoted(text: str) -> str:
    return '"' + _one_line(text).replace("\\", "\\\\").replace('"', "'") + '"'


def _one_line(text: str) -> str:
    return " ".join(text.split())

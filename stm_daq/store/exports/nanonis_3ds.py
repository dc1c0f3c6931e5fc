"""Nanonis ``.3ds``: a grid of spectra; what was fitted are parameters of every pixel."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import astuple
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stm_daq.protocols.nanonis_files import GridFile, grid_header
from stm_daq.protocols.nanonis_frame import nanonis_frame
from stm_daq.records import Array, Frame
from stm_daq.store import schema
from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.source import RunSource, Tile
from stm_daq.store.exports.variables import Variable

_FIRST = {
    "X (m)": "position_x",
    "Y (m)": "position_y",
    "Z (m)": "z",
    "Scan:Current (A)": "setpoint_current",
    "Scan:Z (m)": "z",
}
"""Parameters that readers look for, by name or by place ("Z (m)" is the third); then ours."""
_SWEEPS = {"bias": "Bias", "z": "Z rel", "microwave_power": "Microwave power"}


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write one step of a run; lines and lists of points are grids of one row.

    Missing pixels are NaN throughout, apart from the limits of the sweep: readers take these from
    the first pixel.
    """
    step = choice.step_of(source, "3ds")
    others = [v for v in source.numbers if v.name not in ("position_x", "position_y")]
    channels = _channels(source)
    grid = GridFile(
        shape=source.started.grid_shape,
        frame=nanonis_frame(*astuple(_frame(source, step))),
        fixed=("Sweep Start", "Sweep End"),
        parameters=(*_FIRST, *(_parameter(v) for v in others)),
        points=len(source.sweep),
        channels=channels,
        segmented=not _even(source.sweep),
        delay=0.0,
        start=source.started.time,
        bias=source.setpoint[0],
        comment=ascii_line(f"{source.started.name}, {source.started.sample}"),
        sweep=sweep_label(source),
    )
    with path.open("wb") as file:
        file.write(grid_header(grid, source.finished))
        for tile in source.tiles(step):
            file.write(_pixels(source, tile, others, len(channels)).data)


def sweep_label(source: RunSource) -> str:
    """Name and unit of what is swept, such as "Bias (V)"."""
    name = source.started.swept_name
    words = name.replace("_", " ")
    return f"{_SWEEPS.get(name, words[:1].upper() + words[1:])} ({source.started.swept_unit})"


def ascii_line(text: str) -> str:
    """Return `text` as a value of a Nanonis header: one line of ASCII without marks of the format."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    plain = "".join(letters).replace("μ", "u").encode("ascii", "replace").decode()
    return plain.translate(str.maketrans('\r\n\t="', "  ".ljust(5)))


def _parameter(variable: Variable) -> str:
    if variable.name == "time":
        return "Time since start (s)"  # float32 has no room for a date
    return "Tip z (m)" if variable.name == "z" else variable.label


def _channels(source: RunSource) -> list[str]:
    """Name of every channel; the bias only where the sweep does not tell it."""
    started = source.started
    told = started.swept_name == "bias" and _even(source.sweep)
    signals = [Variable("bias", "V", "bias", "f"), *source.traces][1 if told else 0 :]
    marks = ("", " [bwd]")[: started.directions]
    return [signal.channel(mark) for mark in marks for signal in signals]


def _even(sweep: Array) -> bool:
    steps = np.diff(sweep)
    return len(steps) < 2 or bool(np.allclose(steps, steps[0], rtol=1e-6, atol=0.0))


def _pixels(
    source: RunSource, tile: Tile, others: list[Variable], channels: int
) -> NDArray[np.float32]:
    rows, columns, n = tile.traces["current"].shape
    points = n // source.started.directions
    head = 2 + len(_FIRST) + len(others)
    out = np.empty((rows, columns, head + channels * points), dtype=">f4")
    sweep = source.sweep
    out[..., 0], out[..., 1] = (sweep[0], sweep[-1]) if points else (math.nan, math.nan)
    names = (*_FIRST.values(), *(variable.name for variable in others))
    for number, name in enumerate(names, 2):
        values = source.values(name)[tile.step, tile.rows]
        out[..., number] = values - source.started.time if name == "time" else values
    traces = out[..., head:].reshape(rows, columns, source.started.directions, -1, points)
    for direction, volts in enumerate(source.halves(source.started.bias).values()):
        traces[:, :, direction, 0] = volts  # overwritten where there is no channel of the bias
    for number, values in enumerate(tile.traces.values(), -len(tile.traces)):
        for direction, half in enumerate(source.halves(values).values()):
            traces[:, :, direction, number] = half
    return out


def _frame(source: RunSource, step: int) -> Frame:
    """Return the frame whose pixels are the sites.

    As in files of Nanonis the width is the number of columns times their distance. A line is a frame
    of one row, turned; of a list of points the width goes along the way from one to the next.
    """
    started, frame = source.started, source.started.frame
    if started.sites == "grid":
        along, up = started.grid_x, started.grid_y
        middle_x, middle_y = (float(a[0] + a[-1]) / 2 for a in (along, up))
        x, y = frame.position(middle_x, middle_y)
        return Frame(x, y, _extent(along, frame.width), _extent(up, frame.height), frame.angle)
    angle = _angle(source, step) if started.sites == "line" else 0.0
    return Frame(frame.centre_x, frame.centre_y, _extent(started.grid_x, 0.0), 0.0, angle)


def _extent(places: Array, alone: float) -> float:
    """Return the number of places times their distance, m; `alone` if there is one place only."""
    count = len(places)
    return float(np.ptp(places)) * count / (count - 1) if count > 1 else alone


def _angle(source: RunSource, step: int) -> float:
    """Direction of a line, degrees counter-clockwise from x; 0 before two sites are measured."""
    query = "SELECT x, y FROM spectrum WHERE site IN (?, ?) ORDER BY site, attempt"
    measured = np.flatnonzero(source.latest[step].reshape(-1) >= 0)
    if len(measured) < 2:
        return 0.0
    first = step * source.started.grid_shape[1]
    ends = (first + int(measured[0]), first + int(measured[-1]))
    places = source.connection.execute(query, ends).fetchall()
    (x0, y0), (x1, y1) = (map(schema.number, places[end]) for end in (0, -1))
    return math.degrees(math.atan2(y1 - y0, x1 - x0))

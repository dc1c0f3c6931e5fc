"""Gwyddion ``.gwy``: a channel for every map, a brick for the spectra."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.exports import gwyddion_bytes as gwy
from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.source import RunSource, Tile
from stm_daq.store.exports.variables import Variable, describe

_NOTHING = 1e-9
"""Width of a pixel that has none, m: Gwyddion wants some."""


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where an image lies: Gwyddion counts pixels as areas, knows no rotation, and begins on top."""

    left: float
    bottom: float
    width: float
    height: float
    unit: str = "m"

    def components(self, shape: tuple[int, int]) -> bytes:
        """Size and place of an image of (rows, columns)."""
        sizes = gwy.integer("xres", shape[1]) + gwy.integer("yres", shape[0])
        sizes += gwy.real("xreal", self.width) + gwy.real("yreal", self.height)
        return sizes + gwy.real("xoff", self.left) + gwy.real("yoff", self.bottom)


@dataclass
class _Brick:
    """Spectra of one step and direction: where their bytes are in the file."""

    trace: Variable
    direction: str
    step: int
    offset: int
    preview: Array = field(repr=False)


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write all steps of a run; what is missing is NaN, and masked in the channels.

    Raises
    ------
    BadInputError
        If it is larger than the format can hold.
    """
    started = source.started
    size = 16 * source.latest.size * len(started.bias)
    if size > gwy.LARGEST // 2:
        raise BadInputError(
            f"{source.path}: {size / 2**30:.1f} GiB of spectra are more than a .gwy can hold: use "
            "zarr, netcdf or nexus"
        )
    with path.open("wb") as file:
        file.write(gwy.MAGIC)
        at = file.tell()
        file.write(gwy.start_of("GwyContainer", 0))
        start = file.tell()
        _write_bricks(source, file)
        _write_channels(source, file)
        end = file.tell()
        file.seek(at)
        file.write(gwy.start_of("GwyContainer", end - start))


def _write_bricks(source: RunSource, file: BinaryIO) -> None:
    if not len(source.sweep):
        return
    bricks: list[_Brick] = []
    current, conductance, *others = source.traces
    shown = (conductance, current, *others)  # the first is what Gwyddion shows
    for step in range(source.started.steps):
        for direction in source.halves(source.started.bias):
            for trace in shown:
                bricks.append(_reserve(source, file, len(bricks), trace, direction, step))
    end = file.tell()
    for tile in source.tiles():
        for brick in bricks:
            if brick.step == tile.step:
                _fill(source, file, brick, tile)
    file.seek(end)
    file.truncate()
    for number, brick in enumerate(bricks):
        key = f"/brick/{number}"
        about = brick.trace
        title = f"{about.meaning} {brick.direction}".strip() + _step_text(source, brick.step)
        file.write(gwy.text(f"{key}/title", title))
        file.write(_field(f"{key}/preview", brick.preview, _site_plane(source), about.unit or ""))
        file.write(gwy.texts(f"{key}/meta", _meta(source)))


def _reserve(
    source: RunSource, file: BinaryIO, number: int, trace: Variable, direction: str, step: int
) -> _Brick:
    """Write all of a brick but its data, and leave room for these."""
    rows, columns = source.started.grid_shape
    sweep = np.sort(source.sweep)
    n = len(sweep)
    spacing = float(sweep[-1] - sweep[0]) / max(n - 1, 1)
    plane = _site_plane(source)
    content = plane.components((rows, columns))
    content += gwy.integer("zres", n) + gwy.real("zreal", spacing * n or 1.0)
    content += gwy.real("zoff", float(sweep[0]))
    content += gwy.unit("si_unit_x", plane.unit) + gwy.unit("si_unit_y", plane.unit)
    content += gwy.unit("si_unit_z", source.started.swept_unit)
    content += gwy.unit("si_unit_w", trace.unit or "")
    content += gwy.objects("calibration", "GwyDataLine", _calibration(source, sweep))
    head = gwy.numbers_head("data", rows * columns * n)
    size = len(content) + len(head) + 8 * rows * columns * n
    file.write(gwy.object_head(f"/brick/{number}", "GwyBrick", size) + content + head)
    brick = _Brick(trace, direction, step, file.tell(), np.full((rows, columns), np.nan))
    file.seek(8 * rows * columns * n, 1)
    return brick


def _calibration(source: RunSource, sweep: Array) -> bytes:
    """The swept value of every plane: exact also where the steps are unequal."""
    content = gwy.integer("res", len(sweep)) + gwy.real("real", float(len(sweep)))
    content += gwy.unit("si_unit_x", "") + gwy.unit("si_unit_y", source.started.swept_unit)
    return content + gwy.numbers("data", sweep)


def _fill(source: RunSource, file: BinaryIO, brick: _Brick, tile: Tile) -> None:
    """Put the rows of a tile into every plane of a brick; planes go up with the swept value."""
    rows, columns = source.started.grid_shape
    values = source.halves(tile.traces[brick.trace.name])[brick.direction]
    order = np.argsort(source.sweep, kind="stable")
    brick.preview[tile.rows] = values[..., values.shape[-1] // 2]
    top = rows - tile.rows.stop
    for plane, point in enumerate(order.tolist()):
        file.seek(brick.offset + 8 * (plane * rows + top) * columns)
        file.write(np.ascontiguousarray(values[::-1, :, point], dtype="<f8").data)


def _write_channels(source: RunSource, file: BinaryIO) -> None:
    number = 0
    plane = _site_plane(source)
    for step in range(source.started.steps):
        maps = [(v, source.values(v.name)[step], plane) for v in source.numbers]
        if source.has_topograph:
            frame = source.started.frame
            left, bottom = frame.centre_x - frame.width / 2, frame.centre_y - frame.height / 2
            whole = _Plane(left, bottom, frame.width, frame.height)
            maps.insert(0, (describe("topography"), source.topograph(step), whole))
        for variable, values, where in maps:
            file.write(_channel(source, f"/{number}", variable, step, values, where))
            number += 1
    file.write(gwy.text("/filename", f"{source.path.resolve().name}.gwy"))


def _channel(
    source: RunSource, key: str, variable: Variable, step: int, values: Array, plane: _Plane
) -> bytes:
    title = variable.name.replace("_", " ") + _step_text(source, step)
    unit = "s" if variable.name == "time" else variable.unit or ""
    channel = _field(f"{key}/data", values, plane, unit)
    channel += gwy.text(f"{key}/data/title", title)
    channel += gwy.texts(f"{key}/meta", _meta(source) | {"Meaning": variable.meaning})
    missing = np.isnan(values)
    if missing.any():
        channel += _field(f"{key}/mask", missing, plane, "")
    return channel


def _field(name: str, values: Array, plane: _Plane, unit: str) -> bytes:
    """Return an image; row 0 of a map is the bottom, of Gwyddion's image the top."""
    content = plane.components(values.shape)
    content += gwy.unit("si_unit_xy", plane.unit) + gwy.unit("si_unit_z", unit)
    content += gwy.numbers("data", values[::-1])
    return gwy.nested(name, "GwyDataField", content)


def _site_plane(source: RunSource) -> _Plane:
    """A pixel for every site; of a list of points the numbers."""
    started, frame = source.started, source.started.frame
    rows, columns = started.grid_shape
    if started.sites == "points":
        return _Plane(-0.5, -0.5, float(columns), 1.0, "")
    dx, dy = _pitch(started.grid_x), _pitch(started.grid_y)
    dx, dy = dx or frame.width or _NOTHING, dy or frame.height or _NOTHING
    if started.sites == "line":
        return _Plane(-dx / 2, -dx / 2, columns * dx, dx)
    left = frame.centre_x - frame.width / 2 + float(started.grid_x[0]) - dx / 2
    bottom = frame.centre_y - frame.height / 2 + float(started.grid_y[0]) - dy / 2
    return _Plane(left, bottom, columns * dx, rows * dy)


def _pitch(places: Array) -> float:
    return float(places[-1] - places[0]) / (len(places) - 1) if len(places) > 1 else 0.0


def _step_text(source: RunSource, step: int) -> str:
    axes = source.started.axes
    values = source.outer(step)
    parts = [f"{a.name.replace('_', ' ')} = {values[a.name]:g} {a.unit}".strip() for a in axes]
    return f" [{', '.join(parts)}]" if parts else ""


def _meta(source: RunSource) -> dict[str, str]:
    kept = ("run_id", "kind", "name", "sample", "started", "state", "modulation")
    attributes = source.attributes
    about = {key.replace("_", " ").capitalize(): str(attributes[key]) for key in kept}
    return about | {"Frame angle": f"{source.started.frame.angle:g} degrees counter-clockwise"}

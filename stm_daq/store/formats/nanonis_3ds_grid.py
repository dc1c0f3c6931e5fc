"""The layout of a Nanonis grid (``.3ds``), and its values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.formats.columns import Column, column_of
from stm_daq.store.formats.contents import check_size, floats

_END = b":HEADER_END:"
_LARGEST = 2**31
"""Values; a header that claims more is damaged."""
_MANY_TIMES = 16
"""A grid that is so many times larger than the file is not allocated as a whole."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The layout that the header states."""

    columns: int
    rows: int
    points: int
    parameters: tuple[str, ...]
    channels: tuple[Column, ...]
    parameter_count: int

    @property
    def pixel_size(self) -> int:
        """Values of one pixel."""
        return self.parameter_count + self.points * len(self.channels)


def read_grid(
    path: Path, data: bytes
) -> tuple[dict[str, str], Grid, Array, Array, tuple[str, ...]]:
    """Return header, layout, parameters, traces and remarks."""
    text, mark, body = data.partition(_END)
    if not mark:
        raise BadInputError(f"{path}: the header has no end; the file is cut off")
    header = dict(_pair(line) for line in text.decode("latin-1").splitlines())
    grid = _layout(path, header)
    body = body.removeprefix(b"\r").removeprefix(b"\n")
    return header, grid, *_values(path, grid, body)


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    return key.strip(), value.strip().strip('"')


def _layout(path: Path, header: dict[str, str]) -> Grid:
    try:
        columns, rows = (int(part) for part in header["Grid dim"].split("x"))
        points = int(header["Points"])
        count = int(header["# Parameters (4 byte)"])
        channels = tuple(column_of(name) for name in header["Channels"].split(";"))
    except KeyError as error:
        raise BadInputError(f"{path}: the header lacks {error}") from None
    except ValueError as error:
        raise BadInputError(f"{path}: the header is damaged ({error})") from None
    fixed = header.get("Fixed parameters", "").split(";")
    names = tuple(filter(None, (*fixed, *header.get("Experiment parameters", "").split(";"))))
    grid = Grid(columns, rows, points, names, channels, count)
    if min(columns, rows, points) < 1 or count < 0:
        raise BadInputError(f"{path}: the header states an empty grid")
    if columns * rows * grid.pixel_size > _LARGEST:
        raise BadInputError(f"{path}: the header states an impossibly large grid; it is damaged")
    return grid


def _values(path: Path, grid: Grid, body: bytes) -> tuple[Array, Array, tuple[str, ...]]:
    """Return parameters (rows, columns, parameters), traces (rows, columns, channels, n), remarks.

    Of a grid that is much larger than the file, only the rows that were begun.
    """
    pixels = grid.rows * grid.columns
    size = 4 * grid.pixel_size
    if len(body) > pixels * size:
        raise BadInputError(
            f"{path}: {len(body)} bytes of data where the header states {pixels * size}; "
            "it is damaged"
        )
    done = len(body) // size
    if done == 0:
        raise BadInputError(f"{path}: holds not one complete spectrum")
    remarks: tuple[str, ...] = ()
    if done < pixels:
        aborted = f"the grid was aborted after {done} of {pixels} spectra; the others are missing"
        remarks = (aborted,)
    rows = grid.rows
    if pixels * size > _MANY_TIMES * len(body):
        rows = -(-done // grid.columns)
        remarks = (*remarks, f"the {grid.rows - rows} rows that were not begun are left out")
    check_size(path, rows * grid.columns * size, len(body))
    values = np.full((rows * grid.columns, grid.pixel_size), np.nan)
    values[:done] = floats(body[: done * size]).reshape(done, -1)
    shaped = values.reshape(rows, grid.columns, -1)
    traces = shaped[..., grid.parameter_count :]
    shape = (rows, grid.columns, len(grid.channels), grid.points)
    return shaped[..., : grid.parameter_count], traces.reshape(shape), remarks


def limits_of(grid: Grid, parameters: Array) -> tuple[float, float] | None:
    """Return start and end of the sweep where all pixels agree, else None."""
    try:
        start, end = (grid.parameters.index(name) for name in ("Sweep Start", "Sweep End"))
        limits = parameters[..., [start, end]].reshape(-1, 2)
    except (ValueError, IndexError):
        return None
    measured = limits[np.all(np.isfinite(limits), axis=1)]
    if len(measured) == 0 or not np.allclose(measured, measured[0], rtol=1e-4):
        return None
    return float(measured[0, 0]), float(measured[0, 1])

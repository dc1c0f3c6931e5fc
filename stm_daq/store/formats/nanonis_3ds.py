"""Nanonis ``.3ds``: a grid of spectra.

An ASCII header ends with ``:HEADER_END:``; then follow, pixel after pixel (x fastest, bottom row
first), the parameters and the channels of a pixel as big-endian float32. The file of an aborted
grid is short.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.formats.columns import Column, column_of
from stm_daq.store.formats.measured import (
    MeasuredSpectra,
    Wanted,
    checked,
    conductance_of,
    select,
)

START = b"Grid dim="
_END = b":HEADER_END:"
_LARGEST = 2**31
"""Values; a header that claims more is damaged."""


@dataclass(frozen=True, slots=True)
class _Grid:
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


def read_3ds(path: Path, data: bytes, wanted: Wanted) -> MeasuredSpectra:
    """Read a grid; see :func:`stm_daq.store.formats.read_spectra`.

    Pixels that an aborted grid lacks are NaN, with a remark.
    """
    if wanted.noise:
        raise BadInputError(f"{path}: --noise-column is for tables, not for grids of spectra")
    text, mark, body = data.partition(_END)
    if not mark:
        raise BadInputError(f"{path}: the header has no end; the file is cut off")
    header = dict(_pair(line) for line in text.decode("latin-1").splitlines())
    grid = _layout(path, header)
    parameters, traces, remarks = _values(path, grid, body.removeprefix(b"\r").removeprefix(b"\n"))
    used = select(path, grid.channels, wanted)

    def channel(found: tuple[int, Column]) -> Array:
        result: Array = traces[:, :, found[0]] * found[1].factor
        return result

    names = used.names()
    if wanted.bias and used.bias:
        bias = _common(path, channel(used.bias))
    else:
        bias = _sweep(path, header, grid, parameters)
        names["bias"] = header.get("Sweep Signal", "Sweep Start, Sweep End")
    current = channel(used.current) if used.current else None
    signals = [channel(found) for found in used.conductance[:1]]
    conductance, unit, names["conductance"] = conductance_of(path, used, bias, signals, current)
    current = current if used.in_amperes else None
    return checked(
        MeasuredSpectra(path, path.stem, bias, conductance, unit, names, current, remarks=remarks)
    )


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    return key.strip(), value.strip().strip('"')


def _layout(path: Path, header: dict[str, str]) -> _Grid:
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
    grid = _Grid(columns, rows, points, names, channels, count)
    if min(columns, rows, points) < 1 or count < 0:
        raise BadInputError(f"{path}: the header states an empty grid")
    if columns * rows * grid.pixel_size > _LARGEST:
        raise BadInputError(f"{path}: the header states an impossibly large grid; it is damaged")
    return grid


def _values(path: Path, grid: _Grid, body: bytes) -> tuple[Array, Array, tuple[str, ...]]:
    """Return parameters (rows, columns, parameters), traces (rows, columns, channels, n), remarks."""
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
    aborted = f"the grid was aborted after {done} of {pixels} spectra; the others are missing"
    values = np.full((pixels, grid.pixel_size), np.nan)
    values[:done] = np.frombuffer(body[: done * size], ">f4").reshape(done, -1)
    shaped = values.reshape(grid.rows, grid.columns, -1)
    traces = shaped[..., grid.parameter_count :]
    shape = (grid.rows, grid.columns, len(grid.channels), grid.points)
    remarks = (aborted,) if done < pixels else ()
    return shaped[..., : grid.parameter_count], traces.reshape(shape), remarks


def _sweep(path: Path, header: dict[str, str], grid: _Grid, parameters: Array) -> Array:
    signal = column_of(header.get("Sweep Signal", ""))
    if header.get("Filetype", "Linear") != "Linear":
        raise BadInputError(
            f"{path}: the steps of the sweep are not equal; "
            "name the channel that holds the bias with --bias-column"
        )
    if signal.unit != "V":
        raise BadInputError(f"{path}: the sweep is over '{signal.header}', not over a bias")
    try:
        start, end = (grid.parameters.index(name) for name in ("Sweep Start", "Sweep End"))
        limits = parameters[..., [start, end]].reshape(-1, 2)
    except (ValueError, IndexError):
        raise BadInputError(f"{path}: the header lacks Sweep Start and Sweep End") from None
    measured = limits[np.all(np.isfinite(limits), axis=1)]
    if len(measured) == 0 or not np.allclose(measured, measured[0], rtol=1e-4):
        raise BadInputError(f"{path}: the sweep is not the same at all pixels")
    bias: Array = np.linspace(measured[0, 0], measured[0, 1], grid.points) * signal.factor
    return bias


def _common(path: Path, traces: Array) -> Array:
    """Return the bias axis that all pixels share, V, shape (n,)."""
    flat = traces.reshape(-1, traces.shape[-1])
    measured = flat[np.all(np.isfinite(flat), axis=1)]
    if len(measured) == 0:
        raise BadInputError(f"{path}: the bias channel holds no numbers")
    bias: Array = np.mean(measured, axis=0)
    if np.max(np.abs(measured - bias)) > abs(bias[-1] - bias[0]) / len(bias):
        raise BadInputError(f"{path}: the bias channel is not the same at all pixels")
    return bias

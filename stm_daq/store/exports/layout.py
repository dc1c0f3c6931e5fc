"""The variables of an export as labelled arrays, as in the dataset of :func:`stm_daq.open_run`.

NetCDF and Zarr hold the same names, dimensions and attributes, and differ in how arrays are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array
from stm_daq.store.dataset import Dimensions
from stm_daq.store.exports.source import RunSource, Tile
from stm_daq.store.exports.variables import Variable, describe


class Target(Protocol):
    """An array on the disk."""

    def __setitem__(self, place: Any, values: Any) -> None:
        """Write a part."""


@dataclass(frozen=True, slots=True)
class Described:
    """An array to be made."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    kind: str
    """Of the numpy type: "f", "b", or "O" for texts."""
    attributes: Mapping[str, str]
    chunks: tuple[int, ...]
    """Whole where it is small; a tile of sites for what is measured at every point."""


def write_all(source: RunSource, make: Callable[[Described], Target]) -> None:
    """Make every array and fill it, the spectra a tile at a time."""
    targets = {described.name: make(described) for described in _traces(source)}
    for tile in source.tiles():
        for name, trace in tile.traces.items():
            for number, values in enumerate(source.halves(trace).values()):
                _write_pieces(source, targets[name], tile, number, values)
    for described, values in (*_coordinates(source), *_maps(source)):
        make(described)[...] = values


def _write_pieces(
    source: RunSource, target: Target, tile: Tile, direction: int, values: Array
) -> None:
    """Write a tile piece by piece: libraries copy what they write."""
    outer = _outer_place(source, tile.step)
    inner = (slice(None), direction) if source.started.directions == 2 else ()
    height = source.chunk_rows
    for first in range(0, len(values), height):
        piece = values[first : first + height]
        start = tile.first_row + first
        target[(*outer, slice(start, start + len(piece)), *inner)] = piece


def _traces(source: RunSource) -> Iterator[Described]:
    """What is measured at every point."""
    started = source.started
    direction = ("direction",) if started.directions == 2 else ()
    inner = ("y", "x", *direction, Dimensions(started).swept)
    points = (*((2,) if direction else ()), len(source.sweep))
    columns = started.grid_shape[1]
    for variable in source.traces:
        shape = (*started.shape, *points)
        chunks = (*(1 for _ in started.axes), source.chunk_rows, columns, *points)
        dims, attributes = _labels(source, variable, inner)
        yield Described(variable.name, dims, shape, "f", attributes, chunks)


def _coordinates(source: RunSource) -> Iterator[tuple[Described, NDArray[Any]]]:
    for name, (dims, values, attributes) in Dimensions(source.started).coordinates().items():
        if values.size:
            kind = "O" if values.dtype.kind == "U" else "f"
            yield Described(name, dims, values.shape, kind, attributes, values.shape), values


def _maps(source: RunSource) -> Iterator[tuple[Described, NDArray[Any]]]:
    started = source.started
    for variable in source.variables:
        values = source.maps[variable.name].reshape(started.shape)
        dims, attributes = _labels(source, variable, ("y", "x"))
        yield (
            Described(variable.name, dims, values.shape, variable.kind, attributes, values.shape),
            values,
        )
    if source.has_topograph:
        z = np.stack([source.topograph(step) for step in range(started.steps)])
        z = z.reshape(*started.outer_shape, *started.topograph_shape)
        dims, attributes = _labels(source, describe("topography"), ("topograph_y", "topograph_x"))
        yield Described("topography", dims, z.shape, "f", attributes, z.shape), z


def _labels(
    source: RunSource, variable: Variable, inner: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return dimensions and attributes of a variable."""
    dims = (*(axis.name for axis in source.started.axes), *inner)
    unit = {} if variable.unit is None else {"units": variable.unit}
    return dims, unit | {"long_name": variable.meaning}


def _outer_place(source: RunSource, step: int) -> tuple[int, ...]:
    shape = source.started.outer_shape
    return tuple(int(number) for number in np.unravel_index(step, shape)) if shape else ()

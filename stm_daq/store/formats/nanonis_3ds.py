"""Nanonis ``.3ds``: a grid of spectra.

An ASCII header ends with ``:HEADER_END:``; then follow, pixel after pixel (x fastest, bottom row
first), the parameters and the channels of a pixel as big-endian float32. The file of an aborted
grid is short.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.protocols.nanonis_frame import other_way
from stm_daq.records import Array
from stm_daq.store.formats.columns import Column, choose, column_of
from stm_daq.store.formats.contents import (
    BOTTOM,
    LEFT,
    Channel,
    Contents,
    directions,
    number_of,
    pixel_axis,
    variable_name,
)
from stm_daq.store.formats.measured import (
    MeasuredSpectra,
    Wanted,
    checked,
    conductance_of,
    select,
)
from stm_daq.store.formats.nanonis_3ds_grid import Grid, limits_of, read_grid
from stm_daq.store.formats.nanonis_header import facts_of
from stm_daq.store.formats.units import to_si

START = b"Grid dim="


def parse_3ds(path: Path, data: bytes) -> Contents:
    """Read all channels and parameters of a grid.

    Pixels that an aborted grid lacks are NaN, with a remark.

    Raises
    ------
    BadInputError
        If it is damaged, or holds not one spectrum.
    """
    header, grid, parameters, traces, remarks = read_grid(path, data)
    axis = _axis(header, grid, parameters)
    dims = ("y", "x")
    channels = _traces(grid, traces, (*dims, axis.dims[0]))
    for number, name in enumerate(grid.parameters[: grid.parameter_count]):
        column = column_of(name)
        if name in ("Sweep Start", "Sweep End"):
            column = replace(column_of(header.get("Sweep Signal", "")), name=column.name)
        factor, unit = to_si(column.unit)
        known = {"x": "position_x", "y": "position_y"}.get(column.name, column.name)
        values = parameters[..., number] * (column.factor * factor)
        channels[variable_name(known, channels)] = Channel(dims, values, unit, name)
    facts = facts_of(header)
    frame = _frame(header, grid)
    width, height = frame[2:4] if frame else (float(grid.columns), float(grid.rows))
    if frame:
        facts["frame"] = frame
    rows = len(traces)
    coordinates = {
        "y": pixel_axis("y", rows, height * rows / grid.rows, BOTTOM),
        "x": pixel_axis("x", grid.columns, width, LEFT),
        axis.dims[0]: axis,
    }
    if any("direction" in channel.dims for channel in channels.values()):
        coordinates["direction"] = directions()
    title = header.get("Experiment", "grid").strip() or "grid"
    return Contents(
        path,
        "Nanonis grid",
        f"{path.stem} ({title})",
        channels,
        coordinates,
        facts,
        header,
        remarks,
    )


def _axis(header: dict[str, str], grid: Grid, parameters: Array) -> Channel:
    """Return what was swept; the number of the point where the header does not tell."""
    signal = column_of(header.get("Sweep Signal", ""))
    limits = limits_of(grid, parameters)
    if header.get("Filetype", "Linear") != "Linear" or limits is None:
        return Channel(("point",), np.arange(grid.points), "", "number of the point")
    factor, unit = to_si(signal.unit)
    name = "bias" if unit == "V" else variable_name(signal.name)
    values = np.linspace(*limits, grid.points) * (signal.factor * factor)
    return Channel((name,), values, unit, signal.header or "sweep")


def _traces(grid: Grid, traces: Array, dims: tuple[str, str, str]) -> dict[str, Channel]:
    """Return every channel, forward and backward together, and those that analyses look for."""
    places = {(c.name, "bwd" in c.tags, "filt" in c.tags): i for i, c in enumerate(grid.channels)}
    chosen = choose(grid.channels)
    known = dict.fromkeys(chosen.conductance[:1], "conductance")
    if chosen.current is not None and grid.channels[chosen.current].unit == "A":
        known[chosen.current] = "current"
    channels: dict[str, Channel] = {}
    for (name, backward, filtered), place in places.items():
        if backward and (name, False, filtered) in places:
            continue
        column = grid.channels[place]
        factor, unit = to_si(column.unit)
        back = None if backward else places.get((name, True, filtered))
        values = traces[:, :, place] * (column.factor * factor)
        axes: tuple[str, ...] = dims
        if back is not None:
            there_back = [values, traces[:, :, back] * (column.factor * factor)]
            values, axes = np.stack(there_back, axis=2), (*dims[:2], "direction", dims[2])
        full = name + " bwd" * backward + " filt" * filtered
        channel = Channel(axes, values, unit, column.header)
        if place in known and known[place] != variable_name(full):
            channels[known[place]] = channel
        channels[variable_name(full, channels)] = channel
    return channels


def _frame(header: dict[str, str], grid: Grid) -> list[float] | None:
    """Return centre x, y, width, height (m) and angle (degrees), or None.

    Nanonis counts the angle clockwise, as the positions of real grids show; a frame of ours does
    not.
    """
    parts = [number_of(part) for part in header.get("Grid settings", "").split(";")]
    numbers = [part for part in parts if part is not None]
    if not len(numbers) == len(parts) == 5:
        return None
    sides = zip(numbers[2:4], (grid.columns, grid.rows), strict=True)
    sound = all(0 < side < 1 or (side == 0 and count == 1) for side, count in sides)
    return [*numbers[:4], other_way(numbers[4])] if sound else None


def read_3ds(path: Path, data: bytes, wanted: Wanted) -> MeasuredSpectra:
    """Read a grid; see :func:`stm_daq.store.formats.read_spectra`.

    Pixels that an aborted grid lacks are NaN, with a remark.
    """
    if wanted.noise:
        raise BadInputError(f"{path}: --noise-column is for tables, not for grids of spectra")
    header, grid, parameters, traces, remarks = read_grid(path, data)
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


def _sweep(path: Path, header: dict[str, str], grid: Grid, parameters: Array) -> Array:
    signal = column_of(header.get("Sweep Signal", ""))
    if header.get("Filetype", "Linear") != "Linear":
        raise BadInputError(
            f"{path}: the steps of the sweep are not equal; "
            "name the channel that holds the bias with --bias-column"
        )
    if signal.unit != "V":
        raise BadInputError(f"{path}: the sweep is over '{signal.header}', not over a bias")
    if not {"Sweep Start", "Sweep End"} <= set(grid.parameters):
        raise BadInputError(f"{path}: the header lacks Sweep Start and Sweep End")
    limits = limits_of(grid, parameters)
    if limits is None:
        raise BadInputError(f"{path}: the sweep is not the same at all pixels")
    bias: Array = np.linspace(*limits, grid.points) * signal.factor
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

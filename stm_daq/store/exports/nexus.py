"""NeXus, application definition NXsts, as HDF5.

The definition asks of every NXdata members that are literally called DATA and AXISNAME; they are
hard links to the signal and to its last axis.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.store.dataset import Dimensions
from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.layout import Described, Target, write_all
from stm_daq.store.exports.nexus_entry import fill_entry, group_of
from stm_daq.store.exports.source import RunSource

if TYPE_CHECKING:
    import h5py

_CACHE = 2**20
"""Bytes that HDF5 keeps of an array that is written in pieces."""
_TOPOGRAPH = ("topograph_x", "topograph_y", "topography")


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write all steps of a run: spectra, maps and the topograph as NXdata."""
    import h5py

    with h5py.File(path, "w", rdcc_nbytes=_CACHE) as file:
        file.attrs["default"] = "entry"
        entry = group_of(file, "entry", "NXentry")
        fill_entry(entry, source)
        write_all(source, lambda described: _array(entry, source, described))
        _finish(entry, source)


def _array(entry: h5py.Group, source: RunSource, described: Described) -> Target:
    """Make an array in the group where it belongs."""
    import h5py

    types: dict[str, Any] = {"f": "f8", "b": "i1", "O": h5py.string_dtype()}
    per_point = described.chunks != described.shape
    array: Any = _home(entry, source, described).create_dataset(
        described.name,
        described.shape,
        types[described.kind],
        chunks=described.chunks if per_point else None,
        fillvalue=np.nan if described.kind == "f" else None,
    )
    array.attrs.update(described.attributes)
    if described.name == "time":
        array.attrs["units"] = "s"
        array.attrs["long_name"] = "start of the sweep, since 1970-01-01T00:00:00+00:00"
    target: Target = array
    return target


def _home(entry: h5py.Group, source: RunSource, described: Described) -> h5py.Group:
    sweep = ("direction", Dimensions(source.started).swept)
    traces = [variable.name for variable in source.traces]
    if described.name in (*traces, *sweep):
        return group_of(entry, "spectra", "NXdata")
    if described.name in _TOPOGRAPH:
        return group_of(entry, "topograph", "NXdata")
    if described.kind == "O":
        return group_of(entry, "remarks", "NXcollection")
    return group_of(entry, "maps", "NXdata")


def _finish(entry: h5py.Group, source: RunSource) -> None:
    """Say what is signal and what is axis."""
    outer = [axis.name for axis in source.started.axes]
    spectra, maps = entry["spectra"], entry["maps"]
    for name in (*outer, "y", "x"):
        spectra[name] = maps[name]
    direction = ["direction"] if source.started.directions == 2 else []
    axes = [*outer, "y", "x", *direction, Dimensions(source.started).swept]
    beside = [variable.name for variable in source.traces if variable.name != "conductance"]
    _as_data(spectra, "conductance", axes, beside)
    for variable in source.numbers:
        if variable.name.endswith("_std"):
            maps[f"{variable.name.removesuffix('_std')}_errors"] = maps[variable.name]
    others = [variable.name for variable in source.numbers if variable.name != "gap"]
    _as_data(maps, "gap", [*outer, "y", "x"], others)
    if source.has_topograph:
        _as_data(entry["topograph"], "topography", [*outer, "topograph_y", "topograph_x"], [])
        for name in outer:
            entry["topograph"][name] = maps[name]
    entry.attrs["default"] = "spectra"


def _as_data(group: h5py.Group, signal: str, axes: list[str], others: list[str]) -> None:
    group.attrs["signal"] = signal
    group.attrs["axes"] = axes
    if others:
        group.attrs["auxiliary_signals"] = others
    for number, axis in enumerate(axes):
        group.attrs[f"{axis}_indices"] = number
    group["DATA"] = group[signal]
    group["AXISNAME"] = group[axes[-1]]

"""A QCoDeS database, for plottr and whatever else reads one.

It holds up to three datasets: spectra, maps, topograph. A result is a whole row of sites, as arrays.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.records import Array
from stm_daq.store.dataset import Dimensions
from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.source import RunSource
from stm_daq.store.exports.variables import Variable, describe

if TYPE_CHECKING:
    from qcodes.dataset.data_set import DataSet
    from qcodes.dataset.experiment_container import Experiment
    from qcodes.dataset.sqlite.connection import AtomicConnection


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write all steps of a run. Times and identities are those of the run, not of the export."""
    from qcodes.dataset.experiment_container import Experiment
    from qcodes.dataset.sqlite.database import connect

    connection = connect(path)
    try:
        connection.execute("PRAGMA synchronous=OFF")  # made durable as a whole at the end
        experiment = Experiment(
            conn=connection, name=source.started.name, sample_name=source.started.sample
        )
        _write_spectra(source, experiment)
        _write_maps(source, experiment)
        if source.has_topograph:
            _write_topograph(source, experiment)
        _use_times_of_run(source, connection)
    finally:
        connection.close()


def _write_spectra(source: RunSource, experiment: Experiment) -> None:
    started = source.started
    swept = Dimensions(started).swept
    direction = [Variable("direction", "", "0 there, 1 back", "f")]
    axes = [
        *_site_axes(source),
        *(direction if started.directions == 2 else []),
        Variable(swept, started.swept_unit, started.swept_name, "f"),
    ]
    sizes = (started.directions,) if started.directions == 2 else ()
    shape = (*started.shape, *sizes, len(source.sweep))
    dataset = _begin(source, experiment, "spectra", axes, source.traces, shape)
    names = [axis.name for axis in axes]
    inner = (np.arange(2.0), source.sweep) if sizes else (source.sweep,)
    for tile in source.tiles():
        for number in range(tile.rows.stop - tile.first_row):
            values = {name: _stacked(source, v[number]) for name, v in tile.traces.items()}
            places = _places(source, tile.step, tile.first_row + number)
            dataset.add_results([_grid(names, places, inner) | values])
    dataset.mark_completed()


def _stacked(source: RunSource, values: Array) -> Array:
    """One row of spectra, shape (columns, (directions,) n)."""
    halves = list(source.halves(values).values())
    return np.ascontiguousarray(halves[0] if len(halves) == 1 else np.stack(halves, axis=1))


def _write_maps(source: RunSource, experiment: Experiment) -> None:
    started, axes = source.started, _site_axes(source)
    names = [axis.name for axis in axes]
    # a quantity that is an axis too has its values there
    maps = [variable for variable in source.numbers if variable.name not in names]
    dataset = _begin(source, experiment, "maps", axes, maps, started.shape)
    texts = {
        name: {str(i): text for i, text in enumerate(source.maps[name].ravel()) if text}
        for name in ("flags", "fit_flags")
    }
    dataset.add_metadata("stm_daq_flags_of_sites", json.dumps(texts))
    for step in range(started.steps):
        for row in range(started.grid_shape[0]):
            values = {v.name: source.values(v.name)[step, row].copy() for v in maps}
            dataset.add_results([_grid(names, _places(source, step, row), ()) | values])
    dataset.mark_completed()


def _write_topograph(source: RunSource, experiment: Experiment) -> None:
    started = source.started
    coordinates = Dimensions(started).coordinates()
    along, up = coordinates["topograph_x"][1], coordinates["topograph_y"][1]
    axes = [
        *_site_axes(source)[:-2],
        Variable("y", "m", "distance from the bottom edge", "f"),
        Variable("x", "m", "distance from the left edge", "f"),
    ]
    names = [axis.name for axis in axes]
    shape = (*started.outer_shape, *started.topograph_shape)
    dataset = _begin(source, experiment, "topograph", axes, [describe("topography")], shape)
    for step in range(started.steps):
        for row, z in enumerate(source.topograph(step)):
            places: list[float | Array] = [*source.outer(step).values(), float(up[row]), along]
            dataset.add_results([_grid(names, places, ()) | {"topography": z.copy()}])
    dataset.mark_completed()


def _site_axes(source: RunSource) -> list[Variable]:
    coordinates = Dimensions(source.started).coordinates()
    outer = [Variable(_key(a.name), a.unit, a.name, "f") for a in source.started.axes]
    inner = [Variable(n, "m", coordinates[n][2]["long_name"], "f") for n in ("y", "x")]
    return [*outer, *inner]


def _key(name: str) -> str:
    """A name that QCoDeS takes: ``magnet_field`` for ``magnet.field``."""
    return re.sub(r"\W", "_", name)


def _places(source: RunSource, step: int, row: int) -> list[float | Array]:
    """Outer axes and y of a row of sites, then x of each."""
    started = source.started
    return [*source.outer(step).values(), float(started.grid_y[row]), started.grid_x]


def _grid(
    names: Sequence[str], places: Sequence[float | Array], inner: Iterable[Array]
) -> dict[str, Array]:
    """Every axis at every point of a row of sites, shape (columns, ...)."""
    values = np.meshgrid(*(np.atleast_1d(p) for p in (*places, *inner)), indexing="ij")
    shape = values[0].shape[len(places) - 1 :]
    return {
        name: np.ascontiguousarray(v.reshape(shape)) for name, v in zip(names, values, strict=True)
    }


def _begin(
    source: RunSource,
    experiment: Experiment,
    name: str,
    axes: Sequence[Variable],
    values: Sequence[Variable],
    shape: tuple[int, ...],
) -> DataSet:
    from qcodes.dataset.data_set import DataSet
    from qcodes.dataset.descriptions.dependencies import InterDependencies_
    from qcodes.dataset.descriptions.param_spec import ParamSpecBase

    def spec(variable: Variable) -> ParamSpecBase:
        return ParamSpecBase(variable.name, "array", variable.meaning, variable.unit or "")

    setpoints = tuple(spec(axis) for axis in axes)
    dependencies = InterDependencies_({spec(value): setpoints for value in values})
    dataset = DataSet(
        conn=experiment.conn, exp_id=experiment.exp_id, name=name, in_memory_cache=False
    )
    dataset.set_interdependencies(dependencies, {value.name: shape for value in values})
    for key, about in source.attributes.items():
        dataset.add_metadata(f"stm_daq_{key}", json.dumps(about) if key == "frame" else about)
    dataset.mark_started()
    return dataset


def _use_times_of_run(source: RunSource, connection: AtomicConnection) -> None:
    """Give the datasets times and identities that tell the run, the same at every export."""
    begun, ended = source.started.time, source.finished
    for (number,) in connection.execute("SELECT run_id FROM runs").fetchall():
        sample = zlib.crc32(f"{source.started.run_id} {number}".encode())
        stamp = f"{round(begun * 1000):016x}"
        guid = f"{sample:08x}-0000-0000-{stamp[:4]}-{stamp[4:]}"
        connection.execute(
            "UPDATE runs SET guid=?, run_timestamp=?, completed_timestamp=? WHERE run_id=?",
            (guid, begun, ended, number),
        )
    connection.execute("UPDATE experiments SET start_time=?, end_time=?", (begun, ended))
    connection.commit()

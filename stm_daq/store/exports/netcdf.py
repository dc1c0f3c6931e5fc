"""NetCDF-4: the dataset of the run as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.layout import Described, Target, write_all
from stm_daq.store.exports.source import RunSource

if TYPE_CHECKING:
    import h5netcdf


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write all steps of a run; ``xarray.open_dataset`` gives the dataset of the run back."""
    import h5netcdf

    with h5netcdf.File(path, "w") as file:
        write_all(source, lambda described: _variable(file, described))
        for name, value in source.attributes.items():
            file.attrs[name] = np.asarray(value) if isinstance(value, list) else value


def _variable(file: h5netcdf.File, described: Described) -> Target:
    import h5py

    for name, size in zip(described.dims, described.shape, strict=True):
        if name not in file.dimensions:
            file.dimensions[name] = size
    types: dict[str, Any] = {"f": "f8", "b": "i1", "O": h5py.string_dtype()}
    per_point = described.chunks != described.shape
    variable = file.create_variable(
        described.name,
        described.dims,
        types[described.kind],
        chunks=described.chunks if per_point else None,
        fillvalue=np.nan
        if described.kind == "f" and described.name not in described.dims
        else None,
    )
    attributes = dict(described.attributes)
    if described.kind == "b":
        attributes["dtype"] = "bool"  # xarray's mark: NetCDF has no truth values
    variable.attrs.update(attributes)
    target: Target = variable
    return target

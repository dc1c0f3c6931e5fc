"""Zarr (format 3): the dataset of the run as a folder, the spectra in tiles for dask."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.layout import Described, Target, write_all
from stm_daq.store.exports.source import RunSource

if TYPE_CHECKING:
    import zarr


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write all steps of a run; ``xarray.open_zarr`` gives the dataset of the run back."""
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=3)
    write_all(source, lambda described: _array(group, described))
    group.attrs.update(source.attributes)
    with warnings.catch_warnings():
        # not yet in the specification, but xarray opens slowly and with a warning without it
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(group.store)


def _array(group: zarr.Group, described: Described) -> Target:
    types: dict[str, Any] = {"f": "f8", "b": "bool", "O": str}
    return group.create_array(
        described.name,
        shape=described.shape,
        chunks=described.chunks,
        dtype=types[described.kind],
        compressors=None,  # noise does not shrink: 10 % for twice the time
        fill_value={"f": np.nan, "b": False, "O": ""}[described.kind],
        dimension_names=described.dims,
        attributes=dict(described.attributes),
    )

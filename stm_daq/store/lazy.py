"""Runs as an engine of xarray: arrays that are read from the journal when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from stm_daq.records import Array
from stm_daq.store import schema
from stm_daq.store.snapshot import Attempts, Snapshot, Trace

type Key = tuple[int | slice | NDArray[np.intp], ...]


class LazyMap(BackendArray):
    """An array that is made when a part of it is needed."""

    def __init__(
        self, shape: tuple[int, ...], dtype: DTypeLike, make: Callable[[], NDArray[Any]]
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._make = make

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        """Return a part of the array."""
        support = indexing.IndexingSupport.BASIC
        part: NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, support, self._part
        )
        return part

    def _part(self, key: Any) -> NDArray[Any]:
        part: NDArray[Any] = self._make()[key]
        return part.copy()  # the maker keeps its array, and callers may write into theirs


class LazyTraces(BackendArray):
    """Traces of all sites: outer axes, y, x, (attempt,) (direction,) points.

    Only those of the sites asked for are read.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, snapshot: Snapshot, name: Trace) -> None:
        self._snapshot, self._name = snapshot, name
        started = snapshot.started
        self._directions = started.directions
        self._inner = snapshot.shape.full[len(started.shape) :]
        points = len(started.bias)
        traces = (points,) if self._directions == 1 else (2, points // 2)
        self.shape = (*snapshot.shape.full, *traces)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Array:
        """Return traces of some sites."""
        support = indexing.IndexingSupport.OUTER
        found: Array = indexing.explicit_indexing_adapter(key, self.shape, support, self._part)
        return found

    def _part(self, key: Key) -> Array:
        maps = self._snapshot.started.shape
        wanted = [
            np.atleast_1d(np.arange(n)[k]) for n, k in zip(maps, key[: len(maps)], strict=True)
        ]
        grid = np.ravel_multi_index(np.ix_(*wanted), maps)
        sites, place = np.unique(grid, return_inverse=True)
        values = self._snapshot.traces(self._name, sites)
        values = values.reshape(len(sites), *self._inner, values.shape[-1])
        if not np.array_equal(sites, grid.ravel()):
            values = values[place.ravel()]
        values = self._there_and_back(values).reshape(*grid.shape, *self.shape[len(maps) :])
        first = tuple(
            0 if isinstance(k, int | np.integer) else slice(None) for k in key[: len(maps)]
        )
        for axis in range(len(key) - 1, len(maps) - 1, -1):
            values = values[(*[slice(None)] * axis, key[axis])]
        return values[first]

    def _there_and_back(self, values: Array) -> Array:
        """Give the way back in the order of the way there."""
        if self._directions == 1:
            return values
        there, back = np.split(values, 2, axis=-1)
        return np.stack([there, back[..., ::-1]], axis=-2)


class RunBackend(BackendEntrypoint):
    """Lets ``xarray.open_dataset(run, engine="stm_daq")`` open a run."""

    description = "Runs of stm_daq (folders with a journal.db)"

    def open_dataset(  # type: ignore[override]  # every engine has options of its own
        self,
        filename_or_obj: str | PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        fit: str = "online",
        attempts: Attempts = "latest",
    ) -> xr.Dataset:
        """Open a run; see :func:`stm_daq.open_run`."""
        from stm_daq.store.dataset import dataset_of

        data = dataset_of(Snapshot(Path(filename_or_obj), fit, attempts))
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        return data.drop_vars([name for name in dropped if name in data.variables])

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Say whether this is a run."""
        if not isinstance(filename_or_obj, str | PathLike):
            return False
        path = Path(filename_or_obj)
        return path.name == schema.FILE_NAME or (path / schema.FILE_NAME).is_file()

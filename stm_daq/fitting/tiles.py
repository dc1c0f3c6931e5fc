"""Stacks of any size, tile by tile, over several processes: `fit_tiles`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.fitting.crew import AHEAD, crew, spread, worker_count
from stm_daq.fitting.dataset import joined
from stm_daq.fitting.settings import FitSettings

if TYPE_CHECKING:
    import xarray

type Array = NDArray[np.float64]
type Progress = Callable[[int, int], None]
"""Told the spectra done and the spectra in all."""

TILE = 4096
"""Spectra of a tile: enough that what is prepared once a tile costs little."""


@dataclass(frozen=True)
class TileJob:
    """One tile: all that a worker needs."""

    first: int
    """Number of its first spectrum."""
    bias: Array
    """V, shape (n,)."""
    conductance: Array
    """S, shape (p, n)."""
    settings: FitSettings
    each: Mapping[str, Array] = field(default_factory=dict)
    """Fixed parameters that differ between spectra, (p,)."""
    noise: ArrayLike | None = None
    """Standard deviation of the conductance, a number, (n,) or (p, n)."""


def fit_tile(job: TileJob) -> xarray.Dataset:
    """Fit the spectra of one tile."""
    from stm_daq.fitting.spectra import fit

    chosen = job.settings
    return fit(
        job.bias,
        job.conductance,
        chosen.model,
        free=chosen.free,
        fixed={**chosen.fixed, **job.each},
        noise=job.noise,
        modulation=chosen.modulation,
        voltage_noise=chosen.voltage_noise,
        memory=chosen.memory,
        loss=chosen.loss,
        engine=chosen.engine,
    )


def fit_tiles(
    bias: ArrayLike,
    conductance: Any,
    settings: FitSettings | None = None,
    *,
    each: Mapping[str, ArrayLike] | None = None,
    noise: ArrayLike | None = None,
    processes: int | None = None,
    tile: int = TILE,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> xarray.Dataset:
    """Fit a stack of any size; the numbers are those of `fit`, bit for bit.

    Parameters
    ----------
    bias : array_like, shape (n,)
        V, the same for all spectra.
    conductance : shape (..., n), at least two axes
        An array, also mapped from a file, or anything that gives one when its first axis is sliced:
        a lazy `xarray.DataArray`, a dask array, a dataset of an open HDF5 file. Only tiles are read.
    settings : FitSettings, optional
        Model, parameters and smearing; BTK by default.
    each : mapping, optional
        Fixed parameters that differ between spectra, shape (...).
    noise : number, shape (n,) or that of `conductance`, optional
        See `fit`.
    processes : int, optional
        Processes to share the work; this one among them; by default one a core where there
        are enough spectra to be worth it. With 1 everything happens in this process.
    tile : int
        Spectra of a tile.
    executor : concurrent.futures.Executor, optional
        Where the tiles are fitted, instead of own processes.
    progress : callable, optional
        Called as progress(done, total) after every tile.

    Returns
    -------
    xarray.Dataset
        As that of `fit`.

    Raises
    ------
    ValueError
        If shapes differ, or a parameter is out of question.
    """
    volts = np.asarray(bias, dtype=np.float64)
    if tile < 1:
        raise ValueError(f"a tile of {tile} spectra: give at least 1")
    whole = _Stack(volts, conductance, settings or FitSettings(), each or {}, noise)
    starts = range(0, max(whole.total, 1), tile)
    workers = worker_count(processes, len(starts))
    found: dict[int, xarray.Dataset] = {}
    done = 0
    with crew(workers, executor) as used:
        jobs = (whole.job(first, tile) for first in starts)
        for first, fits in spread(fit_tile, jobs, used, AHEAD * workers):
            found[first] = fits
            done += fits.sizes["spectrum"]
            if progress is not None:
                progress(done, whole.total)
    return joined([found[first] for first in starts], conductance, whole.shape[:-1])


class _Stack:
    """A stack that is read tile by tile."""

    def __init__(
        self,
        bias: Array,
        conductance: Any,
        settings: FitSettings,
        each: Mapping[str, ArrayLike],
        noise: Any,
    ) -> None:
        self.shape = tuple(int(size) for size in conductance.shape)
        self.total = int(np.prod(self.shape[:-1]))
        self._bias, self._conductance, self._settings = bias, conductance, settings
        self._noise = noise
        self._each = {n: np.asarray(value, dtype=np.float64) for n, value in each.items()}
        self._check()

    def _check(self) -> None:
        bias, shape = self._bias.shape, self.shape
        if len(bias) != 1:
            raise ValueError(
                f"bias has shape {bias}: in tiles all spectra must share one bias vector; "
                "fit spectra of different bias with `fit`"
            )
        if len(shape) < 2 or shape[-1] != bias[0]:
            raise ValueError(
                f"conductance has shape {shape} but bias {bias}: give (..., {bias[0]})"
            )
        for name, value in self._each.items():
            if value.shape != shape[:-1]:
                raise ValueError(f"each['{name}'] has shape {value.shape}: give {shape[:-1]}")
        if np.ndim(self._noise) > 1 and self._noise.shape != shape:
            raise ValueError(
                f"noise has shape {self._noise.shape}: give a number, {shape[-1:]} or {shape}"
            )

    def job(self, first: int, tile: int) -> TileJob:
        """The tile that begins with this spectrum."""
        last = min(first + tile, self.total)
        noise = self._noise
        return TileJob(
            first,
            self._bias,
            part(self._conductance, first, last),
            self._settings,
            {name: value.reshape(-1)[first:last] for name, value in self._each.items()},
            part(noise, first, last) if np.ndim(noise) > 1 else noise,
        )


def part(stack: Any, first: int, last: int) -> Array:
    """Spectra first..last of a stack with its leading axes flattened, shape (last - first, n).

    Only the rows of the first axis that hold them are read.
    """
    shape = stack.shape
    inner = int(np.prod(shape[1:-1]))
    low, high = first // max(inner, 1), -(-last // max(inner, 1))
    block = np.asarray(stack[low:high], dtype=np.float64).reshape(-1, shape[-1])
    return block[first - low * inner : last - low * inner]

"""Stacks of any size, tile by tile, over several processes: `fit_tiles`."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.fitting.dataset import joined

if TYPE_CHECKING:
    import xarray

type Array = NDArray[np.float64]
type Columns = dict[str, NDArray[Any]]
"""What was found of the spectra of a tile; first axis spectrum."""
type Progress = Callable[[int, int], None]
"""Told the spectra done and the spectra in all."""

TILE = 4096
"""Spectra of a tile: enough that what is prepared once a tile costs little."""

FEW = 8
"""Tiles that this process has fitted before another has started."""

AHEAD = 2
"""Tiles that wait for each worker, so that none is idle and few are in memory."""


@dataclass(frozen=True)
class FitSettings:
    """Everything that decides a fit besides the spectra; see `stm_daq.fitting.fit`."""

    model: str = "btk"
    free: tuple[str, ...] | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    modulation: float = 0.0
    voltage_noise: float = 0.0
    memory: tuple[float, ...] = (1.0,)
    loss: str = "linear"
    engine: str = "exact"

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(replace(self, fixed=dict(self.fixed)))


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
    noise: Array | None = None
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
    shape = tuple(int(size) for size in conductance.shape)
    _check(volts, shape, tile)
    leading, total = shape[:-1], int(np.prod(shape[:-1]))
    chosen = FitSettings() if settings is None else settings
    rows = {name: np.asarray(value, dtype=np.float64) for name, value in (each or {}).items()}
    for name, value in rows.items():
        if value.shape != leading:
            raise ValueError(f"each['{name}'] has shape {value.shape}: give {leading}")

    def job(first: int) -> TileJob:
        last = min(first + tile, total)
        return TileJob(
            first,
            volts,
            part(conductance, first, last),
            chosen,
            {name: value.reshape(-1)[first:last] for name, value in rows.items()},
            _noise_part(noise, shape, first, last),
        )

    starts = range(0, max(total, 1), tile)
    workers = worker_count(processes, len(starts))
    found: dict[int, xarray.Dataset] = {}
    done = 0
    with crew(workers, executor) as used:
        for first, fits in spread(fit_tile, map(job, starts), used, AHEAD * workers):
            found[first] = fits
            done += fits.sizes["spectrum"]
            if progress is not None:
                progress(done, total)
    return joined([found[first] for first in starts], conductance, leading)


def part(stack: Any, first: int, last: int) -> Array:
    """Spectra first..last of a stack with its leading axes flattened, shape (last - first, n).

    Only the rows of the first axis that hold them are read.
    """
    shape = stack.shape
    inner = int(np.prod(shape[1:-1]))
    low, high = first // max(inner, 1), -(-last // max(inner, 1))
    block = np.asarray(stack[low:high], dtype=np.float64).reshape(-1, shape[-1])
    return block[first - low * inner : last - low * inner]


def _check(bias: Array, shape: tuple[int, ...], tile: int) -> None:
    if bias.ndim != 1:
        raise ValueError(
            f"bias has shape {bias.shape}: in tiles all spectra must share one bias vector; "
            "fit spectra of different bias with `fit`"
        )
    if len(shape) < 2 or shape[-1] != len(bias):
        raise ValueError(
            f"conductance has shape {shape} but bias {bias.shape}: give (..., {len(bias)})"
        )
    if tile < 1:
        raise ValueError(f"a tile of {tile} spectra: give at least 1")


def _noise_part(noise: Any, shape: tuple[int, ...], first: int, last: int) -> Array | None:
    if noise is None:
        return None
    if np.ndim(noise) > 1:
        if noise.shape != shape:
            raise ValueError(
                f"noise has shape {noise.shape}: give a number, {shape[-1:]} or {shape}"
            )
        return part(noise, first, last)
    return np.asarray(noise, dtype=np.float64)


def worker_count(processes: int | None, tiles: int) -> int:
    """Processes for so many tiles: those asked for, or one a core if it is worth their start."""
    if processes is not None and processes < 1:
        raise ValueError(f"{processes} processes: give at least 1")
    wanted = processes or (1 if tiles < FEW else os.cpu_count() or 1)
    return max(1, min(wanted, tiles))


@dataclass(frozen=True)
class Crew:
    """Who fits: this process, others, or both."""

    executor: Executor | None = None
    ready: Future[None] | None = None
    """Done when the other processes have started; until then, and also then, this one works too."""

    @property
    def helps(self) -> bool:
        """Whether this process fits as well, and does not only hand out tiles."""
        return self.executor is None or self.ready is not None

    @property
    def takes(self) -> bool:
        """Whether others take tiles by now."""
        return self.executor is not None and (self.ready is None or self.ready.done())


@contextmanager
def crew(processes: int, executor: Executor | None = None) -> Iterator[Crew]:
    """So many processes, this one among them, for the time of a block; or the executor given."""
    if executor is not None or processes == 1:
        yield Crew(executor)
        return
    # "spawn" is the one way that every system has, and safe beside threads
    context = multiprocessing.get_context("spawn")
    own = ProcessPoolExecutor(processes - 1, mp_context=context, initializer=_warm_up)
    try:
        yield Crew(own, own.submit(_nothing))
    finally:
        own.shutdown(wait=True, cancel_futures=True)


def _warm_up() -> None:
    """Import and load the compiled code, which takes a new process as long as some thousand fits."""
    from stm_daq.fitting.spectra import fit

    bias = np.linspace(-1e-3, 1e-3, 32)
    fit(bias, 1.0 + np.abs(bias) / bias[-1] + 1e-2 * np.sin(1e7 * bias**2 / bias[-1]))


def _nothing() -> None:
    """The first thing that a process does when it has started."""


def spread[Job: Any, Result](
    work: Callable[[Job], Result], jobs: Iterable[Job], crew: Crew, at_once: int
) -> Iterator[tuple[int, Result]]:
    """Carry out jobs and yield (job.first, result) as they are done, in any order.

    Jobs are made as workers become free, so that no more than `at_once` wait in memory.
    """
    waiting = iter(jobs)
    pending: dict[Future[Result], int] = {}
    left = True
    try:
        while left or pending:
            if crew.executor is not None and crew.takes:
                for job in islice(waiting, at_once - len(pending)):
                    pending[crew.executor.submit(work, job)] = job.first
            own = next(waiting, None) if crew.helps and left else None
            if own is not None:
                yield own.first, work(own)
            left = own is not None or (not crew.helps and bool(pending))
            done, _ = wait(pending, 0.0 if left and crew.helps else None, FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), future.result()
    finally:
        for future in pending:
            future.cancel()


def columns_of(fits: xarray.Dataset) -> Columns:
    """The variables of a fitted tile as plain arrays."""
    return {str(name): np.asarray(variable.values) for name, variable in fits.data_vars.items()}


@cache
def code_version() -> str:
    """The version that a refit is stored with: the release, and a digest of the code of the fits."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in ("physics", "fitting"):
        for file in sorted((package / folder).glob("*.py")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba"))
    return f"stm-daq {version('stm-daq')} (code {digest.hexdigest()[:12]}; {libraries})"

"""Fit a run again and keep the result beside it."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError, JournalError, StmDaqError
from stm_daq.fitting.code_version import code_version
from stm_daq.fitting.crew import AHEAD, Crew, crew, spread, worker_count
from stm_daq.fitting.models import choose
from stm_daq.fitting.settings import FitSettings
from stm_daq.fitting.tiles import TILE, Progress
from stm_daq.records import RunStarted
from stm_daq.refit.tile import RefitJob, fit_job
from stm_daq.store import schema
from stm_daq.store.columns import Columns
from stm_daq.store.reading import reader, started_of
from stm_daq.store.refit_maps import PLACE
from stm_daq.store.refits import RefitFile, RefitInfo, find_refit, tiles_of
from stm_daq.store.site_tiles import SiteTile, read_tile

SMALLEST_TILE = 1024


@dataclass(frozen=True, slots=True)
class Refit:
    """A finished refit and what it found."""

    info: RefitInfo
    spectra: int
    resumed: int
    """Spectra whose tiles were finished before this start."""
    ok: Mapping[str, int]
    """Fits that may be used, by model."""
    verdicts: Mapping[str, int]
    """Spectra by verdict and preferred model, such as "weak btk"; empty if one model was fitted."""


def settings_for(
    run: Path, model: str, fixed: Mapping[str, float] | None = None, engine: str = "exact"
) -> FitSettings:
    """The settings that suit a run: its modulation and the memory of its lock-in.

    Raises
    ------
    JournalError
        If the run cannot be read, or did not sweep the bias: no model describes anything else.
    """
    with reader(run) as connection:
        started = started_of(connection)
    if started.swept_name != "bias":
        raise JournalError(
            f"{run}: it sweeps {started.swept_name}; only sweeps of the bias are fitted"
        )
    modulation = started.modulation if np.isfinite(started.modulation) else 0.0
    memory = tuple(float(m) for m in started.metadata.get("step_memory", [1.0]))
    return FitSettings(
        model, fixed=dict(fixed or {}), modulation=modulation, memory=memory, engine=engine
    )


def find_runs(path: Path) -> list[Path]:
    """The run in `path`, or all runs of an archive: a folder of run folders.

    Raises
    ------
    BadInputError
        If there is none.
    """
    if path.name == schema.FILE_NAME or (path / schema.FILE_NAME).exists():
        return [path]
    found = [journal.parent for journal in sorted(path.glob(f"*/{schema.FILE_NAME}"))]
    if not found:
        raise BadInputError(f"{path} holds no runs: give a run folder, or a folder of them")
    return found


def refit_run(
    run: Path,
    settings: tuple[FitSettings, ...],
    *,
    processes: int | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    tile: int = TILE,
    progress: Progress | None = None,
) -> Refit:
    """Fit all spectra of a run with one model or several, and store the result beside it.

    Tiles that an earlier, interrupted refit with the same settings, code and spectra has finished
    are not fitted again.

    Parameters
    ----------
    run : Path
        The run folder or its journal; it is only read.
    settings : tuple of FitSettings
        One for each model, the one asked for first.
    processes : int, optional
        Processes of this computer; by default one a core.
    executor, workers : optional
        Where to fit instead, and how many tiles fit there at once.
    tile : int
        Sites of a tile, at least 1024.
    progress : callable, optional
        Called as progress(sites done, all sites).

    Raises
    ------
    JournalError
        If the run cannot be read or the result not written.
    BadInputError
        If the tile is too small, two models are the same or their conditions differ, or the engine
        does not know one of them.
    StmDaqError
        If a worker runs other code than this program, or dies.
    """
    if tile < SMALLEST_TILE:
        raise BadInputError(f"tiles of {tile} sites: at least {SMALLEST_TILE} are worth a task")
    clock = RealClock()
    with reader(run) as connection:
        started = started_of(connection)
        _check(settings, started)
        about = _about(started, settings, tile)
        with RefitFile.begin(run, about, clock.wall()) as file:
            work = _Work(connection, started, settings, tile, file, json.dumps(about))
            count = worker_count(processes, len(work.starts)) if workers is None else workers
            with crew(1 if executor else count, executor) as used:
                for first, columns in _results(work.jobs(), used, AHEAD * count):
                    work.store(first, columns)
                    if progress is not None:
                        progress(min(work.done * tile, work.sites), work.sites)
            path = file.finish(work.digest(), clock.wall())
    return _summary(find_refit(run, path.stem), work.resumed)


def _check(settings: tuple[FitSettings, ...], started: RunStarted) -> None:
    models = [s.model for s in settings]
    if len(set(models)) < len(models):
        raise BadInputError(f"compare different models, not {' with '.join(models)}")
    if any(s.conditions != settings[0].conditions for s in settings):
        raise BadInputError("models can only be compared under the same conditions")
    try:
        for own in settings:
            own.conditions.solver(choose(own.model, own.fixed, own.free), started.bias)
    except ValueError as error:
        raise BadInputError(str(error)) from None


class _Work:
    """The tiles of one refit: which are to be done, and where their results go."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        started: RunStarted,
        settings: tuple[FitSettings, ...],
        tile: int,
        file: RefitFile,
        about: str,
    ) -> None:
        self._connection, self._started, self._settings = connection, started, settings
        self._tile, self._file, self._about = tile, file, about
        self._stored = file.keys()
        self._keys: dict[int, str] = {}
        self._inputs: list[bytes] = []
        self.sites = math.prod(started.shape)
        self.starts = range(0, self.sites, tile)
        self.done = 0
        """Tiles."""
        self.resumed = 0
        """Spectra of tiles that were finished before."""

    def jobs(self) -> Iterator[RefitJob]:
        """Read the tiles in order; yield those to be fitted."""
        for first in self.starts:
            spectra = read_tile(self._connection, self._started, first, self._tile)
            digest = _digest(spectra)
            key = hashlib.sha256(self._about.encode() + digest).hexdigest()
            self._inputs.append(digest)
            self._keys[first] = key
            if self._stored.get(first) == key:
                self.resumed += len(spectra.site)
                self.done += 1
            else:
                yield _job(spectra, self._started, self._settings)

    def store(self, first: int, columns: Columns) -> None:
        """Put a finished tile on the disk."""
        self._file.write(first, self._keys[first], columns)
        self.done += 1

    def digest(self) -> str:
        """SHA-256 of all spectra."""
        return hashlib.sha256(b"".join(self._inputs)).hexdigest()


def _about(started: RunStarted, settings: tuple[FitSettings, ...], tile: int) -> dict[str, Any]:
    bias = np.ascontiguousarray(started.bias)
    return {
        "run_id": started.run_id,
        "models": [s.model for s in settings],
        "settings": [s.as_dict() for s in settings],
        "free": [list(choose(s.model, s.fixed, s.free).free) for s in settings],
        "bias": hashlib.sha256(bias.tobytes()).hexdigest(),
        "code": code_version(),
        "sites": math.prod(started.shape),
        "tile": tile,
    }


def _digest(tile: SiteTile) -> bytes:
    digest = hashlib.sha256()
    for values in (tile.site, tile.attempt, tile.row, tile.col, tile.step, tile.conductance):
        digest.update(values.tobytes())
    return digest.digest()


def _job(tile: SiteTile, started: RunStarted, settings: tuple[FitSettings, ...]) -> RefitJob:
    places = {name: getattr(tile, name) for name in PLACE}
    return RefitJob(tile.first, places, started.bias, tile.conductance, settings)


def _results(jobs: Iterator[RefitJob], used: Crew, at_once: int) -> Iterator[tuple[int, Columns]]:
    try:
        for first, (code, columns) in spread(fit_job, jobs, used, at_once):
            if code != code_version():
                raise StmDaqError(
                    f"a worker runs {code}, this program is {code_version()}: "
                    "install the same version everywhere"
                )
            yield first, columns
    except BrokenProcessPool:
        raise StmDaqError(
            "a process that fitted has died (killed, or out of memory?): start the same command "
            "again, finished tiles are kept"
        ) from None


def _summary(info: RefitInfo, resumed: int) -> Refit:
    ok: Counter[str] = Counter(dict.fromkeys(info.models, 0))
    found: Counter[str] = Counter()
    spectra = 0
    for columns in tiles_of(info):
        spectra += len(columns["site"])
        for model in info.models:
            ok[model] += int(np.count_nonzero(columns[f"{model}:ok"]))
        if "verdict" in columns:
            pairs = zip(columns["verdict"], columns["preferred"], strict=True)
            found.update(" ".join(filter(None, pair)) for pair in pairs)
    return Refit(info, spectra, resumed, dict(ok), dict(found))

"""Work shared out to processes, or to an executor: `crew` and `spread`."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

FEW = 8
"""Tiles that this process has fitted before another has started."""

AHEAD = 2
"""Tiles that wait for each worker, so that none is idle and few are in memory."""


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

"""Where tiles are fitted when this computer is not enough: dask.distributed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from stm_daq.errors import BadInputError

LOCAL = "local"
WAIT = "10s"


@contextmanager
def cluster(scheduler: str, processes: int | None = None) -> Iterator[tuple[Executor, int]]:
    """Connect to a dask scheduler; yield an executor and its number of threads.

    Parameters
    ----------
    scheduler : str
        Its address, such as ``tcp://127.0.0.1:8786``, or "local": a cluster of worker processes is
        started on the loopback interface of this computer and stopped at the end.
    processes : int, optional
        Worker processes of a local cluster; by default one a core.

    Raises
    ------
    BadInputError
        If distributed is not installed, or the scheduler does not answer or has no workers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise BadInputError(
            "--scheduler needs dask.distributed: install it with `pip install stm-daq[dask]`"
        ) from None
    if scheduler == LOCAL:
        with (
            LocalCluster(
                n_workers=processes,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
            ) as own,
            Client(own) as client,
        ):
            yield client.get_executor(pure=False), len(client.nthreads())
        return
    try:
        client = Client(scheduler, timeout=WAIT)
    except (OSError, ValueError, TimeoutError) as error:
        raise BadInputError(
            f"--scheduler {scheduler}: no scheduler answers there ({error}): "
            "start one with `dask scheduler --host 127.0.0.1`"
        ) from None
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise BadInputError(
                f"--scheduler {scheduler} has no workers: start some with `dask worker {scheduler}`"
            )
        yield client.get_executor(pure=False), threads

"""One run per station: a lock that the operating system releases when its process dies."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stm_daq.clock import RealClock
from stm_daq.errors import StationBusyError
from stm_daq.quantities import show_moment
from stm_daq.station.config import StationConfig


@contextmanager
def station_lock(config: StationConfig, folder: Path | None = None) -> Iterator[None]:
    """Keep every other run on this computer off the station inside the block.

    Two station files that reach the same instruments are the same station.

    Parameters
    ----------
    config : StationConfig
    folder : Path, optional
        Where the lock is kept; the system's folder for temporary files by default.

    Raises
    ------
    StationBusyError
        If another run uses an instrument of this station; the text says which.
    """
    from filelock import FileLock, Timeout

    place = (folder or Path(tempfile.gettempdir())) / "stm-daq-locks"
    place.mkdir(exist_ok=True)
    held: list[FileLock] = []
    try:
        for name, address in _addresses(config):
            file = place / (hashlib.sha256(address.encode()).hexdigest()[:16] + ".lock")
            lock = FileLock(file, timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise StationBusyError(
                    f"{name} ({address}) is used by another run ({_owner(file)}): "
                    "wait for its end, or stop it first"
                ) from None
            held.append(lock)
            _sign(file)
        yield
    finally:
        for lock in held:
            lock.release()


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Keep every other process from writing the run in `folder` inside the block.

    Raises
    ------
    StationBusyError
        If another process measures it; the text says which.
    """
    from filelock import FileLock, Timeout

    file = folder / "run.lock"
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StationBusyError(
            f"{folder} is still being measured ({_owner(file)}): wait for its end, or stop it first"
        ) from None
    _sign(file)
    try:
        yield
    finally:
        lock.release()
        for left in (file, file.with_suffix(".json")):
            with suppress(OSError):  # Windows, where somebody may look at it
                left.unlink()


def _addresses(config: StationConfig) -> list[tuple[str, str]]:
    """Return (name, address) of every instrument that has one, in one order for everybody."""
    found = [
        (name, ":".join(str(block[key]) for key in ("address", "port") if key in block))
        for name, block in config.instruments.items()
    ]
    return sorted(((n, a) for n, a in found if a), key=lambda pair: pair[1])


def _sign(file: Path) -> None:
    about = {"process": os.getpid(), "since": RealClock().wall()}
    file.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")


def _owner(file: Path) -> str:
    try:
        about = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        return f"process {int(about['process'])}, since {show_moment(float(about['since']))}"
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"

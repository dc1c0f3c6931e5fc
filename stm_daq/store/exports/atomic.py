"""Files and folders that are whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stm_daq.errors import BadInputError, StmDaqError
from stm_daq.store.journal import sync_folder


def make_folder(path: Path) -> None:
    """Make a folder where it is not there yet.

    Raises
    ------
    BadInputError
        If it cannot be made.
    """
    with _explained(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write; it takes its name when it is on the disk.

    An earlier file of that name is replaced. When writing fails, nothing is left behind.

    Raises
    ------
    BadInputError
        If the folder cannot be written or the disk is full.
    """
    part = path.with_name(f".{path.name}.part")
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.unlink(missing_ok=True)
            yield part
            _sync(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(path.parent)


@contextmanager
def new_folder(path: Path, mark: str) -> Iterator[Path]:
    """Give a temporary folder to fill; as :func:`new_file`.

    Parameters
    ----------
    path : Path
    mark : str
        A file that every such folder holds: only a folder with it is replaced.

    Raises
    ------
    BadInputError
        Also if `path` is there and is something else.
    """
    if path.exists() and not (path / mark).is_file():
        raise BadInputError(
            f"{path} exists and is not an earlier export: it is left alone, give another name with --out"
        )
    part = path.with_name(f".{path.name}.part")
    with _explained(path):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            yield part
            for item in sorted(part.rglob("*")):
                (sync_folder if item.is_dir() else _sync)(item)
            sync_folder(part)
            _replace_folder(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        sync_folder(path.parent)


def _replace_folder(new: Path, path: Path) -> None:
    """Put `new` in the place of `path`; a folder cannot be replaced in one step."""
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except StmDaqError:
        raise
    except (
        OSError,
        RuntimeError,
    ) as error:  # HDF5 and QCoDeS tell of a full disk by a RuntimeError
        reason = getattr(error, "strerror", None) or error
        raise BadInputError(
            f"cannot write {path} ({reason}): choose another place with --out"
        ) from error


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())

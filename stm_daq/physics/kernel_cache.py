"""Compile the kernels, and keep what was compiled on the disk until any kernel changes.

numba renews its cache of a compiled function only when the function's own file changes, not when one
that it calls in another file does. Here the digest of all kernel files stands in place of the file's
own, so that a kernel may be split over files.

Compiling takes long, so little is compiled twice: only an `entry` is kept on the disk and may be
called from Python; what it calls is `inner` and becomes part of it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import event

SOURCES = ("physics/*kernel*.py", "physics/btk.py", "fitting/*kernel*.py")
"""All that kernels are made of, in the package; kernels import nothing else of it."""


@cache
def digest() -> str:
    """SHA-256 of all sources of kernels."""
    package = Path(__file__).parents[1]
    found = hashlib.sha256()
    for pattern in SOURCES:
        for file in sorted(package.glob(pattern)):
            found.update(file.read_bytes())
    return found.hexdigest()


def entry(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of a compiled function that Python calls; `options` are those of `numba.njit`."""
    decorate: Any = numba.njit(cache=True, error_model="numpy", **options)

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = decorate(function)
        dispatcher._cache._cache_file._source_stamp = digest()
        return dispatcher

    return compiled


def inner(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of a function that only compiled functions call."""
    njit: Any = numba.njit
    found: Callable[[Callable[..., Any]], Any] = njit(
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, **options
    )
    return found


class _Teller(event.Listener):
    """Tells once in a process that something is compiled: it takes many seconds."""

    def __init__(self) -> None:
        self.told = False

    def on_start(self, event: event.Event) -> None:
        """Called when numba starts to compile what was not on the disk."""
        function = event.data["dispatcher"].py_func
        if not self.told and function.__module__.startswith("stm_daq."):
            self.told = True
            logging.getLogger(__name__).warning("compiling the physics of fits, once: some seconds")

    def on_end(self, event: event.Event) -> None:
        """Nothing to tell."""


event.register("numba:compile", _Teller())  # type: ignore[no-untyped-call]

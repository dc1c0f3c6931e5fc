"""Compile the kernels, and keep what was compiled on the disk until any kernel changes.

numba renews its cache of a compiled function only when the function's own file changes, not when one
that it calls in another file does. Here the digest of all kernel files stands in place of the file's
own, so that a kernel may be split over files.

Compiling takes long, so little is compiled twice: only an `entry` is kept on the disk and may be
called from Python; what it calls is `inner` and becomes part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

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

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = njit(cache=True, error_model="numpy", **options)(function)
        dispatcher._cache._cache_file._source_stamp = digest()
        return dispatcher

    return compiled


def inner(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of a function that only compiled functions call."""
    return njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)  # type: ignore[no-any-return]

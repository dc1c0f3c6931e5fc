"""How a driver of an instrument with a vendor's own library gets its session.

On the microscope the vendor's library makes it. In a rehearsal the twin puts its own opener here, so
that station.yaml and driver stay the same, and the library need not be installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

type SessionOpener = Callable[[str, int], Any]
"""(host, port) -> session, an object of the vendor's library or one that behaves like it."""

_opener: ContextVar[SessionOpener | None] = ContextVar("session_opener", default=None)


def open_session(vendor: SessionOpener, host: str, port: int) -> Any:
    """Open a session by the vendor's library, or that of the twin in a rehearsal."""
    return (_opener.get() or vendor)(host, port)


@contextmanager
def sessions_from(opener: SessionOpener) -> Iterator[None]:
    """Let `opener` make all sessions inside the block; used by rehearsals."""
    token = _opener.set(opener)
    try:
        yield
    finally:
        _opener.reset(token)

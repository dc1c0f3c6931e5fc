"""Single keys from a terminal, without waiting for them and without changing how it prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

type NextKey = Callable[[], str]
"""Returns a key that was pressed, "" if none was."""


def _none() -> str:
    return ""


@contextmanager
def keyboard() -> Iterator[NextKey]:
    """Read keys at once, without echo, inside the block; on what is no terminal there are none."""
    if not sys.stdin or not sys.stdin.isatty():
        yield _none
    elif os.name == "nt":
        yield _windows_key
    else:
        with _posix_keys() as next_key:
            yield next_key


@contextmanager
def _posix_keys() -> Iterator[NextKey]:
    import select
    import termios
    import tty

    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)

    def next_key() -> str:
        ready = select.select([file], [], [], 0)[0]
        return os.read(file, 1).decode("ascii", "ignore") if ready else ""

    try:
        tty.setcbreak(file)  # Ctrl-C still interrupts
        yield next_key
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def _windows_key() -> str:
    import msvcrt

    keyboard_hit, get = getattr(msvcrt, "kbhit", None), getattr(msvcrt, "getwch", None)
    return str(get()) if keyboard_hit is not None and get is not None and keyboard_hit() else ""

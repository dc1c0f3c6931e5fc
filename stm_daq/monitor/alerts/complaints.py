"""What a program says on its error output: the beginning is kept, the rest passes."""

from __future__ import annotations

import os
import threading

from stm_daq.clock import RealClock

_KEPT = 2000
"""Bytes."""
_PIECE = 65_536
_REST = 0.01
"""Between two pieces (s), once enough is known: a flood must cost the run neither disk nor time."""
_PATIENCE = 1.0
"""For the last words of a program that has ended, s; a child of its own may keep the pipe open."""


class Complaints:
    """A pipe for the error output of one program.

    Attributes
    ----------
    entrance : int
        File descriptor for the program; closed here by :meth:`listen`.
    """

    def __init__(self) -> None:
        self._exit, self.entrance = os.pipe()
        self._kept = b""
        self._thread = threading.Thread(target=self._read, name="complaints", daemon=True)

    def listen(self) -> None:
        """Begin to read; to be called when the program has its end of the pipe, or will not start."""
        os.close(self.entrance)
        self._thread.start()

    def heard(self) -> bytes:
        """Return how it began, after the end of the program."""
        self._thread.join(_PATIENCE)
        return self._kept

    def _read(self) -> None:
        clock = RealClock()
        try:
            while piece := os.read(self._exit, _PIECE):
                if len(self._kept) < _KEPT:
                    self._kept = (self._kept + piece)[:_KEPT]
                else:
                    clock.sleep(_REST)
        finally:
            os.close(self._exit)

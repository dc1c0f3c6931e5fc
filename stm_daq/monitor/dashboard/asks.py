"""What a page may ask for, checked before it is believed; and what is chosen in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from stm_daq.monitor.dashboard.shown import in_order
from stm_daq.records import RunStarted

COMMANDS = ("pause", "continue", "stop", "abort", "note")
_LARGEST = 4096
"""Bytes of one question."""


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question or command of a page."""

    kind: Literal[
        "ready",
        "drawn",
        "choose",
        "move",
        "follow",
        "map",
        "cut",
        "step",
        "theme",
        "command",
        "link",
    ]
    text: str = ""
    """Name of a map, of a cut or of a command; "dark" or "light"."""
    argument: str = ""
    """Of a command."""
    row: int = 0
    column: int = 0
    step: int = 0
    tick: int = 0
    """Of the news that were drawn."""
    number: int = 0
    """Counts the questions: the same one asked again is a change too."""


def read_ask(text: object) -> Ask | None:
    """Read a question; None if it is none."""
    if not isinstance(text, str) or len(text) > _LARGEST:
        return None
    try:
        return msgspec.json.decode(text, type=Ask)
    except msgspec.MsgspecError:
        return None


@dataclass
class Choice:
    """What is chosen in one page."""

    map: str = ""
    """Name; "" takes the gap, or what else there is."""
    cut: str = "row"
    """"row", "column", or "steps" (of the outer axes)."""
    site: tuple[int, int] | None = None
    """Row and column; None follows the latest spectrum."""
    step: int | None = None
    """Of the outer axes; None follows the run."""

    def map_of(self, names: Collection[str]) -> str:
        """Return which of these maps is shown; "" without any."""
        known = in_order(list(names))
        return next((name for name in (self.map, "gap", *known) if name in names), "")

    def move(self, started: RunStarted, at: tuple[int, int], row: int, column: int) -> None:
        """Choose a neighbour of the site `at`; at the edge it stays."""
        rows, columns = started.grid_shape
        self.site = (min(max(at[0] + row, 0), rows - 1), min(max(at[1] + column, 0), columns - 1))


def site_at(started: RunStarted, x: float, y: float) -> tuple[int, int]:
    """Return row and column of the site next to a place of the frame, m."""
    row = int(np.argmin(np.abs(started.grid_y - y))) if len(started.grid_y) > 1 else 0
    return row, int(np.argmin(np.abs(started.grid_x - x)))

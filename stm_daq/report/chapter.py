"""What a report is made of: figures in chapters, and findings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Chapter:
    """A figure, not yet drawn."""

    title: str
    caption: str
    alternative: str
    """What the figure shows, for those who cannot see it."""
    draw: Callable[[], Figure]


@dataclass(frozen=True, slots=True)
class Finding:
    """A number that the run has given, as people write it."""

    key: str
    """Its name for scripts, unique in the recipe: ``"gap_mean"``."""
    title: str
    """Its name for people: ``"Mean gap"``."""
    value: float
    """NaN if it cannot be told; `remark` then says why."""
    std: float = math.nan
    """Standard deviation of `value`, same unit; NaN if not known."""
    unit: str = ""
    """Of people: ``"meV"``, ``"nm"``, ``"K"``."""
    remark: str = ""
    """What a reader has to know about it, a sentence."""

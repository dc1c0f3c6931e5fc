"""A plan as the program uses it: frozen, complete, in SI."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stm_daq.errors import Problem
from stm_daq.records import Array, Frame
from stm_daq.yaml_source import YamlSource


@dataclass(frozen=True, slots=True)
class Grid:
    """Sites on every n-th pixel of a topograph."""

    frame: Frame
    topograph_shape: tuple[int, int]
    """Pixels of the topograph (rows, columns)."""
    every: int
    """A spectrum at every n-th pixel in x and y."""
    line_time: float
    """Seconds per line of the topograph, each way."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of sites (rows, columns)."""
        rows, columns = self.topograph_shape
        return rows // self.every, columns // self.every

    @property
    def x(self) -> Array:
        """Columns of sites along the fast axis from the left edge of the frame, m, shape (columns,).

        A site lies in the middle of a pixel of the topograph: site `j` in that of column
        ``j * every``.
        """
        return self._axis(self.shape[1], self.frame.width / self.topograph_shape[1])

    @property
    def y(self) -> Array:
        """Rows of sites along the slow axis from the bottom edge of the frame, m, shape (rows,)."""
        return self._axis(self.shape[0], self.frame.height / self.topograph_shape[0])

    def _axis(self, count: int, pixel: float) -> Array:
        return (np.arange(count, dtype=np.float64) * self.every + 0.5) * pixel


@dataclass(frozen=True, slots=True)
class Sweep:
    """One spectrum."""

    bias: Array
    """From the set-point bias to the other end, V, shape (n,)."""
    dwell: float
    """Seconds at each point."""
    modulation_peak: float
    """Wanted peak amplitude at the junction, V."""
    modulation_frequency: float
    """Hz."""
    time_constant: float
    """Of the lock-in, s."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Waiting times, s."""

    settle: float
    """With feedback, after the move and before z is read."""
    initial_settle: float
    """Feedback held, before the first point."""
    recover: float
    """With feedback, after the sweep."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    name: str
    sample: str
    setpoint_bias: float
    """V."""
    setpoint_current: float
    """A."""
    expected_temperature: float | None
    """Of the stage, K; None if the plan does not say."""
    temperature_tolerance: float | None
    grid: Grid
    sweep: Sweep
    timing: Timing
    fit_model: str
    warnings: tuple[Problem, ...]
    """What is allowed but doubtful, with positions in the file."""
    source: YamlSource = field(repr=False)
    """The file, for messages that point into it."""

    @property
    def path(self) -> Path:
        """Where the plan was read from."""
        return self.source.path

    @property
    def text(self) -> str:
        """The plan file, verbatim."""
        return self.source.text

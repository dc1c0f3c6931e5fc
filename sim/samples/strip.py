"""A strip of a film that carries its supercurrent in channels: the truth that a hot spot can map.

The pattern is made from a stream function, so that it is a flow: channels meander along the strip
and keep their current. Everywhere the critical sheet current is that of the pattern, so that every cut
across is as weak as any other, and a hole costs what flows through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.current_flow import Strip

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class StripPattern:
    """A strip along x, centred at the origin of the sample."""

    length: float = 3e-6
    """m."""
    width: float = 2e-6
    """m."""
    critical: float = 100e-6
    """Critical current of the whole strip, A."""
    resistance: float = 2000.0
    """Slope of the voltage far above it, ohm."""
    uniform: float = 0.25
    """Part of the current that flows evenly; the rest is in channels."""
    channels: int = 4
    breadth: float = 0.12e-6
    """rms half width of a channel, m."""
    meander: float = 0.12e-6
    """rms excursion of a channel, m."""
    cell: float = 25e-9
    """Of the model, m."""
    seed: int = 1

    def __post_init__(self) -> None:
        if not (0 <= self.uniform <= 1 and self.channels >= 1):
            raise ValueError("strip: uniform lies between 0 and 1, and there is a channel at least")
        if min(self.length, self.width, self.critical, self.breadth, self.cell) <= 0:
            raise ValueError("strip: lengths, width, critical current and cell must be positive")

    @cached_property
    def sheet_current(self) -> Array:
        """Magnitude of the sheet current at the critical current, A/m, shape (rows, columns)."""
        rows, columns = round(self.width / self.cell), round(self.length / self.cell)
        y = (np.arange(rows + 1) / rows - 0.5) * self.width
        x = (np.arange(columns + 1) / columns - 0.5) * self.length
        stream = self._stream(x, y)
        along = np.diff(stream, axis=0) / self.cell
        across = -np.diff(stream, axis=1) / self.cell
        centre_along = (along[:, 1:] + along[:, :-1]) / 2
        centre_across = (across[1:] + across[:-1]) / 2
        magnitude: Array = np.hypot(centre_along, centre_across)
        return magnitude

    @cached_property
    def model(self) -> Strip:
        """The strip as the flow model sees it."""
        return Strip(self.sheet_current, self.cell)

    def current_at(self, x: float, y: float) -> float:
        """Return the sheet current at a place of the sample, m, at the critical current, A/m."""
        row = int((y + self.width / 2) // self.cell)
        column = int((x + self.length / 2) // self.cell)
        rows, columns = self.sheet_current.shape
        inside = 0 <= row < rows and 0 <= column < columns
        return float(self.sheet_current[row, column]) if inside else 0.0

    def critical_current(self, x: float, y: float, radius: float) -> float:
        """Return the critical current with a normal hole of this radius there (m), A."""
        if radius <= 0:
            return self.model.critical_current
        return self.model.with_hole(x + self.length / 2, y + self.width / 2, radius)

    def voltage(self, current: float, critical: float) -> float:
        """Return the voltage along the strip, V: ``R sqrt(I^2 - Ic^2)`` above Ic, else none."""
        if abs(current) <= critical:
            return 0.0
        return float(np.sign(current) * self.resistance * np.sqrt(current**2 - critical**2))

    def _stream(self, x: Array, y: Array) -> Array:
        """Return the stream function at the corners of the cells, A, shape (rows + 1, columns + 1)."""
        rng = np.random.default_rng([self.seed, 0x57])
        half = self.width / 2
        low, high = y[0], y[-1]
        total = self.uniform * np.broadcast_to(
            ((y - low) / (high - low))[:, None], (len(y), len(x))
        )
        strengths = rng.dirichlet(np.full(self.channels, 3.0)) * (1 - self.uniform)
        places = (np.arange(self.channels) + 0.5) / self.channels * 2 * half - half
        for strength, place in zip(strengths, places, strict=True):
            phases = 2 * np.pi * rng.random(3)
            course = sum(
                np.sin(2 * np.pi * k * x / self.length + phase) / k
                for k, phase in enumerate(phases, 1)
            )
            middle = place + self.meander * course[None, :]
            step = np.tanh((y[:, None] - middle) / self.breadth)
            bottom, top = (
                np.tanh((low - middle) / self.breadth),
                np.tanh((high - middle) / self.breadth),
            )
            total = total + strength * (step - bottom) / (top - bottom)
        stream: Array = self.critical * total
        return stream

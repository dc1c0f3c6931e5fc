"""Records of a small run, for tests that store, publish or show one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from stm_daq.records import Fit, Frame, RunStarted, Site, Spectrum, TopographRows, Truth

EPOCH = 1_764_000_000.0


@dataclass(frozen=True)
class ExampleRun:
    """A grid of 3 rows and 4 columns on a topograph of 6 x 8; every value tells its place."""

    rows: int = 3
    columns: int = 4
    points: int = 16

    @property
    def bias(self):
        return np.linspace(4e-3, -4e-3, self.points)

    def started(self, **changes) -> RunStarted:
        pixel = 1e-9
        values = {
            "run_id": "run-1",
            "kind": "rehearsal",
            "time": EPOCH,
            "name": "TiN demo",
            "sample": "TiN, 50 nm (µm²)",
            "plan_text": "plan: 1\n# Δ, verbatim\n",
            "station_text": "instruments: {}\n",
            "frame": Frame(1e-9, -2e-9, 8e-9, 6e-9, 30.0),
            "grid_shape": (self.rows, self.columns),
            "grid_x": (np.arange(self.columns) * 2 + 0.5) * pixel,
            "grid_y": (np.arange(self.rows) * 2 + 0.5) * pixel,
            "topograph_shape": (6, 8),
            "bias": self.bias,
            "modulation": 1.4e-4,
            "metadata": {"versions": {"qcodes": "0.62"}, "seed": 1},
        }
        return RunStarted(**(values | changes))

    def site(self, index: int) -> Site:
        row, col = divmod(index, self.columns)
        return Site(index, row, col, 2e-9 * col, 2e-9 * row)

    def spectrum(self, index: int, attempt: int = 0, **changes) -> Spectrum:
        """Conductance 1000 row + 100 col + point (nS); current is its negative (nA)."""
        site = self.site(index)
        trace = 1000.0 * site.row + 100.0 * site.col + np.arange(self.points) + 0.01 * attempt
        values = {
            "site": site,
            "attempt": attempt,
            "time": EPOCH + 10 * index,
            "duration": 2.7,
            "bias": self.bias,
            "current": -1e-9 * trace,
            "conductance": 1e-9 * trace,
            "z": 1e-9 * site.row + 1e-10 * site.col,
            "setpoint_current": 1e-10,
            "temperature": 0.5,
        }
        return Spectrum(**(values | changes))

    def fit(self, index: int, attempt: int = 0, **changes) -> Fit:
        """Gap 300 + 10 row + col (µeV)."""
        site = self.site(index)
        gap = 1e-6 * (300 + 10 * site.row + site.col)
        values = {
            "site_index": index,
            "attempt": attempt,
            "model": "btk",
            "values": {
                "gap": gap,
                "temperature": 0.5,
                "barrier": 3.0,
                "scale": 1e-8,
                "offset": 0.0,
            },
            "std": {
                "gap": 2e-6,
                "temperature": 0.01,
                "barrier": 0.1,
                "scale": 1e-10,
                "offset": 1e-6,
            },
            "reduced_chi_square": 1.02,
            "ok": True,
        }
        return Fit(**(values | changes))

    def truth(self, index: int, attempt: int = 0) -> Truth:
        site = self.site(index)
        return Truth(index, attempt, {"gap": 3e-4, "barrier": 3.0, "x": site.x, "y": site.y})

    def topograph(self, first_row: int, rows: int) -> TopographRows:
        """Height 10 row + column (pm)."""
        row, column = np.mgrid[first_row : first_row + rows, :8]
        return TopographRows(EPOCH, first_row, 1e-12 * (10.0 * row + column))


@pytest.fixture
def run() -> ExampleRun:
    """Return the builder of records."""
    return ExampleRun()

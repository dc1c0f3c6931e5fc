"""Which part of a run is exported, where a format has no room for all of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.store.exports.source import RunSource

ROOMY = "netcdf, zarr, nexus, csv, igor, gwy and qcodes"
"""Formats that hold runs of every shape."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user chose."""

    step: int | None = None
    """Of the outer axes, the last axis the fastest."""
    pixel: tuple[int, int] | None = None
    """Column and row of a site, from 0 at the lower left."""

    def step_of(self, source: RunSource, format_: str) -> int:
        """Return the one step that a file without room for outer axes holds.

        Raises
        ------
        BadInputError
            If the run has several and none, or none of them, was chosen.
        """
        steps = source.started.steps
        if self.step is None and steps > 1:
            axes = " x ".join(f"{len(a.values)} {a.name}" for a in source.started.axes)
            raise BadInputError(
                f"{source.path}: a .{format_} has no room for outer axes and this run has {steps} steps "
                f"({axes}): choose one with --step 0 ... {steps - 1}, or a format with room for all: "
                f"{ROOMY}"
            )
        step = self.step or 0
        if not 0 <= step < steps:
            raise BadInputError(
                f"{source.path}: step {step} does not exist; there are 0 ... {steps - 1}"
            )
        return step

    def site_of(self, source: RunSource, step: int) -> tuple[int, int]:
        """Return row and column of the chosen spectrum; of the only one if none was chosen.

        Raises
        ------
        BadInputError
            If none was chosen of several, or nothing was measured there.
        """
        measured = source.latest[step] >= 0
        rows, columns = measured.shape
        if self.pixel is None and np.count_nonzero(measured) == 1:
            row, column = np.argwhere(measured)[0]
            return int(row), int(column)
        if self.pixel is None:
            raise BadInputError(
                f"{source.path}: a .dat holds one spectrum: choose it with --pixel COLUMN,ROW, up to "
                f"{columns - 1},{rows - 1}, or a format with room for all: 3ds, {ROOMY}"
            )
        column, row = self.pixel
        if not (0 <= column < columns and 0 <= row < rows):
            raise BadInputError(
                f"{source.path}: there is no pixel {column},{row}; the last one is "
                f"{columns - 1},{rows - 1} (column,row from the lower left, from 0)"
            )
        if not measured[row, column]:
            raise BadInputError(
                f"{source.path}: no spectrum was measured at pixel {column},{row}: choose another"
            )
        return row, column

    @property
    def suffix(self) -> str:
        """What the choice adds to a file's name."""
        step = "" if self.step is None else f"_step{self.step}"
        return step + ("" if self.pixel is None else "_x{}_y{}".format(*self.pixel))

"""Where the simulated controller saves its files."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from sim.devices.nanonis_refusal import Refusal, require
from sim.devices.nanonis_sweep import FIXED, PARAMETERS, SpectrumData
from sim.waveform import Array
from sim.world import World
from stm_daq.protocols.nanonis_files import (
    GridFile,
    ScanFile,
    dat_file,
    date_and_time,
    grid_header,
    grid_pixel,
    sxm_file,
)

_ALLOWED = re.compile(r"[^A-Za-z0-9 _.+-]")
LONGEST_NAME = 64


class SessionFolder:
    """The folder of a session; without one, nothing is saved.

    Names that clients give are only names: whatever could lead out of the folder is replaced.

    Parameters
    ----------
    world : World
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._root: Path | None = None
        self._folder: Path | None = None
        self._numbers: dict[tuple[str, str], int] = {}

    @property
    def path(self) -> str:
        """The folder as a client sees it; empty if there is none."""
        return "" if self._folder is None else str(self._folder)

    def open(self, root: Path) -> None:
        """Save below `root` from now on; it is made if needed."""
        root.mkdir(parents=True, exist_ok=True)
        self._root = self._folder = root.resolve()

    def change(self, path: str) -> None:
        """Save in another folder, which must lie in the one that the twin was given."""
        if self._root is None:
            raise Refusal("The twin saves no files here")
        require("\0" not in path, "A path holds no zero bytes")
        wanted = (self._root / path).resolve()
        inside = wanted.is_relative_to(self._root)
        require(inside, f"The twin saves only below {self._root}")
        try:
            wanted.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refusal(f"Session path: {error.strerror}") from None
        self._folder = wanted
        self._numbers.clear()

    def save_spectrum(self, base_name: str, data: SpectrumData) -> str:
        """Save a ``.dat``; return its path, "" if nothing is saved."""
        path = self._new(base_name, ".dat")
        if path is None:
            return ""
        values = dict(zip((*FIXED, *PARAMETERS), data.parameters, strict=True))
        header = {name: f"{values[name]:.6E}" for name in PARAMETERS}
        header["Z-Ctrl hold"] = "TRUE" if values["Z-Ctrl hold"] else "FALSE"
        final = values["Final Z (m)"]
        header["Final Z (m)"] = "N/A" if math.isnan(final) else header["Final Z (m)"]
        date, time = date_and_time(self._world.clock.wall())
        header["Start time"] = f"{date} {time}"
        stage = self._world.stage_temperature(self._world.clock.now())
        header["Temperature 1>Temperature 1 (K)"] = f"{stage:.6E}"
        names = [*data.names, *(name for name, _ in data.singles)]
        columns = [*data.table, *(row for _, row in data.singles)]
        wall = self._world.clock.wall()
        return _write(path, dat_file("bias spectroscopy", wall, header, names, np.array(columns)))

    def save_scan(self, series: str, scan: ScanFile) -> str:
        """Save a ``.sxm``; return its path, "" if nothing is saved."""
        path = self._new(series, ".sxm")
        if path is None:
            return ""
        return _write(path, sxm_file(replace(scan, path=str(path))))

    def new_grid(self, base_name: str, grid: GridFile) -> GridWriter | None:
        """Begin a ``.3ds``."""
        path = self._new(base_name, ".3ds")
        return None if path is None else GridWriter(path, grid)

    def _new(self, base_name: str, suffix: str) -> Path | None:
        """Return the first free name: base name and a number."""
        if self._folder is None:
            return None
        name = _ALLOWED.sub("_", base_name).strip(" .")[:LONGEST_NAME] or "unnamed"
        number = self._numbers.get((name, suffix), 1)
        while (path := self._folder / f"{name}{number:05d}{suffix}").exists():
            number += 1
        self._numbers[name, suffix] = number + 1
        return path


class GridWriter:
    """A ``.3ds`` that grows pixel by pixel."""

    def __init__(self, path: Path, grid: GridFile) -> None:
        self.path = path
        self._grid = grid
        _write(path, grid_header(grid, grid.start))

    def add(self, parameters: list[float], traces: Array) -> None:
        """Append one pixel."""
        try:
            with self.path.open("ab") as file:
                file.write(grid_pixel(parameters, traces))
        except OSError as error:
            raise Refusal(f"{self.path.name} cannot be written: {error.strerror}") from None

    def finish(self, end: float) -> None:
        """Write when the grid ended (s since the Unix epoch) into the header."""
        with self.path.open("r+b") as file:
            file.write(grid_header(self._grid, end))


def _write(path: Path, data: bytes) -> str:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Refusal(f"{path.name} cannot be written: {error.strerror}") from None
    return str(path)

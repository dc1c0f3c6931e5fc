"""How quickly a run of 16 384 spectra opens and is read, beside other ways to keep the same arrays.

    python benchmarks/open_run.py [--side 128] [--folder FOLDER]

Opening shows the outline only; reading loads every array. The alternatives hold the same dataset, made
once from the run: NetCDF-4 (uncompressed, and as the netCDF library writes strings), and a plain
``numpy.savez``. Times are CPU seconds, the least of five, in one process: the machine may be shared.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

import stm_daq
from stm_daq.records import Fit, Frame, RunEnded, RunStarted, Site, Spectrum
from stm_daq.store import schema
from stm_daq.store.journal import Journal

POINTS = 256
START = 1.764e9


def make_run(folder: Path, side: int) -> None:
    """Write a finished run of side x side spectra, each with its fit; not synced, for speed."""
    rng = np.random.default_rng(1)
    bias = np.linspace(4e-3, -4e-3, POINTS)
    metres = 1e-9 * np.arange(side)
    started = RunStarted(
        "bench", "run", START, "bench", "TiN", "plan: 1\n", "instruments: {}\n",
        Frame(0.0, 0.0, 1e-9 * side, 1e-9 * side), (side, side), metres, metres, (0, 0), bias,
        1.4e-4, {"fit_model": "btk"},
    )  # fmt: skip
    Journal.create(folder, started).close()
    spectra, fits = [], []
    for index in range(side * side):
        row, col = divmod(index, side)
        conductance = 1e-8 * (1 + 0.01 * rng.normal(size=POINTS))
        site = Site(index, row, col, metres[col], metres[row])
        spectra.append(
            Spectrum(site, 0, START + index, 2.5, bias, 1e-8 * bias, conductance, 0.0, 1e-10, 0.5)
        )
        values = {"gap": 5e-4 + 1e-5 * rng.normal(), "temperature": 0.5, "barrier": 2.0,
                  "scale": 1e-8, "offset": 1e-6, "slope": 0.1}  # fmt: skip
        std = {name: abs(value) / 100 for name, value in values.items()}
        fits.append(Fit(index, 0, "btk", values, std, 1.0, True))
    with sqlite3.connect(folder / schema.FILE_NAME) as connection:
        for table, count, rows in (
            ("spectrum", 17, map(schema.spectrum_row, spectra)),
            ("fit", 9, map(schema.fit_row, fits)),
        ):
            marks = ",".join("?" * count)
            connection.executemany(
                f"INSERT INTO {table} VALUES ({marks})", (schema.sealed(row) for row in rows)
            )
        end = schema.sealed(schema.ended_row(RunEnded(START + side**2, "finished")))
        connection.execute("INSERT INTO ended VALUES (?,?,?,?)", end)
    connection.close()


def least(action: Callable[[], object], repeats: int = 5) -> float:
    """Return the least CPU time of some repeats, s."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return min(times)


def rows_of(run: Path, scratch: Path) -> list[tuple[str, float, float, float]]:
    """Return name, time to open, to read everything, and to read the spectra of one row of sites."""
    data = stm_daq.open_run(run).load()
    kept = data.drop_vars(["flags", "fit_flags"])  # texts are kept in many ways
    kept.attrs = {}
    netcdf, npz = scratch / "run.nc", scratch / "run.npz"
    kept.to_netcdf(netcdf, engine="h5netcdf")
    np.savez(npz, **{str(name): kept[name].values for name in kept.data_vars})

    def of(opener: Callable[[], xr.Dataset]) -> tuple[float, float, float]:
        def one_row() -> None:
            with opener() as opened:
                opened["conductance"][5].load()

        def whole() -> None:
            with opener() as opened:
                opened.load()

        return least(lambda: opener().close()), least(whole), least(one_row)

    def whole_npz() -> list[np.ndarray]:
        with np.load(npz) as file:
            return [file[name] for name in file.files]

    return [
        ("journal, stm_daq.open_run", *of(lambda: stm_daq.open_run(run))),
        ("NetCDF-4, xarray", *of(lambda: xr.open_dataset(netcdf, engine="h5netcdf"))),
        ("numpy.savez", least(lambda: np.load(npz).close()), least(whole_npz), float("nan")),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=128, help="sites along x and y")
    parser.add_argument("--folder", type=Path, help="an existing run instead of a made one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run = arguments.folder or Path(place) / "run"
        if arguments.folder is None:
            make_run(run, arguments.side)
        size = (run / schema.FILE_NAME).stat().st_size
        print(f"{arguments.side**2} spectra of {POINTS} points, journal of {size / 1e6:.0f} MB\n")
        print(
            "| | open (s) | read whole (s) | read one row of sites (s) |\n| --- | --- | --- | --- |"
        )
        for name, opened, whole, row in rows_of(run, Path(place)):
            print(f"| {name} | {opened:.3f} | {whole:.3f} | {row:.4f} |")


if __name__ == "__main__":
    main()

"""How long exports of a run of 16 384 spectra take, and how much memory they need.

    python benchmarks/export_speed.py

The journal is written by the journal's own class from made-up spectra. Every format is exported in a
process of its own, after an export of a tiny run that loads the libraries: once for the time, once for
the memory. Beside the formats that xarray can write stands the alternative: `open_run`, then xarray's
own writer. A tile is what the exporter holds of the spectra at a time: current and conductance.
"""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stm_daq import open_run
from stm_daq.records import Fit, Frame, RunEnded, RunStarted, Site, Spectrum, TopographRows
from stm_daq.store.exports import FORMATS, Choice, export_run
from stm_daq.store.exports.source import CHUNK, PIECES
from stm_daq.store.journal import Journal

POINTS = 256
SIDE = 128
MEGA = 1e6
NAMES = ("gap", "temperature", "barrier", "scale", "offset", "slope")


def make_run(folder: Path, side: int) -> None:
    """Write the journal of a square grid of spectra with fits and a topograph."""
    random = np.random.default_rng(1)
    bias = np.linspace(4e-3, -4e-3, POINTS)
    places = (np.arange(side) + 0.5) * 1e-9
    frame = Frame(0.0, 0.0, side * 1e-9, side * 1e-9, 20.0)
    started = RunStarted(
        "benchmark", "rehearsal", 1.764e9, "benchmark", "TiN", "", "", frame, (side, side), places,
        places, (side, side), bias, 1.4e-4,
    )  # fmt: skip
    with Journal.create(folder, started) as journal:
        for row in range(side):
            records: list[Spectrum | Fit | TopographRows] = [
                TopographRows(started.time, row, random.normal(0.0, 1e-10, (1, side)))
            ]
            for column in range(side):
                index = row * side + column
                traces = random.normal(1e-8, 1e-9, (2, POINTS))
                site = Site(index, row, column, *frame.position(places[column], places[row]))
                now = started.time + 2.5 * index
                records.append(
                    Spectrum(site, 0, now, 2.5, bias, *traces, z=1e-9, setpoint_current=1e-10,
                             temperature=0.3)
                )  # fmt: skip
                values = dict.fromkeys(NAMES, 1e-3 * index)
                records.append(Fit(index, 0, "btk", values, values, 1.0, True))
            journal.write(*records)
        journal.write(RunEnded(started.time + 2.5 * side**2, "finished"))


def alternative(name: str, run: Path, out: Path) -> None:
    """Write with xarray what `open_run` gives."""
    data = open_run(run)
    data.attrs = {key: str(value) for key, value in data.attrs.items()}
    if name == "netcdf":
        data.to_netcdf(out)
    else:
        data.to_zarr(out, mode="w")


def measure(task: str, name: str, tiny: Path, run: Path, answer: multiprocessing.Queue) -> None:
    """Export a run; answer wall and CPU time (s), traced and resident memory (bytes)."""
    warnings.simplefilter("ignore")
    choice = Choice(pixel=(1, 1))
    folder = Path(tempfile.mkdtemp())

    def job(path: Path) -> None:
        place = folder / f"{path.name}{FORMATS[name].suffix}"
        if task == "xarray":
            alternative(name, path, place)
        else:
            export_run(path, name, place, choice)

    try:
        job(tiny)
        wall, cpu = _times(lambda: job(run))
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        answer.put((wall, cpu, size, *_memory(lambda: job(run))))
    finally:
        shutil.rmtree(folder)


def _times(job: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    job()
    global _resident
    _resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return time.perf_counter() - wall, time.process_time() - cpu


_resident = 0


def _memory(job: Callable[[], None]) -> tuple[float, float]:
    tracemalloc.start()
    job()
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return traced, _resident * 1024.0


def main() -> None:
    """Print the table."""
    context = multiprocessing.get_context("spawn")
    tile = 2 * 8 * CHUNK * PIECES * POINTS
    with tempfile.TemporaryDirectory() as place:
        tiny, run = Path(place) / "tiny", Path(place) / "run"
        make_run(tiny, 2)
        make_run(run, SIDE)
        journal = (run / "journal.db").stat().st_size
        print(f"{SIDE**2} spectra of {POINTS} points, journal {journal / MEGA:.0f} MB")
        print(f"one tile: {CHUNK * PIECES} spectra, {tile / MEGA:.1f} MB")
        print(
            "| export | wall s | CPU s | written MB | traced peak, tiles | resident growth, tiles |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        jobs = [("", name) for name in FORMATS] + [("xarray", "netcdf"), ("xarray", "zarr")]
        for task, name in jobs:
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            answer = context.Queue()
            process = context.Process(target=measure, args=(task, name, tiny, run, answer))
            process.start()
            wall, cpu, size, traced, resident = answer.get(timeout=600)
            process.join()
            label = f"{name} by xarray" if task else name
            print(
                f"| {label} | {wall:.2f} | {cpu:.2f} | {size / MEGA:.0f} | {traced / tile:.2f} | "
                f"{resident / tile:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

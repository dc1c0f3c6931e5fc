"""Software time per spectrum, beside QCoDeS and Bluesky recording the same traces.

All record the same sweeps of 256 points (bias, current, dI/dV) at known x and y, from instruments that
answer at once, one after the other:

- stm_daq: `Recording.emit` of a Spectrum: a durable commit (SQLite, synchronous=FULL), the fit of the
  BTK model, a durable commit of the fit, and the observers, as between two sites of a night;
- stm_daq without the fit: what the others do;
- QCoDeS `Measurement`, array parameters, flushed after every trace;
- Bluesky: checkpoint, two movements, `trigger_and_read` of a detector, to a JSON-lines file, flushed.

The time is that from one item to the next (10th percentile, median, 99th), and the processor time per
item. Wall times hold for an idle machine only: on a busy one the 10th percentile is the fairer figure.
The others do not fit; compare them with our row without the fit.
Bluesky and ophyd are needed for their rows: pip install bluesky ophyd

    python benchmarks/dead_time.py [--traces 300]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stm_daq.clock import RealClock
from stm_daq.disk_space import DiskSpace
from stm_daq.fitting import OnlineFitter
from stm_daq.physics import btk
from stm_daq.recording import OnlineFit, Recording
from stm_daq.records import Frame, RunStarted, Site, Spectrum
from stm_daq.store.journal import Journal

POINTS = 256
MODULATION = 140e-6
WARM_UP = 10
"""Items that are not counted."""


@dataclass
class Timing:
    """How long one way of recording takes."""

    name: str
    gaps: np.ndarray
    """s, from one item to the next."""
    processor: float
    """s per item."""

    @property
    def median(self) -> float:
        return float(np.median(self.gaps))

    def row(self, own: Timing, bare: Timing) -> str:
        """Return the row of the table, compared with our own time with and without fit."""
        quiet, far = np.percentile(self.gaps, [10, 99])
        return (
            f"| {self.name} | {1e3 * quiet:.2f} | {1e3 * self.median:.2f} | {1e3 * far:.2f} | "
            f"{1e3 * self.processor:.2f} | {self.median / own.median:.1f} | "
            f"{self.median / bare.median:.1f} | {self.processor / own.processor:.1f} | "
            f"{self.processor / bare.processor:.1f} |"
        )


def traces(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bias (V) and, for every trace, current (A) and dI/dV (S) of a BTK junction with noise."""
    bias = np.linspace(4e-3, -4e-3, POINTS)
    clean = 25e-9 * btk.conductance(bias, 0.5e-3, 0.5, 3.0, modulation=MODULATION)
    noise = np.random.default_rng(1).normal(size=(count, POINTS))
    conductance = clean * (1 + 0.02 * noise)
    step = bias[1] - bias[0]
    return bias, np.cumsum(conductance, axis=1) * step, conductance


def timed(name: str, items: Generator[None], count: int) -> Timing:
    """Take the time of every item that `items` yields after recording it."""
    for _ in range(WARM_UP):
        next(items)
    stamps = [time.perf_counter()]
    processor = time.process_time()
    for _ in range(count):
        next(items)
        stamps.append(time.perf_counter())
    processor = time.process_time() - processor
    next(items, None)  # let it close its files
    return Timing(name, np.diff(stamps), processor / count)


def ours(folder: Path, count: int, with_fit: bool) -> Generator[None]:
    """Record as a night does."""
    bias, current, conductance = traces(count + WARM_UP)
    axis = np.arange(float(len(current)))
    started = RunStarted("id", "run", 0.0, "dead time", "", "", "", Frame(0, 0, 1, 1),
                         (1, len(axis)), axis, axis[:1], (0, 0), bias, MODULATION)  # fmt: skip
    fitter = OnlineFitter(bias, MODULATION, "btk", memory=np.ones(1))
    fitter.warm_up()
    seen: list[object] = []
    with Journal.create(folder, started) as journal:
        recording = Recording(RealClock(), DiskSpace(folder))
        derive = [OnlineFit(fitter, "btk")] if with_fit else []
        recording.connect(journal, started, [], derive, [seen.append])
        for k, (amperes, siemens) in enumerate(zip(current, conductance, strict=True)):
            site = Site(k, 0, k, float(k), 0.0)
            recording.emit(
                Spectrum(site, 0, float(k), 1.0, bias, amperes, siemens, 0.0, 1e-10, 0.5)
            )
            yield


def qcodes(folder: Path, count: int) -> Generator[None]:
    """Record with the Measurement of QCoDeS, array parameters, a flush for every trace."""
    from qcodes.dataset import Measurement, initialise_or_create_database_at, new_experiment
    from qcodes.parameters import ManualParameter

    bias, current, conductance = traces(count + WARM_UP)
    initialise_or_create_database_at(str(folder / "qcodes.db"))
    measurement = Measurement(new_experiment("dead time", "none"))
    x, y = ManualParameter("x"), ManualParameter("y")
    measurement.register_parameter(x)
    measurement.register_parameter(y)
    measurement.register_custom_parameter("bias", paramtype="array")
    for name in ("current", "conductance"):
        measurement.register_custom_parameter(name, setpoints=(x, y, "bias"), paramtype="array")
    with measurement.run() as saver:
        for k, (amperes, siemens) in enumerate(zip(current, conductance, strict=True)):
            saver.add_result(
                (x, float(k)), (y, 0.0), ("bias", bias), ("current", amperes),
                ("conductance", siemens),
            )  # fmt: skip
            saver.flush_data_to_database()
            yield


def bluesky_stamps(folder: Path, count: int) -> Timing:
    """Record with Bluesky's run engine; the plan takes the times."""
    import bluesky.plan_stubs as bps
    import bluesky.preprocessors as bpp
    from bluesky import RunEngine
    from ophyd import Signal
    from ophyd.sim import SynAxis

    bias, current, conductance = traces(count + WARM_UP)
    signals = {name: Signal(name=name, value=bias) for name in ("bias", "current", "conductance")}
    x, y = SynAxis(name="x"), SynAxis(name="y")
    stamps: list[tuple[float, float]] = []

    @bpp.run_decorator()
    def plan() -> Any:
        for k, (amperes, siemens) in enumerate(zip(current, conductance, strict=True)):
            signals["current"].put(amperes)
            signals["conductance"].put(siemens)
            yield from bps.checkpoint()
            yield from bps.mv(x, k, y, 0)
            yield from bps.trigger_and_read([*signals.values(), x, y])
            stamps.append((time.perf_counter(), time.process_time()))

    with (folder / "bluesky.jsonl").open("w", encoding="utf-8") as out:

        def write(name: str, document: dict[str, Any]) -> None:
            out.write(json.dumps([name, document], default=_plain) + "\n")
            out.flush()

        engine = RunEngine({}, context_managers=[])
        engine.subscribe(write)
        engine(plan())
    wall, processor = np.array(stamps[WARM_UP - 1 :]).T
    share = (processor[-1] - processor[0]) / (len(processor) - 1)
    return Timing("Bluesky, JSON lines", np.diff(wall), float(share))


def _plain(value: Any) -> Any:
    return value.tolist()


def main() -> int:
    """Print the table; return 1 if our own time is above 2 ms."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces", type=int, default=300)
    count = parser.parse_args().traces
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        own = timed("stm_daq, durable, with fit", ours(folder / "with", count, True), count)
        bare = timed("stm_daq, durable, without fit", ours(folder / "bare", count, False), count)
        rows = [own, bare]
        with contextlib.redirect_stdout(sys.stderr):
            rows.append(timed("QCoDeS, flush per trace", qcodes(folder, count), count))
            if importlib.util.find_spec("bluesky") and importlib.util.find_spec("ophyd"):
                rows.append(bluesky_stamps(folder, count))
    print("| recorded by | 10 % ms | median ms | 99 % ms | processor ms | median / with fit | "
          "median / without | processor / with fit | processor / without |")  # fmt: skip
    print("|" + " --- |" * 9)
    for row in rows:
        print(row.row(own, bare))
    return 0 if own.median <= 2e-3 else 1


if __name__ == "__main__":
    sys.exit(main())

"""How long after its commit a spectrum is in a subscriber: ``python benchmarks/monitor_latency.py``.

A run's thread commits spectra of 256 points to a journal and publishes each with its beginning, fit and
progress, at the pace of a fast night; a subscriber in another process notes when each arrives. Beside
it the same with keys (CURVE), and with news sent at a fixed tick of 50 ms, as it was before.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import numpy as np

from stm_daq.clock import RealClock
from stm_daq.monitor import Message, connect
from stm_daq.monitor.keys import KeyRing, new_keys
from stm_daq.monitor.publisher import Publisher
from stm_daq.monitor.queue import RecordQueue
from stm_daq.past import JournalPast
from stm_daq.records import Fit, Frame, Progress, RunStarted, Site, SiteStarted, Spectrum
from stm_daq.store.journal import Journal

CLOCK = RealClock()
POINTS = 256
SIDE = 64


def subscriber(address: str, key: Path | None, wanted: int, pipe: Pipe) -> None:
    """Note when each spectrum arrives."""
    arrived: dict[int, float] = {}
    with connect(address, key) as connection:
        for item in connection:
            now = CLOCK.wall()
            if isinstance(item, Message) and not arrived:
                pipe.send("ready")
                arrived[-1] = now
            if isinstance(item, Message) and isinstance(item.body, Spectrum):
                arrived.setdefault(item.body.site.index, now)
                if item.body.site.index == wanted - 1:
                    pipe.send(arrived)
                    return


def started() -> RunStarted:
    place = np.arange(SIDE) * 1e-9
    bias = np.linspace(2e-3, -2e-3, POINTS)
    frame = Frame(0.0, 0.0, 64e-9, 64e-9)
    return RunStarted(
        "latency", "rehearsal", CLOCK.wall(), "latency", "none", "", "", frame,
        (SIDE, SIDE), place, place, (0, 0), bias, 1e-4,
    )  # fmt: skip


def measure(folder: Path, keys: Path | None, key: Path | None, spectra: int, pause: float):
    """Return the delay (s) of every spectrum that arrived."""
    runs = folder / "runs"
    first = started()
    committed = {}
    here, there = multiprocessing.Pipe()
    with (
        Journal.create(runs / first.run_id, first) as journal,
        Publisher(0, keys=keys, runs=runs, open_past=JournalPast) as told,
    ):
        told.publish(first)
        process = multiprocessing.Process(
            target=subscriber, args=(told.address, key, spectra, there)
        )
        process.start()
        assert here.recv() == "ready"
        CLOCK.sleep(1.0)
        for index in range(spectra):
            site = Site(index, *divmod(index, SIDE), 0.0, 0.0)
            told.publish(SiteStarted(CLOCK.wall(), site, 0))
            CLOCK.sleep(pause)
            spectrum = Spectrum(
                site, 0, CLOCK.wall(), pause, first.bias, first.bias, first.bias, 0.0, 1e-10, 0.5
            )
            journal.write(spectrum)
            committed[index] = CLOCK.wall()
            told.publish(spectrum)
            fit = Fit(index, 0, "btk", {"gap": 3e-4}, {"gap": 1e-6}, 1.0, True)
            journal.write(fit)
            told.publish(fit)
            told.publish(Progress(CLOCK.wall(), index + 1, SIDE**2, 0.0, 1000.0, "running"))
        arrived = here.recv()
        process.join()
    return np.array([arrived[i] - committed[i] for i in committed if i in arrived])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--spectra", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.15, help="between two spectra, s")
    arguments = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    print("| | spectra | median ms | 95 % ms | largest ms |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in ("without keys", "with keys", "fixed tick of 50 ms"):
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            keys = key = None
            if name == "with keys":
                keys, key = folder / "keys", folder / "vera" / "vera.key"
                new_keys(key.parent, "vera")
                KeyRing(keys).allow("viewer", key.with_suffix(".pub"))
                station = (keys / "station.pub").read_text()
                (key.parent / "station.pub").write_text(station)
            if name.startswith("fixed"):
                RecordQueue.wait = lambda *_, **__: CLOCK.sleep(0.05)
            delays = 1e3 * measure(folder, keys, key, arguments.spectra, arguments.pause)
        middle, high = np.percentile(delays, [50, 95])
        print(f"| {name} | {len(delays)} | {middle:.2f} | {high:.2f} | {delays.max():.2f} |")


if __name__ == "__main__":
    main()

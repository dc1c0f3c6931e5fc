"""Fifty viewers, five of them stalled, and a run that does not notice.

    python benchmarks/monitor_load.py [--viewers 50] [--stalled 5] [--pause 2]

1. A rehearsal waits a fixed time at every site, as a real night does, and everything that watching
   costs comes on top. Viewers are connected during every other block of sites; the ratio of the medians
   of the two kinds of blocks is what watching costs. The publisher is closed and begun anew half-way.
2. A rehearsal in a process of its own is killed (SIGKILL) and resumed while all viewers listen.

In both every viewer must end with exactly the maps of the journal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from stm_daq import night, open_run
from stm_daq.clock import RealClock, wait_until
from stm_daq.monitor import Message, Missed, connect
from stm_daq.monitor.publisher import Publisher
from stm_daq.past import JournalPast
from stm_daq.records import RunEnded, Spectrum
from stm_daq.rehearsal import Rehearsal

ROOT = Path(__file__).resolve().parents[1]
CLOCK = RealClock()
MAPS = ("gap", "gap_std", "temperature", "barrier", "reduced_chi_square", "fit_ok", "z",
        "time", "stage_temperature", "topography")  # fmt: skip
PROCESSES = 5
STALL = 3.0
"""A stalled viewer reads nothing for so long (s), again and again."""
LONGEST = 900.0
"""After so long (s) a viewer gives up."""


def digest(dataset) -> str:
    """Return a number of all maps, bit by bit (NaN as one NaN)."""
    sums = hashlib.sha256()
    for name in MAPS:
        values = np.array(dataset[name].values, dtype=np.float64)
        sums.update(np.where(np.isnan(values), np.nan, values).tobytes())
    return sums.hexdigest()


def viewers(address: str, count: int, stalled: int, watching, results) -> None:
    """Let `count` viewers in this process watch whenever `watching` is set, until the run ends."""

    def one(stall: bool) -> None:
        connection, missed, read = None, 0, 0
        give_up = CLOCK.now() + LONGEST
        while CLOCK.now() < give_up:
            if not watching.is_set():
                if connection is not None:
                    connection.close()
                    connection = None
                watching.wait(0.2)
                continue
            connection = connection or connect(address, tick=0.2)
            item = next(connection)
            missed += item.count if isinstance(item, Missed) else 0
            read += isinstance(item, Message)
            if stall and read % 100 == 99:
                CLOCK.sleep(STALL)
            if connection.view.ended is not None:
                results.put((digest(connection.snapshot()), missed, stall))
                connection.close()
                return
        results.put(("gave up", missed, stall))

    threads = [threading.Thread(target=one, args=(n < stalled,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Audience:
    """Viewers in processes of their own."""

    def __init__(self, address: str, count: int, stalled: int) -> None:
        self.watching = multiprocessing.Event()
        self.results = multiprocessing.Queue()
        self.count = count
        each, slow = count // PROCESSES, stalled // PROCESSES
        self._processes = [
            multiprocessing.Process(
                target=viewers,
                args=(address, each, slow, self.watching, self.results),
                daemon=True,  # a failure ends the benchmark, not only its first process
            )
            for _ in range(PROCESSES)
        ]
        for process in self._processes:
            process.start()

    def verdict(self, folder: Path) -> str:
        """Wait for all; say how many have the maps of the journal."""
        found = [self.results.get(timeout=LONGEST) for _ in range(self.count)]
        for process in self._processes:
            process.join()
        wanted = digest(open_run(folder))
        same = sum(told == wanted for told, _, _ in found)
        missed = [count for _, count, _ in found]
        return f"{same} of {self.count} | {sum(c > 0 for c in missed)} | {sum(missed)}"


def small_plan(folder: Path, pixels: int, every: int) -> Path:
    text = (ROOT / "plans/tin_demo.yaml").read_text()
    text = text.replace("columns: 64, rows: 64", f"columns: {pixels}, rows: {pixels}")
    path = folder / "plan.yaml"
    path.write_text(text.replace("every: 2 ", f"every: {every} "))
    return path


class Pacer:
    """Waits at every site, lets viewers in and out, and keeps the intervals."""

    def __init__(self, pause: float, block: int, audience: Audience) -> None:
        self._pause, self._block, self._audience = pause, block, audience
        self._last = CLOCK.now()
        self.count = 0
        self.intervals: dict[bool, list[float]] = {False: [], True: []}
        self.work: dict[bool, list[float]] = {False: [], True: []}
        self._worked = time.process_time()

    def __call__(self, record) -> None:
        if not isinstance(record, Spectrum):
            return
        now = CLOCK.now()
        place = self.count % self._block
        watched = bool(self.count // self._block % 2)
        if place > 2:  # coming and going is not what is measured
            self.intervals[watched].append(now - self._last)
            self.work[watched].append(time.process_time() - self._worked)
        self.count += 1
        (self._audience.watching.set if watched else self._audience.watching.clear)()
        self._last, self._worked = CLOCK.now(), time.process_time()
        CLOCK.sleep(self._pause)


def cadence(folder: Path, arguments: argparse.Namespace) -> None:
    plan = small_plan(folder, arguments.pixels, 2)
    runs = folder / "runs"
    first = Publisher(0, runs=runs, open_past=JournalPast)
    audience = Audience(first.address, arguments.viewers, arguments.stalled)
    CLOCK.sleep(5.0)  # the viewers' processes start
    pacer = Pacer(arguments.pause, arguments.block, audience)
    stage = [first]
    sites = (arguments.pixels // 2) ** 2

    def publish(record) -> None:
        stage[-1].publish(record)
        if isinstance(record, RunEnded):
            audience.watching.set()
        elif isinstance(record, Spectrum) and pacer.count == sites // 2:
            begin_anew()

    def begin_anew() -> None:
        """Another publisher at the same ports; nobody tells it how the run began."""
        stage[-1].close()
        stage.append(Publisher(stage[0]._port, runs=runs, open_past=JournalPast))
        stage[-1].publish(started[0])

    started = []

    def keep_first(record) -> None:
        if not started:
            started.append(record)

    prepared = night.prepare_night(plan, ROOT / "station.yaml").watched_by(
        [keep_first, publish, pacer]
    )
    result = night.rehearse(prepared, runs, Rehearsal(epoch=1.8e9))
    verdict = audience.verdict(result.folder)
    stage[-1].close()
    off, on = (1e3 * float(np.median(pacer.intervals[key])) for key in (False, True))
    spread = [_spread(pacer.intervals[key]) for key in (False, True)]
    work = [1e3 * float(np.median(pacer.work[key])) for key in (False, True)]
    print("| | sites | without viewers ms | with viewers ms | ratio |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(f"| cadence | {len(pacer.intervals[True])} + {len(pacer.intervals[False])} | "
          f"{off:.2f} ± {spread[0]:.2f} | {on:.2f} ± {spread[1]:.2f} | {on / off:.4f} |")  # fmt: skip
    print(f"| CPU time of the run's process | per site | {work[0]:.2f} | {work[1]:.2f} | |")
    print(f"| its growth, of the interval | | | | {(work[1] - work[0]) / off:+.4f} |")
    print("\n| | viewers with the journal's maps | that missed something | messages missed |")
    print("| --- | ---: | ---: | ---: |")
    print(f"| publisher begun anew | {verdict} |")


def _spread(seconds: list[float]) -> float:
    """Return the uncertainty (ms) of a median, from the middle half of the values."""
    low, high = np.percentile(seconds, [25, 75])
    return 1e3 * 0.93 * float(high - low) / len(seconds) ** 0.5


def killed(folder: Path, arguments: argparse.Namespace) -> None:
    plan = small_plan(folder, max(64, arguments.pixels), 2)  # a small one would end before the kill
    port = 17650
    audience = Audience(f"tcp://127.0.0.1:{port}", arguments.viewers, arguments.stalled)
    audience.watching.set()
    CLOCK.sleep(5.0)
    line = [sys.executable, "-m", "stm_daq", "rehearse", str(plan), "--station",
            str(ROOT / "station.yaml"), "--port", str(port), "--json", "--no-report"]  # fmt: skip
    process = subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL)
    half = (max(64, arguments.pixels) // 2) ** 2 // 2

    def measured() -> int:
        if process.poll() is not None:
            raise SystemExit("the run ended before it could be killed: take more --pixels")
        for journal in folder.glob("runs/*/journal.db"):
            with suppress(sqlite3.OperationalError), closing(sqlite3.connect(journal)) as opened:
                return int(opened.execute("SELECT count(*) FROM spectrum").fetchone()[0])
        return 0

    wait_until(CLOCK, lambda: measured() >= half, LONGEST, 0.02, "the run did not get half-way")
    process.kill()
    process.wait()
    (run,) = folder.glob("runs/*/")
    resume = [sys.executable, "-m", "stm_daq", "resume", str(run), "--port", str(port), "--json",
              "--no-report"]  # fmt: skip
    done = subprocess.run(resume, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(done.stdout)["state"] == "finished"
    print(f"| process killed and resumed | {audience.verdict(run)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--stalled", type=int, default=5)
    parser.add_argument("--pause", type=float, default=1.0, help="at every site, s")
    parser.add_argument("--block", type=int, default=8, help="sites with or without viewers")
    parser.add_argument(
        "--pixels", type=int, default=16, help="of the topograph; half as many sites"
    )
    arguments = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    for part in (cadence, killed):
        with tempfile.TemporaryDirectory() as folder:
            part(Path(folder), arguments)


if __name__ == "__main__":
    main()

"""Rehearses more than 60 virtual hours and looks whether anything grows or slows down.

    python benchmarks/soak.py [--sites 128]

The plan is an overnight map whose sweeps dwell longer, so that 128 x 128 sites take 60 virtual hours.
Memory, open files and threads are looked at after every thousand sites, in the same process.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from stm_daq import night
from stm_daq.records import Record, Spectrum, TopographRows
from stm_daq.rehearsal import Rehearsal

ROOT = Path(__file__).resolve().parents[1]
STRETCH = 1000
"""Sites between two looks."""
HOURS = 60.0


@dataclass
class Look:
    """What was found after some thousand sites."""

    sites: int
    hours: float
    """Virtual."""
    cadence: float
    """Median virtual seconds from one site to the next."""
    real: float
    """Median real milliseconds from one site to the next."""
    memory: float
    """Resident, MB."""
    files: int
    threads: int


class Looker:
    """An observer that counts sites and looks at its own process."""

    def __init__(self) -> None:
        self.looks: list[Look] = []
        self._process = psutil.Process()
        self._virtual: list[float] = []
        self._real: list[float] = []
        self._sites = 0
        self._first = 0.0
        self._last: tuple[float, float] | None = None

    def __call__(self, record: Record) -> None:
        """Take the time of a spectrum that follows another one in the same row."""
        if isinstance(record, TopographRows):
            self._last = None
        if not isinstance(record, Spectrum):
            return
        self._first = self._first or record.time
        now = (record.time, time.perf_counter())
        if self._last is not None:
            self._virtual.append(now[0] - self._last[0])
            self._real.append(now[1] - self._last[1])
        self._last = now
        self._sites += 1
        if self._sites % STRETCH == 0:
            self._look(record.time)

    def _look(self, virtual: float) -> None:
        gc.collect()
        files = getattr(self._process, "num_fds", getattr(self._process, "num_handles", None))
        assert files is not None
        self.looks.append(
            Look(
                self._sites,
                (virtual - self._first) / 3600.0,
                float(np.median(self._virtual)),
                1e3 * float(np.median(self._real)),
                self._process.memory_info().rss / 1e6,
                files(),
                threading.active_count(),
            )
        )
        self._virtual.clear()
        self._real.clear()
        self._last = None


def write_plan(folder: Path, sites: int) -> Path:
    """Write a plan of sites x sites spectra, 13 s each, with what a long night has besides."""
    text = (ROOT / "plans/tin_overnight.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("columns: 256, rows: 256", f"columns: {2 * sites}, rows: {2 * sites}"),
        ('dwell: "10 ms"', 'dwell: "50 ms"'),
        ('time_constant: "3 ms"', 'time_constant: "10 ms"'),
    ):
        if old not in text:
            raise SystemExit(f"the plan has no {old}")
        text = text.replace(old, new)
    path = folder / "soak.yaml"
    path.write_text(text + '\nguards:\n  - {temperature: {max: "0.7 K"}, action: pause}\n')
    return path


def main() -> int:
    """Print the table; return 1 if anything grew or slowed down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=int, default=128, help="along each side; times 8")
    options = parser.parse_args()
    looker = Looker()
    with tempfile.TemporaryDirectory() as folder:
        plan = write_plan(Path(folder), options.sites)
        prepared = night.prepare_night(plan, ROOT / "station.yaml", "needed")
        began = time.perf_counter()
        result = night.rehearse(
            prepared.watched_by([looker]), Path(folder) / "runs", Rehearsal(seed=1, epoch=1.8e9)
        )
        real = time.perf_counter() - began
    header = ("sites", "virtual h", "virtual s/site", "real ms/site", "memory MB", "open files",
              "threads")  # fmt: skip
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header))
    for look in looker.looks:
        print(f"| {look.sites} | {look.hours:.1f} | {look.cadence:.4f} | {look.real:.1f} | "
              f"{look.memory:.1f} | {look.files} | {look.threads} |")  # fmt: skip
    hours = result.seconds / 3600.0
    print(f"{result.ended.state} after {hours:.1f} virtual h, {real:.0f} s real; "
          f"violations: {list(result.violations)}")  # fmt: skip
    return judge(looker.looks, hours)


def judge(looks: list[Look], hours: float) -> int:
    """Compare the last thousand sites with the first; return the exit code."""
    first, last = looks[0], looks[-1]
    slower = last.cadence / first.cadence - 1.0
    grown = last.memory / first.memory - 1.0
    same = (first.files, first.threads) == (last.files, last.threads)
    good = abs(slower) <= 0.01 and grown <= 0.05 and same and hours >= HOURS
    print(
        f"last against first thousand: cadence {100 * slower:+.3f} %, memory {100 * grown:+.1f} %, "
        f"files and threads {'equal' if same else 'NOT equal'}: {'good' if good else 'BAD'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

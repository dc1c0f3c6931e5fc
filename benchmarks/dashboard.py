"""The dashboard: committed -> drawn in the browser, and the CPU time of its process with five tabs.

A publisher in this process tells of a 128 x 128 map, half of it measured; every spectrum is committed to
a real journal first. The time is taken in the page, two animation frames after the numbers came. Every
tab is in a window of its own: a browser draws hidden tabs once a second at most. A page that cannot keep
up is told the latest spectra only: the others are not drawn, and have no time.

    python benchmarks/dashboard.py [--seconds 40] [--tabs 5]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from stm_daq.monitor.publisher import Publisher
from stm_daq.past import JournalPast
from stm_daq.records import Fit, Frame, Progress, RunStarted, Site, Spectrum, TopographRows
from stm_daq.report.runs.curve import fitted_curve
from stm_daq.store.journal import Journal

SIDE = 128
BIAS = np.linspace(4e-3, -4e-3, 256)
VALUES = {"gap": 0.7e-3, "temperature": 0.8, "barrier": 1.5, "scale": 25e-9, "offset": 0.0}
STD = {name: abs(value) * 0.01 for name, value in VALUES.items()}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
LISTEN = """() => {
    window.drawn = [];
    document.addEventListener("drawn", (event) => {
        const site = event.detail.site;
        if (site && site.there) window.drawn.push([site.index, Date.now() / 1000]);
    });
}"""


def started() -> RunStarted:
    """A square map."""
    along = np.arange(SIDE) * 1e-9
    return RunStarted(
        run_id="bench", kind="rehearsal", time=time.time(), name="Benchmark", sample="-",
        plan_text="", station_text="", frame=Frame(0, 0, SIDE * 1e-9, SIDE * 1e-9),
        grid_shape=(SIDE, SIDE), grid_x=along, grid_y=along, topograph_shape=(SIDE, SIDE),
        bias=BIAS, modulation=140e-6,
    )  # fmt: skip


class Night:
    """Commits and publishes one spectrum after the other."""

    def __init__(self, folder: Path, publisher: Publisher) -> None:
        first = started()
        self._journal = Journal.create(folder, first)
        self._publisher = publisher
        self._curve = fitted_curve(BIAS, VALUES, "btk", 140e-6)
        self._random = np.random.default_rng(1)
        self.committed: dict[int, float] = {}
        publisher.publish(first)

    def measure(self, index: int) -> None:
        """Commit and publish the spectrum of a site, its fit, and how far the run is."""
        row, column = divmod(index, SIDE)
        noise = self._random.normal(0.0, 0.5e-9, len(BIAS))
        site = Site(index, row, column, column * 1e-9, row * 1e-9)
        spectrum = Spectrum(site, 0, time.time(), 3.0, BIAS, BIAS * 25e-9, self._curve + noise,
                            1e-9, 100e-12, 0.5)  # fmt: skip
        values = VALUES | {"gap": 0.7e-3 + self._random.normal(0, 20e-6)}
        fit = Fit(index, 0, "btk", values, STD, 1.0, True)
        if column == 0:
            rows = TopographRows(time.time(), row, self._random.normal(0, 1e-10, (1, SIDE)))
            self._journal.write(rows)
            self._publisher.publish(rows)
        self._journal.write(spectrum)
        self.committed[index] = time.time()
        self._publisher.publish(spectrum)
        self._journal.write(fit)
        self._publisher.publish(fit)
        now = time.time()
        self._publisher.publish(Progress(now, index + 1, SIDE**2, now + 3600, 3600.0, "running"))


def cpu_time(process: int) -> float:
    """CPU time of a process so far, s (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def browser_processes(folder: Path) -> list[int]:
    """Return the browser that keeps its files in a folder, and all that it has started (Linux)."""
    parents, found = {}, []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parents[int(entry.name)] = int(fields[1])
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    for process in sorted(parents):
        if parents[process] in found and process not in found:
            found.append(process)
    return found


def phase(
    night: Night,
    pages: list[Page],
    pid: int,
    browser: list[int],
    index: int,
    rate: float,
    count: int,
) -> str:
    """Measure `count` spectra at a rate; return a line of the table."""
    for page in pages:
        page.evaluate(LISTEN)
    night.committed.clear()
    cpu, begin = cpu_time(pid), time.monotonic()
    drawing = sum(map(cpu_time, browser))
    for number in range(count):
        night.measure(index + number)
        time.sleep(max(0.0, begin + (number + 1) / rate - time.monotonic()))
    passed = time.monotonic() - begin
    share, drawing = (
        (cpu_time(pid) - cpu) / passed,
        (sum(map(cpu_time, browser)) - drawing) / passed,
    )
    drawn = [dict(reversed(page.evaluate("window.drawn"))) for page in pages]
    delays = np.array([
        (tab[site] - at) * 1000 for tab in drawn for site, at in night.committed.items() if site in tab
    ])  # fmt: skip
    p50, p95 = np.percentile(delays, [50, 95])
    seen = 100 * len(delays) / len(pages) / count
    return (
        f"| {len(pages)} | {rate:g} | {p50:.0f} | {p95:.0f} | {seen:.0f} | {100 * share:.1f} "
        f"| {100 * drawing:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--tabs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        runs = Path(folder)
        with Publisher(0, runs=runs, open_past=JournalPast, station="bench") as publisher:
            (runs / "bench").mkdir()
            night = Night(runs / "bench", publisher)
            half = SIDE**2 // 2
            for index in range(half):
                night.measure(index)
            server = subprocess.Popen(
                [sys.executable, "-m", "stm_daq", "dashboard", publisher.address, "--port", "0",
                 "--links", str(options.tabs)],
                stdout=subprocess.PIPE, text=True, env=os.environ | {"XDG_CONFIG_HOME": folder},
            )  # fmt: skip
            assert server.stdout is not None
            links = [server.stdout.readline().split()[1] for _ in range(options.tabs)]
            chromium = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=[*FLAGS, f"--disk-cache-dir={runs / 'browser'}"],
            )
            print("| tabs | spectra/s | drawn, median (ms) | 95 % (ms) | spectra drawn (%) "
                  "| CPU of the server (%) | CPU of the browser (%) |")  # fmt: skip
            print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
            pages: list[Page] = []
            at = half
            for tabs in (1, options.tabs):
                while len(pages) < tabs:
                    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
                    page.goto(links[len(pages)])
                    page.wait_for_selector(
                        "body[data-drawn]:not([data-drawn=''])", state="attached"
                    )
                    pages.append(page)
                browser = browser_processes(runs / "browser")
                for rate in (1.0, 5.0):
                    count = max(3, int(options.seconds * rate / (2 if tabs == 1 else 1)))
                    print(phase(night, pages, server.pid, browser, at, rate, count), flush=True)
                    at += count
            chromium.close()
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()

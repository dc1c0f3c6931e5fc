"""How fast switching drives, power sweeps and maps of a microwave hot spot are.

Run ``python benchmarks/hotspot_speed.py [--map]``. Times are CPU seconds of one process on one core
and include making the tables of the film (conductivity, phonon power, thermal conductivity). The
baseline of the sweep is what one would write first: `scipy.integrate.solve_bvp` at every drive, from
the solution at the drive before, with the film's properties interpolated in ready tables (whose cost is
left out).

With ``--map`` a map of 32 x 32 points at 3 frequencies, every point with a thermal length and a Tc of
its own and hence with tables of its own, is swept by two processes; else a part of it by one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter, process_time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from scipy.integrate import solve_bvp

from stm_daq.physics import hotspot
from stm_daq.physics.hotspot_tables import film

FREQUENCIES = (1.0, 2.0, 3.0)
CASES = [
    (w, tp, lam, n)
    for w in (0.1, 0.25, 1.0, 2.0, 3.0)
    for tp in (0.1, 0.3, 0.6)
    for lam in (0.16, 0.3)
    for n in (5, 6)
]
SWEEP = (2.0, 0.3, 0.16, 5)
DRIVES = np.linspace(0.6, 2.2, 200)
COLD_START = """
from time import perf_counter
begin = perf_counter()
from stm_daq.physics import hotspot
hotspot.switching_drives(2.0, 0.3, 0.16)
middle = perf_counter()
hotspot.power_sweep([0.6, 0.7], 2.0, 0.3, 0.16)
print(middle - begin, perf_counter() - middle)
"""


def say(title, found, wanted=""):
    """Print a line of the table."""
    print(f"{title:55s} {found}   {wanted}", flush=True)


def milliseconds(task, repeats=5):
    """Least CPU time of a call with empty tables."""
    spent = []
    for _ in range(repeats):
        film.cache_clear()
        begin = process_time()
        task()
        spent.append(1e3 * (process_time() - begin))
    return min(spent)


class Baseline:
    """solve_bvp for theta, the integral of K over T, and the heat flow; stepped from drive to drive."""

    def __init__(self, w, phonons, lam, n):
        self.scale = n * lam**2
        self.t = np.concatenate(
            [
                np.linspace(phonons, 0.99, 600),
                1 - np.geomspace(0.01, 1e-6, 100),
                np.linspace(1, 3, 400),
            ]
        )
        k = hotspot.thermal_conductivity(self.t)
        self.theta = np.append(0, np.cumsum(0.5 * (k[1:] + k[:-1]) * np.diff(self.t)))
        self.cooling = hotspot.phonon_power(self.t, phonons, n)
        self.heating = (1 / hotspot.conductivity(w, self.t)).real
        self.r = 2.5 * np.tan(np.arctan(120 / 2.5) * np.linspace(0, 1, 400))
        self.y = np.zeros((2, len(self.r)))

    def solve(self, drive):
        def slope(r, y):
            source = np.interp(y[0], self.theta, self.cooling)
            shape = hotspot.heating_profile(r) / hotspot.H_MAX
            source -= drive**2 * shape * np.interp(y[0], self.theta, self.heating)
            flow = np.where(r > 0, y[1] / np.where(r > 0, r, 1), 0)
            return np.vstack([flow, r * source / self.scale])

        found = solve_bvp(
            slope, lambda a, b: np.array([a[1], b[1]]), self.r, self.y, tol=1e-3, max_nodes=20_000
        )
        if found.success:
            self.y = found.sol(self.r)
        return np.interp(self.y[0].max(), self.theta, self.t), found.success


def compare_sweeps():
    """Our sweep and the baseline's, in the same run."""
    ours = milliseconds(lambda: hotspot.power_sweep(DRIVES, *SWEEP, nodes=400))
    sweep = hotspot.power_sweep(DRIVES, *SWEEP, nodes=400)
    baseline, peaks, failed = Baseline(*SWEEP), [], 0
    path = np.concatenate([DRIVES, DRIVES[::-1]])
    begin = process_time()
    for drive in path:
        peak, success = baseline.solve(drive)
        peaks.append(peak)
        failed += not success
    theirs = 1e3 * (process_time() - begin)
    expected = np.concatenate([sweep.up.peak_temperature, sweep.down.peak_temperature[::-1]])
    wrong = np.mean(np.abs(np.array(peaks) - expected) > 0.01)
    say("sweep up and down, 200 drives, 400 nodes", f"{ours:8.1f} ms", "at most 40")
    say("  solve_bvp, stepped", f"{theirs:8.0f} ms, x {theirs / ours:.0f}", "at least x 100")
    say("  of those not converged", f"{failed / len(path):8.0%}")
    say("  peak temperature wrong by > 0.01 Tc", f"{wrong:8.0%}")


def map_point(index):
    """CPU seconds of the sweeps of one point, at all frequencies."""
    rng = np.random.default_rng(index)
    lam, tc = rng.uniform(0.14, 0.3), rng.uniform(0.9, 1.1)
    begin = process_time()
    for w in FREQUENCIES:
        hotspot.power_sweep(DRIVES, w / tc, 0.3 / tc, lam, 6)
    return process_time() - begin


def time_map(whole):
    """The map by two processes, or a part of it by one."""
    points = 32 * 32
    if not whole:
        each = [map_point(index) for index in range(24)]
        seconds = points * np.mean(each) / 2
        say("map 32 x 32 x 3, from 24 points", f"{seconds:8.1f} s on two cores", "at most 120")
        return
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(map_point, range(2)))
        begin = perf_counter()
        each = list(pool.map(map_point, range(points), chunksize=16))
        wall = perf_counter() - begin
    found = f"{sum(each) / 2:8.1f} s CPU on each core, {wall:.1f} s by the clock"
    say("map 32 x 32 x 3", found, "at most 120")


def cold_start():
    """Seconds of a first call in a new process: nothing compiled yet, and later."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        for title in ("nothing compiled", "compiled earlier"):
            done = subprocess.run(
                [sys.executable, "-c", COLD_START], env=environment, check=True, capture_output=True
            )
            folds, sweep = (float(x) for x in done.stdout.split())
            print(
                f"new process, {title}: first switching drives {folds:.1f} s, first sweep {sweep:.1f} s"
            )


def main(whole):
    """Print the table."""
    hotspot.switching_drives(2.0, 0.3, 0.16)
    hotspot.power_sweep(DRIVES, *SWEEP)
    spent = np.array([milliseconds(lambda c=c: hotspot.switching_drives(*c), 3) for c in CASES])
    worst = CASES[int(np.argmax(spent))]
    title = f"both switching drives, median of {len(CASES)} cases"
    say(title, f"{np.median(spent):8.1f} ms", "at most 40")
    say(f"  slowest, (w, T_ph, lam, n) = {worst}", f"{spent.max():8.1f} ms")
    tables = [milliseconds(lambda c=c: film(2.0, *c)) for c in ((0.1, 5), (0.3, 6), (0.8, 5))]
    say("new tables", f"{max(tables):8.1f} ms", "at most 30")
    compare_sweeps()
    time_map(whole)
    cold_start()


if __name__ == "__main__":
    main("--map" in sys.argv)

"""Large fits over two processes: time, peak memory, and the same bits.

Times are whole ones: start of the worker processes, reading, fitting, joining. Run it on an idle
machine: `python benchmarks/fit_scaling.py [spectra ...]` (16384 and 100000 by default).
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from stm_daq.fitting import FitSettings, fit_tiles
from stm_daq.physics import btk

POINTS = 256
BLOCK = 4096


def write_map(path: Path, count: int, bias: np.ndarray) -> np.ndarray:
    """Synthetic BTK spectra with 2 % noise in a file that is mapped, not read."""
    out = np.lib.format.open_memmap(path, mode="w+", shape=(count, POINTS), dtype=np.float64)
    rng = np.random.default_rng(1)
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        gap, temperature = rng.uniform(0.3e-3, 0.7e-3, size), rng.uniform(0.5, 1.5, size)
        curves = btk.conductance(bias, gap, temperature, rng.uniform(0.0, 3.0, size))
        out[first : first + size] = curves * (1.0 + 0.02 * rng.standard_normal(curves.shape))
    out.flush()
    return np.load(path, mmap_mode="r")


def private_memory() -> float:
    """Memory of this process that belongs to no file, MB (Linux only, else NaN)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(x for x in status.read_text().splitlines() if x.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


class Peak:
    """Largest private memory of this process during a block, MB."""

    def __enter__(self) -> Peak:
        self.start = self.most = private_memory()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, private_memory())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def measure(bias: np.ndarray, stack: np.ndarray, processes: int):
    """Fit the stack; return the fits, seconds, and the growth of this process in MB."""
    with Peak() as peak:
        start = time.perf_counter()
        found = fit_tiles(bias, stack, FitSettings("btk"), processes=processes)
        seconds = time.perf_counter() - start
    return found, seconds, peak.most - peak.start


def main() -> None:
    """Print a table."""
    counts = [int(text) for text in sys.argv[1:]] or [16384, 100000]
    bias = np.linspace(-2e-3, 2e-3, POINTS)
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            stack = write_map(Path(folder) / f"{count}.npy", count, bias)
            fit_tiles(bias, stack[:64], processes=1)  # compiled code is loaded from here on
            one, t1, m1 = measure(bias, stack, 1)
            two, t2, m2 = measure(bias, stack, 2)
            print(
                f"{count} spectra ({stack.nbytes / 1e6:.0f} MB): 1 process {t1:.2f} s "
                f"({1e3 * t1 / count:.3f} ms each, +{m1:.0f} MB), 2 processes {t2:.2f} s "
                f"(+{m2:.0f} MB), ratio {t1 / t2:.2f}, same bits: {one.identical(two)}"
            )


if __name__ == "__main__":
    main()

"""How many spectra are fitted in a second, against scipy's curve_fit on the same model.

Run ``python benchmarks/fit_speed.py [spectra]``. Spectra of a TiN-like film (gap 0.3-1.1 meV,
T 0.5-3.5 K, Z 0-3.5, 256 points, 2 % noise) are fitted

* in one call of `fit` (three parameters: gap, temperature, barrier; five: scale and offset too, with
  140 uV of lock-in modulation, a 7 uV offset and noise that grows with the current),
* one at a time by `OnlineFitter`, as in a measurement, and
* a part of them by `scipy.optimize.curve_fit` with the same compiled model and its analytic Jacobian,
  starting from the typical grain.

curve_fit gives values and a covariance only: no start search, no noise estimate, no verdict. Times are
CPU seconds of one process on one core, in turns so that other load hits all alike. Last, a single fit
in a new process is timed, import included, without and with compiled code on the disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from time import perf_counter, process_time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from scipy.optimize import curve_fit

from stm_daq.fitting import OnlineFitter, fit
from stm_daq.physics import btk, kernel

BIAS = np.linspace(4e-3, -4e-3, 256)
OFFSET = 7e-6
RANGES = ((3e-4, 1.1e-3), (0.5, 3.5), (0.0, 3.5))
THREE = ("gap", "temperature", "barrier")
ROUNDS = 8
ALONE = """
from time import perf_counter
start = perf_counter()
import numpy as np
from stm_daq.fitting import fit
bias = np.linspace(-4e-3, 4e-3, 256)
noise = 0.02 * np.random.default_rng(0).standard_normal(256)
fit(bias, 1.0 + np.exp(-((bias / 6e-4) ** 2)) + noise)
print(perf_counter() - start)
"""


def spectra(count, modulation, seed=1):
    """Truth (3, count) and normalised conductance (count, 256)."""
    rng = np.random.default_rng(seed)
    truth = np.array([rng.uniform(low, high, count) for low, high in RANGES])
    g = btk.conductance(BIAS - OFFSET, *truth, modulation=modulation)
    level = 0.02 * np.sqrt(0.3 + 0.7 * np.abs(BIAS) / 4e-3) if modulation else 0.02
    return truth, g + level * rng.standard_normal(g.shape)


class CurveFit:
    """scipy's fit of three parameters, or of five: scale and offset too."""

    def __init__(self, modulation, count):
        self.modulation = modulation
        self.start = (0.7e-3, np.log(1.5), 0.6, 1.0, 0.0)[:count]
        lower = (4e-5, np.log(0.04), 0.0, 0.01, -8e-4)[:count]
        upper = (4e-3, np.log(23.0), 0.99, 100.0, 8e-4)[:count]
        self.bounds = (lower, upper)

    def junction(self, gap, log_kelvin, reflection):
        return gap, btk.K_B * np.exp(log_kelvin), reflection, 0.0, self.modulation

    def value(self, bias, gap, log_kelvin, reflection, scale=1.0, offset=OFFSET):
        out = np.empty(len(bias))
        kernel.conductance(bias - offset, self.junction(gap, log_kelvin, reflection), out)
        return scale * out

    def jacobian(self, bias, gap, log_kelvin, reflection, scale=None, offset=OFFSET):
        out = np.empty((kernel.COLUMNS, len(bias)))
        kernel.evaluate(bias - offset, self.junction(gap, log_kelvin, reflection), out)
        if scale is None:
            return out[1:4].T
        rows = [scale * out[1], scale * out[2], scale * out[3], out[0], -scale * out[5]]
        return np.column_stack(rows)

    def gap(self, row):
        """The fitted gap, NaN if curve_fit gives up."""
        options = {"p0": self.start, "jac": self.jacobian, "bounds": self.bounds}
        try:
            found, _ = curve_fit(self.value, BIAS, row, x_scale="jac", **options)
        except RuntimeError:
            return np.nan
        return found[0]


def seconds(task):
    """CPU seconds of a call, and what it returns."""
    begin = process_time()
    result = task()
    return process_time() - begin, result


def compare(title, count, modulation, settings):
    """Time the three ways in turns, and print rates and ratios."""
    truth, rows = spectra(count, modulation)
    parameters = 5 if modulation else 3
    online = OnlineFitter(BIAS, modulation, **settings)
    scipy = CurveFit(modulation, parameters)
    fit(BIAS, rows[:2], modulation=modulation, **settings)
    online.warm_up(), scipy.gap(rows[0])
    times, picked, theirs, gaps = np.zeros(3), [], [], []
    chunk, part, single = (
        count // ROUNDS,
        max(count // ROUNDS // 20, 1),
        max(count // ROUNDS // 4, 1),
    )
    for first in range(0, chunk * ROUNDS, chunk):
        mine = rows[first : first + chunk]
        spent, table = seconds(lambda r=mine: fit(BIAS, r, modulation=modulation, **settings))
        times[0] += spent / chunk
        gaps += table.gap.values.tolist()
        spent, _ = seconds(lambda r=mine[:single]: [online.fit(row) for row in r])
        times[1] += spent / single
        spent, found = seconds(lambda r=mine[:part]: [scipy.gap(row) for row in r])
        times[2] += spent / part
        theirs += found
        picked += range(first, first + part)
    each = times / ROUNDS
    print(f"\n{title}")
    for name, time in zip(("fit, one call", "OnlineFitter", "curve_fit"), each, strict=True):
        print(f"  {name:14s} {1 / time:7.0f} fits/s {1e6 * time:7.0f} us   x {each[2] / time:.1f}")
    wrong = np.mean(np.abs(np.array(theirs) / truth[0][picked] - 1) > 0.1)
    missed = np.mean(np.abs(np.array(gaps) / truth[0][: len(gaps)] - 1) > 0.1)
    print(f"  gap wrong by more than 10 %: curve_fit {wrong:.1%}, fit {missed:.1%}")


def cold_start():
    """Seconds of a single fit in a new process: nothing compiled yet, and later."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        for title in ("first time", "later"):
            begin = perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", ALONE], env=environment, check=True, capture_output=True
            )
            inside, whole = float(done.stdout), perf_counter() - begin
            print(f"  {title:14s} {inside:.2f} s (process {whole:.2f} s)")


def main(count=4096):
    fixed = {"fixed": {"scale": 1.0, "offset": OFFSET}, "free": THREE}
    compare("three parameters, no modulation", count, 0.0, fixed)
    compare("five parameters, lock-in", count, 140e-6, {})
    print("\nsingle fit in a new process")
    cold_start()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))

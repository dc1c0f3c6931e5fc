"""How many spectra of a map the table engine fits in a second, against scipy's curve_fit.

Run ``python benchmarks/fit_table.py [spectra]``. Spectra of 256 points, 2 % noise (given), gap
0.3-1.1 meV, T 0.5-3.5 K, Z 0-3.5, are fitted by `fit(engine="table")`, from the array to the dataset
with standard deviations and verdicts, and a part of them by `scipy.optimize.curve_fit` with the same
compiled model and its analytic Jacobian from the typical grain (values and covariance only). Times
are CPU seconds of one process and one thread, in turns so that other load hits both alike. Building
the table is timed apart.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import sys
from time import process_time

import numpy as np
from scipy.optimize import curve_fit

from stm_daq.fitting import fit, table_model
from stm_daq.physics import btk, kernel

BIAS = np.linspace(-4e-3, 4e-3, 256)
NOISE = 0.02
SHAPE = ("gap", "temperature", "barrier")
CASES = {
    "three parameters": (SHAPE, {"scale": 1.0, "offset": 0.0}, 0.0, NOISE),
    "three parameters, noise estimated": (SHAPE, {"scale": 1.0, "offset": 0.0}, 0.0, None),
    "five parameters": ((*SHAPE, "scale", "offset"), {}, 7e-6, NOISE),
    "five parameters, noise estimated": ((*SHAPE, "scale", "offset"), {}, 7e-6, None),
}
TYPICAL = (0.7e-3, np.log(1.5), 0.6, 1.0, 0.0)
LOWER = (4e-5, np.log(0.04), 0.0, 0.01, -8e-4)
UPPER = (4e-3, np.log(23.0), 0.99, 100.0, 8e-4)
ROUNDS = 5


def spectra(count, offset):
    """Noisy normalised conductance (count, 256)."""
    rng = np.random.default_rng(1)
    ranges = ((3e-4, 1.1e-3), (0.5, 3.5), (0.0, 3.5))
    truth = [rng.uniform(low, high, count) for low, high in ranges]
    g = btk.conductance(BIAS - offset, *truth)
    return g + NOISE * rng.standard_normal(g.shape)


def columns(bias, gap, log_kelvin, reflection, offset):
    out = np.empty((kernel.COLUMNS, len(bias)))
    kernel.evaluate(bias - offset, (gap, btk.K_B * np.exp(log_kelvin), reflection, 0.0, 0.0), out)
    return out


def value(bias, gap, log_kelvin, reflection, scale=1.0, offset=0.0):
    return scale * columns(bias, gap, log_kelvin, reflection, offset)[0]


def jacobian3(bias, gap, log_kelvin, reflection):
    return columns(bias, gap, log_kelvin, reflection, 0.0)[1:4].T


def jacobian5(bias, gap, log_kelvin, reflection, scale, offset):
    out = columns(bias, gap, log_kelvin, reflection, offset)
    return np.column_stack([scale * out[1:4].T, out[0], -scale * out[5]])


def by_scipy(row, count):
    """One fit by curve_fit of `count` parameters."""
    model = value if count == 5 else lambda bias, g, t, r: value(bias, g, t, r)
    try:
        curve_fit(
            model, BIAS, row, p0=TYPICAL[:count], jac=jacobian5 if count == 5 else jacobian3,
            sigma=np.full(len(BIAS), NOISE), absolute_sigma=True,
            bounds=(LOWER[:count], UPPER[:count]), x_scale="jac",
        )  # fmt: skip
    except RuntimeError:
        return


def timed(function):
    """CPU seconds of a call, and its result."""
    begin = process_time()
    result = function()
    return process_time() - begin, result


def compare(name, count, part):
    """Measure and print one case."""
    free, fixed, offset, noise = CASES[name]
    rows = spectra(count, offset)

    def by_table():
        return fit(BIAS, rows, free=free, fixed=fixed, noise=noise, engine="table")

    by_table()  # compiles
    by_scipy(rows[0], len(free))
    table_model.table_of.cache_clear()
    with_table = timed(by_table)[0]
    ours, theirs = [], []
    for k in range(ROUNDS):
        ours.append(timed(by_table)[0])
        share = rows[k * part : (k + 1) * part]
        theirs.append(timed(lambda share=share: [by_scipy(row, len(free)) for row in share])[0])
    result = by_table()
    rate, scipy_rate = count * ROUNDS / sum(ours), part * ROUNDS / sum(theirs)
    print(
        f"{name}: {rate:.0f} fits/s, curve_fit {scipy_rate:.0f} fits/s, ratio {rate / scipy_rate:.0f}; "
        f"by the table {result.attrs['by_table'] / count:.2%}, ok {float(result.ok.mean()):.2%}"
    )
    print(
        f"  table: {with_table - np.median(ours):.2f} s, {result.attrs['table_bytes'] / 1e6:.0f} MB, "
        f"error at most {result.attrs['table_error']:.1e}, 99 % {result.attrs['table_error_99']:.1e}"
    )


def main(count=20000, part=100):
    for name in CASES:
        compare(name, count, part)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))

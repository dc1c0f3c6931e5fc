"""How many spectra are fitted in a second, against scipy's curve_fit on the same model.

Run ``python benchmarks/fit_speed.py [spectra]``. Spectra of a TiN-like film (gap 0.3-1.1 meV,
T 0.5-3.5 K, Z 0-3.5, 2 % noise growing with the current, 7 uV offset, 140 uV modulation) are fitted
one at a time by `OnlineFitter`, and a part of them by `scipy.optimize.curve_fit` with the same
compiled model and its analytic Jacobian, starting from the typical grain. curve_fit gives values
and a covariance only: no start search, no noise estimate, no verdict. Times are CPU seconds of one
process, in turns so that other load hits both alike.
"""

from __future__ import annotations

import sys
from time import perf_counter, process_time

import numpy as np
from scipy.optimize import curve_fit

from stm_daq.fitting import OnlineFitter
from stm_daq.physics import btk, kernel

BIAS = np.linspace(4e-3, -4e-3, 256)
MODULATION = 140e-6
TYPICAL = (0.7e-3, np.log(1.5), 0.6, 1.0, 0.0)
LOWER = (4e-5, np.log(0.04), 0.0, 0.01, -8e-4)
UPPER = (4e-3, np.log(23.0), 0.99, 100.0, 8e-4)


def spectra(count, seed=1):
    """Truth (3, count) and normalised conductance (count, 256)."""
    rng = np.random.default_rng(seed)
    truth = np.array(
        [rng.uniform(low, high, count) for low, high in ((3e-4, 1.1e-3), (0.5, 3.5), (0.0, 3.5))]
    )
    g = btk.conductance(BIAS - 7e-6, *truth, modulation=MODULATION)
    level = 0.02 * np.sqrt(0.3 + 0.7 * np.abs(BIAS) / 4e-3)
    return truth, g + level * rng.standard_normal(g.shape)


def columns(bias, gap, log_kelvin, reflection, offset):
    out = np.empty((kernel.COLUMNS, len(bias)))
    junction = (gap, btk.K_B * np.exp(log_kelvin), reflection, 0.0, MODULATION)
    kernel.evaluate(bias - offset, junction, out)
    return out


def value(bias, gap, log_kelvin, reflection, scale, offset):
    return scale * columns(bias, gap, log_kelvin, reflection, offset)[0]


def jacobian(bias, gap, log_kelvin, reflection, scale, offset):
    out = columns(bias, gap, log_kelvin, reflection, offset)
    return np.column_stack(
        [scale * out[1], scale * out[2], scale * out[3], out[0], -scale * out[5]]
    )


def by_scipy(row):
    """Whether curve_fit converged, and its gap."""
    try:
        found, _ = curve_fit(
            value, BIAS, row, p0=TYPICAL, jac=jacobian, bounds=(LOWER, UPPER), x_scale="jac"
        )
    except RuntimeError:
        return np.nan
    return found[0]


def main(count=2000, part=200):
    start = perf_counter()
    fitter = OnlineFitter(BIAS, MODULATION)
    prepared = perf_counter() - start
    fitter.warm_up()
    truth, rows = spectra(count)
    by_scipy(rows[0])
    print(f"templates and kernels {prepared:.2f} s, warm {perf_counter() - start:.2f} s")

    ours, theirs, scipy_gap, results = 0.0, 0.0, [], []
    for first in range(0, count, count // 10):
        begin = process_time()
        results += [fitter.fit(row) for row in rows[first : first + count // 10]]
        ours += process_time() - begin
        begin = process_time()
        scipy_gap += [by_scipy(row) for row in rows[first : first + part // 10]]
        theirs += process_time() - begin
        if first == 0:
            picked = []
        picked += list(range(first, first + part // 10))
    print(f"online fitter  {count / ours:7.0f} fits/s  ({1e3 * ours / count:.3f} ms each)")
    print(f"curve_fit      {part / theirs:7.0f} fits/s  ({1e3 * theirs / part:.3f} ms each)")
    print(f"ratio          {theirs / part * count / ours:7.1f}")

    wrong = np.abs(np.array(scipy_gap) / truth[0][picked] - 1) > 0.1
    missed = np.array(
        [abs(r.values["gap"] / t - 1) > 0.1 for r, t in zip(results, truth[0], strict=True)]
    )
    print(f"gap wrong by more than 10 %: curve_fit {wrong.mean():.1%}, online {missed.mean():.1%}")
    report(results, truth)


def report(results, truth):
    """Recovery over the box: what the README quotes."""
    ok = np.array([r.ok for r in results])
    inner = ok & (truth[2] > 0.5) & (truth[2] < 2.5) & (truth[1] < 2.5)
    print(f"ok {ok.mean():.2%}")
    for name, true in zip(("gap", "temperature", "barrier"), truth, strict=True):
        found = np.array([r.values[name] for r in results])
        std = np.array([r.std[name] for r in results])
        pull = (found - true) / std
        print(
            f"{name:12s} median error {np.median(np.abs(found / true - 1)[ok]):.2%}, "
            f"within 4 std {np.mean(np.abs(pull[ok]) < 4):.2%}, "
            f"pull {np.mean(pull[inner]):+.2f} +- {np.std(pull[inner]):.2f} away from bounds"
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))

"""Does the fit find the minimum, are its errors honest, and what can a spectrum tell?

Run ``python benchmarks/fit_quality.py [spectra]``. Seeds are fixed; the figures are in docs/fits.md.

* Convergence: random spectra (gap 0.2-1.5 meV, T 0.3-4 K, Z 0-5; 256 points up to 4 mV, half of the
  grids lopsided; bias offset up to 0.2 mV; noise 1, 2 and 5 %) are fitted with gap, temperature,
  barrier, scale and offset free. chi-square is compared with that of a search started at the truth.
* Honesty: deviations from the truth in units of the stated error (pulls), and how often the truth is
  within one of them (coverage), away from bounds; noise estimated from the spectrum itself.
* Identifiability: the parameter sets of Phys. Rev. B 100, 214505 (2019), Table I, at 2 % noise: BTK
  against Dynes, and what is reported of the barrier.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from stm_daq.fitting import compare, fit
from stm_daq.fitting.data import Conditions
from stm_daq.fitting.models import choose
from stm_daq.fitting.solver import Tile
from stm_daq.physics import btk

RANGES = {"gap": (0.2e-3, 1.5e-3), "temperature": (0.3, 4.0), "barrier": (0.0, 5.0)}
POINTS = 256
GROUPS = 20
"""Bias grids; every second is lopsided."""
TABLE_1 = {
    "b": (0.35e-3, 1.95, 3.15),
    "c": (1.39e-3, 2.44, 1.44),
    "d": (0.66e-3, 0.94, 0.56),
    "e": (0.44e-3, 2.60, 0.003),
    "f": (0.25e-3, 0.42, 0.002),
}


def grid(group):
    """Bias of a group of spectra, V."""
    highest = 4e-3 if group % 2 == 0 else np.random.default_rng(group).uniform(2e-3, 4e-3)
    return np.linspace(-4e-3, highest, POINTS)


def spectra(bias, count, noise, seed):
    """Truth by name, each (count,), and noisy conductance (count, n)."""
    rng = np.random.default_rng(seed)
    truth = {name: rng.uniform(*limits, count) for name, limits in RANGES.items()}
    truth["scale"] = np.ones(count)
    truth["offset"] = rng.uniform(-0.2e-3, 0.2e-3, count)
    g = btk.conductance(
        bias - truth["offset"][:, None], truth["gap"], truth["temperature"], truth["barrier"]
    )
    return truth, g + noise * rng.standard_normal(g.shape)


def excess(bias, truth, rows, noise):
    """Relative excess of chi-square over that of a search that starts at the truth, (count,)."""
    solver = Conditions().solver(choose("btk"), bias)
    count = len(rows)
    weight = np.full(rows.shape, noise**-2.0)
    tile = Tile(
        bias=np.tile(bias, (count, 1)),
        values=rows,
        counts=np.full(count, POINTS),
        weight=weight,
        held=solver.held(np.arange(count), np.ones(count)),
    )
    theta = np.zeros((count, 8))
    theta[:, 0], theta[:, 1] = truth["gap"], np.log(truth["temperature"])
    theta[:, 2] = btk.reflection(truth["barrier"])
    theta[:, 4], theta[:, 5] = 1.0, truth["offset"]
    best = solver.refine(tile, theta, weight)
    found = solver.solve(tile)
    polished = solver.refine(tile, found.theta, weight)
    return found.chi_square / best.chi_square - 1.0, polished.chi_square / best.chi_square - 1.0


def convergence(count=20_000):
    """Shares of spectra within 0.1 % of the best chi-square, by noise: {noise: (first, polished)}."""
    shares = {}
    for noise in (0.01, 0.02, 0.05):
        found = []
        for group in range(GROUPS):
            bias = grid(group)
            truth, rows = spectra(bias, count // (3 * GROUPS) + 1, noise, [7, group])
            found.append(np.array(excess(bias, truth, rows, noise)))
        first, polished = np.concatenate(found, axis=1)
        shares[noise] = (np.mean(first < 1e-3), np.mean(polished < 1e-3))
    return shares


def honesty(count=20_000, noise=0.02):
    """By parameter: number of spectra away from bounds, mean and std of pulls, coverage."""
    pulls = {name: [] for name in RANGES}
    for group in range(GROUPS):
        bias = grid(group)
        truth, rows = spectra(bias, count // GROUPS, noise, [8, group])
        table = fit(bias, rows)
        sound = table.ok.values & (truth["barrier"] > 0.4) & (truth["barrier"] < 2.5)
        sound &= (truth["temperature"] < 2.5) & (table.barrier_std.values < 0.3)
        for name in pulls:
            deviation = (table[name].values - truth[name]) / table[f"{name}_std"].values
            pulls[name] += deviation[sound].tolist()
    return {
        name: (len(p), np.mean(p), np.std(p), np.mean(np.abs(p) < 1.0)) for name, p in pulls.items()
    }


def identifiability(count=300, noise=0.02):
    """By set of Table I: shares of the verdicts, those expected, and what is said of the barrier.

    Expected: chi-squares of two models that are not nested differ by a normal variable of mean d and
    variance 4 d, where d is what the wrong model misses of the noiseless spectrum.
    """
    bias = np.linspace(-4e-3, 4e-3, POINTS)
    found = {}
    for name, (gap, kelvin, barrier) in TABLE_1.items():
        rng = np.random.default_rng([9, ord(name)])
        clean = btk.conductance(bias, gap, kelvin, barrier)
        rows = clean + noise * rng.standard_normal((count, POINTS))
        known = compare(bias, clean, models=["btk", "dynes"], noise=noise)
        lead = float(known.chi_square[1] - known.chi_square[0])
        table = compare(bias, rows, models=["btk", "dynes"])
        pairs = zip(table.verdict.values, table.preferred.values, strict=True)
        told = Counter(" ".join(filter(None, pair)) for pair in pairs)
        alone = fit(bias, rows)
        limited = np.array(["barrier_upper_limit" in flags for flags in alone.flags.values])
        limit = np.median(alone.barrier_limit.values[limited]) if limited.any() else np.nan
        found[name] = (told, lead, expected(lead), np.mean(limited), limit)
    return found


def expected(lead):
    """Probabilities of "preferred", "weak", "tied" and of a weak verdict for the wrong model."""
    from scipy.stats import norm

    above = norm.sf([10.0, 2.0, -2.0], lead, 2.0 * np.sqrt(lead))
    return above[0], above[1] - above[0], above[2] - above[1], 1.0 - above[2]


def main(count=20_000):
    print("convergence: share of spectra within 0.1 % of the best chi-square, then polished")
    for noise, (first, polished) in convergence(count).items():
        print(f"  noise {noise:.0%}: {first:.3%}  {polished:.3%}")
    print("honesty at 2 % noise, away from bounds")
    for name, (number, mean, std, coverage) in honesty(count).items():
        print(
            f"  {name:12s} {number} spectra, pull {mean:+.3f} +- {std:.3f}, coverage {coverage:.1%}"
        )
    print("identifiability, sets of Table I at 2 % noise: BTK against Dynes; barrier")
    for name, (told, lead, chances, share, limit) in identifiability().items():
        words = ", ".join(f"{word} {n / told.total():.1%}" for word, n in told.most_common())
        theory = ", ".join(f"{chance:.1%}" for chance in chances)
        print(f"  {name}: {words}")
        print(f"     expected for a lead of {lead:.1f}: preferred, weak, tied, wrong {theory}")
        print(f"     barrier an upper limit in {share:.1%} (median {limit:.3g})")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))

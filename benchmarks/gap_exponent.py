"""Gap and exponent of a map: speed, errors, and what one map of the paper's size scatters by.

    python benchmarks/gap_exponent.py [--films 100]

Speed: a map of 128 x 128 spectra of 256 points, beside the usual way (Savitzky-Golay filter, largest
point, straight line through logarithms, spectrum by spectrum). Scatter: the true gaps and exponents of
many films of the twin on frames of the paper's size and of the plan's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

sys.path.insert(0, str(Path(__file__).parents[1]))

from sim.samples.nbn_altshuler_aronov import NbnFilm
from stm_daq.analysis.altshuler_aronov.gap_exponent_maps import gap_exponent_maps
from stm_daq.analysis.altshuler_aronov.gap_exponent_relation import relation, varying
from stm_daq.errors import CannotTellError
from stm_daq.physics import altshuler_aronov
from stm_daq.records import Array

SIDE, PITCH, SCALE, NOISE = 128, 12.5e-9, 2e-8, 2.5e-13
"""Sites along a side; m; S; A."""
FRAMES = {"300 nm x 250 nm (paper)": (300e-9, 250e-9), "1200 nm x 1000 nm (plan)": (1.2e-6, 1e-6)}


def bias() -> Array:
    """256 points, fine at the peaks."""
    outer = np.linspace(3e-3, 31e-3, 54)
    fine = np.concatenate([np.linspace(0.8e-3, 2e-3, 50)[:-1], np.linspace(2e-3, 3e-3, 14)[:-1]])
    half = np.concatenate([np.linspace(0.05e-3, 0.75e-3, 12), fine, outer])
    return np.concatenate([-half[::-1], half])


def maps(seed: int, width: float, height: float) -> tuple[xr.DataArray, xr.DataArray]:
    """True gap and exponent on a frame."""
    x, y = (np.arange(PITCH / 2, side, PITCH) for side in (width, height))
    axes = {"y": ("y", y, {"units": "m"}), "x": ("x", x, {"units": "m"})}
    values = NbnFilm(seed).properties(*np.meshgrid(x, y))
    gap, exponent = (xr.DataArray(v, axes, ("y", "x")) for v in values)
    return gap, exponent


def run(seed: int) -> xr.Dataset:
    """A map with noise, as the analyses get it."""
    gap, exponent = maps(seed, SIDE * PITCH, SIDE * PITCH)
    voltage = bias()
    current = SCALE * altshuler_aronov.current(
        voltage, gap.values, 0.3, np.inf, exponent.values, 6e-5
    )
    current += NOISE * np.random.default_rng(seed).standard_normal(current.shape)
    return xr.Dataset(
        {
            "current": (("y", "x", "bias"), current),
            "stage_temperature": (("y", "x"), np.full(gap.shape, 0.3)),
            "true_gap": gap,
            "true_exponent": exponent,
        },
        {"bias": voltage},
    )


def usual_way(current: Array, voltage: Array) -> tuple[Array, Array]:
    """Gap and exponent of every spectrum by the tools at hand; it needs even points."""
    from scipy.signal import savgol_filter

    even = np.linspace(voltage[0], voltage[-1], 2 * len(voltage))
    gaps, exponents = [], []
    for row in current:
        slope = savgol_filter(np.interp(even, voltage, row), 7, 3, 1, delta=even[1] - even[0])
        peaks, alphas = [], []
        for sign in (-1, 1):
            near = (sign * even > 0.5e-3) & (sign * even < 2.5e-3)
            peaks.append(sign * even[near][np.argmax(slope[near])])
            far = (sign * even > 5e-3) & (sign * even < 30e-3) & (slope > 0)
            alphas.append(np.polyfit(np.log(np.abs(even[far])), np.log(slope[far]), 1)[0])
        gaps.append(np.mean(peaks))
        exponents.append(np.mean(alphas))
    return np.array(gaps), np.array(exponents)


def cpu[T](work: Callable[[], T]) -> tuple[T, float]:
    """Return a result and the CPU time it took, s."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def errors(found: Array, true: Array) -> str:
    """Mean error and scatter."""
    left = (found - true)[np.isfinite(found)]
    return f"{left.mean():+.2g} ± {left.std():.2g}"


def speed() -> None:
    """Print times and errors of both ways."""
    data = run(1)
    gap_exponent_maps(data.isel(y=slice(0, 8)))  # compile and import
    found, of_sites = cpu(lambda: gap_exponent_maps(data))
    gap = varying(found.gap, found.gap_std)
    gap, of_map = cpu(lambda: varying(found.gap, found.gap_std))
    exponent = varying(found.exponents.alpha, found.exponents.alpha_std)
    _, of_both = cpu(lambda: relation(gap, exponent))
    rows = data["current"].values.reshape(-1, data.sizes["bias"])
    some = slice(0, len(rows), 16)
    (gaps, alphas), usual = cpu(lambda: usual_way(rows[some], data["bias"].values))
    true_gap, true_alpha = data["true_gap"].values.ravel(), data["true_exponent"].values.ravel()
    print(
        "| 128 x 128 spectra of 256 points | CPU (s) | error of the gap (meV) | of the exponent |"
    )
    print("| --- | --- | --- | --- |")
    ours = errors(1e3 * found.gap.values.ravel(), 1e3 * true_gap)
    of_alpha = errors(found.exponents.alpha.values.ravel(), true_alpha)
    print(f"| gaps and exponents of all sites | {of_sites:.1f} | {ours} | {of_alpha} |")
    print(f"| correlations, lengths, theory | {2 * of_map + of_both:.1f} | | |")
    theirs = errors(1e3 * gaps, 1e3 * true_gap[some])
    of_alpha = errors(alphas, true_alpha[some])
    print(f"| usual way, from every 16th spectrum | {16 * usual:.0f} | {theirs} | {of_alpha} |")


def scatter(films: int) -> None:
    """Print mean and standard deviation over films of every number, frame by frame."""
    names = ("relative sigma of the gap", "length of the gap (nm)", "sigma of the exponent",
             "length of the exponent (nm)", "correlation", "its length (nm)")  # fmt: skip
    columns = []
    for width, height in FRAMES.values():
        rows = [numbers(seed, width, height) for seed in range(1, films + 1)]
        columns.append(np.array(rows))
    print(f"\n| over {films} films: mean ± scatter | " + " | ".join(FRAMES) + " |")
    print("| --- | --- | --- |")
    for number, name in enumerate(names):
        cells = []
        for column in columns:
            values = column[:, number]
            told = np.isfinite(values).sum()
            missing = "" if told == films else f" ({films - told} not told)"
            cells.append(f"{np.nanmean(values):.3g} ± {np.nanstd(values):.2g}{missing}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def numbers(seed: int, width: float, height: float) -> tuple[float, ...]:
    """What a map without noise tells of one film; NaN for what it does not."""
    none = (np.nan,) * 6
    try:
        gap, exponent = (varying(m, xr.zeros_like(m)) for m in maps(seed, width, height))
        both = relation(gap, exponent)
    except CannotTellError:
        return none
    return (
        gap.sigma.value / gap.mean.value, gap.length.length * 1e9, exponent.sigma.value,
        exponent.length.length * 1e9, both.at_zero.value,
        np.nan if both.length is None else both.length.length * 1e9,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=100)
    given = parser.parse_args()
    speed()
    scatter(given.films)


if __name__ == "__main__":
    main()

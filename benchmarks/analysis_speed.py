"""CPU time of every analysis of a map of 128 x 128 spectra of 256 points.

    python benchmarks/analysis_speed.py [--size 128] [--points 256]

Each analysis is called once to load its libraries on a small map, then timed once on the large one: CPU
seconds of the process, which other load on the machine does not lengthen much. The alternative beside it
does the same with the usual library, where there is one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import process_time

import numpy as np
import xarray as xr
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from stm_daq.analysis.maps.clustering import cluster_spectra
from stm_daq.analysis.stability.night import night_of
from stm_daq.analysis.stability.noise import noise_of_spectra, stripes_of
from stm_daq.analysis.topographs.distortion import image_shift
from stm_daq.analysis.topographs.fourier import fourier, fourier_of_energies
from stm_daq.analysis.topographs.lattice import find_peaks
from stm_daq.analysis.topographs.roughness import height_distribution, roughness
from stm_daq.analysis.topographs.rows import align_rows, scars_of
from stm_daq.analysis.topographs.surface import level, level_terraces

type Work = Callable[[xr.Dataset], object]


def make_run(size: int, points: int) -> xr.Dataset:
    """A night without fits: a smooth field of gaps, white noise, steady readings."""
    rng = np.random.default_rng(1)
    gap = 6e-4 + 8e-5 * _smooth(rng, size)
    bias = np.linspace(4e-3, -4e-3, points)
    curve = np.abs(bias) / np.sqrt((bias**2 - gap[..., None] ** 2) ** 2 / bias**2 + 4e-8)
    noise = rng.standard_normal((2, size, size, points))
    site = ("y", "x")
    axis = (np.arange(size) + 0.5) * 1e-9
    unit = {"units": "m"}
    variables = {
        "conductance": ((*site, "bias"), 2.5e-8 * (curve + 0.02 * noise[0])),
        "current": ((*site, "bias"), 2.5e-8 * bias + 1e-12 * noise[1]),
        "z": (site, 1e-9 * _smooth(rng, size), unit),
        "setpoint_current": (site, 1e-10 + 1e-12 * rng.standard_normal((size, size))),
        "stage_temperature": (site, 0.5 + 1e-3 * rng.standard_normal((size, size))),
        "time": (site, 1.8e9 + 3.0 * np.arange(size * size).reshape(size, size)),
    }
    return xr.Dataset(
        variables, coords={"y": ("y", axis, unit), "x": ("x", axis, unit), "bias": bias}
    )


def _smooth(rng: np.random.Generator, size: int) -> np.ndarray:
    field = ndimage.gaussian_filter(rng.standard_normal((size, size)), 3, mode="wrap")
    return field / field.std()


def _library_clusters(run: xr.Dataset) -> None:
    """Principal components and k-means for 2 to 6 clusters, without any criterion."""
    flat = run["conductance"].values.reshape(-1, run.sizes["bias"])
    scores = PCA(8).fit_transform(flat)
    for count in range(2, 7):
        KMeans(count, n_init=4, random_state=0).fit(scores)


def _library_energies(run: xr.Dataset) -> None:
    np.abs(np.fft.fft2(run["conductance"].values, axes=(0, 1)))


ANALYSES: dict[str, tuple[Work, Work | None]] = {
    "level, plane": (lambda run: level(run["z"]), None),
    "level, robust plane": (lambda run: level(run["z"], robust=True), None),
    "level, terraces": (lambda run: level_terraces(run["z"]), None),
    "rows, medians": (lambda run: align_rows(run["z"]), None),
    "rows, lines": (lambda run: align_rows(run["z"], "line"), None),
    "scars": (lambda run: scars_of(run["z"]), None),
    "stripes": (lambda run: stripes_of(run["z"]), None),
    "roughness": (lambda run: roughness(run["z"]), None),
    "distribution of heights": (lambda run: height_distribution(run["z"]), None),
    "Fourier transform": (
        lambda run: fourier(run["z"]),
        lambda run: np.abs(np.fft.fft2(run["z"].values)),
    ),
    "waves": (lambda run: find_peaks(run["z"]), None),
    "shift of two images": (lambda run: image_shift(run["z"], run["z"]), None),
    "Fourier transforms of all energies": (
        lambda run: fourier_of_energies(run["conductance"]),
        _library_energies,
    ),
    "kinds of spectra": (lambda run: cluster_spectra(run["conductance"]), _library_clusters),
    "noise of spectra": (lambda run: noise_of_spectra(run["conductance"]), None),
    "steadiness of the night": (night_of, None),
}
"""What is timed, and the same by numpy or scikit-learn."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--points", type=int, default=256)
    options = parser.parse_args()
    small, large = make_run(24, 64), make_run(options.size, options.points)
    print("| analysis | CPU (s) | numpy or scikit-learn (s) |\n| --- | --- | --- |")
    total = 0.0
    for name, (ours, theirs) in ANALYSES.items():
        seconds = timed(ours, small, large)
        total += seconds
        beside = "-" if theirs is None else f"{timed(theirs, small, large):.3f}"
        print(f"| {name} | {seconds:.3f} | {beside} |")
    print(f"| all | {total:.2f} | |")


def timed(work: Work, small: xr.Dataset, large: xr.Dataset) -> float:
    """Return the CPU time of a call, s, after one on a small map."""
    work(small)
    start = process_time()
    work(large)
    return process_time() - start


if __name__ == "__main__":
    main()

"""How often do the statistics of maps find what is not there, and do they find what is?

Run ``python benchmarks/false_positives.py [seeds]`` (400 by default; about 8 minutes of CPU). The tables
are in docs/correlations.md. Every seed is tested with three independent pairs of maps, so that
400 seeds give a rate at the 5 % level to 0.6 %. The fields are not those on which the test was
made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr
from scipy import fft

from sim.samples.nbn_altshuler_aronov import NbnFilm
from sim.samples.tin import TinFilm
from stm_daq.analysis.space.correlation import radial_profile
from stm_daq.analysis.space.correlation_length import correlation_length
from stm_daq.analysis.space.map_spread import spread_of_map
from stm_daq.analysis.space.significance import correlate
from stm_daq.analysis.space.spread import spread_of

PLACES = 3
"""Pairs of maps for each seed."""
FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gaussian": lambda r: np.exp(-(r**2)),
    "exponential": lambda r: np.exp(-r),
    "ringing": lambda r: np.sinc(r / 2) * np.exp(-((r / 6) ** 2)),
}


def random_fields(shape, length, form, rng, count):
    """Draw Gaussian random fields with the covariance form(distance / length), in pixels."""
    size = [2 * n for n in shape]
    y, x = (np.abs(np.fft.fftfreq(n) * n) for n in size)
    spectrum = fft.fft2(FORMS[form](np.hypot(y[:, None], x) / length)).real
    amplitude = np.sqrt(np.maximum(spectrum, 0) / np.prod(size))
    fields = []
    for _ in range(-(-count // 2)):
        noise = rng.standard_normal(size) + 1j * rng.standard_normal(size)
        field = fft.fft2(amplitude * noise)[: shape[0], : shape[1]]
        fields += [field.real, field.imag]
    return fields[:count]


def as_map(values, pitch=1e-9, name="map"):
    """Return values as a map of square pixels."""
    y, x = (np.arange(n) * pitch for n in values.shape)
    return xr.DataArray(values, {"y": y, "x": x}, ("y", "x"), name)


def gaps(values, kind, rng):
    """Take pixels out of a map: 30 % here and there, or a quarter of it at one corner."""
    values = values.copy()
    if kind == "scattered":
        values[rng.random(values.shape) < 0.3] = np.nan
    elif kind == "corner":
        values[: values.shape[0] // 2, : values.shape[1] // 2] = np.nan
    return values


def drawn_pairs(seeds, shape, length, form, missing="", other=None, shared=0.0, slope=0.0):
    """Yield pairs of random fields with the correlation `shared`."""
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 7])
        a = random_fields(shape, length, form, rng, PLACES)
        b = random_fields(shape, other or length, form, rng, PLACES)
        for one, two in zip(a, b, strict=True):
            two = shared * one + np.sqrt(1 - shared**2) * two
            ramp = slope * np.linspace(-1, 1, shape[0])[:, None]
            yield as_map(gaps(one + ramp, missing, rng)), as_map(two + ramp)


def nbn_pairs(seeds, which):
    """Yield maps of the twin's NbN film without cross-correlation: 300 x 250 nm, 5 nm pixels."""
    x, y = np.meshgrid(np.arange(60) * 5e-9, np.arange(50) * 5e-9)
    films = (NbnFilm(seed=seed, cross_correlation=0.0) for seed in range(seeds))
    seen = [(*film.properties(x, y), film.height(x, y)) for film in films]
    for seed in range(seeds):
        for place in range(PLACES):  # films of other seeds are unrelated as well
            a, b = seen[seed][0], seen[(seed + place) % seeds][which]
            yield as_map(a, 5e-9), as_map(b, 5e-9)


def tin_pairs(seeds, name, film=TinFilm):
    """Yield maps of a TiN film that owes nothing to height: 288 x 120 nm, 119 grains."""
    for seed in range(seeds):
        world = film(seed=seed, gap_by_height=0.0, heat_by_height=0.0)
        for place in range(PLACES):
            x, y = np.meshgrid(np.arange(72) * 4e-9, np.arange(30) * 4e-9)
            found = world.properties(x, y + place * 1e-6)
            yield as_map(getattr(found, name), 4e-9), as_map(found.height, 4e-9)


def cases(seeds) -> Iterator[tuple[str, Iterator]]:
    """Yield the name and the pairs of every null test of a correlation."""
    for shape in ((48, 48), (24, 96)):
        for form in FORMS:
            for length in (1, 2, 4, 6) if shape[0] == shape[1] else (1, 3):
                name = f"{form}, {shape[0]} x {shape[1]}, length {length}"
                yield name, drawn_pairs(seeds, shape, length, form)
    for missing in ("scattered", "corner"):
        for form in ("gaussian", "exponential"):
            name = f"{form}, 48 x 48, length 5, missing: {missing}"
            yield name, drawn_pairs(seeds, (48, 48), 5, form, missing)
    yield "gaussian, lengths 6 and 1.5", drawn_pairs(seeds, (48, 48), 6, "gaussian", other=1.5)
    yield "gaussian, length 4, both sloping", drawn_pairs(seeds, (48, 48), 4, "gaussian", slope=3)
    yield "NbN: gap and exponent", nbn_pairs(seeds, 1)
    yield "NbN: gap and height", nbn_pairs(seeds, 2)
    for name in ("gap", "temperature", "barrier"):
        yield f"TiN, same grains: {name} and height", tin_pairs(seeds, name)


def correlations(seeds) -> None:
    """Print the rate of p < 0.05 of unrelated maps, and the textbook's beside it."""
    print(
        "| unrelated maps | effective pixels | Pearson | Spearman | Pearson, p < 1 % | textbook |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, pairs in cases(seeds):
        found = [correlate(a, b) for a, b in pairs]
        p, rank, naive, effective = np.array(
            [
                (
                    c.pearson.p_value,
                    c.spearman.p_value,
                    c.pearson.naive_p_value,
                    c.pearson.effective,
                )
                for c in found
            ]
        ).T
        print(
            f"| {name} | {np.median(effective):.0f} | {percent(p < 0.05)} | {percent(rank < 0.05)}"
            f" | {percent(p < 0.01)} | {percent(naive < 0.05)} |",
            flush=True,
        )


def percent(mask) -> str:
    """Write the fraction of True."""
    return f"{100 * np.mean(mask):.1f} %"


def power(seeds) -> None:
    """Print how often a correlation of 0.5 is found, and its interval holds the truth."""
    print("\n| correlation 0.5 | found (p < 0.05) | 0.5 inside the 95 % interval | mean r |")
    print("| --- | --- | --- | --- |")
    for form, length in (("gaussian", 2), ("gaussian", 4), ("gaussian", 6), ("exponential", 4)):
        pairs = drawn_pairs(seeds, (48, 48), length, form, shared=0.5)
        found = [correlate(a, b).pearson for a, b in pairs]
        inside = [c.low <= 0.5 <= c.high for c in found]
        print(
            f"| {form}, 48 x 48, length {length} | {percent([c.p_value < 0.05 for c in found])} |"
            f" {percent(inside)} | {np.mean([c.value for c in found]):.3f} |",
            flush=True,
        )


def noise_maps(seeds, understated) -> Iterator[tuple[xr.DataArray, xr.DataArray]]:
    """Yield maps of nothing but noise, and standard deviations that may be too small."""
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 8])
        for _ in range(PLACES):
            std = 0.02 * np.exp(0.3 * rng.standard_normal((40, 50)))
            values = 1 + std * rng.standard_normal(std.shape)
            yield as_map(gaps(values, "scattered", rng)), as_map(std * (1 - understated))


def homogeneity(seeds) -> None:
    """Print how often nothing but fit noise is called inhomogeneous."""
    print(
        "\n| nothing but fit noise | chi-square of stated errors | pattern of neighbours |"
        " intrinsic sigma > 2 std: stated | neighbours |"
    )
    print("| --- | --- | --- | --- | --- |")
    for understated in (0.0, 0.3):
        found = [spread_of_map(*pair) for pair in noise_maps(seeds, understated)]
        stated = np.array([spread.stated.p_value for spread in found])
        pattern = np.array([spread.p_value for spread in found])
        large = [
            [s.intrinsic > 2 * s.intrinsic_std for s in side]
            for side in zip(*((spread.stated, spread.neighbours) for spread in found), strict=True)
        ]
        name = f"errors {100 * understated:.0f} % too small" if understated else "right errors"
        print(
            f"| {name} | {percent(stated < 0.05)} | {percent(pattern < 0.05)} |"
            f" {percent(large[0])} | {percent(large[1])} |",
            flush=True,
        )
    print(
        "\n| values, noise 1, intrinsic sigma | found | true inside 2 std | called inhomogeneous |"
    )
    print("| --- | --- | --- | --- |")
    rng = np.random.default_rng(3)
    for sigma in (0.0, 0.5, 1.0, 2.0):
        spreads = [
            spread_of(rng.normal(0, np.hypot(1, sigma), 200), np.ones(200)) for _ in range(seeds)
        ]
        mean = np.sqrt(np.mean([s.intrinsic**2 for s in spreads]))
        inside = [abs(s.intrinsic - sigma) < 2 * s.intrinsic_std for s in spreads]
        inside = percent(inside) if sigma else "-"
        called = percent([s.p_value < 0.05 for s in spreads])
        print(f"| 200 values, {sigma} | {mean:.3f} | {inside} | {called} |", flush=True)


def lengths(seeds) -> None:
    """Print how well correlation lengths are found under noise, and their stated errors."""
    print(
        "\n| field, map, noise / signal | length found / true | scatter | stated |"
        " extrapolated amplitude / true | at zero lag / true |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    rng = np.random.default_rng(5)
    for form, shape, length, noise in (
        ("gaussian", (96, 96), 4, 0.0), ("gaussian", (96, 96), 4, 1.0),
        ("gaussian", (96, 96), 8, 0.5), ("exponential", (96, 96), 4, 0.5),
        ("gaussian", (48, 192), 4, 0.5),
    ):  # fmt: skip
        found = []
        for field in random_fields(shape, length, form, rng, seeds):
            noisy = as_map(field + noise * rng.standard_normal(shape), 1.0)
            found.append(correlation_length(radial_profile(noisy)))
        values = np.array([c.length for c in found]) / length
        stated = np.sqrt(np.mean([c.length_std**2 for c in found])) / length
        amplitude = np.median([c.amplitude for c in found]) * (1 + noise**2)
        print(
            f"| {form}, {shape[0]} x {shape[1]}, length {length}, {noise} | {np.median(values):.3f} |"
            f" {np.std(values):.3f} | {stated:.3f} | {amplitude:.2f} | {1 + noise**2:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    correlations(number)
    power(number)
    homogeneity(number)
    lengths(min(number, 200))

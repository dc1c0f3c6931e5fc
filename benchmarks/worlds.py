"""Pictures of the twin's worlds for docs/worlds.md: python benchmarks/worlds.py [FOLDER]

Each shows a map or two of what the surface is, and spectra as a perfect lock-in would see them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from sim.samples import inox, measured, microwave, nbn_ald, nbn_altshuler_aronov, tin

mpl.use("Agg")
from matplotlib import pyplot as plt

type Array = NDArray[np.float64]

FOLDER = Path(__file__).resolve().parents[1] / "docs/worlds"
MODULATION = 35e-6
"""Peak of the lock-in modulation, V."""
QUANTUM = 7.748e-5
"""Conductance quantum, S."""


def places(size: float, points: int = 160) -> tuple[Array, Array]:
    """Return a square raster, m."""
    line = np.linspace(0, size, points)
    x, y = np.meshgrid(line, line)
    return x, y


def show(axes: Any, values: Array, size: float, title: str, cmap: str = "viridis") -> None:
    """Draw one map."""
    extent = (0.0, size * 1e9, 0.0, size * 1e9)
    image = axes.imshow(values, origin="lower", extent=extent, cmap=cmap)
    axes.set(title=title, xlabel="x (nm)", ylabel="y (nm)")
    axes.figure.colorbar(image, ax=axes, shrink=0.75)


def draw(
    axes: Any, largest: float, curves: dict[str, Callable[[Array, float], Array]], title: str
) -> None:
    """Draw spectra by label."""
    bias = np.linspace(-largest, largest, 801)
    for label, conductance in curves.items():
        axes.plot(1e3 * bias, conductance(bias, MODULATION), label=label, lw=1)
    axes.set(title=title, xlabel="bias (mV)", ylabel="dI/dV, normalised")
    axes.set_ylim(top=1.4 * axes.get_ylim()[1])  # room for the legend
    axes.legend(fontsize=6, loc="upper center", ncols=2 if len(curves) > 3 else 1)


def tin_film(film: Any, axes: Any) -> None:
    """Height and gap, and spectra of three places."""
    size = 100e-9
    here = film.properties(*places(size))
    show(axes[0], here.height * 1e9, size, "height (nm)", "gray")
    show(axes[1], here.gap * 1e3, size, "gap (meV)")
    spots = [(10e-9, 20e-9), (60e-9, 45e-9), _spot(film, size)]
    curves = {}
    for x, y in spots:
        junction = film.junction(x, y, 0.5)
        label = f"gap {1e3 * junction.gap:.2f} meV, {junction.temperature:.1f} K"
        curves[f"{label}, Z {junction.barrier:.2f}"] = junction.conductance
    draw(axes[2], 3e-3, curves, "three places")


def _spot(film: Any, size: float) -> tuple[float, float]:
    """Find a place with a transparent barrier."""
    x, y = places(size)
    where = np.unravel_index(np.argmin(film.properties(x, y).barrier), x.shape)
    return float(x[where]), float(y[where])


def ald_films(axes: Any) -> None:
    """Histograms of three thicknesses, a gap map, spectra."""
    films = {f"{nm} nm": nbn_ald.NbnFilm(1, nm * 1e-9) for nm in (25, 5, 4)}
    for label, film in films.items():
        gap = film.gap(*places(300e-9)).ravel() * 1e3
        axes[0].hist(gap, 60, histtype="step", density=True, label=label)
    axes[0].set(title="gap", xlabel="gap (meV)", ylabel="density (1/meV)")
    axes[0].legend(fontsize=7)
    show(axes[1], films["4 nm"].gap(*places(60e-9)) * 1e3, 60e-9, "4 nm: gap (meV)")
    curves = {
        label: film.junction(0.0, 0.0, film.growth.stage_temperature).conductance
        for label, film in films.items()
    }
    draw(axes[2], 8e-3, curves, "at the paper's temperatures")


def repelling_electrons(axes: Any) -> None:
    """Gap and exponent, and spectra where they differ."""
    film, size = nbn_altshuler_aronov.NbnFilm(1), 250e-9
    x, y = places(size)
    gap, exponent = film.properties(x, y)
    show(axes[0], gap * 1e3, size, "gap (meV)")
    show(axes[1], exponent, size, "exponent", "viridis_r")
    curves = {}
    for where in (np.argmin(exponent), np.argmax(exponent)):
        junction = film.junction(float(x.flat[where]), float(y.flat[where]), 0.3)
        there = junction.truth
        label = f"gap {1e3 * there['gap']:.2f} meV, exponent {there['exponent']:.2f}"
        curves[label] = junction.conductance
    draw(axes[2], 30e-3, curves, "smallest and largest exponent")


def indium_oxide(axes: Any) -> None:
    """Gap map, and spectra from tunnelling to contact of films 2 and 4."""
    film, size = inox.InoxFilm(1, 2), 100e-9
    show(axes[0], film.gap(*places(size)) * 1e3, size, "InO-2: gap of electrons (meV)")
    for axis, number in ((axes[1], 2), (axes[2], 4)):
        junction = inox.InoxFilm(1, number).junction(0.0, 0.0, 0.05)
        curves = {
            f"{part:g} x 2e²/h": junction.at(part * QUANTUM).conductance
            for part in (0.01, 0.5, 1.0, 2.0, 3.0)
        }
        draw(axis, 2e-3, curves, f"InO-{number}, from tunnelling to contact")


def microwaves(axes: Any) -> None:
    """Temperature against power, and spectra of both materials."""
    powers = np.geomspace(1e-12, 1e-6, 200)
    films = {"InOx": microwave.InoxFilm(), "NbN": microwave.NbnFilm()}
    for label, film in films.items():
        warm = [film.electron_temperature(0.3, p) / film.critical_temperature for p in powers]
        axes[0].semilogx(powers, warm, label=label)
    axes[0].axhline(1.0, color="0.6", lw=0.8)
    axes[0].set(title="heating", xlabel="power at the tip (W)", ylabel="Te / Tc")
    axes[0].legend(fontsize=7)
    for axis, (label, film), largest in zip(axes[1:], films.items(), (2e-3, 5e-3), strict=True):
        normal = next(
            p for p in powers if film.electron_temperature(0.3, p) > film.critical_temperature
        )
        curves = {
            f"{1e9 * power:.2g} nW": film.heated_junction(0.0, 0.0, 0.3, power).conductance
            for power in normal * np.array([0.0, 0.2, 0.5, 0.8, 1.0])
        }
        draw(axis, largest, curves, label)


def made_of_data(axes: Any) -> None:
    """A topograph and three curves, invented here in place of measured ones."""
    from stm_daq.physics import btk

    size = 100e-9
    x, y = places(size)
    heights = tin.TinFilm(2).height(x, y)
    bias = np.linspace(-3e-3, 3e-3, 301)
    spectra = [(t, bias, btk.conductance(bias, 0.6e-3, t, 2.0)) for t in (0.5, 1.5, 2.5)]
    film = measured.Measured(heights, (size, size), spectra)
    centred = x - size / 2, y - size / 2
    show(axes[0], film.height(*centred) * 1e9, size, "height (nm)", "gray")
    coarse = [film.junction(a, b, 0.5).temperature for a, b in zip(*_every(centred), strict=True)]
    show(axes[1], np.reshape(coarse, (40, 40)), size, "temperature of the curve (K)")
    curves = {
        f"x = {1e9 * a:.0f} nm": film.junction(a, 0.0, 0.5).conductance
        for a in (-40e-9, 0.0, 30e-9)
    }
    draw(axes[2], 3e-3, curves, "mixed from neighbouring curves")


def _every(centred: tuple[Array, Array]) -> tuple[list[float], list[float]]:
    x, y = centred
    return x[::4, ::4].ravel().tolist(), y[::4, ::4].ravel().tolist()


FIGURES: dict[str, Callable[[Any], None]] = {
    "tin_50nm": lambda axes: tin_film(tin.TinFilm(1), axes),
    "tin_25nm": lambda axes: tin_film(tin.TinFilm25(1), axes),
    "nbn_ald": ald_films,
    "nbn_altshuler_aronov": repelling_electrons,
    "inox": indium_oxide,
    "microwave": microwaves,
    "measured": made_of_data,
}


def main() -> None:
    """Write all pictures."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, paint in FIGURES.items():
        figure, axes = plt.subplots(1, 3, figsize=(11, 3.3), layout="constrained")
        paint(axes)
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=80)
        plt.close(figure)
        print(f"{path} {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

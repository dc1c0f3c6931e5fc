"""The general analyses on measured files: the table of docs/analysis.md, and figures to look at.

    python benchmarks/measured_analyses.py [--data FOLDER] [--figures FOLDER]

FOLDER (by default ../shared/realdata beside the repository) holds files of other laboratories, which
are not ours to pass on; docs/analysis.md says where they come from. Figures are written only where
you say.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

import stm_daq
from stm_daq.analysis.maps.clustering import cluster_spectra
from stm_daq.analysis.spectra.dip import dip_of
from stm_daq.analysis.stability.noise import noise_of_spectra, stripes_of
from stm_daq.analysis.topographs.distortion import affine_of_lattice, image_shift
from stm_daq.analysis.topographs.lattice import Symmetry, find_peaks, lattice_of
from stm_daq.analysis.topographs.roughness import height_distribution, roughness
from stm_daq.analysis.topographs.surface import level
from stm_daq.errors import CannotTellError
from stm_daq.report.general.surface import levelled
from stm_daq.report.recipes import general
from stm_daq.report.style import NothingToShowError

DATA = Path(__file__).parents[2] / "shared" / "realdata"
NM, PM, MV = 1e9, 1e12, 1e3
FESE = "nanonis_files/FeSe_topography.sxm"
GOLD = "nanonis_files/Au_mica_2023_Y_A_diPAMY_20230512_058.sxm"
PROFILE = "nbs2_sts_350mK_janberges/Figure_1b.txt"
MAP = "nbs2_sts_350mK_janberges/Figure_2e.txt"
SEVEN = "nbs2_sts_350mK_janberges/Figure_3b.txt"
TWO = "nbs2_sts_350mK_janberges/Figure_3c.txt"
GRID = "nanonis_files/NanonisReader_STS_grid_lockin.3ds"
SINGLE = "nanonis_files/nxarray_i_v.dat"
FILES = (FESE, GOLD, PROFILE, MAP, SEVEN, TWO, GRID, SINGLE)

type Row = tuple[str, str, str, str]
"""File, what, found, expected."""


def main() -> None:
    """Print the table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    rows = [
        *iron_selenide(stm_daq.read(options.data / FESE)),
        *gold(stm_daq.read(options.data / GOLD)),
        *niobium_disulfide(options.data),
        *grid(stm_daq.read(options.data / GRID)),
        ("`nxarray_i_v.dat`", *single(stm_daq.read(options.data / SINGLE))),
    ]
    print("| data | quantity | found | to compare with |\n| --- | --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    if options.figures is not None:
        for name in FILES:
            draw(stm_daq.read(options.data / name), options.figures / Path(name).stem)


def iron_selenide(data: xr.Dataset) -> Iterator[Row]:
    """FeSe, 20 nm: lattice of the uppermost selenium, its distortion, roughness, retrace."""
    there, back = (data["topography"].isel(direction=way) for way in (0, 1))
    flat = levelled(there)
    for name, image in (("topograph", flat), ("current", data["current"].isel(direction=0))):
        yield (
            "FeSe",
            f"lattice constant, {name}",
            *lattice(image, "square", 0.377e-9),
            "0.377 nm [1]",
        )
    found = lattice_of(find_peaks(flat), "square", near=0.377e-9)
    affine = affine_of_lattice(found, 0.377e-9)
    yield "FeSe", "distortion that makes it square", f"shear {100 * affine.shear:.1f} %", "0"
    surface = roughness(flat)
    yield "FeSe", "roughness Sq", f"{surface.rms * PM:.1f} ± {surface.rms_std * PM:.1f} pm", "-"
    shift = image_shift(level(there), level(back))
    text = f"x {shift.x * NM:.3f}, y {shift.y * NM:.3f} nm (correlation {shift.clearness:.2f})"
    yield "FeSe", "retrace against trace", text, "-"
    share = stripes_of(level(there)).share, stripes_of(flat).share
    yield "FeSe", "stripes of rows, part of variance", "{:.3f}; levelled {:.3f}".format(*share), "0"


def gold(data: xr.Dataset) -> Iterator[Row]:
    """Au on mica with a molecule, feedback off: heights say nothing, the current does."""
    there, back = (data["current"].isel(direction=way) for way in (0, 1))
    yield "Au", "topograph", told(lambda: str(roughness(data["topography"][0]))), "feedback was off"
    shift = image_shift(there, back)
    text = f"x {shift.x * NM:.3f}, y {shift.y * NM:.3f} nm (correlation {shift.clearness:.3f})"
    yield "Au", "retrace against trace, current", text, "-"
    found = told(lambda: str(lattice_of(find_peaks(there), "hexagonal", near=0.288e-9).constant))
    yield "Au", "lattice of gold in the current", found, "0.288 nm, if resolved"


def niobium_disulfide(folder: Path) -> Iterator[Row]:
    """NbS2: terraces of the profile, atoms and charge density wave of the map, gaps of the spectra."""
    found = height_distribution(stm_daq.read(folder / PROFILE)["height"])
    names = ("edge of NbS2", "step of the substrate")
    expected = ("half of c: 0.60 nm [2]", "0.222 nm [3], if it is a step of Ir(111)")
    pairs = list(zip(found.terraces[:-1], found.terraces[1:], strict=True))
    for name, literature, (low, high) in zip(names, expected, pairs, strict=True):
        std = np.hypot(low.height_std, high.height_std)
        step = f"{(high.height - low.height) * NM:.3f} ± {std * NM:.3f} nm"
        yield "NbS2 profile", name, step, literature
    peaks = find_peaks(stm_daq.read(folder / MAP)["current"])
    atoms = lattice_of(peaks, "hexagonal", near=0.333e-9)
    wave = lattice_of(peaks, "hexagonal", near=1.0e-9)
    stretch = f"angle {atoms.angle:.1f}°, lengths differ by {100 * (atoms.inequality - 1):.1f} %"
    yield (
        "NbS2 map",
        "lattice constant",
        f"{atoms.constant * NM:.4f} nm ({stretch})",
        "0.332 nm [2]",
    )
    yield (
        "NbS2 map",
        "charge density wave",
        f"{wave.constant * NM:.4f} ± {wave.constant_std * NM:.4f} nm",
        "-",
    )
    yield "NbS2 map", "their ratio", f"{wave.constant / atoms.constant:.3f}", "3 [4]"
    for name, file in (("seven spectra", SEVEN), ("two spectra", TWO)):
        widths, refused = [], 0
        for spectrum in stm_daq.read(folder / file)["conductance"]:
            try:
                widths.append(dip_of(spectrum).width * MV)
            except CannotTellError:
                refused += 1
        text = ", ".join(f"{width:.1f}" for width in widths) + " mV"
        yield f"NbS2, {name}", "width at half depth", text, "gap of the order of 20 meV [4]"


def grid(data: xr.Dataset) -> Iterator[Row]:
    """The 30 x 30 .3ds: kinds of spectra, noise, surface."""
    found = cluster_spectra(data["conductance"])
    kind = "varies without a break" if found.continuum else "-"
    yield (
        "30 x 30 grid",
        "kinds of spectra",
        f"{found.count} ({kind}; p = {found.p_value:.3f})",
        "-",
    )
    kept = len(found.components)
    share = 100 * found.explained[:kept].sum()
    yield (
        "30 x 30 grid",
        "principal components above noise",
        f"{kept}, {share:.0f} % of variance",
        "-",
    )
    three = cluster_spectra(data["conductance"], count=3)
    text = f"{', '.join(str(size) for size in three.sizes)} (stability {three.stability:.2f})"
    yield "30 x 30 grid", "asked for three kinds", text, "-"
    noise = noise_of_spectra(data["conductance"])
    correlation = f"correlation {float(noise.correlation.median()):.2f}"
    text = f"{float(noise.noise.median()) * MV:.0f} mV of the lock-in, {correlation}"
    yield "30 x 30 grid", "noise from point to point", text, "white: -0.75"
    surface = roughness(levelled(data["z"]))
    text = f"{surface.rms * PM:.0f} ± {surface.rms_std * PM:.0f} pm"
    yield "30 x 30 grid", "roughness Sq of the heights", text, "-"


def single(data: xr.Dataset) -> tuple[str, str, str]:
    """A single spectrum with a dip of two millivolt, there and back."""
    ways = [dip_of(data["conductance"].isel(direction=way)) for way in (0, 1)]
    text = ", ".join(f"{dip.width * MV:.2f} ± {dip.std * MV * 2**0.5:.2f}" for dip in ways)
    return "width at half depth, there and back", f"{text} mV", "-"


def lattice(image: xr.DataArray, symmetry: Symmetry, near: float) -> tuple[str]:
    """Describe a lattice."""
    found = lattice_of(find_peaks(image), symmetry, near=near)
    return (f"{found.constant * NM:.5f} ± {found.constant_std * NM:.5f} nm ({found.angle:.1f}°)",)


def told(find) -> str:
    """Return what was found, or the sentence that says why nothing was."""
    try:
        return find()
    except CannotTellError as reason:
        return f"refused: {reason}"


def draw(data: xr.Dataset, folder: Path) -> None:
    """Write the figures of a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, chapter in enumerate(general.chapters(data)):
        try:
            chapter.draw().savefig(folder / f"{number}.png", dpi=110)
        except NothingToShowError as reason:
            print(f"{folder.name}: {chapter.title}: {reason}")


if __name__ == "__main__":
    main()

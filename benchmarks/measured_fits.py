"""Fits of measured spectra: the figures and tables of docs/measured_fits.md.

    python benchmarks/measured_fits.py [--data FOLDER]

FOLDER (by default ../shared/realdata beside the repository) holds the files of three laboratories,
which are not ours to pass on; docs/measured_fits.md says where they come from.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from measured_cases import MEV, Case, cells_in_order, fitted, gaps_of, two_gaps

from stm_daq.fitting import fit_gap_series
from stm_daq.physics import bcs
from stm_daq.report.runs.fits import figure_fits
from stm_daq.report.runs.spectra import draw_spectrum, spectrum_panels
from stm_daq.report.style import BLUE, DATA, FAILED, FIT, GREEN, in_house_style, new_figure
from stm_daq.store.formats import MeasuredSpectra, read_spectra

ROOT = Path(__file__).parents[1]
DATA_FOLDER = ROOT.parent / "shared" / "realdata"
PAGE = ROOT / "docs" / "measured_fits.md"
FIGURES = ROOT / "docs" / "figures"


def nbse2(folder: Path) -> None:
    """Ten temperatures: one gap, two gaps, and how they close."""
    files = [read_spectra(path) for path in folder.glob("nbse2*/*.csv")]
    files.sort(key=lambda spectra: spectra.temperature or 0.0)
    one = [fitted(spectra) for spectra in files]
    two = [two_gaps(spectra, temperature=None) for spectra in files]
    titles = [f"{case.spectra.temperature:.3g} K, one gap" for case in one]
    save(figure_fits([c.drawn(t) for c, t in zip(one, titles, strict=True)]), "nbse2_one_gap")
    save(figure_cold(one[0], two_gaps(files[0]), two[0]), "nbse2_70mK")
    save(figure_gaps(one, two), "nbse2_gaps")
    heads = (
        "T (K)",
        "Δ",
        "Γ",
        "rms %",
        "verdict",
        "Δ small",
        "Δ large",
        "part of small",
        "T* (K)",
        "rms %",
        "verdict",
    )
    rows = []
    for a, b in zip(one, two, strict=True):
        first = [*a.values("gap", "broadening"), f"{a.rms:.2f}", a.verdict]
        more = [*cells_in_order(b.result), *b.values("temperature"), f"{b.rms:.2f}", b.verdict]
        rows.append([f"{a.spectra.temperature:.3g}", *first, *more])
    table("nbse2", heads, rows)
    write("nbse2-series", f"One gap: {fit_gap_series(*gaps_of(one, 'gap'))}.")


@in_house_style
def figure_cold(one: Case, two: Case, smeared: Case) -> Figure:
    """Draw three fits of the coldest spectrum, and all on a logarithmic scale."""
    figure, panels = spectrum_panels(4, 4, (2.45, 3.3))
    bias, microsiemens = 1e3 * one.spectra.bias, 1e6 * one.conductance
    upper, lower = panels[3]
    upper.semilogy(bias, microsiemens, ".", color=DATA, markersize=2, label="data")
    names = ("one gap, Γ", "two gaps, Γ", "two gaps, T*")
    for axes, case, name, colour in zip(
        panels, (one, two, smeared), names, (FIT, BLUE, GREEN), strict=False
    ):
        curve = 1e6 * case.result.curve
        draw_spectrum(axes, one.spectra.bias, microsiemens, curve, colour)
        axes[0].set_title(
            f"NbSe2 at 68 mK: {name}\n{case.verdict}\nresiduals {case.rms:.1f} % rms", fontsize=7
        )
        upper.semilogy(bias, curve, color=colour, linewidth=1, label=name)
        lower.plot(bias, microsiemens - curve, color=colour, linewidth=0.8)
    panels[0][0].set_ylabel("dI/dV (µS)")
    panels[0][1].set_ylabel("Residual (µS)")
    upper.set_title("all on a logarithmic scale:\nthe gap is empty", fontsize=7)
    upper.legend(loc="lower left", handlelength=0.8, handletextpad=0.4, borderpad=0.1, fontsize=5.5)
    upper.set_ylim(2e-3, 30)
    return figure


@in_house_style
def figure_gaps(one: list[Case], two: list[Case]) -> Figure:
    """Draw the gaps against temperature with BCS curves that close together."""
    figure = new_figure(3.4, 4.8)
    axes = figure.add_subplot()
    series = fit_gap_series(*gaps_of(one, "gap"))
    line = np.linspace(0.0, series.tc, 400)
    labels = {"gap": "one gap", "small": "two gaps: the smaller", "large": "two gaps: the larger"}
    for (name, label), colour in zip(labels.items(), (FIT, GREEN, BLUE), strict=True):
        kelvin, gap, std = gaps_of(one if name == "gap" else two, name)
        axes.errorbar(
            kelvin, gap / MEV, std / MEV, fmt="o", markersize=3.5, color=colour, label=label
        )
        gap0 = series.gap0 if name == "gap" else gap[0]
        style = "-" if name == "gap" else "--"
        axes.plot(line, bcs.gap(line, gap0, series.tc) / MEV, style, color=colour, linewidth=1)
    axes.plot(one[-1].spectra.temperature, 0, "x", color=FAILED, label="no gap seen")
    axes.set(xlabel="Temperature (K)", ylabel="Gap (meV)", ylim=(-0.05, 1.95), xlim=(-0.2, 9))
    axes.set_title(
        f"NbSe2: gaps of doubtful fits; lines: BCS gap(T), Tc = {series.tc:.2f} ± {series.tc_std:.2f} K"
    )
    axes.legend(loc="upper right")
    return figure


def mgb2(folder: Path) -> None:
    """Two spectra with standard errors: one gap, two gaps, and whether there is one near 7 meV."""
    names = ("MgB2_01", "MgB2_02")
    paths = [folder / "mgb2_sts_gderosa" / f"{name}.dat" for name in names]
    files = [read_spectra(path, "1:mV", "2", "3") for path in paths]
    models = {
        "one gap": lambda s: fitted(s, model="dynes"),
        "one gap and barrier": lambda s: fitted(s, model="btk"),
        "two gaps": two_gaps,
    }
    drawn, rows = [], []
    for name, spectra in zip(names, files, strict=True):
        for model, run in models.items():
            case = run(spectra)
            drawn.append(case.drawn(f"{name}, {model}"))
            gaps = cells_in_order(case.result) if model == "two gaps" else ["-"] * 3
            values = [*case.values("gap"), *gaps, *case.values("temperature", "barrier")]
            rows.append(
                [
                    name,
                    model,
                    *values,
                    f"{case.result.reduced_chi_square:.2f}",
                    f"{case.rms:.2f}",
                    case.verdict,
                ]
            )
    save(figure_fits(drawn), "mgb2")
    heads = (
        "file",
        "model",
        "Δ",
        "Δ small",
        "Δ large",
        "part of small",
        "T* (K)",
        "Z",
        "χ²/dof",
        "rms %",
        "verdict",
    )
    table("mgb2", heads, rows)
    save(figure_profile(files, names), "mgb2_larger_gap")


@in_house_style
def figure_profile(files: list[MeasuredSpectra], names: tuple[str, ...]) -> Figure:
    """Draw chi-square and the part of a larger gap against where it is assumed to be."""
    figure = new_figure(3.4, 4.8)
    upper, lower = figure.subplots(2, sharex=True)
    larger = np.arange(2.6, 9.01, 0.2)
    for spectra, name, colour in zip(files, names, (BLUE, FIT), strict=True):
        cases = [two_gaps(spectra, fixed={"gap2": gap * MEV}).result for gap in larger]
        upper.semilogy(
            larger, [r.reduced_chi_square for r in cases], ".-", color=colour, label=name
        )
        part = 1.0 - np.array([r.values["weight"] for r in cases])
        lower.errorbar(
            larger, part, [r.std["weight"] for r in cases], fmt=".-", linewidth=0.8, color=colour
        )
    upper.set(ylabel="χ²/dof")
    upper.set_title("MgB2: two gaps, the larger one held where the axis says")
    upper.legend()
    lower.axvspan(6.5, 7.5, color=FAILED, alpha=0.3, linewidth=0)
    upper.axvspan(6.5, 7.5, color=FAILED, alpha=0.3, linewidth=0)
    lower.set(xlabel="Larger gap (meV); grey: the σ band", ylabel="Its part", ylim=(-0.05, 1))
    return figure


def nbs2(folder: Path) -> None:
    """Charge-density wave of NbS2: none of this is superconductivity."""
    place = folder / "nbs2_sts_350mK_janberges"
    drawn, rows = [], []
    for figure in ("3b", "3c"):
        spectra = read_spectra(place / f"Figure_{figure}.txt")
        for number in range(len(spectra.conductance)):
            row = [f"{figure}, {number + 1}"]
            for model in ("dynes", "btk+broadening"):
                case = fitted(spectra, (number,), model=model, temperature=0.35)
                row += [*case.values("gap", "broadening"), case.verdict]
                if model == "dynes":
                    drawn.append(case.drawn(f"Figure {figure}, spectrum {number + 1}: Dynes"))
            rows.append(row)
    save(figure_fits(drawn), "nbs2")
    heads = ("figure, spectrum", "Dynes: Δ", "Γ", "verdict", "BTK: Δ", "Γ", "verdict")
    table("nbs2", heads, rows)


def save(figure: Figure, name: str) -> None:
    """Write a figure of the page."""
    FIGURES.mkdir(exist_ok=True)
    path = FIGURES / f"{name}.png"
    figure.savefig(path, dpi=110, pil_kwargs={"optimize": True})
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def table(name: str, heads: tuple[str, ...], rows: list[list[str]]) -> None:
    """Put a table into the page, and print it."""
    lines = [heads, ["---"] * len(heads), *rows]
    write(name, "\n".join(f"| {' | '.join(cells)} |" for cells in lines))


def write(name: str, text: str) -> None:
    """Replace what stands between the marks of `name` in the page."""
    print(text)
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    page = PAGE.read_text(encoding="utf-8")
    found = re.compile(f"({re.escape(begin)}).*?({re.escape(end)})", re.DOTALL)
    page, count = found.subn(lambda m: f"{m[1]}\n{text}\n{m[2]}", page)
    if count != 1:
        sys.exit(f"{PAGE}: lacks the marks {begin} and {end}")
    PAGE.write_text(page, encoding="utf-8")


def main() -> None:
    """Make all figures and tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=DATA_FOLDER, help="folder of the measured files"
    )
    folder = parser.parse_args().data
    if not folder.is_dir():
        sys.exit(f"{folder}: no such folder; docs/measured_fits.md says where the files come from")
    makers: tuple[Callable[[Path], None], ...] = (nbse2, mgb2, nbs2)
    for make in makers:
        make(folder)


if __name__ == "__main__":
    main()

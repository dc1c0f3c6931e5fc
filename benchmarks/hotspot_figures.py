"""Figures of docs/hotspot.md: branches, phase diagram, profiles, hysteresis.

Run ``python benchmarks/hotspot_figures.py``; writes docs/figures/hotspot_*.png.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stm_daq.physics import hotspot
from stm_daq.physics.hotspot_tables import film
from stm_daq.report.style import BLUE, DATA, FIT, GREEN, in_house_style, letter, new_figure

FOLDER = Path(__file__).parents[1] / "docs" / "figures"
NORMAL = "#fff3c4"
COLOURS = (BLUE, GREEN, FIT, DATA)
COLD, HOT, UNSTABLE = BLUE, FIT, GREEN


def branches(axes):
    """T against j under a uniform current (Fig. 3a)."""
    for w, colour in zip((0.5, 1.0, 2.0, 3.0), COLOURS, strict=True):
        for n, style in ((5, "-"), (6, "--")):
            tables = film(w, 0.3, n)
            t = np.append(tables.temperature, np.linspace(1.001, 1.6, 100))
            heating, cooling, _ = tables.at(t)
            label = rf"$\hbar\omega = {w:g}\,k_BT_c$" if n == 5 else None
            axes.plot(np.sqrt(cooling / heating), t, style, color=colour, lw=1.0, label=label)
    axes.axhspan(1.0, 1.6, color=NORMAL, zorder=-1)
    axes.set(xlim=(0, 4), ylim=(0.3, 1.6), xlabel="$j/j_*$", ylabel="$T_e/T_c$")
    axes.legend(loc="upper left")


def phase_diagram(axes):
    """Bistable region in the plane of frequency and current (Fig. 3b)."""
    for phonons, colour in zip((0.3, 0.6, 0.8), COLOURS, strict=False):
        highest = hotspot.cusp(phonons)
        w = np.append(
            np.linspace(0.02, 1, 50)[:-1] * 0.98 * highest, highest * np.linspace(0.975, 0.9999, 12)
        )
        ends = np.array([hotspot.bistable_interval(x, phonons) for x in w])
        axes.fill_between(w, *ends.T, color=colour, alpha=0.18, lw=0)
        axes.plot(w, ends, color=colour, lw=1.0)
        axes.plot([], [], color=colour, label=rf"$T_{{ph}} = {phonons:g}\,T_c$")
    axes.set(xlim=(0, 3.7), ylim=(0, 4), xlabel=r"$\hbar\omega/k_BT_c$", ylabel="$j/j_*$")
    axes.legend(loc="upper right")


def profiles(axes, drive, lam):
    """Every steady profile at a drive (Figs. 4, 5)."""
    r = np.linspace(0.0, 6.0, 601)
    for state in hotspot.profiles(drive, 2.0, 0.3, lam):
        hot = state.peak_temperature > 1.0
        colour = UNSTABLE if not state.stable else HOT if hot else COLD
        axes.plot(r, state.temperature(r), "-" if state.stable else "--", color=colour, lw=1.1)
    axes.axhspan(1.0, 1.35, color=NORMAL, zorder=-1)
    axes.set(xlim=(0, 6), ylim=(0.3, 1.35), xlabel="$r/z_0$", ylabel="$T_e/T_c$")


def hysteresis(axes, w, lam):
    """Sweep up and down, and the curve of all steady states behind it."""
    curve = hotspot.steady_curve(w, 0.3, lam)
    axes.plot(
        curve.drive, curve.peak_temperature, ":", color="#8f8f8f", lw=0.9, label="all steady states"
    )
    drives = np.geomspace(0.85 * curve.folds.min(), 1.1 * curve.folds.max(), 300)
    sweep = hotspot.power_sweep(drives, w, 0.3, lam, nodes=1600)
    axes.plot(drives, sweep.up.peak_temperature, color=COLD, lw=1.1, label="power rises")
    axes.plot(drives, sweep.down.peak_temperature, color=HOT, lw=1.1, label="power falls")
    axes.axhspan(1.0, 3.5, color=NORMAL, zorder=-1)
    top = 1.05 * sweep.up.peak_temperature.max()
    axes.set(
        xlim=(drives[0], drives[-1]), ylim=(0.3, top), xlabel="$J$", ylabel=r"highest $T_e/T_c$"
    )
    if w > 1:
        axes.legend(loc="upper left")


@in_house_style
def uniform_figure():
    """Uniform film."""
    figure = new_figure(2.9)
    left, right = figure.subplots(1, 2)
    branches(left)
    letter(left, 0, r"$T_{ph} = 0.3\,T_c$; n = 5 (6: dashed)")
    phase_diagram(right)
    letter(right, 1, "two stable states (n = 5)")
    return figure


@in_house_style
def spot_figure():
    """Film under the tip."""
    figure = new_figure(5.4)
    axes = figure.subplots(2, 2).ravel()
    profiles(axes[0], 1.2, 0.16)
    letter(axes[0], 0, r"$J = 1.2$, $\Lambda = 0.16\,z_0$: cold, unstable, hot")
    profiles(axes[1], 1.8, 0.16)
    letter(axes[1], 1, r"$J = 1.8$, $\Lambda = 0.16\,z_0$")
    hysteresis(axes[2], 2.0, 0.16)
    letter(axes[2], 2, r"$\hbar\omega = 2\,k_BT_c$")
    hysteresis(axes[3], 0.25, 0.16)
    axes[3].set_xscale("log")
    axes[3].set_xticks([2, 4, 6], ["2", "4", "6"])
    axes[3].minorticks_off()
    letter(axes[3], 3, r"$\hbar\omega = 0.25\,k_BT_c$: six folds")
    return figure


def main():
    """Write the figures."""
    for name, draw in (("hotspot_uniform", uniform_figure), ("hotspot", spot_figure)):
        draw().savefig(FOLDER / f"{name}.png", dpi=160)
        print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()

"""Figures of the theory of the microwave hot spot, after the paper of Karki, Whitney and Basko.

Dimensionless, as in :mod:`stm_daq.physics.hotspot`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.physics.hotspot import (
    bistable_interval,
    maxwell_current,
    profiles,
    switching_drives,
    uniform_branches,
)
from stm_daq.report.style import BLUE, DATA, FIT, GREEN, in_house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (FIT, BLUE, GREEN, DATA)
NORMAL = "#fff3c4"
"""Behind what is normal."""
GAP = 2 * 1.764
"""Twice the gap at zero temperature, kB Tc: photons above break pairs."""


@in_house_style
def figure_branches(
    frequencies: Sequence[float] = (1.0, 2.0, 3.0), phonon_temperature: float = 0.3, n: int = 5
) -> Figure:
    """Draw the electron temperature against the current under uniform microwaves (its Fig. 3a).

    Full lines are stable, dotted ones are not.
    """
    figure = new_figure(3.0, 4.2)
    axes = figure.subplots()
    axes.axhspan(1.0, 1.4, color=NORMAL, linewidth=0)
    currents = np.geomspace(0.3, 2.6, 220)
    for frequency, colour in zip(frequencies, COLOURS, strict=False):
        found = [
            (current, state.temperature, state.stable)
            for current in currents
            for state in uniform_branches(current, frequency, phonon_temperature, n)
        ]
        current, temperature, stable = (np.array(column) for column in zip(*found, strict=True))
        name = rf"$\hbar\omega$ = {frequency:g} $k_BT_c$"
        axes.plot(current[stable], temperature[stable], ".", color=colour, markersize=2, label=name)
        unstable = ~stable
        axes.plot(current[unstable], temperature[unstable], ".", color=colour, markersize=0.6)
    axes.set(xlabel="$j/j_*$", ylabel="$T_e/T_c$", ylim=(phonon_temperature - 0.05, 1.4))
    axes.legend(loc="lower right", markerscale=3)
    return figure


@in_house_style
def figure_phase_diagram(
    phonon_temperature: float = 0.8, thermal_length: float | None = None, n: int = 5
) -> Figure:
    """Draw where a film is bistable in the plane of frequency and current (its Fig. 3b).

    Shaded: two states under uniform microwaves; dashed: the current of equal areas; dotted: above it the
    hot state is normal. With a thermal length (z0) also the two drives at which a hot spot switches.
    """
    figure = new_figure(3.2, 4.2)
    axes = figure.subplots()
    frequencies = np.linspace(0.4, GAP, 41)
    found = [bistable_interval(w, phonon_temperature, n) for w in frequencies]
    inside = [(w, *pair) for w, pair in zip(frequencies, found, strict=True) if pair is not None]
    if inside:
        w, low, high = np.array(inside).T
        axes.fill_between(w, low, high, color="#f4c7d0", linewidth=0, label="two states")
        equal = [maxwell_current(float(x), phonon_temperature, n) for x in w]
        axes.plot(w, [math.nan if e is None else e for e in equal], "--", color=DATA, linewidth=0.8,
                  label="equal areas")  # fmt: skip
    normal = math.sqrt(1 - phonon_temperature**n)
    axes.axhline(normal, linestyle=":", color=GREEN, linewidth=1, label="hot state normal above")
    if thermal_length is not None:
        some = frequencies[::4]
        ends = [switching_drives(x, phonon_temperature, thermal_length, n) for x in some]
        for k, (colour, name) in enumerate(((BLUE, "hot spot: down"), (FIT, "hot spot: up"))):
            drives = [math.nan if pair is None else pair[k] for pair in ends]
            axes.plot(some, drives, "o-", color=colour, markersize=2.5, linewidth=0.8, label=name)
    axes.set(xlabel=r"$\hbar\omega/k_BT_c$", ylabel="$j/j_*$", ylim=(0, 3.5 * normal))
    axes.legend(loc="upper right", fontsize=6.5)
    return figure


@in_house_style
def figure_profiles(
    drives: Sequence[float] = (1.2, 1.8), frequency: float = 2.0, phonon_temperature: float = 0.3,
    thermal_length: float = 0.16, n: int = 5,
) -> Figure:  # fmt: skip
    """Draw every steady profile at some drives (its Fig. 4): stable ones full, others dotted."""
    figure = new_figure(2.6)
    panels = np.atleast_1d(figure.subplots(1, len(drives), sharey=True))
    r = np.linspace(0.0, 5.0, 400)
    for axes, drive in zip(panels, drives, strict=True):
        axes.axhspan(1.0, 1.3, color=NORMAL, linewidth=0)
        states = profiles(drive, frequency, phonon_temperature, thermal_length, n)
        for state in states:
            hot = state.peak_temperature > 0.85
            colour = (FIT if hot else BLUE) if state.stable else GREEN
            style = "-" if state.stable else ":"
            axes.plot(r, state.temperature(r), style, color=colour, linewidth=1.1)
        axes.set(xlabel="$r/z_0$", title=f"$J$ = {drive:g}: {len(states)} steady states")
        axes.set_ylim(phonon_temperature - 0.02, 1.3)
    panels[0].set_ylabel("$T_e/T_c$")
    return figure

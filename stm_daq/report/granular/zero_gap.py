"""Histograms of the gap as measured and at zero temperature, with the gap that Tc lets expect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.granular.zero_gap import expected_gap, zero_temperature_gap
from stm_daq.analysis.space.spread import fwhm
from stm_daq.records import Array
from stm_daq.report.style import (
    BLUE,
    DATA,
    FIT,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@in_house_style
def figure_zero_gap(maps: xr.Dataset, critical_temperature: float | None = None) -> Figure:
    """Draw the distributions of gap(T) and gap(0), as in Fig. 9 of Liao et al. (2019).

    Parameters
    ----------
    maps : Dataset
        From :func:`stm_daq.analysis.maps.fitted_maps.fitted_maps`.
    critical_temperature : float, optional
        Of the film, K: an arrow marks 1.764 kB Tc.

    Raises
    ------
    NothingToShowError
        If fewer than ten sites have a gap at zero temperature.
    """
    measured = _finite(maps["gap"].values)
    at_zero = _finite(zero_temperature_gap(maps)["gap0"].values)
    if len(at_zero) < 10:
        raise NothingToShowError("Fewer than ten sites have a gap and a temperature.")
    figure = new_figure(2.9, 4.6)
    axes = figure.subplots()
    low, high = np.percentile(np.concatenate([measured, at_zero]), [0.2, 99.8])
    bins = np.linspace(low, high, int(np.clip(math.sqrt(len(at_zero)), 8, 60))).tolist()
    most = 0.0
    for values, colour, name in ((measured, BLUE, r"$\Delta(T)$"), (at_zero, FIT, r"$\Delta(0)$")):
        label = f"{name}: mean {values.mean():.3f}, FWHM {fwhm(values):.3f} meV"
        counts, _, _ = axes.hist(
            values, bins=bins, histtype="step", color=colour, lw=1.4, label=label
        )
        most = max(most, float(np.max(counts)))
    axes.set(xlabel=r"Gap $\Delta$ (meV)", ylabel="Sites", ylim=(0, 1.45 * most))
    if critical_temperature is not None:
        gap = expected_gap(critical_temperature) * 1e3
        axes.annotate(
            rf"$1.764\,k_B T_c$ = {gap:.2f} meV", (gap, 0.02 * most), (gap, 1.1 * most),
            arrowprops={"arrowstyle": "->", "color": DATA}, ha="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
        left, right = axes.get_xlim()
        margin = 0.12 * (right - left)
        axes.set_xlim(min(left, gap - margin), max(right, gap + margin))
    axes.legend(loc="upper left")
    letter(axes, 0, f"Gap of {len(at_zero)} sites")
    return figure


def _finite(values: Array) -> Array:
    """Return the finite values, meV."""
    return values[np.isfinite(values)] * 1e3

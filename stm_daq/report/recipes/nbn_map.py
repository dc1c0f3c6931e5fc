"""A map of gaps and exponents of a film whose electrons repel one another.

After C. Carbillet et al., Phys. Rev. B 102, 024504 (2020). Settings in the plan's ``report:`` block:
``exponent_window``; ``critical_temperature``; for the theory ``sheet_resistance``, ``plasma_energy``,
``diffusion``, ``debye_temperature``.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from stm_daq.analysis.altshuler_aronov.gap_exponent_study import GapExponentStudy
from stm_daq.report.altshuler_aronov.derivative import figure_derivative
from stm_daq.report.altshuler_aronov.gap_exponent import (
    figure_gap_exponent_maps,
    figure_gap_exponent_spectra,
)
from stm_daq.report.altshuler_aronov.gap_exponent_correlations import (
    figure_disorder_theory,
    figure_gap_exponent_correlations,
)
from stm_daq.report.altshuler_aronov.gap_exponent_findings import findings_of
from stm_daq.report.chapter import Chapter, Finding

if TYPE_CHECKING:
    import xarray as xr

FEWEST = 8
"""Rows and columns of a map."""
REACH = 15e-3
"""A sweep for the exponent reaches so far on both sides, V: six times the largest gap of NbN."""
MEV, NM = 1e3, 1e9


def suits(dataset: xr.Dataset) -> bool:
    """Whether a run is one map of bias sweeps whose range is much wider than any gap.

    It is a map of at least 8 x 8 sites of a measured current, whose bias reaches at least `REACH`
    on both sides.
    """
    if "current" not in dataset or set(dataset["current"].dims) != {"y", "x", "bias"}:
        return False
    metadata = json.loads(dataset.attrs.get("metadata", "{}"))
    bias = dataset["bias"].values
    return bool(
        min(dataset.sizes["y"], dataset.sizes["x"]) >= FEWEST
        and metadata.get("current", "measured") == "measured"
        and bias.min() <= -REACH
        and bias.max() >= REACH
    )


def chapters(dataset: xr.Dataset) -> list[Chapter]:
    """Return the figures; the analysis is made once, when the first of them is drawn."""
    study = GapExponentStudy(dataset)
    low, high = (edge * MEV for edge in study.window)
    return [
        Chapter(
            "Gap and exponent",
            "Topograph, gap (half the distance of the coherence peaks, less their shift) and exponent "
            f"of dI/dV = b |V|^alpha between {low:.3g} and {high:.3g} mV, mean of both sides, of the "
            "normal state. The colours of the exponent run the other way round. Hatched: no value.",
            "Maps of height, gap and exponent, and histograms of the latter two.",
            partial(figure_gap_exponent_maps, study),
        ),
        Chapter(
            "Spectra by exponent",
            "Mean spectra of the tenths of all sites with the smallest, a middle and the largest "
            "exponent, and the power laws fitted to them (shaded: where). The exponents below are those "
            "of the spectra as they are.",
            "Mean spectra near the gap, over the whole range, and on logarithmic axes with power laws.",
            partial(figure_gap_exponent_spectra, study),
        ),
        Chapter(
            "Correlations",
            "Correlation maps (non-periodic, each normalised by what overlaps) and radial averages; "
            "bands are one standard deviation. The noise is taken out of the autocorrelations. Line: "
            "fitted decay; dotted: where it has fallen to 1/e.",
            "Maps and radial averages of the correlation of gap and exponent.",
            partial(figure_gap_exponent_correlations, study),
        ),
        Chapter(
            "Theory of disorder",
            "Left: gap against exponent, with the regression (noise taken out) and the slope that local "
            "variations of the resistance would give. Right: the exponent along the bias and that of "
            "the sheet resistance.",
            "Scatter plot of gap against exponent with two lines; exponent against bias.",
            partial(figure_disorder_theory, study),
        ),
        Chapter(
            "dI/dV from the current",
            "The spectrum with the median gap, from the current and from the lock-in; standard "
            "deviation of a point, and the error that the width of the window makes; the window, by "
            "the least squared error of both.",
            "One spectrum by two methods, its errors and the windows.",
            partial(figure_derivative, study),
        ),
    ]


def findings(dataset: xr.Dataset) -> list[Finding]:
    """Return the numbers of the paper, and what they are worth."""
    return findings_of(GapExponentStudy(dataset))

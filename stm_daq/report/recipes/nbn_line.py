"""Recipe of a line of spectra across a superconducting film: how uniform is its gap?

After J. Lorenz et al., "Spatial homogeneity of superconducting order parameter in NbN films grown by
atomic layer deposition". Critical temperature and sheet resistance are taken from the plan's ``report:``
block, and taken as exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report.line.line_findings import findings_of
from stm_daq.report.line.line_results import LineResults

if TYPE_CHECKING:
    import xarray as xr


def suits(dataset: xr.Dataset) -> bool:
    """Whether the run is a line of several spectra of dI/dV against the bias."""
    if "conductance" not in dataset or dataset["conductance"].dims[-1] != "bias":
        return False
    sizes = dataset["conductance"].sizes
    along = [name for name, n in sizes.items() if name not in ("bias", "direction") and n > 1]
    return len(along) == 1 and along[0] in ("x", "y", "spectrum")


def chapters(dataset: xr.Dataset) -> list[Chapter]:
    """Return the figures of the line."""
    line = LineResults(dataset)
    return [
        Chapter(
            "Spectra side by side",  # takes the place of the common figure, which shows them as measured
            "Every spectrum, the lag of the lock-in taken out, divided by its own straight line, "
            "which is fitted outside the gap (title of the right panel). Hatched: left out.",
            "All spectra as shifted curves, and as an image of bias against place.",
            line.draw_line,
        ),
        Chapter(
            "Mean spectrum",
            "Left: mean of the spectra and the linear background fitted in the shaded window. Right: the "
            "mean over its background with the BCS fit (gap, effective temperature of the tip, lock-in "
            "modulation) and the residuals; band: standard error from the scatter between the spectra, "
            "with the uncertainty of the background.",
            "Mean spectrum with background; normalised mean with fit and residuals.",
            line.draw_average,
        ),
        Chapter(
            "How uniform is the gap?",
            "Histogram of the gaps of single spectra (BCS) with its Gaussian, and the width that the "
            "noise of the fits alone would give. Right: the same gaps by the fit during the run.",
            "Histogram of the gap with a Gaussian; gaps of two models against each other.",
            line.draw_histogram,
        ),
        Chapter(
            "The gap along the line",
            "Gap and effective temperature of the tip of every spectrum with standard deviations. The p "
            "of the trend allows for neighbours that are alike; theirs is by permutation.",
            "Gap and temperature against place.",
            line.draw_course,
        ),
    ]


def findings(dataset: xr.Dataset) -> Sequence[Finding]:
    """Return the numbers of the line; in a rehearsal the remarks state the truth of the twin."""
    return findings_of(LineResults(dataset))

"""Fits of measured files: any spectra with their curves and residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.quantities import prefix_of
from stm_daq.records import Array
from stm_daq.report.runs.spectra import COLUMNS, HEIGHT, MV, draw_spectrum, spectrum_panels
from stm_daq.report.style import DOUBTFUL, FAILED, FIT, WIDTH, NothingToShowError, in_house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = 24
"""More spectra than this are not legible in one figure."""

_COLOURS = {"good": FIT, "doubtful": DOUBTFUL, "failed": FAILED}


@dataclass(frozen=True, slots=True)
class DrawnFit:
    """One spectrum of a figure."""

    title: str
    verdict: str
    """Below the title."""
    bias: Array
    """V, shape (n,)."""
    conductance: Array
    """In `unit`, shape (n,)."""
    unit: str
    """Such as "S"; "" where it is not known."""
    curve: Array | None
    """Fitted conductance, shape (n,)."""
    grade: str
    """ "good", "doubtful" or "failed": the colour of the curve."""


@in_house_style
def figure_fits(spectra: Sequence[DrawnFit]) -> Figure:
    """Draw up to `PAGE` spectra with their fits and residuals; of more, the first ones.

    Raises
    ------
    NothingToShowError
        If there are none.
    """
    if not spectra:
        raise NothingToShowError("There is no spectrum to draw.")
    shown = spectra[:PAGE]
    columns = min(len(shown), COLUMNS)
    size = (WIDTH / COLUMNS, HEIGHT) if columns == COLUMNS else (WIDTH / 2, 1.3 * HEIGHT)
    figure, panels = spectrum_panels(len(shown), columns, size)
    scales = [_scale(spectrum, shown) for spectrum in shown]
    differ = len(set(scales)) > 1
    for number, (spectrum, axes) in enumerate(zip(shown, panels, strict=True)):
        factor, label = scales[number]
        curve = None if spectrum.curve is None else factor * spectrum.curve
        colour = _COLOURS[spectrum.grade]
        bias, measured = spectrum.bias * MV, factor * spectrum.conductance
        draw_spectrum(axes, bias, measured, curve, colour)
        if differ or number % columns == 0:
            axes[0].set_ylabel(label)
        lines = [spectrum.title, *wrap(spectrum.verdict, width=44)[:3]]
        axes[0].set_title("\n".join(lines), fontsize=7, parse_math=False)
    if len(shown) < len(spectra):
        figure.suptitle(f"the first {len(shown)} of {len(spectra)} spectra", fontsize=8)
    return figure


def save_fits(spectra: Sequence[DrawnFit], path: Path) -> None:
    """Write the figure of any spectra; into a PDF as many pages as it takes.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    if path.suffix.lower() != ".pdf":
        figure_fits(spectra).savefig(path, dpi=150)
        return
    from matplotlib.backends.backend_pdf import PdfPages

    with PdfPages(path) as pages:
        for first in range(0, len(spectra), PAGE):
            pages.savefig(figure_fits(spectra[first : first + PAGE]))


def _scale(spectrum: DrawnFit, shown: Sequence[DrawnFit]) -> tuple[float, str]:
    """Return factor and label of the axis; spectra in the same unit share them."""
    if not spectrum.unit:
        return 1.0, "dI/dV (unit unknown)"
    alike = [other.conductance for other in shown if other.unit == spectrum.unit]
    factor, prefix = prefix_of(float(np.nanmax(np.abs(np.concatenate(alike)), initial=0.0)))
    return 1.0 / factor, f"dI/dV ({prefix}{spectrum.unit})"

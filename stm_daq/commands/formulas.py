"""What viewers are given to compute with, in the terminal and in the browser."""

from __future__ import annotations

from stm_daq.monitor.formulas import Formulas
from stm_daq.records import Array, Fit, RunStarted, Spectrum


def curve_of(started: RunStarted, spectrum: Spectrum, fit: Fit) -> Array | None:
    """Return the curve of a fit at the points of its spectrum, S; None if the model is not known here."""
    from stm_daq.report.runs.curve import fitted_curve

    if not fit.values or started.swept_name != "bias":
        return None
    try:
        return fitted_curve(spectrum.bias, fit.values, fit.model, started.modulation)
    except (KeyError, ValueError, ArithmeticError):
        return None  # what came over the wire need not make sense


def level(z: Array) -> Array:
    """Return a topograph without its tilt, m."""
    import numpy as np

    from stm_daq.analysis.topographs.surface import without_plane

    rows, columns = z.shape
    return without_plane(z, np.arange(columns, dtype=float), np.arange(rows, dtype=float))


FORMULAS = Formulas(curve_of, level)

"""From the currents of a map to its gaps and exponents: all steps of Phys. Rev. B 102, 024504 at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.altshuler_aronov.coherence_peaks import Peaks, find_peaks
from stm_daq.analysis.altshuler_aronov.exponents import WINDOW, Exponents, fit_exponents
from stm_daq.analysis.altshuler_aronov.peak_shift import TrueGaps, without_shift
from stm_daq.analysis.spectra.derivative import Derivative, differentiate
from stm_daq.errors import CannotTellError

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class GapExponentMaps:
    """Gap and exponent of every site, as the paper defines them and with their known errors removed."""

    derivative: Derivative
    peaks: Peaks
    """Half the peak distance: the paper's gap."""
    gaps: TrueGaps | None
    """Without the shift of the peaks; None if that is not known."""
    remark: str
    """Why it is not; else empty."""
    as_measured: Exponents
    """Of dI/dV as it is: the paper's exponent."""
    exponents: Exponents
    """Of the normal state: with the superconductor's density of states divided out."""

    @property
    def gap(self) -> xr.DataArray:
        """The best gap there is, eV."""
        return self.peaks.gap if self.gaps is None else self.gaps.gap

    @property
    def gap_std(self) -> xr.DataArray:
        """Its standard deviation, eV."""
        return self.peaks.gap_std if self.gaps is None else self.gaps.gap_std


def gap_exponent_maps(run: xr.Dataset, window: tuple[float, float] = WINDOW) -> GapExponentMaps:
    """Differentiate every spectrum, find its peaks and fit its exponents.

    Parameters
    ----------
    run : xarray.Dataset
        From :func:`stm_daq.open_run`: ``current`` over any map and ``bias``, ``stage_temperature``.
    window : tuple of float
        Where the exponents are fitted, V.

    Raises
    ------
    BadInputError
        As :func:`stm_daq.analysis.spectra.derivative.differentiate`, or if the window begins in the gap.
    CannotTellError
        If there is no whole spectrum, no peak, or too few points in the window.
    """
    _check_differ(run)
    derivative = differentiate(run)
    as_measured = fit_exponents(derivative, window)
    peaks = find_peaks(derivative, window[0])
    of_normal_state = fit_exponents(derivative, window, without_gap=peaks.gap).alpha
    gaps, remark = None, ""
    try:
        gaps = without_shift(run, derivative, peaks, float(np.nanmedian(of_normal_state.values)))
    except CannotTellError as reason:
        remark = str(reason)
    best = peaks.gap if gaps is None else gaps.gap
    exponents = fit_exponents(derivative, window, without_gap=best)
    return GapExponentMaps(derivative, peaks, gaps, remark, as_measured, exponents)


def _check_differ(run: xr.Dataset) -> None:
    """Refuse spectra that are copies of one another: they have neither noise nor a pattern."""
    current = run["current"].transpose(..., "bias").values.reshape(-1, run.sizes["bias"])
    current = current[np.isfinite(current).all(axis=1)]
    if len(current) > 1 and not np.ptp(current, axis=0).any():
        raise CannotTellError(
            f"All {len(current)} spectra are exactly alike: this is not a measurement."
        )

"""The collective gap of preformed pairs, against the contact's conductance and temperature.

After "Collective energy gap of preformed Cooper pairs in disordered superconductors": as a contact
becomes transparent, peaks appear inside the gap of single electrons. Two readings of them:

* the position of the peaks of -d2G/dV2 (:mod:`stm_daq.analysis.contacts.pair_peaks`), without a model, as
  published. It is within 10 % of the gap at low temperature and does not follow it to Tc, because
  the thermal width there exceeds the gap;
* a fit of two channels in parallel (:mod:`stm_daq.physics.two_channel`): single electrons tunnel into
  their gap; pairs meet the collective gap behind a barrier of their own (Blonder, Tinkham, Klapwijk).
  Temperature and modulation are those of the run, so that what is fitted is the gap.

The fits count only for contacts (a place and a set-point) that show peaks at some temperature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.contacts.pair_peaks import PairPeak, find_pairs, track
from stm_daq.analysis.contacts.single_gap import combined
from stm_daq.analysis.spectra.curvature import resolution
from stm_daq.errors import CannotTellError
from stm_daq.fitting import GapSeries, fit, fit_gap_series, grade
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

FLANK = 0.8
"""Peaks are looked for up to so many resolutions below the gap of single electrons."""
REACH = 3.0
"""Fits see the bias up to so many gaps of single electrons."""
SAME_GAP = 0.1
"""Part by which the larger gap of a fit may differ from that in tunnelling."""
CERTAIN = {"gap1": 3.0, "weight": 5.0}
"""Standard deviations by which gap and share of the pairs must exceed zero."""
FOLLOWED = 0.6
"""Part of Tc up to which the gap must be known: it has fallen by a tenth there."""
OPAQUE = 1e4
"""Z of the channel of single electrons."""


def pair_peaks(spectra: xr.Dataset, single: xr.Dataset) -> xr.Dataset:
    """Find the peaks of pairs in every spectrum and follow them through each series.

    Parameters
    ----------
    spectra : xarray.Dataset
        From :func:`stm_daq.analysis.contacts.contact.contact_spectra`.
    single : xarray.Dataset
        From :func:`stm_daq.analysis.contacts.single_gap.single_gap`.

    Returns
    -------
    xarray.Dataset
        `position`, `position_std` (V), `significance` (standard deviations of the noise), dimensions
        (set_temperature, set_current, place); NaN where there is no pair.

    Raises
    ------
    CannotTellError
        If no place shows peaks at two neighbouring conductances.
    """
    import xarray as xr

    shape = spectra["contact"].shape
    found = np.full((3, *shape), math.nan)
    for step, place in np.ndindex(shape[0], shape[2]):
        gap = float(single["gap"].values[step, place])
        for number, peak in enumerate(_tracked(spectra, step, place, gap)):
            if peak is not None:
                found[:, step, number, place] = peak.position, peak.std, peak.significance
    if not np.isfinite(found).any():
        raise CannotTellError(
            "no peaks inside the gap of single electrons at two neighbouring conductances (up to "
            f"{float(np.nanmax(spectra['contact'].values)):.3g} x 2e^2/h): either there are no preformed "
            "pairs, or the contacts are not transparent enough, or the spectra too noisy"
        )
    names = ("position", "position_std", "significance")
    dims = spectra["contact"].dims
    return xr.Dataset({name: (dims, part) for name, part in zip(names, found, strict=True)})


def _tracked(spectra: xr.Dataset, step: int, place: int, gap: float) -> list[PairPeak | None]:
    """Return the pair at every conductance of one place and temperature."""
    temperatures = spectra["temperature"].values[step, :, place]
    modulation = float(spectra.attrs["modulation"])
    widths = [resolution(float(kelvin), modulation) for kelvin in temperatures]
    series: list[list[PairPeak]] = []
    for number, width in enumerate(widths):
        normalised = spectra["normalised"].values[step, number, place]
        below = gap - FLANK * width
        pairs: list[PairPeak] = []
        if below > width / 2 and np.isfinite(normalised).any():
            kelvin = float(temperatures[number])
            pairs = _pairs(spectra["bias"].values, normalised, kelvin, modulation, below)
        series.append(pairs)
    return track(series, widths)


def _pairs(
    bias: Array, normalised: Array, temperature: float, modulation: float, below: float
) -> list[PairPeak]:
    try:
        return find_pairs(bias, normalised, temperature, modulation, below)
    except CannotTellError:
        return []  # of this spectrum nothing can be told; of the others something


def channel_fits(spectra: xr.Dataset, single: xr.Dataset, peaks: xr.Dataset) -> xr.Dataset:
    """Fit two channels, single electrons and pairs, to the spectra of all contacts with peaks.

    Returns
    -------
    xarray.Dataset
        Dimensions (set_temperature, set_current, place): `gap`, `gap_std` (eV, collective), `barrier`,
        `barrier_std` (Z of the pairs' channel), `share`, `share_std` (the pairs' part of the
        conductance of the normal state). NaN where the fit does not tell: it failed, or gap or share
        are not `CERTAIN`, or its larger gap is not that of single electrons.
    """
    import xarray as xr

    dims, shape = spectra["contact"].dims, spectra["contact"].shape
    known = np.isfinite(single["gap"].values)[:, None, :]
    with_peaks = np.isfinite(peaks["position"].values).any(axis=0)
    wanted = np.isfinite(spectra["contact"].values) & np.isfinite(spectra["temperature"].values)
    wanted &= known & with_peaks
    names = {"gap": "gap1", "barrier": "barrier1", "share": "weight"}
    out = {f"{name}{kind}": np.full(shape, math.nan) for name in names for kind in ("", "_std")}
    if wanted.any():
        inside = np.abs(spectra["bias"].values) <= REACH * float(np.nanmax(single["gap"].values))
        found = fit(
            spectra["bias"].values[inside],
            spectra["spectrum"].values[wanted][:, inside],
            "two_channels",
            free=("gap1", "gap2", "barrier1", "weight", "broadening", "scale", "offset"),
            fixed={"temperature": spectra["temperature"].values[wanted], "barrier2": OPAQUE},
            modulation=float(spectra.attrs["modulation"]),
        )
        expected = np.broadcast_to(single["gap"].values[:, None, :], shape)[wanted]
        told = _told(found, expected)
        for name, source in names.items():
            out[name][wanted] = np.where(told, found[source].values, math.nan)
            out[f"{name}_std"][wanted] = np.where(told, found[f"{source}_std"].values, math.nan)
    return xr.Dataset({name: (dims, values) for name, values in out.items()})


def _told(found: xr.Dataset, single: Array) -> Array:
    settled = [
        grade(set(str(text).split(",")) - {""}) != "failed" for text in found["flags"].values
    ]
    told = np.array(settled) & (np.abs(found["gap2"].values / single - 1) < SAME_GAP)
    for name, sigmas in CERTAIN.items():
        told &= found[name].values > sigmas * found[f"{name}_std"].values
    return np.asarray(told & (found["gap1_std"].values > 0))


@dataclass(frozen=True, slots=True)
class CollectiveGap:
    """The collective gap at the lowest temperature."""

    gap: float
    """Mean over places and contacts, weighted by the standard deviations, eV."""
    gap_std: float
    slope: float
    """Of the gap against the conductance of the contact, eV per 2e^2/h."""
    slope_std: float
    peak: float
    """Mean position of the peaks of the second derivative, V."""
    peak_std: float
    """Standard deviation of the positions: they follow the shape of the spectrum, not noise."""
    temperature: float
    """K."""
    number: int
    """Spectra."""


def collective_gap(spectra: xr.Dataset, peaks: xr.Dataset, fits: xr.Dataset) -> CollectiveGap:
    """Return the collective gap at the lowest temperature and its slope against conductance.

    Raises
    ------
    CannotTellError
        If fewer than three spectra tell the gap, or all at the same conductance.
    """
    cold = _coldest(spectra)
    gap, std = fits["gap"].values[cold], fits["gap_std"].values[cold]
    told = np.isfinite(gap)
    contact = spectra["contact"].values[cold][told]
    if told.sum() < 3 or np.ptp(contact) < 0.2 * np.max(contact):
        raise CannotTellError(
            f"{int(told.sum())} spectra tell the collective gap at the lowest temperature; needed are "
            "three, at conductances that differ: measure a series of set-point currents up to contact"
        )
    mean, mean_std = combined(gap[told], std[told], axis=0)
    slope, slope_std = _slope(contact, gap[told], std[told])
    seen = peaks["position"].values[cold]
    seen = seen[np.isfinite(seen)]
    return CollectiveGap(
        float(mean), float(mean_std), slope, slope_std,
        peak=float(np.mean(seen)) if len(seen) else math.nan,
        peak_std=float(np.std(seen, ddof=1)) if len(seen) > 1 else math.nan,
        temperature=float(np.nanmean(spectra["temperature"].values[cold])),
        number=int(told.sum()),
    )  # fmt: skip


def _coldest(spectra: xr.Dataset) -> int:
    return int(np.nanargmin(spectra["temperature"].mean(("set_current", "place")).values))


def _slope(x: Array, y: Array, std: Array) -> tuple[float, float]:
    """Return the slope of a weighted straight line; its error is enlarged where the points scatter."""
    columns = np.stack([np.ones_like(x), x], axis=1) / std[:, None]
    covariance = np.linalg.inv(columns.T @ columns)
    solution = covariance @ (columns.T @ (y / std))
    rest = y / std - columns @ solution
    reduced = float(rest @ rest) / max(len(x) - 2, 1)
    return float(solution[1]), math.sqrt(float(covariance[1, 1]) * max(reduced, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Closing:
    """How the collective gap closes with temperature."""

    temperature: Array
    """K, ascending, shape (n,)."""
    gap: Array
    """Mean over places and contacts, eV, shape (n,); NaN where none is told."""
    gap_std: Array
    series: GapSeries
    """The gap of Bardeen, Cooper and Schrieffer through them: `tc` is where it closes."""


def closing(spectra: xr.Dataset, fits: xr.Dataset) -> Closing:
    """Find the temperature at which the collective gap closes.

    Raises
    ------
    CannotTellError
        If the gap is known at fewer than three temperatures, or hardly falls up to the highest.
    """
    temperature = spectra["temperature"].mean(("set_current", "place")).values
    shape = (len(temperature), -1)
    values, errors = fits["gap"].values.reshape(shape), fits["gap_std"].values.reshape(shape)
    gap, std = combined(values, errors, axis=1)
    order = np.argsort(temperature)
    temperature, gap, std = temperature[order], gap[order], std[order]
    known = int(np.isfinite(gap).sum())
    if known < 3:
        raise CannotTellError(
            f"the collective gap is known at {known} temperature(s), needed are three: measure the "
            "series at several temperatures below Tc"
        )
    try:
        series = fit_gap_series(temperature, gap, std)
    except ValueError as error:
        raise CannotTellError(f"where the collective gap closes cannot be told: {error}") from error
    warmest = float(np.max(temperature[np.isfinite(gap)]))
    if warmest < FOLLOWED * series.tc:
        raise CannotTellError(
            f"the collective gap is followed to {warmest:.3g} K only, where it hardly falls: to tell "
            f"where it closes would be an extrapolation (to {series.tc:.2g} K); measure at higher ones"
        )
    return Closing(temperature, gap, std, series)

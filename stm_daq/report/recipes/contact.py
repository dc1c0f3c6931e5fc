"""The recipe of contact series: Andreev spectroscopy from tunnelling to contact.

After "Collective energy gap of preformed Cooper pairs in disordered superconductors".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.contacts.contact_barrier import barrier_fall, misfit_at_contact
from stm_daq.analysis.contacts.contact_series import ContactSeries
from stm_daq.errors import CannotTellError
from stm_daq.physics.btk import K_B
from stm_daq.records import Array
from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report.contacts.contact_gaps import (
    figure_barrier,
    figure_closing,
    figure_collective_gap,
    figure_places,
)
from stm_daq.report.contacts.contact_spectra import figure_contact_curvature, figure_contact_spectra
from stm_daq.report_settings import settings_of

if TYPE_CHECKING:
    import xarray as xr

MEV, MICRO_EV = 1e3, 1e6
QUANTUM = "2e²/h"


def suits(dataset: xr.Dataset) -> bool:
    """Whether the run is a series over the set-point's current with bias sweeps."""
    return "set_current" in dataset.dims and "bias" in dataset.dims


def chapters(dataset: xr.Dataset) -> list[Chapter]:
    """Return the figures of a contact series.

    Raises
    ------
    CannotTellError
        If the set-point's current is no outer axis.
    """
    if "set_current" not in dataset.dims:
        raise CannotTellError(
            "A contact series needs the set-point's current as an axis of the plan "
            "(axes: setpoint_current), with bias sweeps; this run has none."
        )
    series = _series(dataset)
    contact = (
        "The conductance of a contact is that of its normal state, from the outer third of dI/dV, in "
        "units of 2e²/h = 77.48 µS."
    )
    shown = [
        Chapter(
            "From tunnelling to contact",
            f"dI/dV over that of the normal state, at one place and the lowest temperature. {contact}",
            "Spectra above one another and as an image against the conductance of the contact.",
            partial(figure_contact_spectra, series),
        ),
        Chapter(
            "Second derivative",
            "Minus the second derivative inside the gap of single electrons; marks are peaks of pairs: "
            "alike at both polarities, above what noise makes with a probability of 1 % a spectrum, and "
            "found at neighbouring conductances too.",
            "Second derivatives of the spectra with the peaks that were found.",
            partial(figure_contact_curvature, series),
        ),
        Chapter(
            "Gaps against conductance",
            "Collective gap from fits of two channels (single electrons that tunnel; pairs behind a "
            "barrier of their own), the positions of the peaks, and the gap of single electrons from "
            "tunnelling spectra. Peaks lie off the gap by up to a tenth as the barrier falls.",
            "Both gaps, and share and barrier of the pairs, against the conductance of the contact.",
            partial(figure_collective_gap, series),
        ),
        Chapter(
            "Gaps against temperature",
            "Means over places and contacts with the gap of Bardeen, Cooper and Schrieffer; dashed: "
            "where it closes; dotted: the Tc of the plan. Right: the most transparent contact.",
            "Both gaps against temperature.",
            partial(figure_closing, series),
        ),
        Chapter(
            "From place to place",
            "Both gaps at the lowest temperature, places sorted by the gap of single electrons.",
            "Both gaps, place by place.",
            partial(figure_places, series),
        ),
        Chapter(
            "Barrier",
            "Fits of one gap behind one barrier (Blonder, Tinkham, Klapwijk), at the temperature of the "
            "stage, and the conductance at zero bias. They describe a conventional film only.",
            "Barrier and conductance at zero bias against the conductance of the contact.",
            partial(figure_barrier, series),
        ),
    ]
    return shown if len(series.dataset["set_current"]) > 1 else shown[:1]


def findings(dataset: xr.Dataset) -> list[Finding]:
    """Return what a contact series says in numbers; nothing where it is none."""
    if not suits(dataset):
        return []
    series = _series(dataset)
    return [
        *_told(_range, series, "contact_highest", "Highest contact conductance", QUANTUM),
        *_told(_single, series, "single_gap_factor", "Single-particle gap, largest over smallest"),
        *_told(_collective, series, "collective_gap", "Collective gap", "meV"),
        *_told(
            _variation, series, "spread_times", "Spread of the single-particle gap over collective"
        ),
        *_told(_closing, series, "closing_temperature", "The collective gap closes at", "K"),
        *_told(_survival, series, "single_gap_above_tc", "Single-particle gap above Tc over cold"),
        *_told(_barrier, series, "barrier_highest", "Barrier Z of the highest conductance"),
    ]


def _series(dataset: xr.Dataset) -> ContactSeries:
    return ContactSeries(dataset, settings_of(dataset).critical_temperature)


def _told(
    tell: Callable[[ContactSeries], Iterator[Finding]],
    series: ContactSeries,
    key: str,
    title: str,
    unit: str = "",
) -> list[Finding]:
    """Return findings; if they cannot be told, the first of them with the reason."""
    try:
        return list(tell(series))
    except CannotTellError as reason:
        text = str(reason)
        return [Finding(key, title, math.nan, unit=unit, remark=f"{text[:1].upper()}{text[1:]}.")]


def _range(series: ContactSeries) -> Iterator[Finding]:
    contact = series.spectra["contact"].values
    error = series.spectra["contact_std"].values.ravel()
    for key, name, at in (
        ("contact_lowest", "Lowest", int(np.nanargmin(contact))),
        ("contact_highest", "Highest", int(np.nanargmax(contact))),
    ):
        value = float(contact.ravel()[at])
        yield Finding(key, f"{name} contact conductance", value, float(error[at]), QUANTUM)


def _single(series: ContactSeries) -> Iterator[Finding]:
    gap, std = (series.single[n].values[series.coldest] for n in ("gap", "gap_std"))
    if np.isfinite(gap).sum() < 2:
        raise CannotTellError("one place tells its gap: there is no largest and smallest one")
    low, high = int(np.nanargmin(gap)), int(np.nanargmax(gap))
    for key, name, at in (("single_gap_min", "Smallest", low), ("single_gap_max", "Largest", high)):
        title = f"{name} single-particle gap"
        yield Finding(key, title, float(gap[at]) * MEV, float(std[at]) * MEV, "meV")
    factor = float(gap[high] / gap[low])
    error = factor * math.hypot(std[high] / gap[high], std[low] / gap[low])
    number = int(np.isfinite(gap).sum())
    title = "Single-particle gap, largest over smallest"
    yield Finding("single_gap_factor", title, factor, error, remark=f"Of {number} places.")
    true = _truth(series, "gap")
    if true is not None:
        places = true[series.coldest, 0]
        value = float(np.nanmax(places) / np.nanmin(places))
        yield Finding("true_single_gap_factor", f"True {title[:1].lower()}{title[1:]}", value, 0.0)


def _collective(series: ContactSeries) -> Iterator[Finding]:
    found = series.collective
    yield Finding(
        "collective_gap", "Collective gap", found.gap * MEV, found.gap_std * MEV, "meV",
        f"Fits of two channels, mean of {found.number} contacts at {found.temperature:.2g} K.",
    )  # fmt: skip
    true = _truth(series, "collective_gap")
    if true is not None:
        value = float(np.nanmean(true[series.coldest])) * MEV
        yield Finding("true_collective_gap", "True collective gap", value, 0.0, "meV")
    yield Finding(
        "collective_peak", "Peaks of the second derivative at", found.peak * MEV,
        found.peak_std * MEV, "meV",
        "Mean position; the standard deviation is its scatter, which follows the barrier of the contact.",
    )  # fmt: skip
    yield Finding(
        "collective_gap_slope_vs_conductance", "Slope of the collective gap against conductance",
        found.slope * MICRO_EV, found.slope_std * MICRO_EV, f"µeV/({QUANTUM})",
        f"{abs(found.slope) / found.slope_std:.1f} standard deviations from zero.",
    )  # fmt: skip
    kelvin, error, source = _critical_temperature(series)
    if kelvin is not None:
        ratio = found.gap / (K_B * kelvin)
        relative = math.hypot(found.gap_std / found.gap, error / kelvin)
        title = "Collective gap over kB Tc"
        yield Finding("collective_gap_over_ktc", title, ratio, ratio * relative, remark=source)


def _critical_temperature(series: ContactSeries) -> tuple[float | None, float, str]:
    try:
        found = series.closing.series
    except CannotTellError:
        return series.critical_temperature, 0.0, "With the Tc of the plan, taken as exact."
    return found.tc, found.tc_std, "With the temperature at which it closes."


def _variation(series: ContactSeries) -> Iterator[Finding]:
    found = series.variation
    yield Finding(
        "single_gap_spread", "Spread of the single-particle gap", 100 * found.single_spread,
        100 * found.single_spread_std, "%", "Standard deviation over mean, from place to place.",
    )  # fmt: skip
    yield Finding(
        "collective_gap_spread", "Spread of the collective gap, at most",
        100 * found.collective_spread_limit, unit="%",
        remark=f"95 % limit; beyond its uncertainties {100 * found.collective_spread:.2g} %.",
    )  # fmt: skip
    title = "Spread of the single-particle gap over collective"
    yield Finding("spread_times", title, found.times, remark="At least (95 %).")


def _closing(series: ContactSeries) -> Iterator[Finding]:
    found = series.closing.series
    yield Finding(
        "closing_temperature", "The collective gap closes at", found.tc, found.tc_std, "K",
        f"From {int(np.isfinite(series.closing.gap).sum())} temperatures with a collective gap.",
    )  # fmt: skip


def _survival(series: ContactSeries) -> Iterator[Finding]:
    critical, _, _ = _critical_temperature(series)
    if critical is None:
        raise CannotTellError("Tc is not known: give report.critical_temperature in the plan")
    warm = np.flatnonzero(series.temperatures > critical)
    if not len(warm):
        raise CannotTellError(f"no spectrum was taken above Tc = {critical:.3g} K")
    gap = series.single["gap"].values
    ratio = gap[warm[np.argmax(series.temperatures[warm])]] / gap[series.coldest]
    known = ratio[np.isfinite(ratio)]
    title = "Single-particle gap above Tc over cold"
    highest = float(np.max(series.temperatures))
    if not len(known):
        raise CannotTellError(f"no fit of a gap counts at {highest:.3g} K: closed, or not resolved")
    std = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
    remark = f"At {highest:.3g} K, {highest / critical:.2g} Tc; scatter over {len(known)} places."
    yield Finding("single_gap_above_tc", title, float(np.mean(known)), std, remark=remark)


def _barrier(series: ContactSeries) -> Iterator[Finding]:
    """Yield the barrier at both ends of the series: of the pairs where there are any, else of all."""
    try:
        found, kind, name = (
            barrier_fall(series.spectra, series.fits),
            "of the pairs' channel",
            "barrier2",
        )
    except CannotTellError:
        found, kind, name = series.fall, "one gap, one barrier", "barrier"
    true = _truth(series, name)
    for where, contact, value, std in (
        ("lowest", found.lowest_contact, found.at_lowest, found.at_lowest_std),
        ("highest", found.highest_contact, found.at_highest, found.at_highest_std),
    ):
        title = f"Barrier Z of the {where} conductance"
        remark = f"At {contact:.3g} x {QUANTUM}, {kind}."
        yield Finding(f"barrier_{where}", title, value, std, remark=remark)
        if true is not None:
            cold = series.spectra["contact"].values[series.coldest]
            step = int(np.nanargmin(np.abs(np.nanmean(cold, axis=1) - contact)))
            value = float(np.mean(true[series.coldest, step]))
            yield Finding(
                f"true_barrier_{where}", f"True {title[:1].lower()}{title[1:]}", value, 0.0
            )
    yield Finding("barrier_falls", "Rank correlation of barrier and conductance", found.falls)
    misfit = misfit_at_contact(series.spectra, series.barriers)
    title = "What one gap and one barrier leave of the spectrum"
    remark = "rms over the normal conductance, noise included, highest conductance."
    yield Finding("btk_misfit", title, 100 * misfit, unit="%", remark=remark)


def _truth(series: ContactSeries, name: str) -> Array | None:
    """Return what was true in the twin, of the shape of the spectra; None on a microscope."""
    if f"true_{name}" not in series.dataset:
        return None
    values: Array = series.dataset[f"true_{name}"].values
    return values.reshape(series.spectra["contact"].shape)

"""The numbers of a line of spectra, as people write them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from stm_daq.analysis.line.line_spectra import FEWEST
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics.btk import K_B
from stm_daq.physics.kinetic_inductance import sheet_inductance
from stm_daq.report.chapter import Finding
from stm_daq.report.line.line_results import LineResults

type Told = tuple[float, float, str]
"""Value, standard deviation (NaN: not known), remark."""

MILLI, MICRO, PICO = 1e3, 1e6, 1e12


def findings_of(line: LineResults) -> list[Finding]:
    """Return all numbers; what cannot be told is NaN, and its remark says why.

    Of a rehearsal also the truth of the twin, under the same names with ``true_`` before them.
    """
    return [_told(line, *row) for row in _WANTED] + _truths(line)


def _told(
    line: LineResults, key: str, title: str, unit: str, tell: Callable[[LineResults], Told]
) -> Finding:
    try:
        value, std, remark = tell(line)
    except (CannotTellError, BadInputError) as error:
        return Finding(key, title, math.nan, math.nan, unit, str(error))
    return Finding(key, title, value, std, unit, remark)


def _gap_mean(line: LineResults) -> Told:
    found = line.histogram
    std = found.sigma / math.sqrt(line.course.independent)
    remark = f"Model BCS; {line.spectra.note}; {line.fits.note}; {found.outliers} far off"
    alike = f"; neighbours are alike, they count as {line.course.independent:.0f}"
    return found.mean * MILLI, std * MILLI, remark + alike


def _gap_sigma(line: LineResults) -> Told:
    found = line.histogram
    std = found.sigma / math.sqrt(2.0 * line.course.independent_squares)
    sample = f"Of the Gaussian; the standard deviation of the gaps is {MILLI * line.spread.sigma:.4f} meV"
    return found.sigma * MILLI, std * MILLI, sample


def _gap_sigma_noise(line: LineResults) -> Told:
    return line.spread.noise * MILLI, math.nan, "Root mean square of the errors of the fits"


def _gap_sigma_intrinsic(line: LineResults) -> Told:
    found = line.spread
    limit = f"Below {found.intrinsic_limit * MILLI:.4f} meV (95 %)"
    return found.intrinsic * MILLI, found.intrinsic_std * MILLI, limit


def _gap_sigma_relative(line: LineResults) -> Told:
    found = line.spread
    scale = 100.0 / found.mean
    return found.intrinsic * scale, found.intrinsic_std * scale, "Of the film"


def _homogeneous(line: LineResults) -> Told:
    uniform = line.spread.p_value >= 0.05
    said = "No scatter beyond fit noise" if uniform else "More scatter than fit noise makes"
    return line.spread.p_value, math.nan, f"{said}, at the 5 % level"


def _gap_average(line: LineResults) -> Told:
    found = line.average_fit
    begins, ends = (v * MILLI for v in line.average.background.window)
    remark = (
        f"{line.spectra.note}; background from {begins:.3g} to {ends:.3g} mV; error from resampling the "
        f"spectra, {found.gap_fit_std * MICRO:.2g} µeV of the fit alone"
    )
    flags = f"; flags: {', '.join(found.flags)}" if found.flags else ""
    return found.gap * MILLI, found.gap_std * MILLI, remark + flags


def _gap_online(line: LineResults) -> Told:
    gaps = line.online
    known = np.empty(0) if gaps is None else gaps[np.isfinite(gaps)]
    if len(known) < FEWEST:
        raise CannotTellError(
            f"{len(known)} trusted fits during the run: a mean with an error needs at least {FEWEST}"
        )
    # neighbours are alike here as well
    std = float(np.std(known, ddof=1)) / math.sqrt(min(line.course.independent, len(known)))
    remark = f"{len(known)} trusted fits; sigma {MILLI * np.std(known, ddof=1):.4f} meV"
    return float(np.mean(known)) * MILLI, std * MILLI, remark


def _temperature(line: LineResults) -> Told:
    trusted = line.fits.trusted
    if trusted.sum() < FEWEST:
        raise CannotTellError(f"{line.fits.note}: a mean with an error needs at least {FEWEST}")
    kelvin, weight = line.fits.temperature[trusted], line.fits.temperature_std[trusted] ** -2.0
    scatter = float(np.std(kelvin, ddof=1)) / math.sqrt(len(kelvin))
    error = max(scatter, float(weight.sum() ** -0.5))
    mean = float(weight @ kelvin / weight.sum())
    return mean, error, "Weighted mean over the spectra"


def _temperature_average(line: LineResults) -> Told:
    found = line.average_fit
    own = math.sqrt(max(found.temperature**2 - _smearing(line.spread.intrinsic), 0.0))
    remark = (
        "Smeared by the scatter of the gaps as well, T^2 by 3 sigma^2/(pi k)^2; "
        f"without that {own:.3f} K"
    )
    return found.temperature, found.temperature_std, remark


def _gap_over_ktc(line: LineResults) -> Told:
    tc = line.settings.critical_temperature
    if tc is None:
        raise CannotTellError("the plan's block `report:` gives no critical_temperature")
    found = line.average_fit
    remark = f"Gap of the mean spectrum; Tc {tc:g} K taken as exact; 1.764 at weak coupling"
    return found.gap / (K_B * tc), found.gap_std / (K_B * tc), remark


def _sheet_inductance(line: LineResults) -> Told:
    resistance = line.settings.sheet_resistance
    if resistance is None:
        raise CannotTellError("the plan's block `report:` gives no sheet_resistance")
    found, film = line.average_fit, line.film_temperature
    value = float(sheet_inductance(resistance, found.gap, film))
    cold = float(sheet_inductance(resistance, found.gap))
    remark = (
        f"h R/(2 pi^2 gap)/tanh(gap/2kT) with R {resistance:g} ohm taken as exact; "
        f"the last factor adds {100 * (value / cold - 1):.1g} % at {film:.3g} K"
    )
    return value * PICO, value * PICO * found.gap_std / found.gap, remark


def _background_slope(line: LineResults) -> Told:
    background = line.average.background
    begins, ends = (v * MILLI for v in background.window)
    remark = f"Straight line from {begins:.3g} to {ends:.3g} mV on both sides"
    try:
        joint = line.average_fit
    except CannotTellError:
        return 0.1 * background.slope, 0.1 * background.slope_std, remark
    together = f"{0.1 * joint.slope:.4f} ± {0.1 * joint.slope_std:.4f}"
    remark += (
        f"; fitted together with the gap {together}. A tip that drifts during a sweep makes one too"
    )
    return 0.1 * background.slope, 0.1 * background.slope_std, remark


def _gap_trend(line: LineResults) -> Told:
    found = line.course
    remark = f"p = {found.trend_p:.2g}, neighbours that are alike allowed for"
    return found.trend / MILLI, found.trend_std / MILLI, remark


def _gap_neighbours(line: LineResults) -> Told:
    found = line.course
    remark = f"{found.step * 1e9:.3g} nm apart; p = {found.neighbours_p:.2g} by permutation"
    return found.neighbours, math.nan, remark


def _gap_length(line: LineResults) -> Told:
    found = line.course
    if not found.length_std < found.length:  # NaN as well
        raise CannotTellError("neighbouring gaps are not alike, or the line is too short to tell")
    return found.length * 1e9, found.length_std * 1e9, "Where the correlation has fallen to 1/e"


def _truths(line: LineResults) -> list[Finding]:
    """Return what the twin has at the spectra that are used; nothing outside a rehearsal."""
    used = line.spectra.used
    gap, kelvin = line.true("gap"), line.true("temperature")
    if gap is None or kelvin is None:
        return []
    mean, sigma, tip = (
        float(gap[used].mean()),
        float(np.std(gap[used], ddof=1)),
        kelvin[used].mean(),
    )
    found = {
        "gap_mean": mean * MILLI,
        "gap_average": mean * MILLI,
        "gap_sigma": sigma * MILLI,
        "gap_sigma_intrinsic": sigma * MILLI,
        "gap_sigma_relative": 100.0 * sigma / mean,
        "tip_temperature": float(tip),
        "tip_temperature_average": math.sqrt(tip**2 + _smearing(sigma)),
    }
    if line.settings.critical_temperature is not None:
        found["gap_over_ktc"] = mean / (K_B * line.settings.critical_temperature)
    if line.settings.sheet_resistance is not None:
        resistance = line.settings.sheet_resistance
        film = line.film_temperature
        found["sheet_inductance"] = PICO * float(sheet_inductance(resistance, mean, film))
    return [
        Finding(f"true_{key}", f"Twin: {title}", found[key], unit=unit)
        for key, title, unit, _ in _WANTED
        if key in found
    ]


def _smearing(sigma: float) -> float:
    """Return the square of the temperature that smears as much as gaps that scatter by `sigma`, K^2."""
    return 3.0 * (sigma / (math.pi * K_B)) ** 2


_WANTED = (
    ("gap_mean", "Mean gap (Gaussian of the histogram)", "meV", _gap_mean),
    ("gap_sigma", "Width of the distribution of the gap (sigma)", "meV", _gap_sigma),
    ("gap_sigma_noise", "The part of it that is fit noise", "meV", _gap_sigma_noise),
    ("gap_sigma_intrinsic", "The width without fit noise", "meV", _gap_sigma_intrinsic),
    ("gap_sigma_relative", "Width without fit noise over mean gap", "%", _gap_sigma_relative),
    ("gap_homogeneous_p", "Probability of so much scatter by fit noise alone", "", _homogeneous),
    ("gap_average", "Gap of the mean spectrum", "meV", _gap_average),
    ("gap_mean_online", "Mean gap of the fit during the run", "meV", _gap_online),
    ("tip_temperature", "Effective tip temperature, single spectra", "K", _temperature),
    (
        "tip_temperature_average",
        "Effective tip temperature, mean spectrum",
        "K",
        _temperature_average,
    ),
    ("gap_over_ktc", "Gap over k Tc", "", _gap_over_ktc),
    ("sheet_inductance", "Sheet kinetic inductance", "pH", _sheet_inductance),
    ("background_slope", "Slope of the background", "%/mV", _background_slope),
    ("gap_trend", "Trend of the gap along the line", "µeV/nm", _gap_trend),
    ("gap_neighbours", "Correlation of the gaps of neighbours", "", _gap_neighbours),
    ("gap_correlation_length", "Correlation length of the gap", "nm", _gap_length),
)
"""Key, title, unit, and who tells it."""

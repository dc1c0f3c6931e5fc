"""The numbers of a line of spectra, as people write them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from stm_daq.analysis.line_spectra import FEWEST
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics.btk import K_B
from stm_daq.physics.kinetic_inductance import sheet_inductance
from stm_daq.report.chapter import Finding
from stm_daq.report.line_results import LineResults

type Told = tuple[float, float, str]
"""Value, standard deviation (NaN: not known), remark."""

MILLI, MICRO, PICO = 1e3, 1e6, 1e12


def findings_of(line: LineResults) -> list[Finding]:
    """Return all numbers; what cannot be told is NaN, and its remark says why."""
    return [_told(line, *row) for row in _WANTED]


def _told(
    line: LineResults, key: str, title: str, unit: str, tell: Callable[[LineResults], Told]
) -> Finding:
    try:
        value, std, remark = tell(line)
    except (CannotTellError, BadInputError) as error:
        return Finding(key, title, math.nan, math.nan, unit, str(error))
    return Finding(key, title, value, std, unit, remark)


def _twin(line: LineResults, name: str, text: str, what: Callable[[np.ndarray], float]) -> str:
    """Return the truth of a rehearsal as a part of a sentence; empty without one."""
    true = line.true(name)
    if true is None or not np.isfinite(true).any():
        return ""
    return f"; the twin's along this line: {text.format(what(true[np.isfinite(true)]))}"


def _gap_mean(line: LineResults) -> Told:
    found, truth = line.histogram, _twin(line, "gap", "{:.4f} meV", lambda g: MILLI * g.mean())
    std = found.sigma / math.sqrt(line.course.independent)
    remark = f"Model BCS; {line.spectra.note}; {line.fits.note}; {found.outliers} far off"
    alike = f"; neighbours are alike, they count as {line.course.independent:.0f}"
    return found.mean * MILLI, std * MILLI, remark + alike + truth


def _gap_sigma(line: LineResults) -> Told:
    found = line.histogram
    std = found.sigma / math.sqrt(2.0 * line.course.independent_squares)
    sample = f"Of the Gaussian; the standard deviation of the gaps is {MILLI * line.spread.sigma:.4f} meV"
    truth = _twin(line, "gap", "{:.4f} meV", lambda g: MILLI * g.std(ddof=1))
    return found.sigma * MILLI, std * MILLI, sample + truth


def _gap_sigma_noise(line: LineResults) -> Told:
    return line.spread.noise * MILLI, math.nan, "Root mean square of the errors of the fits"


def _gap_sigma_intrinsic(line: LineResults) -> Told:
    found = line.spread
    limit = f"Below {found.intrinsic_limit * MILLI:.4f} meV (95 %)"
    truth = _twin(line, "gap", "{:.4f} meV", lambda g: MILLI * g.std(ddof=1))
    return found.intrinsic * MILLI, found.intrinsic_std * MILLI, limit + truth


def _gap_sigma_relative(line: LineResults) -> Told:
    found = line.spread
    truth = _twin(line, "gap", "{:.2f} %", lambda g: 100 * g.std(ddof=1) / g.mean())
    scale = 100.0 / found.mean
    return found.intrinsic * scale, found.intrinsic_std * scale, f"Of the film{truth}"


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
    truth = _twin(line, "gap", "mean {:.4f} meV", lambda g: MILLI * g.mean())
    return found.gap * MILLI, found.gap_std * MILLI, remark + flags + truth


def _gap_online(line: LineResults) -> Told:
    gaps = line.online
    if gaps is None or np.isfinite(gaps).sum() < 2:
        raise CannotTellError("the run has no trusted fits of its own")
    known = gaps[np.isfinite(gaps)]
    std = float(np.std(known, ddof=1)) / math.sqrt(len(known))
    remark = f"{len(known)} trusted fits; sigma {MILLI * np.std(known, ddof=1):.4f} meV"
    return float(np.mean(known)) * MILLI, std * MILLI, remark


def _temperature(line: LineResults) -> Told:
    trusted = line.fits.trusted
    if trusted.sum() < FEWEST:
        raise CannotTellError(f"{line.fits.note}: a mean with an error needs at least {FEWEST}")
    kelvin, weight = line.fits.temperature[trusted], line.fits.temperature_std[trusted] ** -2.0
    scatter = float(np.std(kelvin, ddof=1)) / math.sqrt(len(kelvin))
    error = max(scatter, float(weight.sum() ** -0.5))
    truth = _twin(line, "temperature", "{:.3f} K", lambda t: float(t.mean()))
    mean = float(weight @ kelvin / weight.sum())
    return mean, error, f"Weighted mean over the spectra{truth}"


def _temperature_average(line: LineResults) -> Told:
    found = line.average_fit
    smeared = 3.0 * (line.spread.intrinsic / (math.pi * K_B)) ** 2
    own = math.sqrt(max(found.temperature**2 - smeared, 0.0))
    remark = (
        "Smeared by the scatter of the gaps as well, T^2 by 3 sigma^2/(pi k)^2; "
        f"without that {own:.3f} K"
    )
    truth = _twin(line, "temperature", "{:.3f} K", lambda t: float(t.mean()))
    return found.temperature, found.temperature_std, remark + truth


def _gap_over_ktc(line: LineResults) -> Told:
    tc = line.settings.critical_temperature
    if tc is None:
        raise CannotTellError("the plan's block `report:` gives no critical_temperature")
    found = line.average_fit
    remark = f"Gap of the mean spectrum; Tc {tc:g} K taken as exact; 1.764 at weak coupling"
    truth = _twin(line, "gap", "{:.3f}", lambda g: g.mean() / (K_B * tc))
    return found.gap / (K_B * tc), found.gap_std / (K_B * tc), remark + truth


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
    truth = _twin(
        line,
        "gap",
        "{:.2f} pH",
        lambda g: PICO * float(sheet_inductance(resistance, g.mean(), film)),
    )
    return value * PICO, value * PICO * found.gap_std / found.gap, remark + truth


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
    if math.isnan(found.length):
        raise CannotTellError("neighbouring gaps are not alike, or the line is too short to tell")
    return found.length * 1e9, found.length_std * 1e9, "Where the correlation has fallen to 1/e"


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

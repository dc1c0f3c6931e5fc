"""The numbers of a map of gaps and exponents, as people write them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from stm_daq.analysis.altshuler_aronov.disorder_theory import Value
from stm_daq.analysis.altshuler_aronov.gap_exponent_relation import Varying, coefficient_std
from stm_daq.analysis.altshuler_aronov.gap_exponent_study import GapExponentStudy
from stm_daq.analysis.altshuler_aronov.peak_shift import TrueGaps
from stm_daq.analysis.space.correlation_length import CorrelationLength
from stm_daq.analysis.space.significance import Coefficient
from stm_daq.errors import CannotTellError
from stm_daq.physics.btk import K_B
from stm_daq.report.chapter import Finding

MEV, NM = 1e3, 1e9

OF_MAPS = ("gap_mean", "gap_peak_to_peak", "gap_relative_sigma", "gap_over_kTc", "alpha_mean",
           "alpha_of_spectra", "alpha_sigma")  # fmt: skip
"""Numbers whose error comes from parts of the map that are larger than its correlation length."""
NO_ERROR = "No uncertainty: the map is hardly larger than its correlation length."

type Number = Callable[[GapExponentStudy], Value]


def findings_of(study: GapExponentStudy) -> list[Finding]:
    """Return all numbers, of a rehearsal also the truth; one that cannot be told is NaN and says why."""
    wanted = (*NUMBERS, *TRUE) if study.rehearsed else NUMBERS
    return [_finding(study, *row) for row in wanted]


def _finding(
    study: GapExponentStudy, key: str, title: str, unit: str, number: Number, remark: str
) -> Finding:
    try:
        found = number(study)
    except CannotTellError as reason:
        return Finding(key, title, math.nan, unit=unit, remark=str(reason))
    if key in OF_MAPS and math.isnan(found.std):
        remark = f"{remark} {NO_ERROR}".lstrip()
    return Finding(key, title, found.value, found.std, unit, remark)


def _times(value: Value, factor: float) -> Value:
    return Value(value.value * factor, value.std * factor)


def _gaps(study: GapExponentStudy) -> TrueGaps:
    if study.maps.gaps is None:
        raise CannotTellError(study.maps.remark)
    return study.maps.gaps


def _mean_gap(study: GapExponentStudy) -> Value:
    _gaps(study)  # half the peak distance has a finding of its own
    return _times(study.gap.mean, MEV)


def _half_distance(study: GapExponentStudy) -> Value:
    distance = float(np.nanmean(study.maps.peaks.gap.values))
    return Value(distance * MEV, study.gap.mean.std * MEV)


def _over_critical_temperature(study: GapExponentStudy) -> Value:
    temperature = study.settings.critical_temperature
    if temperature is None:
        raise CannotTellError("Needs critical_temperature in the plan's `report:` block.")
    return _times(study.gap.mean, 1 / (K_B * temperature))


def _exponent_of_spectra(study: GapExponentStudy) -> Value:
    alpha = study.maps.as_measured.alpha.values
    return Value(float(np.nanmean(alpha)), study.exponent.mean.std)


def _asymmetry(study: GapExponentStudy) -> Value:
    exponents = study.maps.exponents
    known = np.isfinite(exponents.asymmetry.values)
    noise = exponents.asymmetry_std.values[known]
    mean = float(exponents.asymmetry.values[known].mean())
    return Value(mean, float(np.linalg.norm(noise)) / int(known.sum()))


def _length(found: CorrelationLength | None, why_not: str) -> Value:
    if found is None:
        raise CannotTellError(why_not)
    return Value(found.length * NM, found.length_std * NM)


def _relative_sigma(gap: Varying) -> Value:
    return _times(gap.sigma, 1 / gap.mean.value)


def _exactly(value: Value) -> Value:
    """Return the value of the sites themselves: how a film scatters is no error of it."""
    return Value(value.value)


def _coefficient(found: Coefficient) -> Value:
    return Value(found.value, coefficient_std(found))


NUMBERS: tuple[tuple[str, str, str, Number, str], ...] = (
    ("gap_mean", "Mean gap", "meV", _mean_gap,
     "Half the peak distance less the shift of the peaks."),
    ("gap_peak_to_peak", "Mean of half the peak distance", "meV", _half_distance,
     "As the paper defines its gap: too large by the shift of the peaks."),
    ("gap_shift", "Shift of the peaks", "meV", lambda s: Value(_gaps(s).shift * MEV),
     "By temperature, broadening, modulation and the window of the derivative."),
    ("gap_shift_physics", "Part of it that a perfect derivative would show", "meV",
     lambda s: Value(_gaps(s).shift_by_physics * MEV), "By temperature, broadening and modulation."),
    ("broadening", "Broadening", "meV", lambda s: Value(_gaps(s).broadening * MEV),
     "With electrons as cold as the stage; if they are warmer, it stands for that."),
    ("gap_relative_sigma", "Relative spread of the gap", "",
     lambda s: _relative_sigma(s.gap), "Without the noise of the sites."),
    ("gap_length", "Correlation length of the gap", "nm", lambda s: _length(s.gap.length, s.gap.remark),
     "Where the correlation has fallen to 1/e."),
    ("gap_over_kTc", "Gap over kB Tc", "", _over_critical_temperature, ""),
    ("alpha_mean", "Mean exponent", "", lambda s: s.exponent.mean,
     "Of the normal state: with the superconductor's density of states divided out."),
    ("alpha_of_spectra", "Mean exponent of the spectra as they are", "", _exponent_of_spectra,
     "As in the paper; lower, for the superconductor's density of states falls with the bias."),
    ("alpha_sigma", "Spread of the exponent", "", lambda s: s.exponent.sigma,
     "Without the noise of the sites."),
    ("alpha_length", "Correlation length of the exponent", "nm",
     lambda s: _length(s.exponent.length, s.exponent.remark), "Where the correlation has fallen to 1/e."),
    ("alpha_asymmetry", "Exponent at positive less that at negative bias", "", _asymmetry, ""),
    ("cross_at_zero", "Correlation of gap and exponent", "", lambda s: s.relation.at_zero,
     "Without the noise of both, and without what the gap itself adds to the exponent."),
    ("cross_of_spectra", "The same, as measured", "", lambda s: _coefficient(s.as_measured),
     "Of half the peak distance and the exponent of the spectra as they are, as in the paper."),
    ("cross_length", "Length of this correlation", "nm",
     lambda s: _length(s.relation.length, s.relation.remark), "Where it has fallen to 1/e."),
    ("height_correlation", "Correlation of gap and tip height", "",
     lambda s: _coefficient(s.gap_with_height), "Both without their planes."),
    ("height_correlation_alpha", "Correlation of exponent and tip height", "",
     lambda s: _coefficient(s.exponent_with_height), "Both without their planes."),
    ("theory_alpha", "Exponent from the sheet resistance", "", lambda s: s.theory.exponent,
     "Eq. 1 at the geometric mean of the window."),
    ("theory_sheet_resistance", "Sheet resistance from the mean exponent", "kohm",
     lambda s: _times(s.theory.sheet_resistance, 1e-3), "Eq. 1 the other way round."),
    ("theory_sheet_resistance_sigma", "Spread of the resistance from that of the exponent", "kohm",
     lambda s: _times(s.theory.resistance_sigma, 1e-3), "Eq. 2."),
    ("theory_relative_gap_sigma", "Relative spread of the gap from that of the resistance", "",
     lambda s: s.theory.gap_sigma, "Eq. 3, good to about 50 %: its cut-off is not well known."),
    ("gap_by_exponent", "Relative change of the gap by the exponent", "",
     lambda s: s.relation.slope, "Regression, without the noise."),
    ("theory_gap_by_exponent", "The same from the theory", "", lambda s: s.theory.slope,
     "Eqs. 2 and 3, if nothing but the resistance varied."),
    ("coherence_length", "Coherence length", "nm", lambda s: Value(s.theory.coherence_length * NM),
     "Patches must be larger, or the gap cannot follow them."),
    ("lock_in_ratio", "dI/dV from the current over that of the lock-in", "",
     lambda s: Value(s.lock_in.ratio, s.lock_in.std), "One, if both are calibrated."),
)  # fmt: skip
"""Key, title, unit, number, remark."""

_OF_TWIN = "Of the sites of this run, as the twin had them."
TRUE: tuple[tuple[str, str, str, Number, str], ...] = (
    ("true_gap_mean", "True mean gap", "meV",
     lambda s: _exactly(_times(s.true_gap.mean, MEV)), _OF_TWIN),
    ("true_gap_relative_sigma", "True relative spread of the gap", "",
     lambda s: _exactly(_relative_sigma(s.true_gap)), _OF_TWIN),
    ("true_gap_length", "True correlation length of the gap", "nm",
     lambda s: _exactly(_length(s.true_gap.length, s.true_gap.remark)), _OF_TWIN),
    ("true_alpha_mean", "True mean exponent", "",
     lambda s: _exactly(s.true_exponent.mean), _OF_TWIN),
    ("true_alpha_sigma", "True spread of the exponent", "",
     lambda s: _exactly(s.true_exponent.sigma), _OF_TWIN),
    ("true_alpha_length", "True correlation length of the exponent", "nm",
     lambda s: _exactly(_length(s.true_exponent.length, s.true_exponent.remark)), _OF_TWIN),
    ("true_cross_at_zero", "True correlation of gap and exponent", "",
     lambda s: _exactly(s.true_relation.at_zero), _OF_TWIN),
    ("true_cross_length", "True length of this correlation", "nm",
     lambda s: _exactly(_length(s.true_relation.length, s.true_relation.remark)), _OF_TWIN),
)  # fmt: skip
"""The same of a rehearsal, from the truth of the twin."""

"""What a fit is worth: flags that say in one word each why a number should be read with care."""

from __future__ import annotations

import re
from collections.abc import Iterable

EXPLANATIONS = {
    "too_few_points": "there are fewer valid points than the fit needs",
    "constant": "all conductance values are the same: not a measurement",
    "negative": "the conductance is negative: check the phase of the lock-in and the sign of the "
    "current",
    "no_gap": "a smooth background describes the spectrum as well: no superconducting gap is seen",
    "not_converged": "the search did not settle; the values are not a minimum of chi-square",
    "model_inadequate": "the residuals are systematic: this model cannot describe the spectrum; "
    "standard deviations are scaled up accordingly but do not cover the model's own error",
    "too_noisy": "gap or temperature is hardly determined by this spectrum",
    "gap_at_bound": "the gap is at the edge of what the bias range can show, or of what "
    "superconductors have: is the bias in V?",
    "temperature_at_bound": "the temperature is at the edge of what the bias grid can show, or of "
    "where there are superconductors: is the bias in V?",
    "broadening_at_bound": "the broadening is as large as the bias range",
    "scale_at_bound": "the normal-state conductance ran away from the measured conductance",
    "offset_at_bound": "the bias offset is larger than a fifth of the bias range",
    "slope_at_bound": "the background changes by half over the bias range",
    "weight_at_bound": "one of the two channels carries nothing: a model with one will do",
    "exponent_at_bound": "the background is steeper than the model allows",
    "barrier_upper_limit": "the contact is so transparent that only an upper limit of the barrier "
    "is known",
    "barrier_lower_limit": "the contact is so opaque that only a lower limit of the barrier is known",
    "broadening_upper_limit": "the broadening is zero within two standard deviations: only an upper "
    "limit is known",
    "second_minimum": "another gap describes the spectrum as well",
    "not_white": "neighbouring residuals have the same sign too often: this model misses something "
    "small, or the noise is not white",
    "calibration": "the current does not rise by the integral of the conductance: the scale of one "
    "of them is wrong by more than 5 %",
    "correlated": "these two parameters can hardly be told apart: if one of them is known otherwise, "
    "fix it",
}
"""One line on every flag. What follows a colon in a flag names the parameters concerned; a number in
it, the channel: "gap2_at_bound"."""

FATAL = frozenset(
    {
        "too_few_points",
        "constant",
        "negative",
        "no_gap",
        "not_converged",
        "model_inadequate",
        "too_noisy",
        "gap_at_bound",
        "temperature_at_bound",
        "broadening_at_bound",
        "scale_at_bound",
        "offset_at_bound",
        "slope_at_bound",
        "weight_at_bound",
        "exponent_at_bound",
        "second_minimum",
    }
)
"""Flags that make `FitResult.ok` False: a number of the result must not be trusted."""


def is_ok(flags: tuple[str, ...]) -> bool:
    """Whether every value may be used within its standard deviation."""
    return not flags or FATAL.isdisjoint(_kind(flag) for flag in flags)


def grade(flags: Iterable[str]) -> str:
    """ "good", "doubtful" or "failed".

    A doubtful fit settled, but its model misses something systematic: its values are indicative.
    """
    fatal = {_kind(flag) for flag in flags} & FATAL
    if not fatal:
        return "good"
    return "doubtful" if fatal == {"model_inadequate"} else "failed"


def meaning(flag: str) -> str | None:
    """What a flag says, or None if no fit raises it."""
    return EXPLANATIONS.get(_kind(flag))


def explain(flags: Iterable[str]) -> list[str]:
    """Sentences for people, one for each flag, in order."""
    return [f"{flag}: {meaning(flag)}" for flag in flags]


def _kind(flag: str) -> str:
    """The flag without names of parameters, numbers of channels and the side of the junction."""
    word = re.sub(r"^([a-z]+)\d", r"\1", flag.partition(":")[0])
    return word.removeprefix("tip_")

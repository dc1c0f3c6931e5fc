"""What the flags of spectra mean, in plain words (those of fits are explained there)."""

from __future__ import annotations

from stm_daq.fitting.verdict import meaning

SPECTRUM_FLAGS = {
    "overload": "the lock-in's input or filter was overloaded during the sweep",
    "unlock": "the lock-in lost its reference during the sweep",
    "range_changed": "the lock-in's range of the reference frequency changed during the sweep",
    "preamplifier_overload": "the current reached the preamplifier's full scale",
    "current_not_reproduced": "the current did not return to its value: the junction changed",
    "setpoint_not_reached": "the current was far off its set-point just before the hold",
    "stale_temperature": "there was no fresh reading of the stage temperature",
    "off_nominal_bias": "the bias that was applied differs from the one planned",
    "fit_error": "the fit broke down on this spectrum; see log.txt in the run's folder",
    "damaged": "the spectrum on the disk does not match its checksum and was left out",
}


def explain(flag: str) -> str:
    """Return what a flag means, in plain words."""
    return SPECTRUM_FLAGS.get(flag) or meaning(flag) or "no explanation is known"

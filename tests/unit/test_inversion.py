"""Local critical temperature and thermal length from switching powers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stm_daq.analysis.microwave.inversion import KELVIN_PER_HERTZ, Switching, invert
from stm_daq.errors import BadInputError
from stm_daq.physics.hotspot import switching_drives

FILM = {"phonon_temperature": 1.05, "distance": 60e-9, "exponent": 6}
START = {"critical_temperature": 3.5, "thermal_length": 16.5e-9}
STD = 0.05


def measured(tc: float, length: float, frequencies=(12e9, 19e9), calibrated=0.02, seed=None):
    """Return switching powers of a film with this Tc (K) and thermal length (m)."""
    rng = np.random.default_rng(seed)
    found = []
    for frequency in frequencies:
        drives = switching_drives(KELVIN_PER_HERTZ * frequency / tc, 1.05 / tc, length / 60e-9, n=6)
        shift = 60 * math.log10(tc / 3.5)
        down, up = (20 * math.log10(j) + shift - 30.0 for j in drives)
        if seed is not None:
            down, up = np.array([down, up]) + STD * rng.standard_normal(2)
        found.append(Switching(frequency, up, STD, down, STD, -30.0, calibrated))
    return found


def test_both_are_found_if_powers_are_known_exactly() -> None:
    exact = [
        replace(s, up_std=1e-3, down_std=1e-3, calibration_std=5e-4)
        for s in measured(3.57, 15.4e-9)
    ]
    local = invert(exact, **FILM, **START)
    assert local.critical_temperature == pytest.approx(3.57, rel=1e-3)
    assert local.thermal_length == pytest.approx(15.4e-9, rel=0.02)
    assert 0 < local.critical_temperature_std < 0.01
    assert 0 < local.thermal_length_std < 2e-9
    assert local.freedom == 2
    assert local.chi_square < 0.1


def test_it_is_said_that_both_do_not_follow_from_ordinary_powers() -> None:
    with pytest.raises(BadInputError, match="do not tell critical_temperature and thermal_length"):
        invert(measured(3.57, 15.4e-9), **FILM, **START)


@pytest.mark.parametrize(
    ("name", "truth"), [("critical_temperature", 3.5), ("thermal_length", 16.5e-9)]
)
def test_uncertainties_are_honest(name: str, truth: float) -> None:
    pulls = []
    for seed in range(4):
        local = invert(measured(3.5, 16.5e-9, seed=seed), **FILM, **START, free=(name,))
        pulls.append((getattr(local, name) - truth) / getattr(local, f"{name}_std"))
    assert 0.3 < np.sqrt(np.mean(np.square(pulls))) < 2.0


def test_without_a_calibration_the_width_still_tells_tc() -> None:
    known = [replace(s, calibration=7.0, calibration_std=math.inf) for s in measured(3.6, 16.5e-9)]
    local = invert(known, **FILM, **START, free=("critical_temperature",))
    assert local.critical_temperature == pytest.approx(3.6, rel=2e-3)
    assert local.thermal_length_std == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"free": ()}, "free is"),
        ({"phonon_temperature": 3.6}, "no bistability here"),
        ({"critical_temperature": 1.06}, "no bistability here"),
    ],
)
def test_bad_input_is_refused(change, said) -> None:
    with pytest.raises(BadInputError, match=said):
        invert(measured(3.5, 16.5e-9), **{**FILM, **START, **change})
    lone = replace(measured(3.5, 16.5e-9, (19e9,))[0], calibration_std=math.inf)
    with pytest.raises(BadInputError, match="more frequencies"):
        invert([lone], **FILM, **START)

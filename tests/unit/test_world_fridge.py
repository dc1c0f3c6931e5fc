"""The cryostat of the twin: its physics, its controller, and that asking does not change it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from sim.fridge import Fridge
from sim.heater import HeaterSettings

CLOSED = HeaterSettings("closed", 12e-3, setpoint=0.6, proportional=2.0, integral_time=60.0)


def quiet() -> Fridge:
    """Return a cryostat that neither drifts nor breathes."""
    return Fridge(drift=0.0, oscillation=0.0)


def test_without_heating_it_drifts_and_breathes_only() -> None:
    fridge = Fridge(temperature=0.3, drift=1e-3, oscillation=2e-3, period=100.0)
    assert fridge.stage_temperature(25.0) == pytest.approx(0.3 + 1e-3 * 25 / 3600 + 2e-3)
    assert fridge.pot_temperature(25.0) == fridge.stage_temperature(25.0)


@pytest.mark.parametrize("watts", [1e-6, 1e-3, 0.1])
def test_at_rest_the_heat_is_the_cooling_power(watts: float) -> None:
    fridge = quiet()
    fridge.set_heater(HeaterSettings("manual", full_scale=4 * watts, level=0.5), 0.0)
    for kelvin in (fridge.stage_temperature(1e5), fridge.pot_temperature(1e5)):
        assert fridge.cooling * (kelvin**2 - 0.5**2) == pytest.approx(watts, rel=1e-6)


def test_both_bodies_follow_the_equations_of_heat() -> None:
    fridge = quiet()
    fridge.set_heater(HeaterSettings("manual", full_scale=12e-3, level=1.0), 5.0)
    ratio = fridge.link / fridge.cooling
    matrix = np.array(
        [
            [-(1 + ratio) / fridge.pot_time, ratio / fridge.pot_time],
            [1 / fridge.stage_time, -1 / fridge.stage_time],
        ]
    )
    target = 12e-3 / fridge.cooling
    for time in (6.0, 50.0, 700.0):
        u = 0.25 + target - expm(matrix * (time - 5.0)) @ np.full(2, target)
        found = fridge.pot_temperature(time), fridge.stage_temperature(time)
        assert found == pytest.approx(tuple(np.sqrt(u)), rel=1e-12)


def test_the_stage_lags_behind_the_pot_by_minutes() -> None:
    fridge = quiet()
    fridge.set_heater(HeaterSettings("manual", full_scale=12e-3, level=1.0), 0.0)
    final = fridge.stage_temperature(1e5)
    times = np.arange(0.0, 2000.0)
    pot, stage = ([f(t) for t in times] for f in (fridge.pot_temperature, fridge.stage_temperature))
    half = (0.5 + final) / 2
    assert 20 < np.searchsorted(pot, half) < np.searchsorted(stage, half) < 600


def test_the_loop_reaches_its_setpoint() -> None:
    fridge = Fridge()
    fridge.set_heater(CLOSED, 10.0)
    assert fridge.stage_temperature(1800.0) == pytest.approx(0.6, abs=1e-3)
    breath = [fridge.stage_temperature(t) for t in np.arange(3600.0, 6000.0, 50.0)]
    assert np.ptp(breath) < 1e-3  # half of what it is without the loop


def test_asking_does_not_change_what_happens() -> None:
    seldom, often = Fridge(), Fridge()
    for fridge in (seldom, often):
        fridge.set_heater(CLOSED, 10.25)
    for time in np.arange(11.0, 900.0, 0.37):
        often.stage_temperature(time)
        often.heater_power(time)
    assert often.stage_temperature(901.3) == seldom.stage_temperature(901.3)


def test_a_loop_whose_thermometer_is_not_scanned_keeps_its_output() -> None:
    fridge = quiet()
    fridge.set_heater(replace(CLOSED, live=lambda time: time < 100.0), 0.0)
    output = fridge.heater_power(100.0)
    assert fridge.heater_power(1000.0) == output > 0
    assert fridge.stage_temperature(2000.0) != pytest.approx(0.6, abs=1e-3)


def test_no_windup_when_the_range_is_too_small() -> None:
    fridge = quiet()
    fridge.set_heater(replace(CLOSED, full_scale=1e-4), 0.0)
    assert fridge.heater_power(7200.0) == pytest.approx(1e-4)
    fridge.set_heater(replace(CLOSED, full_scale=1e-4, setpoint=0.45), 7200.0)
    assert fridge.heater_power(8000.0) < 1e-6


def test_off_is_off() -> None:
    fridge = quiet()
    fridge.set_heater(CLOSED, 0.0)
    fridge.set_heater(HeaterSettings(), 600.0)
    assert fridge.heater_power(600.0) == 0.0
    assert fridge.stage_temperature(1e5) == pytest.approx(0.5)
    assert math.isinf(fridge.heater.due)  # nothing more to do for the rest of the night

"""Taking the lock-in's lag out of a spectrum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stm_daq.fitting import OnlineFitter
from stm_daq.fitting.lag import forget, remember
from stm_daq.physics import btk

MEMORY = np.array([0.8, 0.15, 0.04, 0.01])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50))
def test_forgetting_undoes_remembering(values):
    spectrum = np.array(values)
    assert forget(remember(spectrum, MEMORY), MEMORY) == pytest.approx(spectrum, abs=1e-9)


def test_a_step_is_remembered_as_the_weights_say():
    lagged = remember(np.array([0.0, 1.0, 1.0, 1.0, 1.0]), MEMORY)
    assert lagged == pytest.approx([0.0, 0.8, 0.95, 0.99, 1.0])


def test_a_flat_spectrum_has_no_lag():
    assert forget(np.full(9, 3.0), MEMORY) == pytest.approx(np.full(9, 3.0))


def test_missing_points_stay_missing_and_do_not_spread():
    spectrum = np.linspace(1.0, 2.0, 20)
    lagged = remember(spectrum, MEMORY)
    lagged[7] = np.nan
    result = forget(lagged, MEMORY)
    assert np.flatnonzero(np.isnan(result)).tolist() == [7]
    assert result[12:] == pytest.approx(spectrum[12:], abs=1e-3)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_lagging_sweep_is_fitted_without_bias_in_either_direction(direction):
    bias = np.linspace(4e-3, -4e-3, 256)[::direction]
    true = btk.conductance(bias, 0.6e-3, 0.8, 1.2, modulation=140e-6)
    measured = remember(25e-9 * true, MEMORY)
    aware = OnlineFitter(bias, 140e-6, memory=MEMORY).fit(measured, noise=1e-11)
    unaware = OnlineFitter(bias, 140e-6).fit(measured, noise=1e-11)
    assert aware.values["temperature"] == pytest.approx(0.8, abs=1e-3)
    assert abs(aware.values["offset"]) < 1e-7
    assert aware.curve == pytest.approx(measured, abs=1e-12)
    assert direction * unaware.values["offset"] < -5e-6

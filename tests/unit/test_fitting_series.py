"""Gap and transition temperature from a temperature series."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.fitting import fit_gap_series
from stm_daq.physics import bcs

KELVIN = np.array([0.5, 1.5, 2.5, 3.2, 3.8, 4.3])


def series(seed=0, error=5e-6):
    rng = np.random.default_rng(seed)
    return bcs.gap(KELVIN, 0.72e-3, 4.7) + error * rng.standard_normal(len(KELVIN))


def test_the_series_is_recovered():
    pulls = []
    for seed in range(40):
        found = fit_gap_series(KELVIN, series(seed), np.full(6, 5e-6))
        pulls.append(((found.gap0 - 0.72e-3) / found.gap0_std, (found.tc - 4.7) / found.tc_std))
    assert np.max(np.abs(pulls)) < 4
    assert 0.6 < np.std(pulls) < 1.3
    assert "gap closes at 4.7" in str(found)
    assert found.coupling == pytest.approx(2 * 0.72e-3 / (8.617333e-5 * 4.7), rel=0.02)


def test_normal_spectra_are_remembered():
    gap = np.append(series(), np.nan)
    found = fit_gap_series(np.append(KELVIN, 6.0), gap, np.append(np.full(6, 5e-6), np.nan))
    assert found.lowest_normal == 6.0
    assert found.tc == pytest.approx(4.7, abs=0.1)


def test_a_poor_description_widens_the_errors():
    gap = series() * (1 + 0.1 * (-1.0) ** np.arange(6))
    assert fit_gap_series(KELVIN, gap, np.full(6, 5e-6)).tc_std > 0.1


@pytest.mark.parametrize(
    ("kelvin", "gap", "std", "match"),
    [
        (KELVIN[:2], series()[:2], np.ones(2), "at least three"),
        (KELVIN, series(), np.zeros(6), "positive"),
        (KELVIN, series()[:5], np.ones(5), "same length"),
        (0.1 * KELVIN, np.full(6, 0.72e-3), np.full(6, 1e-6), "closer to the transition"),
    ],
)
def test_hopeless_series_are_refused(kelvin, gap, std, match):
    with pytest.raises(ValueError, match=match):
        fit_gap_series(kelvin, gap, std)

"""Verdicts, switches and lags of recorded power sweeps."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from stm_daq.analysis.hysteresis import Cycle, analyse, rate_test

sys.path.insert(0, str(Path(__file__).parents[1]))
from labelled_loops import cases

POWER = np.linspace(-30, -10, 81)


def cycle(up_at, down_at, noise=0.0, seed=0, height=1.0, dwell=1.0):
    rng = np.random.default_rng(seed)
    up = height * np.greater(POWER, up_at) + noise * rng.standard_normal(81)
    down = height * np.greater(POWER[::-1], down_at) + noise * rng.standard_normal(81)
    return Cycle(POWER, up, POWER[::-1], down, dwell)


def test_verdicts_of_a_labelled_set():
    made = cases(seed=20260, count=200)
    right = [analyse(case.cycles).verdict == case.verdict for case in made]
    assert len(right) == 200
    assert np.mean(right) >= 0.95


def test_switches_width_and_area_of_a_clean_loop():
    loop = analyse([cycle(-14.1, -20.1, noise=0.01, seed=k) for k in range(3)])
    assert loop.verdict == "bistable"
    assert loop.up is not None
    assert loop.down is not None
    assert abs(loop.up.power - -14.1) <= 0.125 + 1e-9
    assert abs(loop.down.power - -20.1) <= 0.125 + 1e-9
    assert loop.up.std == pytest.approx(0.25 / np.sqrt(12), rel=1e-6)
    assert loop.up.height == pytest.approx(1.0, abs=0.02)
    assert loop.down.height == pytest.approx(-1.0, abs=0.02)
    assert loop.width == pytest.approx(6.0, abs=0.25)
    assert loop.area == pytest.approx(6.0, abs=0.3)
    assert loop.up.count == 3


def test_spread_over_cycles_is_stated():
    places = [-14.0, -14.6, -15.1, -14.3]
    loop = analyse([cycle(p, -20.0) for p in places])
    assert loop.up is not None
    assert loop.up.std == pytest.approx(np.std(places, ddof=1), rel=0.35)


def test_a_signal_that_falls_is_judged_alike():
    rising, falling = (analyse([cycle(-14, -20, height=h)]) for h in (3e-9, -3e-9))
    assert rising.verdict == falling.verdict == "bistable"
    assert falling.up is not None
    assert falling.up.height == pytest.approx(-3e-9)


def test_rate_test_tells_a_lag_from_hysteresis():
    def lagged(true, dwell, lag=2.0):
        read = true.copy()
        for k in range(1, len(read)):
            read[k] += np.exp(-dwell / lag) * (read[k - 1] - read[k])
        return Cycle(POWER, read[:81], POWER[::-1], read[81:], dwell)

    smooth = 0.5 * (1 + np.tanh((POWER + 18) / 3))
    reversible = np.concatenate([smooth, smooth[::-1]])
    memory = cycle(-14, -20)
    true = np.concatenate([memory.up, memory.down])
    lag = rate_test([lagged(reversible, d) for d in (1.0, 4.0)], 0.0)
    hysteresis = rate_test([lagged(true, d, 0.5) for d in (1.0, 4.0)], 0.0)
    assert lag.explains
    assert lag.lag == pytest.approx(2.0, rel=0.15)
    assert not hysteresis.explains


def test_verification_of_the_cold_state_decides_latched():
    good = [cycle(-14, -20)]
    assert analyse(good, cold_again=False).verdict == "latched"
    assert analyse(good, cold_again=True).verdict == "bistable"


@pytest.mark.parametrize("cycles", [[], [Cycle(POWER[:3], POWER[:3], POWER[:3], POWER[:3])]])
def test_nothing_to_judge_is_invalid(cycles):
    assert analyse(cycles).verdict == "invalid"
    assert analyse(cycles).reason

"""Noise and steadiness of nights whose troubles are known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.signal import lfilter
from scipy.stats import rankdata

from stm_daq.analysis.stability.night import cause_of, night_of
from stm_daq.analysis.stability.noise import expected_current_noise, noise_of_spectra, stripes_of
from stm_daq.analysis.stability.stationarity import allan_deviation, kpss, stationarity
from stm_daq.errors import BadInputError, CannotTellError

ROWS, COLUMNS, POINTS = 24, 20, 64


def make_run(seed=0):
    """A steady night: white noise of 2 pA and 3 nS on smooth spectra."""
    rng = np.random.default_rng(seed)
    bias = np.linspace(-4e-3, 4e-3, POINTS)
    shape = (ROWS, COLUMNS)
    site = ("y", "x")
    noise = rng.standard_normal((2, *shape, POINTS))
    readings = rng.standard_normal((3, *shape))
    variables = {
        "current": ((*site, "bias"), 1e-7 * bias / 4e-3 + 2e-12 * noise[0]),
        "conductance": ((*site, "bias"), 2.5e-8 + 1e-3 * bias**2 + 3e-9 * noise[1]),
        "setpoint_current": (site, 1e-10 + 1e-12 * readings[0]),
        "stage_temperature": (site, 0.5 + 1e-3 * readings[1]),
        "z": (site, 1e-10 * readings[2] + 1e-9 * np.arange(COLUMNS) / COLUMNS),
        "time": (site, 1.8e9 + 3.0 * np.arange(ROWS * COLUMNS).reshape(shape)),
    }
    axes = {"y": np.arange(ROWS) * 1e-9, "x": np.arange(COLUMNS) * 1e-9, "bias": bias}
    return xr.Dataset(variables, coords=axes)


def test_a_steady_night_is_called_steady() -> None:
    night = night_of(make_run(), {"current": 2e-12})
    assert night.steady
    assert night.noise["current"].median == pytest.approx(2e-12, rel=0.03)
    assert night.noise["conductance"].median == pytest.approx(3e-9, rel=0.03)
    assert night.noise["current"].expected == 2e-12
    assert all(level.white and not level.noisy.any() for level in night.noise.values())
    assert not any(stripes.striped for stripes in night.stripes.values())
    assert not night.untold


def test_a_tip_change_is_seen_in_two_quantities_at_once() -> None:
    run = make_run()
    late = run["time"] >= run["time"].values[13, 7]
    run["setpoint_current"] = run["setpoint_current"] + xr.where(late, 3e-12, 0.0)
    louder = np.where(late.values[..., None], 3.0, 1.0)
    run["current"] = run["current"] + 2e-12 * louder * np.random.default_rng(1).standard_normal(
        run["current"].shape
    )
    night = night_of(run)
    assert night.series["setpoint_current"].verdict == "jumps"
    assert night.series["setpoint_current"].jumps[0].size == pytest.approx(3e-12, rel=0.15)
    assert len(night.tip_changes) == 1
    assert abs(night.tip_changes[0] - float(run["time"].values[13, 7])) <= 9.0
    assert not night.steady


def test_drift_noisy_sites_and_slow_noise_are_told_apart() -> None:
    run = make_run()
    hours = (run["time"] - run["time"].min()) / 3600
    run["stage_temperature"] = run["stage_temperature"] + 0.02 * hours
    rng = np.random.default_rng(2)
    run["current"].values[5, 5] += 4e-11 * rng.standard_normal(POINTS)
    white = 2e-8 * rng.standard_normal(run["conductance"].shape)
    run["conductance"].values[:] += lfilter([0.4], [1, -0.6], white)  # as a lock-in remembers
    night = night_of(run)
    temperature = night.series["stage_temperature"]
    assert temperature.verdict == "drifts"
    assert temperature.slope_low < 0.02 / 3600 < temperature.slope_high
    assert np.argwhere(night.noise["current"].noisy).tolist() == [[5, 5]]
    assert night.noise["current"].white
    assert not night.noise["conductance"].white


def test_stationary_series_are_rarely_called_otherwise() -> None:
    """Stated are 1 % for each test."""
    time = np.arange(200) * 5.0
    found = [
        stationarity(np.random.default_rng(seed).standard_normal(200), time) for seed in range(200)
    ]
    assert np.mean([one.trend_p < 0.05 for one in found]) == pytest.approx(0.05, abs=0.045)
    assert sum(one.verdict != "stationary" for one in found) <= 12


def test_correlated_noise_is_not_called_a_trend() -> None:
    called = 0
    for seed in range(100):
        white = np.random.default_rng(seed).standard_normal(2100)
        called += (
            stationarity(lfilter([1], [1, -0.8], white)[100:], np.arange(2000.0)).trend_p < 0.01
        )
    assert called <= 5


@pytest.mark.parametrize("at", [60, 140])
def test_a_jump_is_found_where_it_is_and_drift_is_none(at) -> None:
    rng = np.random.default_rng(at)
    time = np.arange(200) * 5.0
    series = rng.standard_normal(200) + 4.0 * (np.arange(200) >= at)
    (jump,) = stationarity(series, time).jumps
    assert abs(jump.time / 5.0 - at) <= 2
    assert jump.size == pytest.approx(4.0, abs=0.8)
    assert jump.p_value < 1e-3
    drift = stationarity(rng.standard_normal(200) + np.linspace(0, 6, 200), time)
    assert drift.verdict == "drifts"
    assert not drift.jumps


def test_a_random_walk_wanders() -> None:
    found = [
        stationarity(np.cumsum(np.random.default_rng(s).standard_normal(400)), np.arange(400.0))
        for s in range(20)
    ]
    assert not any(one.verdict == "stationary" for one in found[:10])


def test_kpss_is_that_of_its_definition() -> None:
    """By hand: 1, 2, 3, 4 less their mean, one lag of weight 1/2."""
    values = np.array([1.0, 2.0, 3.0, 4.0])
    rest = values - 2.5
    lags = int(4 * (4 / 100) ** 0.25)
    assert lags == 1
    variance = (rest @ rest + 2 * 0.5 * (rest[1:] @ rest[:-1])) / 4
    expected = (np.cumsum(rest) ** 2).sum() / 16 / variance
    statistic, p = kpss(values)
    assert statistic == pytest.approx(expected)
    assert 0.01 <= p <= 0.1


def test_allan_deviation_of_white_noise_and_of_drift() -> None:
    rng = np.random.default_rng(3)
    time, deviation = allan_deviation(2.0 * rng.standard_normal(2**14), 0.5)
    assert time[:3].tolist() == [0.5, 1.0, 2.0]
    expected = 2.0 / np.sqrt(time / 0.5)
    assert np.allclose(deviation[:8], expected[:8], rtol=0.15)
    _, deviation = allan_deviation(np.arange(1024.0), 1.0)
    assert np.allclose(deviation, 2.0 ** np.arange(len(deviation)) / np.sqrt(2))


def test_noise_from_point_to_point_sees_no_peak() -> None:
    bias = np.linspace(-4, 4, 256)
    peaks = 50 * np.exp(-((np.abs(bias) - 1) ** 2) / 0.02)
    rng = np.random.default_rng(4)
    values = np.broadcast_to(peaks, (300, 256)) + rng.standard_normal((300, 256))
    found = noise_of_spectra(xr.DataArray(values, dims=("site", "bias")))
    assert float(found.noise.mean()) == pytest.approx(1.0, rel=0.05)
    values = rng.standard_normal((300, 256))
    found = noise_of_spectra(xr.DataArray(values, dims=("site", "bias")))
    assert float(found.noise.median()) == pytest.approx(1.0, rel=0.02)
    assert float(found.correlation.mean()) == pytest.approx(-0.75, abs=0.02)
    values[0, 20:] = np.nan
    values[1, 5:] = np.nan
    found = noise_of_spectra(xr.DataArray(values, dims=("site", "bias")))
    assert np.isfinite(found.noise[0])
    assert np.isnan(found.noise[1])


def test_least_noise_of_a_junction_has_its_limits() -> None:
    charge, boltzmann = 1.602176634e-19, 1.380649e-23
    shot = expected_current_noise(1e-10, 0.1, 1.0, 100.0)
    assert float(shot) == pytest.approx(np.sqrt(2 * charge * 1e-10 * 100), rel=1e-6)
    thermal = expected_current_noise(1e-15, 1e-6, 300.0, 100.0)
    assert float(thermal) == pytest.approx(np.sqrt(4 * boltzmann * 300 * 1e-9 * 100), rel=1e-6)
    with pytest.raises(BadInputError):
        expected_current_noise(1e-10, 0.0, 1.0, 100.0)


def test_stripes_are_measured_and_rarely_seen_where_there_are_none(image) -> None:
    found = []
    for seed in range(60):
        z = np.random.default_rng(seed).standard_normal((48, 48))
        found.append(stripes_of(image(z)).p_value)
    assert sum(p < 0.05 for p in found) <= 9
    rng = np.random.default_rng(5)
    striped = rng.standard_normal((64, 64)) + 0.8 * rng.standard_normal(64)[:, None]
    stripes = stripes_of(image(striped))
    assert stripes.striped
    assert stripes.std == pytest.approx(0.8, rel=0.25)
    assert not stripes_of(image(striped.T)).striped


def test_place_and_time_are_told_apart_only_if_they_can_be() -> None:
    run = make_run()
    rng = np.random.default_rng(6)
    noise = 0.1 * rng.standard_normal((ROWS, COLUMNS))
    random_time = run["time"].copy(
        data=rng.permutation(run["time"].values.ravel()).reshape(ROWS, COLUMNS)
    )
    order = rankdata(random_time.values).reshape(ROWS, COLUMNS) / random_time.size
    with_time = run["z"].copy(data=order + noise)
    cause = cause_of(with_time, random_time)
    assert cause.separable
    assert cause.with_time > 0.5 > 0.05 > cause.with_place
    place = run["z"].copy(
        data=np.broadcast_to(np.arange(COLUMNS) / COLUMNS, (ROWS, COLUMNS)) + noise
    )
    cause = cause_of(place, random_time)
    assert cause.with_place > 0.8
    assert cause.with_time < 0.02
    assert not cause_of(place, run["time"]).separable


def test_what_is_no_night_is_refused() -> None:
    run = make_run()
    with pytest.raises(BadInputError, match="repeat"):
        night_of(run.expand_dims(repeat=2))
    with pytest.raises(BadInputError, match="time"):
        night_of(run.drop_vars("time"))
    empty = run.copy()
    empty["time"] = run["time"] * np.nan
    with pytest.raises(CannotTellError, match="0 spectra"):
        night_of(empty)
    for bad, text in ((np.full(100, 3.0), "same"), (np.full(100, np.nan), "0 values")):
        with pytest.raises(CannotTellError, match=text):
            stationarity(bad, np.arange(100.0))
    with pytest.raises(BadInputError, match="shape"):
        stationarity(np.arange(50.0), np.arange(40.0))
    with pytest.raises(CannotTellError, match="row"):
        noise_of_spectra(run["current"][..., :10])


def test_half_a_night_is_judged_by_what_there_is() -> None:
    run = make_run().copy(deep=True)
    for name in ("time", "current", "conductance", "setpoint_current", "stage_temperature", "z"):
        run[name].values[ROWS // 2 :] = np.nan
    run["stage_temperature"].values[:] = 0.5
    night = night_of(run)
    assert night.series["setpoint_current"].count == ROWS // 2 * COLUMNS
    assert "same" in night.untold["stage_temperature"]


def test_stripes_need_a_map(hopeless) -> None:
    with pytest.raises(CannotTellError):
        stripes_of(hopeless)

"""Input that cannot be meant: an error that says what to do, or a flag; never a silent number."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from stm_daq.fitting import OnlineFitter, compare, fit, fit_tiles
from stm_daq.physics import btk

BIAS = np.linspace(-4e-3, 4e-3, 256)
CLEAN = btk.conductance(BIAS, 0.6e-3, 0.8, 1.0)
GOOD = CLEAN + 0.02 * np.random.default_rng(1).standard_normal((3, 256))
POINT = np.arange(256)
PAIR = np.array([0, 1, 1])[:, None]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


REFUSED = {
    "fewer biases": ({"bias": BIAS[:-1]}, "give one value for every bias"),
    "other shape of the bias": ({"bias": BIAS[None]}, "give one value for every bias"),
    "ragged rows": ({"conductance": [[1.0, 2.0], [1.0]]}, "of one shape"),
    "texts": ({"conductance": ["a"] * 256}, "array of numbers"),
    "a number": ({"conductance": 1.0}, "single number"),
    "complex": ({"conductance": GOOD + 0j}, "in-phase"),
    "complex bias": ({"bias": BIAS + 0j}, "real numbers in V"),
    "mV": ({"bias": 1e3 * BIAS}, "not in V but in mV"),
    "one bias": ({"bias": np.full(256, 1e-3)}, "fewer than two different"),
    "no bias known": ({"bias": np.full(256, np.nan)}, "fewer than two different"),
    "no points": ({"bias": [], "conductance": np.empty((3, 0))}, "no values"),
    "empty bias": ({"bias": np.empty((0, 256)), "conductance": np.empty((0, 256))}, "as a vector"),
    "zero noise": ({"noise": 0.0}, "must be positive"),
    "zero noise of a point": ({"noise": np.where(POINT == 7, 0.0, 0.02)}, "must be positive"),
    "negative noise": ({"noise": -0.02}, "must be positive"),
    "infinite noise": ({"noise": np.inf}, "no finite value"),
    "unknown noise": ({"noise": np.nan}, "no finite value"),
    "shape of noise": ({"noise": np.ones(3)}, "noise has shape"),
    "complex noise": ({"noise": 0.02j}, "noise is complex"),
    "fixed gap of 1 eV": ({"fixed": {"gap": 1.0}}, "not beyond the bias range"),
    "fixed gap in mV": ({"fixed": {"gap": 0.6}}, "not beyond the bias range"),
    "fixed gap of 0": ({"fixed": {"gap": 0.0}}, "positive"),
    "negative barrier": ({"fixed": {"barrier": -1.0}}, "not negative"),
    "NaN temperature": ({"fixed": {"temperature": np.nan}}, "finite"),
    "hot": ({"fixed": {"temperature": 1e4}}, "kT inside the bias range"),
    "offset beyond the range": ({"fixed": {"offset": 1.0}}, "not beyond the bias range"),
    "slope that changes sign": ({"fixed": {"slope": 1e4}}, "background is positive"),
    "a share above 1": ({"model": "two_gaps", "fixed": {"weight": 1.5}}, "between 0 and 1"),
    "some fixed values": ({"fixed": {"gap": [6e-4, 6e-4]}}, "fixed gap has shape"),
    "a fixed word": ({"fixed": {"gap": "small"}}, "give a number"),
    "an unknown name": ({"fixed": {"delta": 1e-3}}, "no parameter delta"),
    "free as a word": ({"free": "gap"}, "list of names"),
    "neither free nor fixed": ({"free": ["gap"]}, "is not free"),
    "unknown model": ({"model": "bsc"}, "unknown model"),
    "unknown loss": ({"loss": "l1"}, "unknown loss"),
    "unknown engine": ({"engine": "fast"}, "unknown engine"),
    "modulation in mV": ({"modulation": 0.14}, "peak in V"),
    "negative modulation": ({"modulation": -1e-4}, "peak in V"),
    "unknown modulation": ({"modulation": np.nan}, "peak in V"),
    "modulation of each": ({"modulation": np.full(3, 1e-4)}, "one number"),
    "negative voltage noise": ({"voltage_noise": -1e-5}, "rms in V"),
    "unknown voltage noise": ({"voltage_noise": np.nan}, "rms in V"),
    "voltage noise in mV": ({"voltage_noise": 0.14}, "rms in V"),
    "memory of other sum": ({"memory": [0.5, 0.2]}, "whose sum is 1"),
    "no memory": ({"memory": []}, "vector of weights"),
    "unknown memory": ({"memory": [np.nan]}, "vector of weights"),
    "memory without present": ({"memory": [0.0, 1.0]}, "present point first"),
}  # fmt: skip

NARROW = 0.05 * BIAS
WIDE = 10.0 * BIAS
FLAGGED = {
    "all NaN": ({"conductance": np.full(256, np.nan)}, "too_few_points"),
    "all infinite": ({"conductance": np.full(256, np.inf)}, "too_few_points"),
    "nothing": ({"conductance": np.array([None] * 256, dtype=object)}, "too_few_points"),
    "one point": ({"conductance": np.where(POINT == 3, CLEAN, np.nan)}, "too_few_points"),
    "fewer points than parameters": ({"bias": BIAS[:4], "conductance": CLEAN[:4]}, "too_few_points"),
    "masked": ({"conductance": np.ma.masked_array(GOOD[0], POINT > 9)}, "too_few_points"),
    "constant": ({"conductance": np.full(256, 1e-9)}, "constant"),
    "zero": ({"conductance": np.zeros(256)}, "constant"),
    "negative": ({"conductance": -GOOD[0]}, "negative"),
    "flat": ({"conductance": 1.0 + GOOD[0] - CLEAN}, "no_gap"),
    "a step": ({"conductance": np.where(BIAS > 0, 1.0, 2.0)}, "no_gap"),
    "a huge spike": ({"conductance": np.where(POINT == 3, 1e6, GOOD[0])}, "no_gap"),
    "mV below 1, as V": ({"bias": 200.0 * BIAS}, "gap_at_bound"),
    "gap beyond the bias": (
        {"bias": NARROW, "conductance": btk.conductance(NARROW, 0.6e-3, 0.3, 1.0) + GOOD[0] - CLEAN},
        "no_gap",
    ),
    "gap between two points": (
        {"bias": WIDE, "conductance": btk.conductance(WIDE, 5e-5, 0.1, 1.0) + GOOD[0] - CLEAN},
        "no_gap",
    ),
    "noise far too small": ({"noise": 1e-30}, "model_inadequate"),
    "noise far too large": ({"noise": 1e30}, "no_gap"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "match"), REFUSED.values(), ids=REFUSED)
def test_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        fit(**({"bias": BIAS, "conductance": GOOD} | arguments))


@pytest.mark.parametrize(("arguments", "flag"), FLAGGED.values(), ids=FLAGGED)
def test_flagged(arguments, flag):
    found = fit(**({"bias": BIAS, "conductance": GOOD[0]} | arguments))
    assert flag in found.flags.item().split(",")
    assert not found.ok
    if flag not in ("gap_at_bound", "model_inadequate"):
        assert np.isnan(found.gap)
        assert np.isnan(found.gap_std)


HARMLESS = {
    "descending": (BIAS[::-1], GOOD[:, ::-1]),
    "shuffled": (BIAS[np.random.default_rng(0).permutation(256)],
                 GOOD[:, np.random.default_rng(0).permutation(256)]),
    "every bias twice": (np.repeat(BIAS, 2), np.repeat(GOOD, 2, axis=1)),
    "NaN points": (BIAS, np.where(POINT % 9 == 0, np.nan, GOOD)),
    "infinite points": (BIAS, np.where(POINT % 50 == 0, np.inf, GOOD)),
    "NaN and infinite biases": (np.where(POINT == 3, np.nan, np.where(POINT == 9, np.inf, BIAS)), GOOD),
    "one NaN row": (BIAS, np.where(PAIR == 0, np.nan, GOOD)),
    "tiny": (BIAS, 1e-300 * GOOD),
    "huge": (BIAS, 1e300 * GOOD),
    "integers": (BIAS, np.round(1e6 * GOOD).astype(np.int64)),
    "masked points": (BIAS, np.ma.masked_array(GOOD, POINT % 9 + 0 * PAIR == 0)),
}  # fmt: skip


@pytest.mark.parametrize(("bias", "conductance"), HARMLESS.values(), ids=HARMLESS)
def test_harmless(bias, conductance):
    found = fit(bias, conductance)
    known = ~np.isnan(np.asarray(np.ma.filled(conductance.astype(float), 0.0))).all(axis=1)
    assert found.ok.values.tolist() == known.tolist()
    assert np.all(np.abs(found.gap - 0.6e-3)[known] < 4.0 * found.gap_std[known])
    assert np.all(found.flags.values[~known] == "too_few_points")


def test_an_empty_stack_has_empty_results():
    found = fit(BIAS, np.empty((0, 256)))
    assert found.gap.shape == (0,)
    assert found.correlation.shape == (0, 5, 5)
    assert fit_tiles(BIAS, np.empty((0, 256)), processes=1).gap.shape == (0,)
    assert compare(BIAS, np.empty((2, 0, 256))).verdict.shape == (2, 0)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"bias": 1e3 * BIAS}, "not in V"),
        ({"fixed": {"gap": 1.0}}, "not beyond the bias range"),
        ({"memory": [0.5, 0.2]}, "whose sum is 1"),
        ({"modulation": -1.0}, "peak in V"),
    ],
)
def test_the_online_fitter_refuses_the_same(arguments, match):
    with pytest.raises(ValueError, match=match):
        OnlineFitter(**({"bias": BIAS} | arguments))

"""Models against each other: what spectra tell, and what they do not."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from stm_daq.fitting import VERDICTS, compare, fit
from stm_daq.fitting.contest import _verdict
from stm_daq.physics import btk, dynes, two_channel

BIAS = np.linspace(-4e-3, 4e-3, 256)
NOISE = 0.02
TABLE_1 = {
    "b": (0.35e-3, 1.95, 3.15),
    "c": (1.39e-3, 2.44, 1.44),
    "d": (0.66e-3, 0.94, 0.56),
    "e": (0.44e-3, 2.60, 0.003),
    "f": (0.25e-3, 0.42, 0.002),
}
"""Gap (eV), temperature (K) and barrier: Phys. Rev. B 100, 214505 (2019), Table I."""
DRAWS = 300


def noisy(clean, count=DRAWS, noise=NOISE, seed=1):
    return clean + noise * np.random.default_rng(seed).standard_normal((count, len(clean)))


def said(table):
    return Counter(zip(table.preferred.values.tolist(), table.verdict.values.tolist(), strict=True))


def share_above(limit, mean):
    """Of a difference of chi-squares between models that are not nested: variance 4 times its mean."""
    return 0.5 * math.erfc((limit - mean) / math.sqrt(8.0 * mean))


def test_set_b_is_told_from_dynes_as_often_as_information_theory_says():
    clean = btk.conductance(BIAS, *TABLE_1["b"])
    expected = float(fit(BIAS, clean, "dynes", noise=NOISE).chi_square)
    assert expected == pytest.approx(14.0, abs=0.5)
    found = said(compare(BIAS, noisy(clean), models=["btk", "dynes"]))
    expected += 1.0  # the broadening sits at its bound: a parameter that fits no noise
    decisive, better = share_above(10.0, expected), share_above(2.0, expected)
    tolerance = 3.0 * math.sqrt(0.25 / DRAWS)
    assert found["btk", "preferred"] / DRAWS == pytest.approx(decisive, abs=tolerance)
    assert found["btk", "weak"] / DRAWS == pytest.approx(better - decisive, abs=tolerance)
    assert found["dynes", "preferred"] == 0
    assert found["dynes", "weak"] + found["", "tied"] <= 0.08 * DRAWS


@pytest.mark.parametrize("name", ["c", "d", "e", "f"])
def test_the_other_sets_are_never_taken_for_dynes(name):
    rows = noisy(btk.conductance(BIAS, *TABLE_1[name]))
    found = said(compare(BIAS, rows))
    assert found["btk", "preferred"] >= DRAWS - 2  # false alarms of the test of residuals
    assert found["", "none_adequate"] == DRAWS - found["btk", "preferred"]
    without = said(compare(BIAS, rows[:100], models=["dynes", "bcs", "normal"]))
    assert {verdict for _, verdict in without} <= {"no_gap", "none_adequate"}
    assert {model for model, _ in without} == {""}


@pytest.mark.parametrize("name", ["d", "e", "f"])
@pytest.mark.parametrize("noise", [0.005, 0.05, 0.2])
def test_a_transparent_contact_is_no_broadened_gap_at_any_noise(name, noise):
    rows = noisy(btk.conductance(BIAS, *TABLE_1[name]), 60, noise)
    for models in (["btk", "dynes"], ["dynes", "normal"], ["btk+broadening", "dynes"]):
        assert "dynes" not in compare(BIAS, rows, models=models).preferred.values


@pytest.mark.parametrize("name", ["e", "f"])
def test_the_barrier_of_a_transparent_contact_is_an_upper_limit(name):
    gap, kelvin, barrier = TABLE_1[name]
    alone = fit(BIAS, noisy(btk.conductance(BIAS, gap, kelvin, barrier)))
    limited = np.array(["barrier_upper_limit" in f for f in alone.flags.values])
    assert np.mean(limited) > 0.98  # the others are beyond three standard deviations by chance
    limit = alone.barrier_limit.values[limited]
    assert np.mean(limit > barrier) > 0.95
    assert np.median(limit) < 0.25


def test_dynes_spectra_of_opaque_contacts_are_tied():
    """A large barrier smears as little as a small broadening (both are BCS in the limit)."""
    rows = noisy(dynes.conductance(BIAS, 0.35e-3, 1.95, 0.02e-3))
    found = said(compare(BIAS, rows))
    assert found["", "tied"] > 0.7 * DRAWS
    assert found["btk", "preferred"] == 0
    assert found["dynes", "preferred"] < 0.02 * DRAWS


@pytest.mark.parametrize(
    ("barrier", "broadening", "models", "answer"),
    [
        (1.0, 0.0, ("btk", "btk+broadening"), ("btk", "sufficient")),
        (1.0, 0.0, ("btk+broadening", "btk", "dynes"), ("btk", "preferred")),
        (1.0, 0.1e-3, ("btk", "btk+broadening"), ("btk+broadening", "preferred")),
        (1.0, 0.1e-3, ("dynes", "btk+broadening", "btk"), ("btk+broadening", "preferred")),
        (50.0, 0.0, ("bcs", "dynes", "btk"), ("bcs", "sufficient")),
    ],
)
def test_a_model_that_contains_another_must_gain_by_it(barrier, broadening, models, answer):
    rows = noisy(btk.conductance(BIAS, 0.6e-3, 0.8, barrier, broadening), 100)
    found = said(compare(BIAS, rows, models=models))
    assert found[answer] >= 90
    assert sum(n for (_, v), n in found.items() if v == "preferred" and (_, v) != answer) == 0


def test_what_no_model_describes_is_said():
    mixed = two_channel.conductance(BIAS, 0.4e-3, 1.0e-3, 0.5, 0.5, 3.0, 0.5)
    assert said(compare(BIAS, noisy(mixed, 50))) == {("", "none_adequate"): 50}
    flat = said(compare(BIAS, noisy(np.ones(256), 50), models=["btk", "dynes", "normal"]))
    assert flat == {("normal", "no_gap"): 50}
    bent = noisy(1.0 + 0.5 * (BIAS / 4e-3) ** 2, 50)
    assert said(compare(BIAS, bent, models=["btk", "normal"])) == {("", "no_gap"): 50}


def test_noise_is_the_same_for_all_models():
    rows = noisy(btk.conductance(BIAS, *TABLE_1["c"]), 20)
    table = compare(BIAS, rows)
    own = fit(BIAS, rows, "dynes")
    given = fit(BIAS, rows, "dynes", noise=NOISE)
    assert np.median(table.chi_square[:, 1] / given.chi_square) == pytest.approx(1.0, abs=0.1)
    assert np.all(table.chi_square[:, 0] < table.chi_square[:, 1])
    # the model that does not suit takes part of its misfit for noise, alone
    assert np.median(own.chi_square) < 0.97 * np.median(table.chi_square[:, 1])
    known = compare(BIAS, rows, noise=NOISE)
    np.testing.assert_array_equal(known.chi_square[:, 1], given.chi_square)
    np.testing.assert_array_equal(known.aic[:, 1], given.aic)
    np.testing.assert_array_equal(known.bic[:, 1], given.bic)


def test_the_dataset_has_the_axes_of_the_stack():
    xarray = pytest.importorskip("xarray")
    rows = noisy(btk.conductance(BIAS, 0.6e-3, 0.8, 1.0), 6).reshape(2, 3, -1)
    rows[1, 1] = np.nan
    stack = xarray.DataArray(rows, dims=("line", "place", "bias"), coords={"line": [1.0, 2.0]})
    table = compare(BIAS, stack, fixed={"temperature": 0.8, "barrier": 1.0}, modulation=1e-5)
    assert table.chi_square.dims == ("line", "place", "model")
    assert table.line.values.tolist() == [1.0, 2.0]
    assert table.model.values.tolist() == ["btk", "dynes"]
    assert table.verdict[1, 1] == "not_fitted"
    assert np.isnan(table.evidence[1, 1])
    assert int(table.dof[0, 0, 0]) == 256 - 3
    assert int(table.dof[0, 0, 1]) == 256 - 4
    assert set(np.unique(table.verdict)) <= set(VERDICTS)
    alone = compare(BIAS, rows[0, 0], fixed={"temperature": 0.8}, modulation=1e-5)
    assert alone.verdict.shape == ()
    nothing = compare(BIAS, np.empty((0, 256)))
    assert nothing.chi_square.shape == (0, 2)


@pytest.mark.parametrize(
    ("lead", "flags", "answer"),
    [
        ((0.0, 50.0), ("", ""), ("btk", "preferred", 50.0)),
        ((5.0, 0.0), ("", ""), ("dynes", "weak", 5.0)),
        ((0.0, 1.0), ("", ""), ("", "tied", 1.0)),
        ((0.0, 50.0), ("model_inadequate", ""), ("", "none_adequate", 50.0)),
        ((0.0, 50.0), ("", "model_inadequate"), ("btk", "preferred", 50.0)),
        ((0.0, 50.0), ("no_gap", "no_gap"), ("", "no_gap", 50.0)),
        ((0.0, 50.0), ("constant", "constant"), ("", "not_fitted", np.nan)),
        ((0.0, np.nan), ("", "too_few_points"), ("", "not_fitted", np.nan)),
    ],
)
def test_verdicts_follow_information_and_adequacy(lead, flags, answer):
    found = _verdict(("btk", "dynes"), np.array(lead), [frozenset({f} - {""}) for f in flags])
    assert found[:2] == answer[:2]
    np.testing.assert_equal(found[2], answer[2])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"models": ["btk"]}, "at least two"),
        ({"models": "btk"}, "at least two"),
        ({"models": ["btk", "btk"]}, "at least two"),
        ({"models": ["btk", "bsc"]}, "unknown model"),
        ({"fixed": {"delta": 1.0}}, "has a parameter delta"),
        ({"free": ["gap", "kelvin"]}, "kelvin|not free"),
        ({"free": "gap"}, "list of names"),
        ({"engine": "table"}, "use 'exact'"),
        ({"noise": 0.0}, "positive"),
    ],
)
def test_wrong_questions_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        compare(BIAS, noisy(np.ones(256), 2), **arguments)

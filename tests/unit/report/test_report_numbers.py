"""The numbers behind a report."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.maps.sites import count_flags, sites_of
from stm_daq.analysis.topographs.surface import without_plane
from stm_daq.report import numbers
from stm_daq.report.raster import robust_limits
from stm_daq.report.runs.curve import fitted_curve
from stm_daq.report.runs.examples import pick_examples
from stm_daq.report.runs.maps import round_length
from stm_daq.report.runs.spectra import values_at
from stm_daq.report.runs.timeline import pace_of

Night = Callable[..., xr.Dataset]
MV = 1e-3


def test_sites_are_sorted_into_trusted_failed_and_not_measured(
    night: Night, spoiled: Night
) -> None:
    sites = sites_of(spoiled(night(4, 5), failed=slice(0, 3), first_missing_row=2))
    assert sites.total == 20
    assert sites.measured.sum() == 10
    assert sites.trusted.sum() == 7
    assert not sites.doubtful.any()
    assert np.flatnonzero(sites.failed).tolist() == [0, 1, 2]


def test_flags_of_spectrum_and_fit_count_once_a_site(night: Night, spoiled: Night) -> None:
    dataset = spoiled(night(4, 4), failed=slice(0, 3))
    dataset["flags"].values[0, 0] = "overload,bad_fit"
    dataset["flags"].values[3, 3] = "overload"
    dataset["fit_ok"].values[3, 2] = False
    dataset["fit_flags"].values[3, 2] = "model_inadequate"
    counts = {c.flag: (c.failed, c.doubtful, c.trusted) for c in count_flags(dataset)}
    assert counts == {
        "bad_fit": (3, 0, 0),
        "gap_lower_limit": (3, 0, 0),
        "overload": (1, 0, 1),
        "model_inadequate": (0, 1, 0),
    }


def test_only_an_inadequate_model_alone_is_doubtful(night: Night) -> None:
    dataset = night(2, 4)
    dataset["fit_ok"].values[0] = False
    dataset["fit_flags"].values[0] = (
        "model_inadequate",
        "barrier_lower_limit,model_inadequate",
        "model_inadequate,too_noisy",
        "calibration",
    )
    dataset["fit_flags"].values[1, :3] = "model_inadequate"
    dataset["fit_ok"].values[1, 1:3] = False
    dataset["flags"].values[1, 1] = "overload"
    dataset["gap"].values[1, 2] = np.nan
    sites = sites_of(dataset)
    assert sites.doubtful.tolist() == [[True, True, False, False], [False] * 4]
    assert sites.trusted.tolist() == [[False] * 4, [True, False, False, True]]
    assert sites.failed.tolist() == [[False, False, True, True], [False, True, True, False]]


@pytest.mark.parametrize(
    ("sites", "first_doubtful", "indicative"),
    [(20, 0, True), (20, 9, True), (20, 10, False), (6, 4, False), (6, 6, False)],
)
def test_doubtful_sites_stand_for_the_map_if_hardly_any_is_trusted(
    night: Night, doubted: Night, sites: int, first_doubtful: int, indicative: bool
) -> None:
    found = sites_of(doubted(night(1, sites), slice(first_doubtful, None)))
    assert found.indicative is indicative
    assert found.representative.sum() == (sites - first_doubtful if indicative else first_doubtful)


def test_spread_is_of_the_chosen_sites_only(night: Night) -> None:
    dataset = night(4, 4)
    dataset["gap"].values[:] = np.arange(16).reshape(4, 4) * 1e-3
    mask = dataset["gap"].values < 11e-3
    spread = numbers.spread_of(dataset, numbers.GAP, mask)
    assert spread.median == pytest.approx(5.0)
    assert spread.low == pytest.approx(1.6)
    assert spread.high == pytest.approx(8.4)
    assert spread.typical_std == pytest.approx(4e-3)


def test_agreement_is_what_a_hand_calculation_gives(night: Night) -> None:
    dataset = night(1, 4)
    dataset["true_gap"].values[:] = 0.5 * MV
    dataset["gap"].values[:] = np.array([[0.5, 0.51, 0.49, 0.6]]) * MV
    dataset["gap_std"].values[:] = np.array([[0.01, 0.01, 0.002, 0.03]]) * MV
    agreement = numbers.agreement_of(dataset, numbers.GAP)
    assert agreement is not None
    np.testing.assert_allclose(agreement.pull, [0, 1, -5, 10 / 3])
    assert agreement.median_relative_error == pytest.approx(0.02)
    assert agreement.median_error == pytest.approx(0.01)
    assert agreement.within == pytest.approx(0.75)


def test_a_fit_that_states_no_uncertainty_is_not_called_right(night: Night) -> None:
    dataset = night(1, 4)
    dataset["gap_std"].values[0, :2] = np.nan, 0.0
    agreement = numbers.agreement_of(dataset, numbers.GAP)
    assert agreement is not None
    assert agreement.within <= 0.5


def test_a_run_on_the_microscope_has_no_truth_to_agree_with(night: Night) -> None:
    dataset = night(2, 2).drop_vars(["true_gap", "true_temperature", "true_barrier"])
    assert numbers.agreement_of(dataset, numbers.GAP) is None


def test_plane_is_subtracted_around_gaps() -> None:
    x, y = np.linspace(0, 40, 30), np.linspace(0, 20, 20)
    bumps = np.sin(x / 3) * np.cos(y / 2)[:, None]
    tilted = bumps + 0.3 * x - 0.2 * y[:, None] + 7
    tilted[12:] = np.nan
    flat = without_plane(tilted, x, y)
    assert np.isnan(flat[12:]).all()
    terms = np.stack([np.ones((12, 30)), np.tile(x, (12, 1)), np.tile(y[:12, None], 30)])
    np.testing.assert_allclose((terms * flat[:12]).mean(axis=(1, 2)), 0, atol=1e-9)
    assert np.ptp(flat[:12]) < 2.5


@pytest.mark.parametrize(
    ("value", "std", "text"),
    [
        (0.61234, 0.0042, "0.612 ± 0.004"),
        (0.61234, 0.0012, "0.6123 ± 0.0012"),
        (12.3, 4.0, "12 ± 4"),
        (1.39684, 0.0097, "1.397 ± 0.010"),
        (0.6, math.nan, "0.6"),
        (math.nan, 0.1, "unknown"),
    ],
)
def test_digits_follow_the_uncertainty(value: float, std: float, text: str) -> None:
    assert numbers.plus_minus(value, std) == text


def test_only_all_of_it_is_100_percent() -> None:
    assert numbers.show_percent(1.0) == "100 %"
    assert numbers.show_percent(0.999999) == "99.99 %"
    assert numbers.show_percent(0.00447) == "0.447 %"


def test_robust_limits_leave_outliers_out_and_are_never_equal() -> None:
    values = np.append(np.linspace(0, 1, 1001), [1e6, -1e6, np.nan])
    low, high = robust_limits(values)
    assert (low, high) == pytest.approx((0.02, 0.98), abs=0.003)
    low, high = robust_limits(np.full(9, 0.6))
    assert low < 0.6 < high


@pytest.mark.parametrize(("longest", "length"), [(14.0, 10), (10.0, 10), (9.9, 5), (0.3, 0.2)])
def test_scale_bars_are_round(longest: float, length: float) -> None:
    assert round_length(longest) == pytest.approx(length)


def test_pace_counts_the_topograph_and_leaves_out_rows_without_spectra() -> None:
    times = np.array([[110.0, 120.0], [230.0, 240.0], [np.nan, np.nan]])
    edges, rates = pace_of(times, started=0.0)
    np.testing.assert_allclose(edges, [0, 120, 240])
    np.testing.assert_allclose(rates.sum() * 120 / 3600, 4)
    assert len(pace_of(times[2:], 0.0)[1]) == 0


def test_examples_are_the_extremes(night: Night, spoiled: Night) -> None:
    dataset = spoiled(night(5, 5), failed=slice(3, 4))
    dataset["reduced_chi_square"].values[0, 1] = 0.1
    dataset["reduced_chi_square"].values[2, 2] = 3.0
    dataset["barrier"].values[4, 0] = 0.0
    places = {example.why: (example.row, example.col) for example in pick_examples(dataset)}
    assert places["Best fit"] == (0, 1)
    assert places["Worst good fit"] == (2, 2)
    assert places["Lowest barrier"] == (4, 0)
    assert places["Failed fit"] == (0, 3)


def test_examples_include_doubtful_and_failed_fits(
    night: Night, spoiled: Night, doubted: Night
) -> None:
    some = pick_examples(doubted(spoiled(night(5, 5), failed=slice(3, 4)), slice(4, 9)))
    assert [e.why for e in some][-2:] == ["Model not adequate", "Failed fit"]
    dataset = doubted(night(5, 5), slice(None))
    dataset["reduced_chi_square"].values[1, 1] = 2.0
    dataset["reduced_chi_square"].values[1, 2] = 9.0
    every = {e.why: (e.row, e.col) for e in pick_examples(dataset)}
    assert len(every) == 3
    assert every["Model not adequate, least misfit"] == (1, 1)
    assert every["Model not adequate, largest misfit"] == (1, 2)


def test_one_site_can_be_several_examples(night: Night) -> None:
    (example,) = pick_examples(night(1, 1))
    assert example.why == "Best fit, median fit, worst good fit, lowest barrier"


def test_the_drawn_curve_is_the_one_that_was_measured(night: Night) -> None:
    dataset = night(2, 2)
    curve = fitted_curve(dataset["bias"].values, values_at(dataset, (1, 0)), "btk", 1.4e-4)
    residual = dataset["conductance"].values[1, 0] - curve
    assert residual[np.abs(dataset["bias"].values) > 2 * MV].std() == pytest.approx(3e-10, rel=0.2)


def test_curve_has_offset_scale_and_slope() -> None:
    bias = np.linspace(-8, 8, 161) * MV
    values = {"gap": 0.6e-3, "temperature": 0.5, "barrier": 2.0, "scale": 3e-8, "offset": 0.1e-3}
    curve = fitted_curve(bias, values, "btk", 0.0)
    assert curve[0] == pytest.approx(3e-8, rel=0.01)
    around = np.array([-0.4, 0.4]) * MV + 0.1e-3
    left, right = fitted_curve(around, values, "btk", 1e-4)
    assert left == pytest.approx(right, rel=1e-6)
    tilted = fitted_curve(bias, {**values, "slope": 10.0}, "btk", 0.0)
    np.testing.assert_allclose(tilted / curve, 1 + 10.0 * (bias - 0.1e-3))


def test_dynes_is_the_opaque_limit() -> None:
    bias = np.linspace(-4, 4, 81) * MV
    values = {"gap": 0.6e-3, "temperature": 0.5, "scale": 1e-8, "broadening": 3e-5}
    dynes = fitted_curve(bias, values, "dynes", 1.4e-4)
    opaque = fitted_curve(bias, {**values, "barrier": 1e3}, "btk+broadening", 1.4e-4)
    np.testing.assert_allclose(dynes, opaque, rtol=1e-4)

"""The figures show what is in the dataset, whatever is missing from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from stm_daq.records import Event
from stm_daq.report import figures
from stm_daq.report.runs.fits import DrawnFit, save_fits
from stm_daq.report.style import DOUBTFUL, FAILED, FIT, NothingToShowError

Night = Callable[..., xr.Dataset]
SECONDS = 1.8e9


def texts(figure: Figure) -> str:
    """Everything that is written in a figure."""
    figure.canvas.draw()
    return "\n".join(t.get_text() for t in figure.findobj(mpl.text.Text))


def test_maps_show_good_fits_and_mark_the_others(night: Night, spoiled: Night) -> None:
    dataset = spoiled(night(8, 10), failed=slice(0, 4), first_missing_row=6)
    figure = figures.figure_maps(dataset)
    gap = figure.axes[0]
    failed, image = gap.get_images()
    shown = np.ma.filled(image.get_array(), np.nan)
    expected = dataset["gap"].values * 1e3
    expected[0, :4] = np.nan
    np.testing.assert_allclose(shown, expected)
    assert np.flatnonzero(np.ma.filled(failed.get_array(), 0) == 1).tolist() == [0, 1, 2, 3]
    assert image.origin == "lower"
    assert gap.get_aspect() == 1.0
    assert image.get_clim() == pytest.approx(np.nanpercentile(expected, [2, 98]))
    written = texts(figure)
    for label in ("10 nm", "meV", "K", "fit failed", "not measured"):
        assert label in written


def test_maps_of_a_whole_night_need_no_legend(night: Night) -> None:
    written = texts(figures.figure_maps(night()))
    assert "not measured" not in written
    assert "fit failed" not in written
    assert "model not adequate" not in written


def test_doubtful_values_are_shown_with_a_dot(night: Night, spoiled: Night, doubted: Night) -> None:
    dataset = doubted(spoiled(night(8, 10), failed=slice(0, 4)), slice(4, 70))
    figure = figures.figure_maps(dataset)
    gap, chi_square = figure.axes[0], figure.axes[3]
    shown = np.ma.filled(gap.get_images()[1].get_array(), np.nan).ravel()
    values = dataset["gap"].values.ravel() * 1e3
    assert np.isnan(shown[:4]).all()
    np.testing.assert_allclose(shown[4:], values[4:])
    dots = [line for line in gap.get_lines() if line.get_marker() == "o"]
    x, y = (np.concatenate([getattr(dot, f"get_{a}data")() for dot in dots]) for a in "xy")
    row, col = np.divmod(np.arange(4, 70), 10)
    expected = zip(dataset["y"].values[row] * 1e9, dataset["x"].values[col] * 1e9, strict=True)
    np.testing.assert_allclose(sorted(zip(y, x, strict=True)), sorted(expected))
    assert gap.get_images()[1].get_clim() == pytest.approx(np.percentile(values[70:], [2, 98]))
    assert not [line for line in chi_square.get_lines() if line.get_marker() == "o"]
    assert "model not adequate: value indicative" in texts(figure)


def test_too_few_trusted_values_do_not_set_the_colours_alone(night: Night, doubted: Night) -> None:
    dataset = doubted(night(10, 10), slice(9, None))
    limits = figures.figure_maps(dataset).axes[0].get_images()[1].get_clim()
    assert limits == pytest.approx(np.percentile(dataset["gap"].values * 1e3, [2, 98]))


def test_goodness_of_fit_is_shown_of_every_fit(
    night: Night, spoiled: Night, doubted: Night
) -> None:
    dataset = doubted(spoiled(night(6, 6), failed=slice(0, 4)), slice(4, 20))
    dataset["reduced_chi_square"].values[0, :2] = np.nan, 5000.0
    grey, image = figures.figure_maps(dataset).axes[3].get_images()
    shown = np.ma.filled(image.get_array(), np.nan)
    np.testing.assert_allclose(shown, dataset["reduced_chi_square"].values)
    assert np.flatnonzero(np.ma.filled(grey.get_array(), 0) == 1).tolist() == [0]


def test_only_the_misfit_is_coloured_by_its_logarithm(night: Night) -> None:
    dataset = night(6, 6)
    dataset["reduced_chi_square"].values[:2] = 900.0
    dataset["barrier"].values[:2] = 1e-3
    axes = figures.figure_maps(dataset).axes
    logarithmic = [isinstance(a.get_images()[1].norm, mpl.colors.LogNorm) for a in axes[:4]]
    assert logarithmic == [False, False, False, True]


def test_profiles_mark_doubtful_values(night: Night, doubted: Night) -> None:
    figure = figures.figure_maps(doubted(night(1, 9), slice(2, 4)))
    trusted, doubtful = (c.lines[0] for c in figure.axes[0].containers)
    assert (len(trusted.get_xdata()), len(doubtful.get_xdata())) == (7, 2)
    assert "model not adequate: value indicative" in texts(figure)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1)])
def test_a_line_of_sites_is_drawn_as_profiles(night: Night, shape: tuple[int, int]) -> None:
    dataset = night(*shape)
    figure = figures.figure_maps(dataset)
    points = figure.axes[0].containers[0].lines[0]
    np.testing.assert_allclose(points.get_ydata(), dataset["gap"].values.ravel() * 1e3)
    figure.canvas.draw()


def test_topograph_is_drawn_level_with_the_examples_marked(night: Night) -> None:
    dataset = night()
    rows = np.arange(dataset.sizes["topograph_y"])
    dataset["topography"].values += 1e-9 * rows[:, None]
    figure = figures.figure_topograph(dataset, figures.pick_examples(dataset))
    shown = np.ma.filled(figure.axes[0].get_images()[0].get_array(), np.nan)
    assert abs(np.polyfit(rows, shown.mean(axis=1), 1)[0]) < 1e-9
    assert {"a", "b", "c", "d"} <= set(texts(figure).split("\n"))


def test_a_topograph_with_rows_missing_shows_those_it_has(night: Night) -> None:
    dataset = night()
    dataset["topography"].values[5:] = np.nan
    shown = figures.figure_topograph(dataset).axes[0].get_images()[0].get_array()
    assert np.isfinite(np.ma.filled(shown, np.nan)).sum() == 5 * 24


def test_spectra_show_data_fit_and_residual_in_people_units(night: Night) -> None:
    dataset = night()
    examples = figures.pick_examples(dataset)
    figure = figures.figure_spectra(dataset, examples)
    data, fit = figure.axes[0].get_lines()
    first = dataset["conductance"].values[examples[0].row, examples[0].col]
    np.testing.assert_allclose(data.get_xdata(), dataset["bias"].values * 1e3)
    np.testing.assert_allclose(data.get_ydata(), first * 1e9)
    residual = figure.axes[1].get_lines()[1]
    np.testing.assert_allclose(residual.get_ydata(), data.get_ydata() - fit.get_ydata())
    written = texts(figure)
    for label in ("Bias (mV)", "dI/dV (nS)", "± 0.004 meV", "Lowest barrier"):
        assert label in written


def test_spectra_without_a_model_show_the_data_only(night: Night) -> None:
    dataset = night(2, 2)
    figure = figures.figure_spectra(dataset, figures.pick_examples(dataset), None)
    assert len(figure.axes[0].get_lines()) == 1


def test_a_failed_spectrum_says_why(night: Night, spoiled: Night) -> None:
    dataset = spoiled(night(3, 3), failed=slice(None))
    for name in ("gap", "temperature", "barrier"):
        dataset[name].values[:] = np.nan
    written = texts(figures.figure_spectra(dataset, figures.pick_examples(dataset)))
    assert "bad_fit, gap_lower_limit" in written
    assert "no values" in written


def test_spectra_figures_are_equally_wide_however_few(night: Night) -> None:
    (one,) = figures.pick_examples(night(1, 1))
    single = figures.figure_spectra(night(1, 1), [one])
    several = figures.figure_spectra(night(5, 5), figures.pick_examples(night(5, 5)))
    assert single.get_figwidth() == several.get_figwidth()
    single.canvas.draw()
    assert single.axes[0].get_position().x1 < 0.4


def test_any_spectra_can_be_drawn_with_their_curves() -> None:
    bias = np.linspace(-4e-3, 4e-3, 51)
    nothing = np.full(51, np.nan)
    curve = 1e-9 + bias**2
    good = DrawnFit("100$ 1$", "dynes: good", bias, curve, "S", curve, "good")
    empty = DrawnFit(
        "empty", "dynes: failed (" + 9 * "flag, " + ")", bias, nothing, "S", nothing, "failed"
    )
    raw = DrawnFit("no curve", "", bias, np.ones(51), "", None, "doubtful")
    written = texts(figures.figure_fits([good, empty, raw]))
    assert {"100$ 1$", "empty", "no curve", "dynes: good"} <= set(written.split("\n"))
    assert "dI/dV (µS)" in written  # 16 µS
    assert "dI/dV (unit unknown)" in written
    many = figures.figure_fits([good] * 30)
    assert "the first 24 of 30" in texts(many)
    with pytest.raises(NothingToShowError):
        figures.figure_fits([])


def test_the_curve_has_the_colour_of_the_verdict() -> None:
    bias, line = np.linspace(-4e-3, 4e-3, 51), np.ones(51)
    grades = ("good", "doubtful", "failed")
    drawn = [DrawnFit("", "", bias, line, "S", line, grade) for grade in grades]
    curves = [axes.lines[1].get_color() for axes in figures.figure_fits(drawn).axes[::2]]
    assert curves == [FIT, DOUBTFUL, FAILED]


def test_a_pdf_holds_all_spectra(tmp_path: Path) -> None:
    bias, line = np.linspace(-4e-3, 4e-3, 11), np.ones(11)
    drawn = [DrawnFit("", "", bias, line, "S", None, "good")] * 30
    save_fits(drawn, tmp_path / "all.pdf")
    assert (tmp_path / "all.pdf").read_bytes().count(b"/Type /Page ") == 2


def test_histogram_counts_good_fits_only(night: Night, spoiled: Night) -> None:
    dataset = spoiled(night(10, 10), failed=slice(0, 30))
    written = texts(figures.figure_histogram(dataset))
    assert "70 sites" in written
    assert f"median {np.median(dataset['gap'].values.ravel()[30:]) * 1e3:.3f} meV" in written


def test_histogram_falls_back_on_doubtful_sites_and_says_so(night: Night, doubted: Night) -> None:
    written = texts(figures.figure_histogram(doubted(night(10, 10), slice(3, None))))
    assert "values indicative" in written
    assert "97 sites" in written
    written = texts(figures.figure_histogram(doubted(night(10, 10), slice(10, None))))
    assert "values indicative" not in written
    assert "10 sites" in written


def test_timeline_marks_events_and_readings_that_are_not_fresh(night: Night) -> None:
    events = [
        Event(SECONDS + 10, "temperature", "0.5 K", {"kelvin": 0.5, "fresh": True}),
        Event(SECONDS + 20, "temperature", "", {"kelvin": 0.6, "fresh": False}),
        Event(SECONDS + 25, "temperature", "", {"kelvin": None, "fresh": False}),
        Event(SECONDS + 30, "warning", "site 3 left out"),
        Event(SECONDS + 40, "pause", ""),
    ]
    figure = figures.figure_timeline(night(), events)
    written = set(texts(figure).split("\n"))
    assert {"warning", "pause", "not fresh", "Sites per hour"} <= written
    fresh = figure.axes[0].get_lines()[0]
    np.testing.assert_allclose(fresh.get_ydata(), [0.5])


def test_truth_draws_fitted_against_true(night: Night) -> None:
    dataset = night(6, 6)
    figure = figures.figure_truth(dataset)
    cloud, line = figure.axes[0].get_lines()
    np.testing.assert_allclose(np.sort(cloud.get_xdata()), np.sort(dataset["true_gap"], None) * 1e3)
    np.testing.assert_allclose(line.get_xdata(), line.get_ydata())
    assert "within 4 std" in texts(figure)


def test_a_model_without_barrier_leaves_its_panels_empty(night: Night) -> None:
    dataset = night(4, 4)
    dataset["barrier"].values[:] = np.nan
    for figure in (
        figures.figure_maps(dataset),
        figures.figure_histogram(dataset),
        figures.figure_truth(dataset),
    ):
        texts(figure)
    assert all("barrier" not in e.why.lower() for e in figures.pick_examples(dataset))


def test_what_is_missing_is_said(night: Night, spoiled: Night) -> None:
    empty = spoiled(night(3, 3, topograph=(0, 0)), failed=slice(None), first_missing_row=0)
    with pytest.raises(NothingToShowError, match="no topograph"):
        figures.figure_topograph(empty)
    with pytest.raises(NothingToShowError, match="No spectrum"):
        figures.figure_maps(empty)
    with pytest.raises(NothingToShowError, match="No spectrum"):
        figures.figure_spectra(empty, figures.pick_examples(empty))
    with pytest.raises(NothingToShowError, match="No fit"):
        figures.figure_histogram(empty)
    with pytest.raises(NothingToShowError, match="No spectrum"):
        figures.figure_timeline(empty)


def test_figures_leave_matplotlib_as_they_found_it(night: Night) -> None:
    before = dict(mpl.rcParams)
    figure = figures.figure_maps(night(3, 3))
    assert dict(mpl.rcParams) == before
    assert figure.canvas.manager is None

"""The figures show what is in the dataset, whatever is missing from it."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from stm_daq.records import Event
from stm_daq.report import figures
from stm_daq.report.style import NothingToShowError

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
    for label in ("10 nm", "meV", "K", "no good fit", "not measured"):
        assert label in written


def test_maps_of_a_whole_night_need_no_legend(night: Night) -> None:
    written = texts(figures.figure_maps(night()))
    assert "not measured" not in written
    assert "no good fit" not in written


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


def test_any_spectra_can_be_drawn_with_their_curves() -> None:
    bias = np.linspace(-4e-3, 4e-3, 51)
    nothing = np.full(51, np.nan)
    spectra = [("100$ 1$", bias, 1e-9 + bias**2, 1e-9 + bias**2), ("empty", bias, nothing, nothing)]
    figure = figures.figure_fits([*spectra, ("no curve", bias, np.ones(51), None)])
    assert {"100$ 1$", "empty", "no curve"} <= set(texts(figure).split("\n"))
    many = figures.figure_fits(spectra[:1] * 30)
    assert "the first 24 of 30" in texts(many)
    with pytest.raises(NothingToShowError):
        figures.figure_fits([])


def test_histogram_counts_good_fits_only(night: Night, spoiled: Night) -> None:
    dataset = spoiled(night(10, 10), failed=slice(0, 30))
    written = texts(figures.figure_histogram(dataset))
    assert "70 sites" in written
    assert f"median {np.median(dataset['gap'].values.ravel()[30:]) * 1e3:.3f} meV" in written


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

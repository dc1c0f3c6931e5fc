"""The CSV of a figure holds what was plotted, for every kind of artist and every figure of a report."""

from __future__ import annotations

import csv
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from stm_daq.report.figure_data import figure_csv, panels_of
from stm_daq.report.microwave import hot_spot
from stm_daq.report.outline import chapters
from stm_daq.report.runs.curve import fitted_curve
from stm_daq.report.style import DECORATION, letter

Night = Callable[..., xr.Dataset]


def panel(draw: Callable[..., object]) -> tuple[Figure, object]:
    figure = Figure()
    axes = figure.subplots()
    draw(axes)
    letter(axes, 0, "Some title")
    axes.set(xlabel="Bias (mV)", ylabel="dI/dV (nS)")
    return figure, axes


def only(figure: Figure):
    (found,) = panels_of(figure)
    (series,) = found.series
    return found, series


def test_a_curve_with_its_label_and_units() -> None:
    figure, _ = panel(lambda a: a.plot([1, 2, np.nan, 4], [5, 6, 7, 8], label="fit"))
    found, series = only(figure)
    assert (found.letter, found.title, series.kind, series.name) == (
        "a", "Some title", "line", "fit",
    )  # fmt: skip
    assert found.labels["x"] == "Bias (mV)"
    np.testing.assert_array_equal(series.columns["x"], [1, 2, 4])
    np.testing.assert_array_equal(series.columns["y"], [5, 6, 8])


def test_points_with_error_bars_once() -> None:
    figure, _ = panel(lambda a: a.errorbar([1, 2], [5, 6], [0.5, 0.25], [0.1, 0.2], fmt="o"))
    _, series = only(figure)
    np.testing.assert_allclose(series.columns["y_low"], [4.5, 5.75])
    np.testing.assert_allclose(series.columns["y_high"], [5.5, 6.25])
    np.testing.assert_allclose(series.columns["x_high"], [1.1, 2.2])


def test_a_point_whose_error_is_not_known_stays() -> None:
    figure, _ = panel(lambda a: a.errorbar([1, 2, 3], [5, np.nan, 7], [0.5, 0.5, np.nan], fmt="o"))
    _, series = only(figure)
    np.testing.assert_array_equal(series.columns["x"], [1, 3])
    np.testing.assert_array_equal(series.columns["y_low"], [4.5, np.nan])


def test_bars_of_a_histogram() -> None:
    figure, _ = panel(lambda a: a.hist([1, 1, 2, 3], bins=3, range=(0.5, 3.5)))
    _, series = only(figure)
    assert series.kind == "bars"
    np.testing.assert_allclose(series.columns["y_high"], [2, 1, 1])
    np.testing.assert_allclose(series.columns["x_low"], [0.5, 1.5, 2.5])


def test_steps_keep_edges_and_values() -> None:
    figure, _ = panel(lambda a: a.stairs([3, 5], [0, 1, 2]))
    _, series = only(figure)
    np.testing.assert_array_equal(series.columns["y_high"], [3, 5])
    np.testing.assert_array_equal(series.columns["x_high"], [1, 2])


@pytest.mark.parametrize("origin", ["lower", "upper"])
def test_pixels_of_an_image_lie_where_they_are_drawn(origin: str) -> None:
    values = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0]])
    extent = (0, 30, 0, 20)

    def draw(axes) -> None:
        image = axes.imshow(values, origin=origin, extent=extent)
        axes.figure.colorbar(image, cax=axes.inset_axes((1, 0, 0.1, 1)), label="Gap (meV)")

    figure, _ = panel(draw)
    found, series = only(figure)
    assert found.labels["value"] == "Gap (meV)"
    assert len(series.columns["value"]) == 5  # the missing pixel is left out
    place = dict(
        zip(zip(series.columns["x"], series.columns["y"], strict=True), series.columns["value"],
            strict=True)
    )  # fmt: skip
    assert place[5.0, 5.0 if origin == "lower" else 15.0] == 1.0
    assert place[25.0, 15.0 if origin == "lower" else 5.0] == 6.0


def test_scatter_mesh_area_and_contours() -> None:
    figure, _ = panel(lambda a: a.scatter([1, 2], [3, 4], c=[0.5, 0.6]))
    assert list(only(figure)[1].columns["value"]) == [0.5, 0.6]
    figure, _ = panel(lambda a: a.pcolormesh([0, 1, 2], [0, 2], [[7.0, 8.0]]))
    _, series = only(figure)
    assert list(series.columns["x"]) == [0.5, 1.5]
    assert list(series.columns["y"]) == [1, 1]
    assert list(series.columns["value"]) == [7, 8]
    figure, _ = panel(lambda a: a.fill_between([0, 1], [1, 2], [3, 4]))
    assert only(figure)[1].kind == "area"
    assert set(only(figure)[1].columns["y"]) == {1, 2, 3, 4}
    figure, _ = panel(lambda a: a.contour(np.add.outer(np.arange(4.0), np.arange(4.0)), [2.0]))
    assert set(only(figure)[1].columns["value"]) == {2.0}


def test_lines_and_spans_across_a_panel_have_their_position_only() -> None:
    figure, _ = panel(lambda a: (a.axvline(0.6), a.axvspan(1, 2), a.axhline(3)))
    series = panels_of(figure)[0].series
    assert [dict(s.columns) for s in series] == [
        {"x": 0.6}, {"y": 3}, {"x_low": 1, "x_high": 2}
    ]  # fmt: skip


def test_what_shows_no_data_is_left_out_and_what_is_not_known_is_named() -> None:
    def draw(axes) -> None:
        axes.plot([1, 2], [3, 4], gid=DECORATION)
        axes.quiver([1], [2], [3], [4])

    figure, _ = panel(draw)
    (found,) = panels_of(figure)
    assert found.series == ()
    assert found.left_out == ("Quiver",)
    assert "not in this table: Quiver" in figure_csv(figure)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_every_figure_of_a_report_gives_what_it_plots(night: Night) -> None:
    for chapter in chapters(night(8, 8), [], fitted_curve):
        figure = chapter.draw()
        rows = rows_of(figure_csv(figure, chapter.caption))
        assert rows, chapter.title
        written = {
            name: {float(r[name]) for r in rows if r.get(name)} for name in ("x", "y", "value")
        }
        for axes in figure.axes:
            for line in axes.lines:
                if line.get_gid() == DECORATION or line.get_transform() is not axes.transData:
                    continue
                for name, values in (("x", line.get_xdata()), ("y", line.get_ydata())):
                    drawn = np.asarray(values, float)
                    assert {float(f"{v:.9g}") for v in drawn[np.isfinite(drawn)]} <= written[name]
            for image in axes.images:
                if image.get_gid() != DECORATION:
                    known = np.ma.compressed(np.ma.masked_invalid(image.get_array()))
                    assert {float(f"{v:.9g}") for v in known} <= written["value"]


def test_a_label_that_stands_only_at_the_lowest_or_first_panel_holds_for_the_others() -> None:
    figure = Figure()
    panels = figure.subplots(2, 2)
    for axes in panels.ravel():
        axes.plot([1, 2], [3, 4])
    panels[1, 0].set(xlabel="Bias (mV)", ylabel="Residual (nS)")
    panels[0, 0].set(ylabel="dI/dV (nS)")
    a, b, c, d = panels_of(figure)
    assert (a.labels["x"], a.labels["y"]) == ("Bias (mV)", "dI/dV (nS)")
    assert (b.labels["x"], b.labels["y"]) == ("", "dI/dV (nS)")
    assert (c.labels["x"], d.labels["y"]) == ("Bias (mV)", "Residual (nS)")


def test_figures_of_the_theory() -> None:
    figure = hot_spot.figure_branches(frequencies=(2.0,))
    names = {row["series"] for row in rows_of(figure_csv(figure))}
    assert any("hbar" in name for name in names)

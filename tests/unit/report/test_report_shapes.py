"""Reports of runs with outer axes, lines, sweeps there and back, other sweeps, polygons."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from stm_daq.analysis.maps.sites import sites_of
from stm_daq.records import Event
from stm_daq.report.html import write_report
from stm_daq.report.runs.examples import pick_examples
from stm_daq.report.runs.series import figure_series, figure_small_maps, figure_waterfall
from stm_daq.report.runs.spectra import figure_spectra
from stm_daq.report.runs.timeline import figure_timeline
from stm_daq.report.shape import outer_steps
from stm_daq.report.style import NothingToShowError
from stm_daq.report.terminal import summary

type Night = Callable[..., xr.Dataset]


def series(night: xr.Dataset, steps: int = 3) -> xr.Dataset:
    """The same map at several set-points; every gap 0.1 meV larger than in the step before."""
    parts = [night.assign(gap=night["gap"] + 1e-4 * step) for step in range(steps)]
    joined = xr.concat(parts, "set_current", combine_attrs="override")
    currents = ("set_current", np.geomspace(1e-10, 1e-8, steps))
    joined = joined.assign_coords(set_current=currents)
    joined["set_current"].attrs = {"units": "A", "long_name": "set current"}
    return joined


def there_and_back(night: xr.Dataset) -> xr.Dataset:
    both = xr.concat([night["conductance"], night["conductance"]], "direction")
    axes = (*night["time"].dims, "direction", "bias")
    current = xr.concat([night["current"], night["current"]], "direction").transpose(*axes)
    return night.assign(conductance=both.transpose(*axes), current=current)


def not_fitted(night: xr.Dataset, swept: str) -> xr.Dataset:
    """A sweep of something else: no values, no truth, no model."""
    changed = night.rename(bias=swept).assign_attrs(metadata=json.dumps({"fit_model": ""}))
    changed["fit_ok"].values[:] = False
    fitted = [n for n in night.data_vars if f"{n}_std" in night]
    for name in (*fitted, *(f"{name}_std" for name in fitted), "reduced_chi_square"):
        changed[name].values[:] = np.nan
    return changed.drop_vars([str(name) for name in night.data_vars if "true_" in str(name)])


def polygon(night: xr.Dataset) -> xr.Dataset:
    """Only the left half of the map is in the plan."""
    rows, columns = night["time"].shape
    marks = "1" * (columns // 2) + "0" * (columns - columns // 2)
    metadata = {"fit_model": "btk", "wanted": [marks] * rows}
    changed = night.copy(deep=True).assign_attrs(metadata=json.dumps(metadata))
    changed["conductance"].values[:, columns // 2 :] = np.nan
    return changed


KINDS = {
    "series of maps": lambda night: series(night(4, 4)),
    "series at one site": lambda night: series(night(1, 1, topograph=(0, 0)), 9),
    "series of lines": lambda night: series(night(1, 12, topograph=(0, 0))),
    "line": lambda night: night(1, 12, topograph=(0, 0)),
    "there and back": lambda night: there_and_back(night(4, 4)),
    "series there and back": lambda night: there_and_back(series(night(3, 3))),
    "z": lambda night: not_fitted(night(1, 3, topograph=(0, 0)), "z_swept"),
    "power there and back": lambda night: not_fitted(
        there_and_back(night(3, 3)), "microwave_power"
    ),
    "polygon": lambda night: polygon(night(6, 6)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_has_a_report_and_a_summary(night, tmp_path: Path, kind: str) -> None:
    dataset = KINDS[kind](night)
    page = write_report(dataset, [], tmp_path / "report.html").read_text()
    assert "could not be drawn" not in page
    assert page.count("<img") >= 3
    console = Console(width=120, record=True, file=(tmp_path / "out").open("w"))
    console.print(summary(dataset))
    total = sites_of(dataset).total
    assert f"{total} of {total}" in console.export_text()


def test_what_is_not_fitted_says_nothing_about_fits(night: Night, tmp_path: Path) -> None:
    page = write_report(KINDS["z"](night), [], tmp_path / "report.html").read_text()
    for word in ("Median", "Fits trusted", "No fit", "Distribution of the gap"):
        assert word not in page
    assert "Tip height above the set-point" not in page  # it is drawn, not written
    assert "No model is fitted" in page


def test_sites_outside_a_polygon_are_not_missing(night: Night, tmp_path: Path) -> None:
    sites = sites_of(polygon(night(6, 6)))
    assert sites.total == sites.measured.sum() == 18
    page = write_report(polygon(night(6, 6)), [], tmp_path / "report.html").read_text()
    assert "were not measured" not in page


def test_a_series_follows_the_axis(night: Night) -> None:
    dataset = series(night(4, 4))
    figure = figure_series(dataset)
    gap = figure.axes[0].containers[0].lines[0]
    median = float(np.median(night(4, 4)["gap"])) * 1e3
    np.testing.assert_allclose(gap.get_ydata(), median + np.array([0, 0.1, 0.2]))
    np.testing.assert_allclose(gap.get_xdata(), [0.1, 1.0, 10.0])
    assert figure.axes[2].get_xlabel() == "Set current (nA)"
    assert figure.axes[0].get_xscale() == "log"


def test_small_maps_share_their_colours_and_name_their_step(night: Night) -> None:
    figure = figure_small_maps(series(night(4, 4)))
    images = [axes.images[-1] for axes in figure.axes if axes.images]
    assert len(images) == 3
    assert len({image.get_clim() for image in images}) == 1
    assert "100 pA" in figure.axes[0].get_title("left")
    with pytest.raises(NothingToShowError):
        figure_small_maps(night(4, 4))


def test_spectra_of_different_height_are_compared_by_their_shape(night: Night) -> None:
    plain = night(1, 5, topograph=(0, 0))
    assert "dI/dV (nS)" in figure_waterfall(plain).axes[0].get_ylabel()
    factors = xr.DataArray(np.geomspace(1, 100, 5), dims="x", coords={"x": plain["x"]})
    steep = plain.assign(conductance=(plain["conductance"] * factors))
    figure = figure_waterfall(steep)
    assert "over its mean" in figure.axes[0].get_ylabel()
    means = figure.axes[1].collections[0].get_array().mean(axis=-1)
    np.testing.assert_allclose(means, 1.0)


def test_examples_know_their_step(night: Night) -> None:
    dataset = series(night(3, 3))
    dataset["barrier"].values[2, 1, 0] = 0.001
    lowest = next(e for e in pick_examples(dataset) if "owest" in e.why)
    assert (lowest.place, lowest.row, lowest.col) == ((2, 1, 0), 1, 0)
    titles = [axes.get_title("left") for axes in figure_spectra(dataset, [lowest]).axes]
    assert any("set current 10 nA" in title for title in titles)
    assert [step.place for step in outer_steps(dataset)] == [(0,), (1,), (2,)]


def test_both_ways_are_drawn_and_fitted(night: Night) -> None:
    dataset = there_and_back(night(3, 3))
    upper, lower = figure_spectra(dataset, pick_examples(dataset)[:1]).axes
    assert [line.get_label() for line in upper.lines] == ["data", "fit", "data", "fit"]
    residuals = [line.get_ydata() for line in lower.lines if len(line.get_ydata()) > 2]
    assert len(residuals) == 2
    assert max(np.std(residual) for residual in residuals) < 1.0  # nS; noise


@pytest.mark.parametrize("kind", ["guard", "drift", "tip_change", "pause", "step", "resumed"])
def test_what_the_night_did_by_itself_is_on_its_timeline(night: Night, kind: str) -> None:
    dataset = night(3, 3)
    moment = float(dataset["time"].mean())
    figure = figure_timeline(dataset, [Event(moment, kind, "something")])
    legend = figure.axes[1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [kind]

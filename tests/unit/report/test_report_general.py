"""Figures and recipe of the general analyses, on datasets that are known and on measured files."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import stm_daq
from stm_daq.analysis.maps.clustering import cluster_spectra
from stm_daq.analysis.stability.night import night_of
from stm_daq.errors import BadInputError
from stm_daq.report import figures
from stm_daq.report.recipes import general
from stm_daq.report.style import NothingToShowError

Night = Callable[..., xr.Dataset]
DATA = Path(__file__).parents[3] / "../shared/realdata"
NM = 1e9


def texts(figure: Figure) -> str:
    """Titles, labels and legends of a figure."""
    return "\n".join(t.get_text() for t in figure.findobj(mpl.text.Text))


def topograph(shape=(64, 64), step=1e-10, constant=0.5e-9):
    """A square lattice with the sum of its waves, tilted, in pixels of 0.1 nm."""
    y, x = (np.mgrid[: shape[0], : shape[1]] + 0.5) * step
    a, b = (np.cos(2 * np.pi / constant * one) for one in (x, y + 0.04 * x))
    z = 1e-11 * (a + b + 0.4 * a * b) + 0.01 * x
    z += 1e-12 * np.random.default_rng(0).standard_normal(shape)
    axes = {
        name: (name, (np.arange(n) + 0.5) * step, {"units": "m"})
        for name, n in zip(("topograph_y", "topograph_x"), shape, strict=True)
    }
    names = ("topograph_y", "topograph_x")
    return xr.DataArray(z, dims=names, coords=axes, name="topography", attrs={"units": "m"})


def scan_file() -> xr.Dataset:
    """A file of another program: a topograph there and back, shifted by 0.3 nm."""
    there = topograph()
    both = xr.concat([there, there.roll(topograph_x=3)], "direction")
    return xr.Dataset({"topography": both}, attrs={"format": "Nanonis scan", "title": "a scan"})


def found_in(dataset: xr.Dataset) -> dict[str, float]:
    return {finding.key: finding.value for finding in general.findings(dataset)}


def test_a_surface_shows_its_roughness_and_scale(night: Night) -> None:
    figure = figures.figure_surface(topograph())
    written = texts(figure)
    assert "Sq = " in written
    assert "pm" in written
    assert "2 nm" in written
    raw = figure.axes[0].get_images()[0].get_array()
    assert np.abs(raw.mean()) < 1e-6


def test_a_lattice_is_told_with_its_constant() -> None:
    figure = figures.figure_fourier(topograph())
    assert "Square, 0.5" in texts(figure)
    assert "$k_x$ (1/nm)" in texts(figure)


def test_a_profile_tells_its_steps() -> None:
    rng = np.random.default_rng(1)
    heights = np.repeat([0.0, 0.3e-9, 0.9e-9], 60) + 5e-12 * rng.standard_normal(180)
    along = ("distance", np.arange(180) * 1e-9, {"units": "m"})
    profile = xr.DataArray(heights, dims="distance", coords={"distance": along}, name="height")
    assert "Steps: 0.3" in texts(figures.figure_profile(profile))
    data = xr.Dataset({"height": profile.assign_attrs(units="m")}, attrs={"format": "table"})
    found = found_in(data)
    assert found["height_step_1"] == pytest.approx(0.3, abs=0.005)
    assert found["height_step_2"] == pytest.approx(0.6, abs=0.005)


def test_kinds_and_energies_of_a_night(night: Night) -> None:
    dataset = night(12, 12)
    clusters = cluster_spectra(dataset["conductance"], count=2)
    written = texts(figures.figure_clusters(clusters))
    assert "2 kinds of spectra" in written
    assert f"{clusters.sizes[0]} (" in written
    assert "meV" not in written  # the axis is a bias
    assert "k (1/nm)" in texts(figures.figure_energies(dataset["conductance"]))
    assert "60 of 144 spectra" in texts(figures.figure_curves(dataset["conductance"]))
    assert "5 spectra" in texts(figures.figure_curves(dataset["conductance"][0, :5]))


def test_steadiness_tells_verdicts(night: Night) -> None:
    dataset = night(16, 16)
    dataset["setpoint_current"].values[8:] *= 1.2
    written = texts(figures.figure_stationarity(dataset, night_of(dataset)))
    assert "Set-point current: jumps (1)" in written
    assert "Stage temperature: stationary" in written
    assert "Averaging time (s)" in written


def test_the_recipe_tells_what_a_scan_holds() -> None:
    dataset = scan_file()
    assert general.suits(dataset)
    found = found_in(dataset)
    assert found["topography_retrace"] == pytest.approx(0.3, abs=0.02)
    assert found["topography_rms"] == pytest.approx(0.0103, rel=0.1)
    titles = [chapter.title for chapter in general.chapters(dataset)]
    assert titles == ["Surface: topography", "Fourier transform: topography"]
    for chapter in general.chapters(dataset):
        assert isinstance(chapter.draw(), Figure)


def test_the_recipe_of_a_run_has_all_chapters(night: Night) -> None:
    titles = [chapter.title for chapter in general.chapters(night(12, 12))]
    assert titles[0] == "Surface: topography"
    assert {"Spectra", "Kinds of spectra", "Steadiness"} <= set(titles)
    assert not general.suits(night(4, 4))  # runs have recipes of their own


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_what_shows_nothing_becomes_a_sentence(value: float) -> None:
    dataset = scan_file()
    dataset["topography"].values[:] = value
    for finding in general.findings(dataset):
        assert math.isnan(finding.value)
        assert finding.remark
    for chapter in general.chapters(dataset):
        with pytest.raises(NothingToShowError, match="topography"):
            chapter.draw()


def test_wrong_axes_are_said_to_be_wrong() -> None:
    with pytest.raises(BadInputError, match="in m"):
        figures.figure_surface(topograph(step=1e-1))


def measured(name: str) -> xr.Dataset:
    path = next(iter(DATA.glob(f"*/{name}")), None)
    if path is None:
        pytest.skip("no measured files beside the repository (../shared/realdata)")
    return stm_daq.read(path)


@pytest.mark.parametrize(
    "name",
    [
        "FeSe_topography.sxm",
        "Au_mica_2023_Y_A_diPAMY_20230512_058.sxm",
        "Figure_1b.txt",
        "Figure_2e.txt",
        "Figure_3b.txt",
        "NanonisReader_STS_grid_lockin.3ds",
        "nxarray_i_v.dat",
    ],
)
def test_measured_files_go_through(name: str) -> None:
    dataset = measured(name)
    assert general.suits(dataset)
    drawn = 0
    for chapter in general.chapters(dataset):
        try:
            drawn += isinstance(chapter.draw(), Figure)
        except NothingToShowError:
            continue  # the files that have nothing of the kind are known below
    assert drawn
    assert all(math.isfinite(f.value) or f.remark for f in general.findings(dataset))


def test_iron_selenide_has_its_lattice() -> None:
    """0.377 nm (F.-C. Hsu et al., PNAS 105, 14262 (2008)); a scanner is right within some percent."""
    found = found_in(measured("FeSe_topography.sxm"))
    assert found["topography_lattice"] == pytest.approx(0.377, rel=0.02)


def test_charge_density_wave_is_three_lattice_constants_long() -> None:
    """Whatever the scanner's calibration, the ratio of the two lattices of NbS2 is 3."""
    from stm_daq.analysis.topographs.lattice import find_peaks, lattice_of

    peaks = find_peaks(measured("Figure_2e.txt")["current"])
    atoms = lattice_of(peaks, "hexagonal", near=0.32e-9, tolerance=0.1)
    wave = lattice_of(peaks, "hexagonal", near=0.96e-9, tolerance=0.1)
    assert wave.constant / atoms.constant == pytest.approx(3.0, abs=0.02)


def test_a_scan_at_constant_height_has_no_topograph_but_a_current() -> None:
    found = {
        f.key: f for f in general.findings(measured("Au_mica_2023_Y_A_diPAMY_20230512_058.sxm"))
    }
    assert "same everywhere" in found["topography_rms"].remark
    assert math.isnan(found["topography_rms"].value)
    assert found["current_retrace"].value == pytest.approx(0.038, abs=0.01)

"""Runs with outer axes and sweeps there and back; journals of the first format."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stm_daq import open_run
from stm_daq.records import Axis, Site
from stm_daq.store import schema
from stm_daq.store.catalogue import list_runs
from stm_daq.store.journal import Journal
from stm_daq.store.reading import reader, started_of
from stm_daq.store.site_tiles import read_tile

OLD = Path(__file__).parents[1] / "data/journal_format_1.db"
AXES = (Axis("set_current", "A", (1e-10, 1e-9)), Axis("repeat", "", (0.0, 1.0, 2.0)))


def at_step(record, step: int, sites: int):
    site = record.site
    return replace(record, site=replace(site, index=step * sites + site.index, step=step))


@pytest.fixture
def series(tmp_path, run):
    """Two currents, three repeats; the step is added to every current in units of 1 uA."""
    with Journal.create(tmp_path / "run", run.started(axes=AXES)) as journal:
        for step in range(6):
            journal.write(replace(run.topograph(0, 6), step=step))
            for index in range(12):
                spectrum = at_step(run.spectrum(index), step, 12)
                journal.write(replace(spectrum, current=spectrum.current + 1e-6 * step))
                journal.write(replace(run.fit(index), site_index=12 * step + index))
    return tmp_path / "run"


def test_outer_axes_come_before_the_map(series, run):
    data = open_run(series)
    assert data.current.dims == ("set_current", "repeat", "y", "x", "bias")
    assert data.sizes["repeat"] == 3
    assert data.set_current.values == pytest.approx([1e-10, 1e-9])
    assert data.set_current.attrs["units"] == "A"
    # second current, third repeat: step 5
    place = data.isel(set_current=1, repeat=2, y=2, x=1)
    assert place.current.values == pytest.approx(run.spectrum(9).current + 5e-6)
    assert float(place.gap) == pytest.approx(321e-6)
    assert data.topography.shape == (2, 3, 6, 8)
    assert np.all(np.isfinite(data.topography))


def test_tiles_and_the_catalogue_count_every_step(series, run):
    (info,) = list_runs(series.parent)
    assert (info.done, info.total) == (72, 72)
    with reader(series) as connection:
        tile = read_tile(connection, started_of(connection), 60, 12)
    assert set(tile.step.tolist()) == {5}


def test_a_step_that_the_run_does_not_have_is_left_out_with_a_warning(tmp_path, run):
    with Journal.create(tmp_path / "run", run.started(axes=AXES)) as journal:
        journal.write(at_step(run.spectrum(0), 6, 12))
    with pytest.warns(UserWarning, match="lies outside the grid"):
        assert not np.any(np.isfinite(open_run(tmp_path / "run").current))


def test_the_way_back_lies_over_the_way_there(tmp_path, run):
    both = np.concatenate([run.bias, run.bias[::-1]])
    trace = np.arange(2.0 * run.points)
    spectrum = run.spectrum(0, bias=both, current=trace, conductance=-trace)
    with Journal.create(tmp_path / "run", run.started(bias=both, directions=2)) as journal:
        journal.write(spectrum)
    data = open_run(tmp_path / "run")
    assert data.current.dims == ("y", "x", "direction", "bias")
    assert data.bias.values == pytest.approx(run.bias)
    found = data.current.isel(y=0, x=0)
    assert found.sel(direction="there").values == pytest.approx(trace[: run.points])
    assert found.sel(direction="back").values == pytest.approx(trace[run.points :][::-1])


def test_another_quantity_takes_the_place_of_the_bias(tmp_path, run):
    heights = np.linspace(0.0, -2e-10, run.points)
    started = run.started(
        bias=np.full(run.points, 4e-3), swept_name="z", swept_unit="m", swept=heights
    )
    with Journal.create(tmp_path / "run", started) as journal:
        journal.write(run.spectrum(0, bias=started.bias))
    data = open_run(tmp_path / "run")
    # the map of tip heights keeps its name
    assert data.current.dims == ("y", "x", "z_swept")
    assert data.z_swept.values == pytest.approx(heights)
    assert data.z.dims == ("y", "x")


def test_sites_of_a_line_are_places_along_it(tmp_path, run):
    started = run.started(
        grid_shape=(1, 4), grid_x=np.arange(4) * 1e-9, grid_y=np.zeros(1), sites="line",
        topograph_shape=(0, 0),
    )  # fmt: skip
    with Journal.create(tmp_path / "run", started) as journal:
        journal.write(run.spectrum(0, site=Site(3, 0, 3, 1e-9, 2e-9)))
    data = open_run(tmp_path / "run")
    assert data.x.attrs["long_name"] == "distance along the sites"
    assert np.isfinite(data.current.values[0, 3]).all()


def test_a_journal_of_the_first_format_still_opens(tmp_path, run):
    shutil.copy(OLD, tmp_path / schema.FILE_NAME)
    data = open_run(tmp_path)
    assert data.attrs["state"] == "finished"
    assert data.current.dims == ("y", "x", "bias")
    assert data.current.values[2, 3] == pytest.approx(run.spectrum(11).current)
    assert data.gap.values[1, 2] == pytest.approx(312e-6)
    assert data.topography.values[5, 7] == pytest.approx(57e-12)
    with reader(tmp_path) as connection:
        started = started_of(connection)
        tile = read_tile(connection, started, 0, 12)
    assert started.axes == ()
    assert len(tile.site) == 12


def test_a_damaged_row_of_an_old_journal_is_still_noticed(tmp_path):
    path = tmp_path / schema.FILE_NAME
    whole = OLD.read_bytes()
    at = whole.index(run_current_bytes())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.warns(UserWarning, match="damaged"):
        data = open_run(tmp_path).load()
    assert np.isnan(data.current.values[0, 0]).all()
    assert data.flags.values[0, 0] == "damaged"


def run_current_bytes() -> bytes:
    """The conductance of the first site's spectrum, as it is stored."""
    return (1e-9 * np.arange(16.0)).astype("<f8").tobytes()

"""A run is read piece by piece, and every piece belongs to the state when it was opened."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from stm_daq import open_run
from stm_daq.errors import BadInputError
from stm_daq.records import Axis
from stm_daq.store import snapshot
from stm_daq.store.journal import Journal
from stm_daq.store.lazy import RunBackend

PIECES = [
    {"y": 1},
    {"x": 2},
    {"x": slice(None, None, -1)},
    {"y": [2, 0], "x": [3, 3, 1]},
    {"y": xr.DataArray([0, 2, 2], dims="site"), "x": xr.DataArray([3, 0, 1], dims="site")},
    {"y": 0, "x": 1, "bias": slice(2, 9, 3)},
    {"y": slice(1, 1)},
]


@pytest.fixture
def folder(tmp_path, run):
    """Two steps of an outer axis; site 5 of the first was measured three times."""
    axes = (Axis("repeat", "", (0.0, 1.0)),)
    with Journal.create(tmp_path / "run", run.started(axes=axes)) as journal:
        for step in range(2):
            for index in range(12):
                for attempt in range(3 if (step, index) == (0, 5) else 1):
                    spectrum = run.spectrum(index, attempt)
                    site = replace(spectrum.site, step=step, index=12 * step + index)
                    current = spectrum.current - 1e-6 * step
                    journal.write(replace(spectrum, site=site, current=current))
                    fit = run.fit(index, attempt, reduced_chi_square=1.0 + attempt)
                    journal.write(replace(fit, site_index=12 * step + index))
    return tmp_path / "run"


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("name", ["conductance", "current", "gap", "flags"])
def test_a_piece_is_that_of_the_whole(folder, piece, name):
    piece = {
        key: value
        for key, value in piece.items()
        if name in ("conductance", "current") or key != "bias"
    }
    whole = open_run(folder).load()
    xr.testing.assert_identical(open_run(folder)[name].isel(piece), whole[name].isel(piece))


def test_only_the_sites_asked_for_are_read(folder, monkeypatch):
    asked = []
    read = snapshot.read_traces
    monkeypatch.setattr(
        snapshot, "read_traces", lambda *args: asked.append(args[-1].tolist()) or read(*args)
    )
    data = open_run(folder)
    assert asked == []
    data.conductance.isel(repeat=1, y=2, x=[1, 3]).load()
    data.current.isel(repeat=1, y=2, x=[1, 3]).load()  # stored beside the conductance
    assert asked == [[21, 23]]


def test_what_is_written_later_is_not_seen(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(0), run.fit(0), run.topograph(0, 2))
        data = open_run(tmp_path)
        journal.write(run.spectrum(1), run.fit(1), run.fit(0, ok=False), run.topograph(2, 2))
        journal.write(run.spectrum(0, 1))
        assert int(np.isfinite(data.conductance[0, :, 0]).sum()) == 1
        assert float(data.conductance[0, 0, 1]) == pytest.approx(1e-9)
        assert int(np.isfinite(data.gap).sum()) == 1
        assert bool(data.fit_ok[0, 0])
        assert int(np.isfinite(data.topography[:, 0]).sum()) == 2
    assert int(np.isfinite(open_run(tmp_path).z).sum()) == 2


def test_all_attempts_can_be_seen(folder):
    data = open_run(folder, attempts="all")
    assert data.conductance.dims == ("repeat", "y", "x", "attempt", "bias")
    assert data.gap.sizes == {"repeat": 2, "y": 3, "x": 4, "attempt": 3}
    site = data.isel(repeat=0, y=1, x=1)
    np.testing.assert_allclose(site.conductance[:, 0], [1100e-9, 1100.01e-9, 1100.02e-9])
    np.testing.assert_allclose(site.reduced_chi_square, [1.0, 2.0, 3.0])
    assert int(np.isfinite(data.z).sum()) == 26
    latest = open_run(folder)
    np.testing.assert_array_equal(latest.conductance[0, 1, 1], site.conductance[2])
    with pytest.raises(BadInputError, match="give 'latest' or 'all'"):
        open_run(folder, attempts="every")


def test_there_and_back_lie_over_the_same_bias(tmp_path, run):
    bias = np.concatenate([run.bias[:8], run.bias[:8][::-1]])
    with Journal.create(tmp_path, run.started(bias=bias, directions=2)) as journal:
        journal.write(run.spectrum(3, bias=bias))
    data = open_run(tmp_path)
    assert data.conductance.dims == ("y", "x", "direction", "bias")
    back = data.conductance.sel(direction="back").isel(y=0, x=3)
    np.testing.assert_allclose(back, 1e-9 * (300 + np.arange(15, 7, -1)))


def test_xarray_opens_a_run_by_itself(folder):
    ours = open_run(folder)
    theirs = xr.open_dataset(folder, engine="stm_daq", drop_variables=["z"])
    xr.testing.assert_identical(theirs.load(), ours.load().drop_vars("z"))
    assert RunBackend().guess_can_open(str(folder))
    assert not RunBackend().guess_can_open(folder.parent)


def test_an_open_run_travels_to_another_process(folder):
    data = pickle.loads(pickle.dumps(open_run(folder)))
    xr.testing.assert_identical(data, open_run(folder))


def test_a_run_is_read_in_chunks(folder):
    chunked = open_run(folder).chunk({"y": 1})
    assert float(chunked.conductance.max().compute()) == pytest.approx(2315e-9)

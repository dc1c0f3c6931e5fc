"""Datasets and the catalogue: the right value at the right place, with its unit."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import numpy as np
import pytest

import stm_daq
from stm_daq import open_run
from stm_daq.records import Event, RunEnded
from stm_daq.store.catalogue import list_runs
from stm_daq.store.journal import Journal
from stm_daq.store.reading import events

ALL = 12


@pytest.fixture
def finished(tmp_path, run):
    """Return the folder of a whole run."""
    folder = tmp_path / "finished"
    with Journal.create(folder, run.started()) as journal:
        journal.write(run.topograph(0, 4))
        for index in range(ALL):
            journal.write(run.spectrum(index))
            journal.write(run.fit(index))
            journal.write(run.truth(index))
        journal.write(run.topograph(4, 2))
        journal.write(RunEnded(1.764e9 + 200, "finished"))
    return folder


def test_variables_dimensions_and_units(finished):
    data = open_run(finished)
    site, trace = ("y", "x"), ("y", "x", "bias")
    expected = {
        "topography": (("topograph_y", "topograph_x"), "m"),
        "current": (trace, "A"),
        "conductance": (trace, "S"),
        "gap": (site, "eV"),
        "gap_std": (site, "eV"),
        "temperature": (site, "K"),
        "temperature_std": (site, "K"),
        "barrier": (site, ""),
        "barrier_std": (site, ""),
        "scale": (site, "S"),
        "scale_std": (site, "S"),
        "offset": (site, "V"),
        "offset_std": (site, "V"),
        "reduced_chi_square": (site, ""),
        "fit_ok": (site, ""),
        "stage_temperature": (site, "K"),
        "z": (site, "m"),
        "setpoint_current": (site, "A"),
        "time": (site, "seconds since 1970-01-01"),
        "true_gap": (site, "eV"),
        "true_barrier": (site, ""),
        "true_x": (site, "m"),
        "true_y": (site, "m"),
    }
    assert set(data.data_vars) == {*expected, "flags", "fit_flags"}
    for name, (dimensions, unit) in expected.items():
        assert data[name].dims == dimensions, name
        assert data[name].attrs["units"] == unit, name
        assert data[name].attrs["long_name"], name
    assert data["fit_ok"].dtype == bool
    assert data["flags"].dtype.kind == data["fit_flags"].dtype.kind == "U"
    assert dict(data.sizes) == {"y": 3, "x": 4, "bias": 16, "topograph_y": 6, "topograph_x": 8}


def test_every_value_is_at_its_place(finished, run):
    data = open_run(finished)
    row, col, point = np.mgrid[:3, :4, :16]
    trace = 1000.0 * row + 100.0 * col + point
    np.testing.assert_allclose(data["conductance"], 1e-9 * trace)
    np.testing.assert_allclose(data["current"], -1e-9 * trace)
    np.testing.assert_allclose(data["gap"], 1e-6 * (300 + 10 * row + col)[..., 0])
    np.testing.assert_allclose(data["bias"], run.bias)
    height, width = np.mgrid[:6, :8]
    np.testing.assert_allclose(data["topography"], 1e-12 * (10.0 * height + width))
    # x grows along a row of the map, y with the rows
    assert (data["z"].diff("y") > 5e-10).all()
    assert (data["z"].diff("x") < 5e-10).all()
    np.testing.assert_allclose(data["true_x"], np.broadcast_to(2e-9 * np.arange(4), (3, 4)))


def test_spectra_lie_on_the_topograph(finished):
    """A site lies in the middle of every second pixel, from the lower left."""
    data = open_run(finished)
    np.testing.assert_allclose(data["x"], data["topograph_x"][::2])
    np.testing.assert_allclose(data["y"], data["topograph_y"][::2])


def test_attributes_tell_the_run(finished, run):
    attributes = open_run(finished).attrs
    assert attributes["run_id"] == "run-1"
    assert attributes["kind"] == "rehearsal"
    assert attributes["name"] == "TiN demo"
    assert attributes["sample"] == "TiN, 50 nm (µm²)"
    assert attributes["state"] == "finished"
    assert attributes["plan_text"] == run.started().plan_text
    assert attributes["station_text"] == run.started().station_text
    assert attributes["frame"] == [1e-9, -2e-9, 8e-9, 6e-9, 30.0]
    assert attributes["modulation"] == 1.4e-4
    assert attributes["versions"] == '{"qcodes": "0.62"}'
    assert datetime.fromisoformat(attributes["started"]) == datetime(2025, 11, 24, 16, tzinfo=UTC)


def test_what_is_missing_is_nan(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.topograph(0, 2))
        journal.write(run.spectrum(6, temperature=float("nan")))
        data = open_run(tmp_path)  # while the run goes on
        journal.write(run.spectrum(7))  # not seen by what was opened before
    done = np.zeros((3, 4), bool)
    done[1, 2] = True
    assert data.attrs["state"] == "not ended"
    np.testing.assert_array_equal(np.isfinite(data["z"]), done)
    np.testing.assert_array_equal(np.isfinite(data["conductance"]).all("bias"), done)
    np.testing.assert_array_equal(
        np.isfinite(data["topography"]).sum("topograph_x"), [8, 8, 0, 0, 0, 0]
    )
    for name in ("gap", "gap_std", "temperature", "barrier", "scale", "stage_temperature"):
        assert np.isnan(data[name]).all(), name
    assert not data["fit_ok"].any()
    assert not [name for name in data.data_vars if str(name).startswith("true_")]


def test_the_latest_attempt_and_its_latest_fit_count(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(5, 1, flags=("overload", "unlock")))
        journal.write(run.spectrum(5, 0))
        journal.write(run.fit(5, 1, values={"gap": 1.0, "lost": 2.0}))
        journal.write(run.fit(5, 1, ok=False, flags=("bad",), values={"gap": 3.0}))
        journal.write(run.fit(5, 0))
        journal.write(run.spectrum(6, 0))
        journal.write(run.fit(6, 0))
        journal.write(run.spectrum(6, 1))  # not fitted yet
    data = open_run(tmp_path)
    assert float(data["conductance"][1, 1, 0]) == pytest.approx(1100.01e-9)
    assert data["flags"][1, 1] == "overload,unlock"
    assert float(data["gap"][1, 1]) == 3.0
    assert data["fit_flags"][1, 1] == "bad"
    assert not data["fit_ok"][1, 1]
    assert "lost" not in data
    assert np.isnan(data["gap"][1, 2])


def test_a_damaged_spectrum_is_nan_and_flagged(finished):
    with sqlite3.connect(finished / "journal.db") as connection:
        connection.execute("UPDATE spectrum SET z = z + 1e-12 WHERE site = 1")
        connection.execute("UPDATE spectrum SET data = zeroblob(length(data)) WHERE site = 6")
        connection.execute("UPDATE fit SET ok = 0 WHERE site = 3")
    connection.close()
    with pytest.warns(UserWarning, match="damaged on the disk") as caught:
        data = open_run(finished).load()
    texts = [str(warning.message) for warning in caught]
    assert texts == [
        "2 spectra are damaged on the disk: NaN",
        "1 rows of 'fit' are damaged on the disk and left out",
    ]
    damaged = np.zeros((3, 4), bool)
    damaged[0, 1] = damaged[1, 2] = True
    np.testing.assert_array_equal(data["flags"] == "damaged", damaged)
    np.testing.assert_array_equal(np.isnan(data["conductance"]).all("bias"), damaged)
    np.testing.assert_array_equal(np.isnan(data["z"]), damaged)
    assert np.isnan(data["gap"][0, 3])


def test_a_sweep_off_the_nominal_bias_is_flagged(tmp_path, run):
    step = 8e-3 / 15
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(0, bias=run.bias + 0.05 * step))
        journal.write(run.spectrum(1, bias=run.bias + 0.2 * step, flags=("overload",)))
        journal.write(run.spectrum(2, bias=run.bias[::-1]))
    flags = open_run(tmp_path)["flags"].values
    assert list(flags[0, :3]) == ["", "overload,off_nominal_bias", "off_nominal_bias"]


def test_a_fit_value_never_hides_a_measured_one(tmp_path, run):
    with Journal.create(tmp_path, run.started()) as journal:
        journal.write(run.spectrum(0))
        journal.write(run.fit(0, values={"gap": 1.0, "current": 2.0}, std={"gap": 0.1}))
    data = open_run(tmp_path)
    assert data["current"].dims == ("y", "x", "bias")
    assert float(data["fit_current"][0, 0]) == 2.0


def test_a_run_without_topograph_opens(tmp_path, run):
    with Journal.create(tmp_path, run.started(topograph_shape=(0, 0))) as journal:
        journal.write(run.spectrum(0))
    assert open_run(tmp_path)["topography"].shape == (0, 0)


def test_events_keep_their_order(tmp_path, run):
    notes = [Event(float(9 - i), "note", f"{i}", {"i": i}) for i in range(3)]
    with Journal.create(tmp_path, run.started()) as journal:
        for note in notes:
            journal.write(note)
        assert events(tmp_path) == notes


def test_the_catalogue_lists_what_is_there(tmp_path, finished, run):
    with Journal.create(tmp_path / "a going on", run.started(kind="run")) as journal:
        journal.write(run.spectrum(0), run.spectrum(0, 1), run.spectrum(1))
        journal.write(run.fit(0), run.fit(0, 1, ok=False), run.fit(1))
        going_on, done = list_runs(tmp_path)
    assert (going_on.state, going_on.kind) == ("running?", "run")
    assert (going_on.done, going_on.total, going_on.fits_ok) == (2, ALL, 1)
    assert done.path == finished
    assert (done.state, done.name, done.sample) == ("finished", "TiN demo", "TiN, 50 nm (µm²)")
    assert (done.done, done.total, done.fits_ok, done.problem) == (ALL, ALL, ALL, "")
    assert done.started == 1_764_000_000.0


def test_the_catalogue_bears_with_foreign_and_damaged_folders(tmp_path, finished):
    (tmp_path / "notes").mkdir()
    (tmp_path / "readme.txt").write_text("hello")
    for name, content in (("broken", (finished / "journal.db").read_bytes()[:9000]), ("odd", b"x")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "journal.db").write_bytes(content)
    found = {info.path.name: info for info in list_runs(tmp_path)}
    assert set(found) == {"finished", "broken", "odd"}
    assert found["finished"].state == "finished"
    for name in ("broken", "odd"):
        assert found[name].state == "unreadable"
        assert found[name].problem
    assert list_runs(tmp_path / "nowhere") == []


def test_a_silent_run_counts_as_interrupted(tmp_path, run, monkeypatch):
    Journal.create(tmp_path / "run", run.started()).close()
    assert list_runs(tmp_path)[0].state == "running?"
    later = (tmp_path / "run" / "journal.db").stat().st_mtime + 600
    monkeypatch.setattr("stm_daq.clock.RealClock.wall", lambda self: later)
    assert list_runs(tmp_path)[0].state == "interrupted"


def test_importing_the_package_stays_quick():
    import subprocess
    import sys

    code = "import stm_daq, sys; print(sorted({'xarray', 'numpy', 'zmq'} & set(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "[]"
    assert callable(stm_daq.read)

"""Refits of whole runs: over processes, on a cluster, interrupted, compared."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq.errors import BadInputError, JournalError
from stm_daq.physics import btk
from stm_daq.records import Frame, RunStarted, Site, Spectrum
from stm_daq.refit import cluster, find_runs, refit_run, settings_for
from stm_daq.refit import run as refit_module
from stm_daq.store.columns import pack, unpack
from stm_daq.store.journal import Journal

BIAS = np.linspace(-2e-3, 2e-3, 64)
ROWS, COLUMNS = 36, 64  # three tiles of 1024, the last one short
MISSING = 2299


def spectra(count: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    gap, temperature = rng.uniform(0.3e-3, 0.7e-3, count), rng.uniform(0.5, 1.5, count)
    curves = btk.conductance(BIAS, gap, temperature, rng.uniform(0.0, 3.0, count), 0.0, 2e-5)
    return 1e-9 * curves * (1.0 + 0.02 * rng.standard_normal(curves.shape))


def make_run(folder: Path, rows: int = ROWS, columns: int = COLUMNS, lost: int = 5) -> Path:
    """A run that was stopped `lost` sites before the end."""
    count = rows * columns
    started = RunStarted(
        run_id=folder.name, kind="rehearsal", time=1.8e9, name="map", sample="TiN", plan_text="",
        station_text="", frame=Frame(0.0, 0.0, 1e-7, 1e-7, 0.0), grid_shape=(rows, columns),
        grid_x=np.arange(columns) * 1e-9, grid_y=np.arange(rows) * 1e-9, topograph_shape=(0, 0),
        bias=BIAS, modulation=2e-5, metadata={"step_memory": [0.98, 0.02]},
    )  # fmt: skip
    measured = spectra(count)
    measured[7] = np.nan
    with Journal.create(folder, started) as journal:
        records = [
            Spectrum(
                site=Site(i, i // columns, i % columns, 0.0, 0.0), attempt=1, time=1.8e9 + i,
                duration=1.0, bias=BIAS, current=BIAS * 1e-9, conductance=measured[i], z=0.0,
                setpoint_current=1e-10, temperature=1.0, flags=("late",) if i == 9 else (),
            )
            for i in range(count - lost)
        ]  # fmt: skip
        journal.write(*records)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("archive") / "first")


@pytest.fixture(scope="module")
def pair(run):
    """Settings of two models."""
    return tuple(settings_for(run, model) for model in ("dynes", "btk"))


@pytest.fixture(scope="module")
def alone(run, pair):
    """The refit in this process."""
    return refit_run(run, pair, processes=1, tile=1024)


def stored(run: Path, name: str):
    return [stm_daq.open_fit(run, name, model).drop_attrs() for model in ("dynes", "btk")]


def same(run: Path, one: str, two: str) -> bool:
    pairs = zip(stored(run, one), stored(run, two), strict=True)
    return all(a.identical(b) for a, b in pairs)


def test_numbers_are_those_of_fit_and_everything_is_written_down(run, pair, alone):
    from stm_daq.fitting import fit

    data = stm_daq.open_fit(run, alone.info.name, "btk")
    own = pair[1]
    assert own.modulation == 2e-5
    assert own.memory == (0.98, 0.02)
    raw = stm_daq.open_run(run)["conductance"].values
    direct = fit(BIAS, raw, "btk", modulation=2e-5, memory=own.memory)
    measured = data["site"].values >= 0
    assert measured.sum() == ROWS * COLUMNS - 5
    for name in ("gap", "gap_std", "barrier", "aic", "correlation"):
        np.testing.assert_array_equal(data[name].values[measured], direct[name].values[measured])
    assert (data["flags"].values[measured] == direct["flags"].values[measured]).all()
    assert data["flags"].values[0, 7] == "too_few_points"
    assert data.attrs["code"].startswith("stm-daq ")
    assert len(data.attrs["input"]) == 64
    assert alone.spectra == ROWS * COLUMNS - 5
    assert alone.ok["btk"] == int(direct["ok"].values.sum())


def test_a_run_opens_with_its_online_fits_unless_asked(run, alone):
    assert np.isnan(stm_daq.open_run(run)["gap"]).all()
    data = stm_daq.open_run(run, fit="latest")
    assert data.attrs["fit"] == stm_daq.open_fits(run)[-1].name
    assert np.isfinite(data["gap"].values).mean() > 0.5
    assert data["fit_flags"].values[0, 9].startswith("late")
    assert not data["fit_ok"].values[0, 9]
    with pytest.raises(JournalError, match="no refit 'none'"):
        stm_daq.open_run(run, fit="none")
    with pytest.raises(JournalError, match="no model 'sis'"):
        stm_daq.open_fit(run, alone.info.name, "sis")


def test_two_processes_and_other_tiles_give_the_same_bits_and_never_overwrite(run, pair, alone):
    before = alone.info.path.read_bytes()
    told = []
    again = refit_run(
        run, pair, processes=2, tile=1030, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (ROWS * COLUMNS, ROWS * COLUMNS)
    assert again.info.path != alone.info.path
    assert alone.info.path.read_bytes() == before
    assert same(run, alone.info.name, again.info.name)
    assert again.verdicts == alone.verdicts
    assert {path.suffix for path in alone.info.path.parent.iterdir()} == {".db"}


def test_a_cluster_gives_the_same_bits(run, pair, alone):
    pytest.importorskip("distributed")
    with cluster("local", 2) as (executor, workers):
        assert workers == 2
        found = refit_run(run, pair, executor=executor, workers=workers, tile=1024)
    assert same(run, alone.info.name, found.info.name)
    assert found.info.input == alone.info.input


def test_a_failed_refit_goes_on_where_it_stopped(run, pair, alone, monkeypatch):
    fit_job, fitted = refit_module.fit_job, []

    def fails_at_third(job):
        if len(fitted) == 2:
            raise KeyboardInterrupt
        fitted.append(job.first)
        return fit_job(job)

    monkeypatch.setattr(refit_module, "fit_job", fails_at_third)
    with pytest.raises(KeyboardInterrupt):
        refit_run(run, pair, processes=1, tile=1024)
    monkeypatch.setattr(refit_module, "fit_job", fit_job)
    found = refit_run(run, pair, processes=1, tile=1024)
    assert found.resumed == 2048
    assert same(run, alone.info.name, found.info.name)


def test_other_settings_or_code_are_not_resumed(run, pair, monkeypatch):
    fit_job = refit_module.fit_job

    def fails(job):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(refit_module, "fit_job", fails)
        with pytest.raises(KeyboardInterrupt):
            refit_run(run, pair[1:], processes=1, tile=1024)
    (part,) = (run / "fits").glob("*.part")
    with monkeypatch.context() as patch:
        patch.setattr(refit_module, "code_version", lambda: "stm-daq 99")
        patch.setattr(refit_module, "fit_job", lambda job: ("stm-daq 99", fit_job(job)[1]))
        assert refit_run(run, pair[1:], processes=1, tile=1024).resumed == 0
    assert part.exists()
    part.unlink()


def test_a_worker_with_other_code_is_refused(run, pair, monkeypatch):
    monkeypatch.setattr(refit_module, "fit_job", lambda job: ("stm-daq 0.0", {}))
    with pytest.raises(Exception, match="install the same version everywhere"):
        refit_run(run, pair, processes=1, tile=1024)


KILLED = """
import os, sys
from pathlib import Path
from stm_daq.refit import run as r
if __name__ == "__main__":
    path = Path(sys.argv[1])
    told = []
    def progress(done, total):
        print("done", done, flush=True)
        sys.stdin.readline()
    pair = tuple(r.settings_for(path, model) for model in ("dynes", "btk"))
    r.refit_run(path, pair, processes=1, tile=1024, progress=progress)
"""


def test_a_killed_refit_keeps_its_finished_tiles(run, pair, alone, tmp_path):
    script = tmp_path / "refit.py"
    script.write_text(KILLED)
    process = subprocess.Popen(
        [sys.executable, script, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("done")
    process.kill()
    process.communicate()
    found = refit_run(run, pair, processes=2, tile=1024)
    assert found.resumed == 1024
    assert same(run, alone.info.name, found.info.name)
    assert not list((run / "fits").glob("*.part"))


def test_a_damaged_refit_is_told(tmp_path):
    run = make_run(tmp_path / "run", 4, 8, lost=0)
    found = refit_run(run, (settings_for(run, "btk"),), processes=1)
    with sqlite3.connect(found.info.path) as connection:
        connection.execute("UPDATE tile SET layout = replace(layout, 'gap', 'gip')")
    with pytest.raises(JournalError, match="damaged"):
        stm_daq.open_fit(run)


def test_a_run_without_spectra(tmp_path):
    run = make_run(tmp_path / "run", 4, 8, lost=32)
    found = refit_run(run, (settings_for(run, "btk"), settings_for(run, "dynes")), processes=1)
    assert found.spectra == 0
    assert np.isnan(stm_daq.open_run(run, fit="latest")["gap"]).all()


def test_plain_arrays_survive_storage():
    columns = {
        "a": np.array([[1.0, np.nan], [-0.0, 3.0]]),
        "b": np.arange(2),
        "c": np.array([True, False]),
        "d": np.array(["", 'µ,"x"'], dtype=object),
    }
    found = unpack(*pack(columns))
    assert list(found) == list(columns)
    for name, values in columns.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def test_verdicts_are_those_of_compare(run, pair, alone):
    from stm_daq.fitting import compare

    data = stm_daq.open_fit(run, alone.info.name, "btk")
    raw = stm_daq.open_run(run)["conductance"].values[:4]
    direct = compare(BIAS, raw, ["dynes", "btk"], modulation=2e-5, memory=pair[0].memory)
    for name in ("preferred", "verdict"):
        assert (data[name].values[:4] == direct[name].values).all()
    np.testing.assert_array_equal(data["evidence"].values[:4], direct["evidence"].values)
    assert data["verdict"].values[0, 7] == "not_fitted"
    assert alone.verdicts["preferred btk"] > 1000
    assert sum(alone.verdicts.values()) == alone.spectra


def test_bad_questions_are_refused(run, pair, tmp_path):
    with pytest.raises(BadInputError, match="at least 1024"):
        refit_run(run, pair, tile=100)
    with pytest.raises(BadInputError, match="different models"):
        refit_run(run, (pair[0], pair[0]))
    with pytest.raises(BadInputError, match="same conditions"):
        refit_run(run, (pair[0], settings_for(run, "btk", engine="table")))
    with pytest.raises(BadInputError, match="use 'exact'"):
        refit_run(run, (settings_for(run, "sis", engine="table"),))
    with pytest.raises(BadInputError, match="holds no runs"):
        find_runs(tmp_path)
    assert find_runs(run.parent) == [run]


def test_the_command_compares_models_in_an_archive(command, run):
    done = command(
        "fit", run.parent, "--model", "dynes", "--compare", "btk", "--fixed", "offset=0 V"
    )
    assert done.returncode == 0, done.stderr
    assert "preferred btk: btk describes the spectrum" in done.stdout
    assert " good, " in done.stdout
    assert " doubtful, " in done.stdout
    assert "stored in" in done.stdout
    assert stm_daq.open_fit(run).attrs["model"] == "dynes"
    assert (stm_daq.open_fit(run)["offset"].fillna(0) == 0).all()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--fixed", "temperature=1.2"], "needs a unit"),
        (["--fixed", "barrier=1", "--model", "dynes"], "write name=value"),
        (["--model", "bogus"], "unknown"),
        (["--engine", "bogus"], "exact, table"),
        (["--modulation", "1 mV"], "only for measured files"),
        (["--scheduler", "tcp://127.0.0.1:1"], "no scheduler"),
    ],
)
def test_wrong_options_are_one_line(command, run, options, reason, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    done = command("fit", run, *options)
    assert done.returncode == 2
    assert reason in done.stderr

"""The command line as a user meets it, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import stm_daq

ROOT = Path(__file__).parents[2]
STATION = ROOT / "station.yaml"
SHARED = ROOT.parent / "shared"
NBSE2 = SHARED / "realdata/nbse2_tunnel_70mK_TomDvir"
FESE = SHARED / "realdata/nanonis_files/FeSe_topography.sxm"


def rehearsal(command, plan, *more):
    done = command("rehearse", plan, "--station", STATION, "--json", "--port", 0, *more)
    return done, json.loads(done.stdout)


def test_rehearse_report_runs_and_refit(command, plan, tmp_path):
    done, facts = rehearsal(command, plan)
    assert done.returncode == 0, done.stderr
    assert facts["state"] == "finished"
    page = Path(tmp_path / facts["report"]).read_text()
    assert "TiN demo map" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    listed = json.loads(command("runs", "--json").stdout)
    assert [(r["state"], r["done"], r["total"]) for r in listed] == [("finished", 16, 16)]
    (refit,) = json.loads(command("fit", facts["run"], "--json").stdout)
    run = stm_daq.open_run(tmp_path / facts["run"])
    again = stm_daq.open_run(tmp_path / facts["run"], fit=refit["fit"])
    for name in ("gap", "gap_std", "temperature", "barrier", "fit_ok", "fit_flags"):
        np.testing.assert_array_equal(again[name], run[name])
    assert refit["ok"] == {"btk": run.fit_ok.sum()}
    shown = command("report", facts["run"], "--out", "again.html")
    assert shown.returncode == 0
    assert (tmp_path / "again.html").exists()


def test_check_tells_sites_and_duration(command, plan):
    done = command("check", plan, "--station", STATION)
    assert done.returncode == 0
    assert "16  (4 x 4)" in done.stdout
    assert "ends" in done.stdout


def test_all_mistakes_of_plan_and_station_are_listed_and_nothing_is_made(command, plan, tmp_path):
    plan.write_text(
        plan.read_text()
        .replace('current: "100 pA"', "current: 100")
        .replace("every:", "evry:")
        .replace('"4 mV", end', '"4 mA", end')
    )
    station = tmp_path / "station.yaml"
    station.write_text(STATION.read_text().replace("slew:", "slw:").replace("stm:", "smt:"))
    done = command("rehearse", plan, "--station", station)
    assert done.returncode == 2
    for wanted in ("current", "evry", "4 mA", "slw", "smt", "did you mean"):
        assert wanted in done.stderr
    lines = done.stderr.splitlines()
    assert all("small.yaml:" in line or "station.yaml:" in line for line in lines)
    assert not (tmp_path / "runs").exists()


def test_a_missing_station_and_a_bad_port_are_one_sentence_each(command, plan):
    done = command("check", plan)  # there is no station.yaml in the working folder
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "stm-daq: station.yaml: there is no such station file; name it with --station FILE"
    )
    done = command("rehearse", plan, "--station", STATION, "--port", "-3")
    assert done.returncode == 2
    assert "Invalid value for '--port'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_beyond_the_limits_is_refused(command, plan):
    plan.write_text(plan.read_text().replace('"4 mV"', '"40 mV"'))
    done = command("rehearse", plan, "--station", STATION)
    assert done.returncode == 3
    assert "outside the station's limits" in done.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read"), (b"", "empty"), (b"\x00\xff" * 500, ""), (b"1,2\n3", "")],
)
def test_bad_data_files_give_one_line_and_exit_code_2(command, tmp_path, content, reason):
    path = tmp_path / "spectrum.csv"
    if content is not None:
        path.write_bytes(content)
    done = command("fit", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "spectrum.csv" in done.stderr
    assert reason in done.stderr


def start(plan: Path, folder: Path) -> subprocess.Popen[str]:
    """Start a rehearsal and wait until it measures."""
    line = [sys.executable, "-m", "stm_daq", "rehearse", str(plan), "--station", str(STATION)]
    process = subprocess.Popen(
        [*line, "--port", "0"],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not list((folder / "runs").glob("*/journal.db-wal")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the rehearsal did not begin within a minute"
        time.sleep(0.02)
    return process


@pytest.fixture
def long_plan(make_plan):
    """Return a plan long enough to be interrupted."""
    return make_plan(pixels=128, every=2)


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process on Windows")
def test_ctrl_c_on_the_command_line(long_plan, tmp_path):
    process = start(long_plan, tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 10, err
    assert "stopped: Ctrl-C" in out
    (folder,) = (tmp_path / "runs").iterdir()
    run = stm_daq.open_run(folder)
    assert run.attrs["state"] == "stopped"
    assert (folder / "report.html").exists()


def test_a_killed_run_can_be_read_and_reported(long_plan, command, tmp_path):
    process = start(long_plan, tmp_path)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    (folder,) = (tmp_path / "runs").iterdir()
    (listed,) = json.loads(command("runs", "--json").stdout)
    run = stm_daq.open_run(folder)
    measured = int(np.isfinite(run.time).sum())
    assert listed["done"] == measured < listed["total"]
    assert command("report", folder).returncode == 0


@pytest.mark.skipif(not FESE.exists(), reason="measured files are not at hand (../shared)")
def test_rehearsal_on_measured_data(command, plan, tmp_path):
    done, facts = rehearsal(command, plan, "--topograph", FESE, "--spectra", NBSE2)
    assert done.returncode == 0, done.stderr
    run = stm_daq.open_run(tmp_path / facts["run"])
    assert facts["violations"] == []
    assert run.true_temperature.min() > 0.05
    assert run.true_temperature.max() < 8.7
    cold = run.true_temperature < 2
    if cold.any():
        assert run.gap.where(cold).median() == pytest.approx(1.15e-3, rel=0.2)


MEASURED = [
    path
    for pattern in (
        "nanonis_files/*.dat",
        "nanonis_files/*.3ds",
        "mgb2*/*",
        "nbs2*/*",
        "createc*/*",
    )
    for path in sorted((SHARED / "realdata").glob(pattern))
]


@pytest.mark.skipif(not MEASURED, reason="measured files are not at hand (../shared)")
def test_any_measured_file_is_fitted_or_refused_in_one_line(command):
    for path in MEASURED:
        done = command("fit", path)
        assert done.returncode in (0, 2), (path, done.stderr)
        assert "Traceback" not in done.stderr, path
        if done.returncode:
            assert len(done.stderr.splitlines()) == 1
            assert path.name in done.stderr


@pytest.mark.skipif(not NBSE2.exists(), reason="measured files are not at hand (../shared)")
def test_the_measured_series_closes_near_7_kelvin(command):
    files = sorted(NBSE2.glob("*.csv"))
    done = command("fit", *files)
    assert done.returncode == 0, done.stderr
    assert "model_inadequate" in done.stdout
    assert "gap closes at 7." in done.stdout
    facts = json.loads(command("fit", "--json", *files).stdout)
    fits = facts["spectra"]
    assert facts["gap_series"]["tc"] == pytest.approx(7.4, abs=0.2)
    gaps = np.array([f["values"]["gap"] if "no_gap" not in f["flags"] else 0.0 for f in fits])
    stds = np.array([f["std"]["gap"] or 0.0 for f in fits])
    assert 1.1e-3 < gaps[0] < 1.4e-3
    assert np.all(np.diff(gaps) < np.hypot(stds[1:], stds[:-1]))


def test_the_command_line_starts_without_heavy_modules():
    heavy = ("numpy", "qcodes", "matplotlib", "xarray", "numba", "pandas", "scipy", "zmq")
    code = f"import sys, stm_daq.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_watch_follows_a_rehearsal(plan, tmp_path):
    watch = subprocess.Popen(
        [sys.executable, "-m", "stm_daq", "watch", "tcp://127.0.0.1:5987"],
        stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    line = [sys.executable, "-m", "stm_daq", "rehearse", str(plan), "--station", str(STATION)]
    try:
        subprocess.run([*line, "--port", "5987"], cwd=tmp_path, check=True, capture_output=True)
        out, _ = watch.communicate(timeout=30)
    finally:
        watch.kill()
    assert "TiN demo map" in out
    assert "finished" in out


def test_a_figure_or_report_that_cannot_be_written_is_one_clear_line(command, plan, tmp_path):
    _, facts = rehearsal(command, plan, "--no-report")
    rows = (f"{0.05 * i:.2f},{25 + i % 3}" for i in range(-60, 61))
    (tmp_path / "spectrum.csv").write_text("bias_mV,G_nS\n" + "\n".join(rows) + "\n")
    report = ("report", facts["run"], "--out", "no/such/place.html")
    figure = ("fit", "spectrum.csv", "--figure", "no/such/place.png")
    for arguments in (report, figure):
        done = command(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "cannot be written" in done.stderr


@pytest.mark.parametrize("arguments", [("report", "nowhere"), ("fit", "."), ("runs", "nowhere")])
def test_a_run_that_is_not_there_is_bad_input(command, arguments):
    done = command(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_runs_never_shortens_a_name(command, plan):
    _, facts = rehearsal(command, plan, "--no-report")
    assert Path(facts["run"]).name in command("runs").stdout

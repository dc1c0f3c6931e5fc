"""``stm-daq fit FILE...``: what the user reads, and what a script gets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stm_daq.clock import VirtualClock
from stm_daq.commands.fit import FileOptions, fit_files
from stm_daq.commands.options import parse_fixed
from stm_daq.commands.work import Work
from stm_daq.errors import BadInputError
from stm_daq.physics import btk, dynes

BIAS = np.linspace(-4e-3, 4e-3, 201)


def write(path, *curves, kelvin=None):
    """A CSV file with one spectrum of 1 % noise in mV and nS, or several in an unknown unit."""
    rng = np.random.default_rng(5)
    columns = [1e3 * BIAS, *(30 * c + 0.3 * rng.standard_normal(len(BIAS)) for c in curves)]
    several = [f"dI/dV_{i}" for i, _ in enumerate(curves, 1)]
    names = ["bias (mV)", *(several if len(curves) > 1 else ["dI/dV (nS)"])]
    if kelvin is not None:
        columns.append(np.full(len(BIAS), kelvin))
        names.append("T_K")
    np.savetxt(
        path, np.transpose(columns), delimiter=",", header=",".join(names), comments="", fmt="%.6f"
    )
    return path


def tunnel(kelvin, gap=0.7e-3, broadening=0.0):
    return dynes.conductance(BIAS, gap, kelvin, broadening)


def table(capsys, paths, **options):
    """The rows of the table by column, and everything printed."""
    fit_files(paths, FileOptions(**options), as_json=False)
    text = capsys.readouterr().out
    lines = text.splitlines()
    heads = [h.strip() for h in lines[0].split("  ") if h.strip()]
    starts = [lines[0].index(h) for h in heads]
    cut = zip(starts, [*starts[1:], None], strict=True)
    places = [slice(*pair) for pair in cut]
    rows = [dict(zip(heads, (line[p].strip() for p in places), strict=True)) for line in lines[1:]]
    return rows, text


def test_limits_stand_where_a_value_is_not_known(tmp_path, capsys):
    path = write(tmp_path / "a.csv", tunnel(0.8), kelvin=0.8)
    (row, *_), text = table(capsys, [path])
    assert row["broadening (meV)"].startswith("< 0.0")
    assert row["T (K)"] == "0.800 fixed"
    assert row["verdict"] == "good"
    assert "broadening_upper_limit" in row["flags"]
    assert "only an upper limit is known" in text
    (row, *_), _ = table(capsys, [path], model="btk")
    assert row["barrier"].startswith("> ")
    clear = write(tmp_path / "b.csv", btk.conductance(BIAS, 0.7e-3, 0.8, 0.0), kelvin=0.8)
    (row, *_), _ = table(capsys, [clear], model="btk")
    assert row["barrier"].startswith("< 0.")
    assert "±" in row["gap (meV)"]


def test_good_doubtful_and_failed(tmp_path, capsys):
    files = [
        write(tmp_path / "good.csv", tunnel(0.8)),
        write(tmp_path / "failed.csv", 1 + 10 * BIAS),
    ]
    rows, _ = table(capsys, files)
    assert [row["verdict"] for row in rows[:2]] == ["good", "failed"]
    assert rows[1]["gap (meV)"] == "-"


def test_standard_errors_of_the_file_are_used(tmp_path, capsys):
    two = 0.5 * tunnel(0.4, 0.5e-3) + 0.5 * tunnel(0.4, 0.9e-3)
    path = write(tmp_path / "two.csv", two, kelvin=0.3)
    path.write_text(path.read_text().replace("T_K", "error"))
    (row, *_), _ = table(
        capsys, [path], noise_column="3", model="dynes", fixed=("temperature=0.4K",)
    )
    assert row["T (K)"] == "0.400 fixed"
    assert float(row["chi²/dof"]) > 100
    assert row["verdict"] == "doubtful"
    assert row["flags"] == "model_inadequate"
    named = {"model": "two_gaps", "fixed": ("temperature=0.4K", "barrier=10", "broadening=0 meV")}
    (row, *_), _ = table(capsys, [path], noise_column="3", **named)
    assert row["verdict"] == "good"
    assert {row["gap1 (meV)"][:3], row["gap2 (meV)"][:3]} <= {"0.4", "0.5", "0.8", "0.9"}
    assert row["barrier"] == "10.000 fixed"


def test_current_and_conductance_of_a_file_are_compared(tmp_path, capsys):
    values = tunnel(0.8)
    current = 30.0 * 1e3 * np.cumsum(values) * (BIAS[1] - BIAS[0])  # pA
    for factor, flagged in ((1.0, False), (1.1, True)):
        path = tmp_path / f"{factor}.csv"
        noise = 0.3 * np.random.default_rng(5).standard_normal(len(BIAS))
        columns = np.transpose([1e3 * BIAS, 30 * values + noise, factor * current])
        heads = "bias_mV,conductance_nS,current_pA"
        np.savetxt(path, columns, delimiter=",", header=heads, comments="", fmt="%.6f")
        (row, *_), _ = table(capsys, [path])
        assert ("calibration" in row["flags"]) == flagged
        assert row["verdict"] == "good"


def test_many_spectra_of_a_file_are_summed_up(tmp_path, capsys):
    curves = [tunnel(0.8)] * 12 + [1 + 10 * BIAS]
    path = write(tmp_path / "many.csv", *curves)
    (row, *_), _ = table(capsys, [path])
    assert row["spectrum"] == "many.csv: median of good"
    assert row["verdict"] == "12 good, 0 doubtful, 1 failed"
    assert row["gap (meV)"].startswith("0.70")


def test_what_is_remarkable_about_a_file_is_said(tmp_path, capsys):
    path = write(tmp_path / "a.csv", tunnel(0.8), kelvin=0.8)
    path.write_text(path.read_text()[:-3])
    _, text = table(capsys, [path])
    assert "a.csv: the file ends within line 202" in text


def test_json_says_everything(tmp_path, capsys):
    files = [write(tmp_path / f"{i}.csv", tunnel(t, g), kelvin=t)
             for i, (t, g) in enumerate([(0.5, 0.7e-3), (3.0, 0.62e-3), (4.2, 0.36e-3)])]  # fmt: skip
    fit_files(files, FileOptions(), as_json=True)
    facts = json.loads(capsys.readouterr().out)
    first = facts["spectra"][0]
    assert first["verdict"] == "good"
    assert first["values"]["gap"] == pytest.approx(0.7e-3, rel=0.02)
    assert first["units"]["gap"] == "eV"
    assert first["limits"]["broadening"] > 0
    assert first["explanations"][0].startswith("broadening_upper_limit: ")
    assert np.shape(first["correlation"]) == (len(first["free"]),) * 2
    assert first["columns"] == {
        "bias": "bias (mV)",
        "conductance": "dI/dV (nS)",
        "temperature": "T_K",
    }
    assert (first["noise"], first["remarks"], first["place"]) == ("estimated", [], [])
    assert first["dof"] == 201 - len(first["free"])
    assert facts["gap_series"]["tc"] == pytest.approx(4.7, abs=0.3)


def test_a_bad_file_does_not_stop_the_others(tmp_path, capsys):
    good = write(tmp_path / "good.csv", tunnel(0.8), kelvin=0.8)
    wide = tmp_path / "wide.csv"
    wide.write_text(good.read_text().replace("bias (mV)", "bias (V)"))
    files = [tmp_path / "none.csv", wide, good]
    for as_json in (False, True):
        with pytest.raises(BadInputError) as caught:
            fit_files(files, FileOptions(), as_json)
        first, second = str(caught.value).splitlines()
        assert "none.csv: cannot be read" in first
        assert "wide.csv" in second
        assert "not in V but in mV" in second
        assert "good.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model": "bogus"}, "model bogus: unknown; choose one of normal, btk"),
        ({"modulation": "1"}, "--modulation: '1' needs a unit"),
        ({"fixed": ("barrier=1",), "model": "dynes"}, "--fixed barrier=1: write name=value"),
        ({"fixed": ("temperature=1 mV",)}, "--fixed temperature=1 mV: .*not a quantity in K"),
        ({"figure": "figure.bmpx"}, "--figure figure.bmpx: cannot be written; name a file ending"),
        ({"figure": "no/such/a.png"}, "there is no folder"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(tmp_path, options, reason):
    if "figure" in options:
        options = {"figure": Path(options["figure"])}
    with pytest.raises(BadInputError, match=reason) as caught:
        fit_files([tmp_path / "none.csv"], FileOptions(**options), as_json=False)
    assert "none.csv" not in str(caught.value)


def test_fixed_parameters_of_two_models():
    found = parse_fixed(["barrier=0.5", "temperature = 1.2 K"], ["dynes", "btk"])
    assert found == {"dynes": {"temperature": 1.2}, "btk": {"barrier": 0.5, "temperature": 1.2}}


def test_the_finish_time_is_foreseen_without_what_was_done_before():
    clock = VirtualClock()
    work = Work("refit", clock)
    assert work.text() == "refit: fitting"
    clock.sleep(10.0)
    work.note(100, 400)
    assert work.left == pytest.approx(30.0)
    clock.sleep(10.0)
    work.note(150, 400)  # of the first 100, 50 or more were there before
    assert work.left == pytest.approx(50.0)
    assert "150 of 400 spectra, ends" in work.text()
    assert "(in 50 s)" in work.text()
    work.note(400, 400)
    assert work.text() == "refit: 400 of 400 spectra"

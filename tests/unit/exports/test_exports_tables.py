"""CSV and Igor text, read by other means than they were written."""

import csv
import re

import numpy as np
import pytest

from stm_daq import open_run
from stm_daq.store.exports import export_run


def test_csv_of_spectra(aborted, truth):
    folder = export_run(aborted, "csv")
    for name in ("current", "conductance"):
        head = (folder / f"{name}.csv").read_text().splitlines()[0].split(",")
        table = np.genfromtxt(folder / f"{name}.csv", delimiter=",", skip_header=1)
        np.testing.assert_array_equal(np.array(head[3:], dtype=float), truth.bias)
        assert table[9, :3].tolist() == [0, 2, 1]
        np.testing.assert_array_equal(table[:, 3:].reshape(3, 4, 16), truth[name])


def test_csv_of_maps_and_topograph(aborted, truth):
    folder = export_run(aborted, "csv")
    with (folder / "maps.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for label in ("gap (eV)", "gap_std (eV)", "barrier", "z (m)", "true_x (m)"):
        found = np.array([float(line[label]) for line in lines]).reshape(3, 4)
        np.testing.assert_array_equal(found, truth[label.split(" ")[0]])
    assert [lines[1][name] for name in ("flags", "fit_flags", "fit_ok")] == [
        "overload",
        "bad",
        "False",
    ]
    assert lines[6]["x (m)"] == repr(float(truth.x[2]))
    z = np.genfromtxt(folder / "topography.csv", delimiter=",", skip_header=1)
    np.testing.assert_array_equal(z[:, 2:], truth.topography)
    with (folder / "about.csv").open(encoding="utf-8", newline="") as file:
        about = dict(csv.reader(file))
    assert about["sample"] == "TiN, 50 nm (µm²)"
    assert about["plan_text"] == truth.attrs["plan_text"]


def waves(path):
    """Return the numeric waves of an Igor text, and the scales of their dimensions.

    Igor Pro manual: a line holds the columns of a row; layers and chunks follow one another.
    """
    text = path.read_text(encoding="utf-8")
    assert text.startswith("IGOR\n")
    found, scales = {}, {}
    for kind, size, name, body in re.findall(
        r"WAVES/(\w)/N=\((.*?)\) (\w+)\nBEGIN\n(.*?)END\n", text, re.S
    ):
        if kind == "D":
            rows, columns, *rest = (*map(int, size.split(",")), 1, 1, 1)[:4]
            values = np.array(body.split(), dtype=float).reshape(*rest[::-1], rows, columns)
            found[name] = values.transpose(2, 3, 1, 0).squeeze()
    for letter, first, step, unit, name in re.findall(
        r'SetScale/P (\w) (.*?),(.*?),"(.*?)",(\w+)', text
    ):
        scales.setdefault(name, {})[letter] = (float(first), float(step), unit)
    return found, scales


def test_igor_waves(aborted, truth):
    found, scales = waves(export_run(aborted, "igor"))
    for name in ("current", "conductance"):
        np.testing.assert_array_equal(found[f"stm_{name}"], truth[name].transpose("bias", "x", "y"))
    for name in ("gap", "gap_std", "stage_temperature"):
        np.testing.assert_array_equal(found[f"stm_{name}"], truth[name].transpose("x", "y"))
    np.testing.assert_array_equal(found["stm_topography"].T, truth.topography)
    assert scales["stm_gap"]["x"][:2] == pytest.approx((0.5e-9, 2e-9))
    assert scales["stm_gap"]["y"][2] == "m"
    first, step, unit = scales["stm_current"]["x"]
    np.testing.assert_allclose(first + step * np.arange(16), truth.bias)
    assert unit == "V"


def test_igor_steps_are_the_last_dimension(shape):
    folder = shape("outer axes")
    data = open_run(folder).stack(step=("temperature", "repeat"))
    found, _ = waves(export_run(folder, "igor"))
    np.testing.assert_array_equal(found["stm_gap"], data.gap.transpose("x", "y", "step"))
    expected = data.current.transpose("bias", "x", "y", "step")
    np.testing.assert_array_equal(found["stm_current"], expected)


def test_both_directions(shape):
    folder = shape("there and back")
    data = open_run(folder)
    found, _ = waves(export_run(folder, "igor"))
    back = data.current.sel(direction="back")
    np.testing.assert_array_equal(found["stm_current_back"], back.transpose("bias", "x", "y"))
    lines = (export_run(folder, "csv") / "current.csv").read_text().splitlines()
    marked = [line.split(",") for line in lines if line.startswith("0,0,1,back,")]
    np.testing.assert_array_equal(np.array(marked[0][4:], dtype=float), back[0, 1])

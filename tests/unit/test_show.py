"""Pictures of runs and files: in the terminal, in files, in notebooks; and the catalogue."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import stm_daq
from stm_daq.commands.runs import RunsOptions, show_runs
from stm_daq.commands.show import show_path
from stm_daq.errors import BadInputError
from stm_daq.notebook.choose import map_of, unit_for
from stm_daq.records import Axis, RunEnded
from stm_daq.store.journal import Journal

OLD = Path(__file__).parents[1] / "data" / "journal_format_1.db"


@pytest.fixture(autouse=True)
def no_window():
    """Draw into memory."""
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture
def folder(tmp_path, run):
    """Two repeats of a map; the gaps of the second are twice as large."""
    started = run.started(axes=(Axis("repeat", "", (0.0, 1.0)),))
    with Journal.create(tmp_path / "runs" / "2025-11-24_first", started) as journal:
        for step in range(2):
            journal.write(replace(run.topograph(0, 6), step=step))
            for index in range(12):
                spectrum, fit = run.spectrum(index), run.fit(index)
                site = replace(spectrum.site, step=step, index=12 * step + index)
                journal.write(replace(spectrum, site=site))
                values = dict(fit.values) | {"gap": fit.values["gap"] * (1 + step)}
                journal.write(replace(fit, site_index=site.index, values=values))
        journal.write(RunEnded(1.764e9 + 200, "finished"))
    return tmp_path / "runs" / "2025-11-24_first"


def test_maps_and_spectra_in_the_terminal(folder, capsys):
    show_path(folder, None, None, None)
    shown = capsys.readouterr().out
    assert "TiN demo, TiN, 50 nm (µm²), finished" in shown
    assert re.search(r"Superconducting gap, repeat 0: 0.3\d* to 0.32\d* meV; 8 nm x 6 nm", shown)
    show_path(folder / "journal.db", "3,2", None, None)
    assert "dI/dV at column 3, row 2: 2.3 to 2.315 µS from 4 to -4 mV" in capsys.readouterr().out


def test_a_map_in_a_coloured_terminal(folder, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    show_path(folder, None, "gap", None)
    drawn = [line for line in capsys.readouterr().out.splitlines() if "▀" in line]
    (width,) = {line.count("▀") for line in drawn}
    assert width % 4 == 0  # three rows of four pixels, enlarged alike, two rows a line
    assert len(drawn) == -(-3 * (width // 4) // 2)


@pytest.mark.parametrize(
    ("pixel", "quantity", "reason"),
    [
        ("4,0", None, "columns go from 0 to 3"),
        ("0,-1", None, "rows from 0 to 2"),
        ("12", None, "such as 12,40"),
        ("a,b", None, "such as 12,40"),
        (None, "nope", "there is no map 'nope'; there are: topography"),
        (None, "flags", "there is no map 'flags'"),
    ],
)
def test_what_is_not_there_is_said(folder, pixel, quantity, reason):
    with pytest.raises(BadInputError, match=re.escape(reason)):
        show_path(folder, pixel, quantity, None)


def test_pictures_in_files(folder, tmp_path, capsys):
    for name in ("a.png", "b.svg"):
        show_path(folder, "1,1", "gap", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "b.svg").read_text()
    with pytest.raises(BadInputError, match=r"ending in \.png"):
        show_path(folder, None, None, tmp_path / "c.xyz")
    with pytest.raises(BadInputError, match="cannot be written"):
        show_path(folder, None, None, tmp_path / "nowhere" / "c.png")


def test_a_run_that_has_only_begun_and_a_line_are_shown(tmp_path, run, capsys):
    line = replace(run, rows=1)
    started = line.started(topograph_shape=(0, 0), sites="line")
    with Journal.create(tmp_path / "line", started) as journal:
        show_path(tmp_path / "line", None, None, None)
        assert "Superconducting gap: nothing was measured" in capsys.readouterr().out
        for index in range(4):
            journal.write(line.spectrum(index), line.fit(index))
    show_path(tmp_path / "line", None, None, None)
    shown = capsys.readouterr().out
    assert "Superconducting gap: 0.3001 to 0.3029 meV" in shown
    assert "current" not in shown
    assert stm_daq.open_run(tmp_path / "line").stm._repr_html_().count("<img") == 2


def test_files_of_others_are_shown(tmp_path, capsys):
    path = tmp_path / "iv.csv"
    path.write_text("Bias (mV),dI/dV (nS)\n" + "".join(f"{i},{i * i}\n" for i in range(9)))
    show_path(path, None, None, None)
    assert "dI/dV: 0 to 64 nS from 0 to 8 mV" in capsys.readouterr().out
    with pytest.raises(BadInputError, match="holds no map of spectra"):
        show_path(path, "1,1", None, None)


def test_units_are_those_of_people():
    assert unit_for(np.array([3e-4]), "eV") == (1e3, "meV")
    assert unit_for(np.array([1.0]), "V") == (1e3, "mV")
    factor, unit = unit_for(np.array([2e-9, 5e-9, np.nan]), "m")
    assert (round(factor * 1e-9, 12), unit) == (1.0, "nm")
    assert unit_for(np.array([np.nan]), "A") == (1.0, "A")


def test_a_map_is_where_it_was_measured(folder):
    data = stm_daq.open_run(folder)
    axes = data.stm.plot_map("gap", repeat=1)
    (image,) = axes.images
    np.testing.assert_allclose(image.get_array(), 1e3 * data.gap[1])
    assert image.origin == "lower"
    np.testing.assert_allclose(image.get_extent(), [-0.5, 7.5, -0.5, 5.5])  # nm
    assert (
        axes.get_title(loc="center") + axes.get_title(loc="left") == "Superconducting gap, repeat 1"
    )
    texts = [text.get_text() for text in axes.texts]
    assert "2 nm" in texts
    shown, x, y = map_of(data, "conductance", {"bias": 3e-3})
    np.testing.assert_allclose(shown.values / shown.factor, data.conductance.isel(repeat=0, bias=2))
    assert (len(x), len(y)) == (4, 3)


def test_a_spectrum_with_its_fit(folder):
    data = stm_daq.open_run(folder)
    axes = data.stm.plot_spectrum(x=4.6e-9, y=0.0, repeat=1)
    points, fit = axes.lines
    np.testing.assert_allclose(points.get_xdata(), 1e3 * data.bias)
    np.testing.assert_allclose(points.get_ydata(), 1e9 * data.conductance[1, 0, 2])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Bias (mV)", "dI/dV (nS)")
    assert "= 0.604 ± 0.002 meV" in axes.get_title(loc="center") + axes.get_title(loc="left")
    assert np.all(np.isfinite(fit.get_ydata()))
    axes = data.stm.plot_spectrum(name="current")
    assert axes.get_ylabel() == "Tunnelling current (µA)"
    with pytest.raises(BadInputError, match="no spectra called 'gap'"):
        data.stm.plot_spectrum(name="gap")


def test_a_notebook_shows_a_summary(folder, tmp_path):
    html = stm_daq.open_run(folder).stm._repr_html_()
    assert html.count("<img") == 3
    assert "24 measured, 24 fits trusted" in html
    odd = xr.Dataset(attrs={"title": "x", "name": "<script>"})
    assert "<script>" not in odd.stm._repr_html_()


def test_the_catalogue_is_a_table_that_can_be_searched(folder, tmp_path, run):
    root = folder.parent
    late = run.started(name="Line", sample="NbN", time=1.8e9)
    Journal.create(root / "2027-01-15_line", late).close()
    (root / "old").mkdir()
    (root / "old" / "journal.db").write_bytes(OLD.read_bytes())
    (root / "broken").mkdir()
    (root / "broken" / "journal.db").write_bytes(b"x")
    table = stm_daq.catalogue(root)
    assert len(table) == 4
    row = table[table.name == "TiN demo"].iloc[0]
    assert row["started"] == datetime(2025, 11, 24, 16, tzinfo=UTC)
    assert (row["state"], row["done"], row["fits_ok"]) == ("finished", 24, 24)
    gaps = stm_daq.open_run(folder).gap.values
    assert row["gap"] == pytest.approx(np.median(gaps))
    assert (row["gap_low"], row["gap_high"]) == pytest.approx(tuple(np.percentile(gaps, [5, 95])))

    def names(**search):
        return sorted(Path(path).name for path in stm_daq.catalogue(root, **search)["path"])

    assert names(sample="nbn") == ["2027-01-15_line"]
    assert names(plan="T?N*mo") == ["2025-11-24_first", "old"]
    assert names(state="unread") == ["broken"]
    assert names(since="2026-01-01") == ["2027-01-15_line"]
    assert names(until="2026-01-01", state="finished", gap=(4e-4, 5e-4)) == ["2025-11-24_first"]
    assert names(gap=(1.0, 2.0)) == []
    with pytest.raises(BadInputError, match="is no date"):
        stm_daq.catalogue(root, since="yesterday")


def test_runs_are_searched_on_the_command_line(folder, capsys):
    show_runs(folder.parent, RunsOptions(gap=("0.4 meV", "500 ueV"), sample="TiN"), as_json=True)
    (found,) = json.loads(capsys.readouterr().out)
    assert found["gap_eV"] == pytest.approx(4.6e-4, rel=0.05)
    show_runs(folder.parent, RunsOptions(), as_json=False)
    assert "gap (meV)" in capsys.readouterr().out
    with pytest.raises(BadInputError, match="--gap"):
        show_runs(folder.parent, RunsOptions(gap=("1", "2")), as_json=False)


def test_reading_a_file_does_not_load_the_plotting_library():
    code = (
        "import stm_daq, sys, io; from stm_daq.store.formats import read_contents;"
        "print(sorted({'matplotlib', 'pandas', 'xarray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

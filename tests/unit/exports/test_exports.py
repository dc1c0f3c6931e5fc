"""What holds for all exports: whole or not there, repeatable, refused with a reason, in tiles."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from stm_daq import open_run
from stm_daq.errors import BadInputError, JournalError
from stm_daq.store.exports import FORMATS, Choice, export_all, export_run
from stm_daq.store.exports.source import RunSource, open_source
from stm_daq.store.journal import Journal
from stm_daq.store.refits import RefitFile

PIXEL = Choice(pixel=(0, 0))


def contents(path):
    """Every byte of a file or a folder."""
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_journal_gives_the_same_bytes(aborted, tmp_path, name):
    first = contents(export_run(aborted, name, choice=PIXEL))
    again = contents(export_run(aborted, name, tmp_path / "again", choice=PIXEL))
    assert first.keys() == again.keys()
    for file in first:
        own = first[file].replace(b"aborted.gwy", b"").replace(b"aborted.sxm", b"")
        assert own == again[file].replace(b"aborted.gwy", b"").replace(b"aborted.sxm", b"")


def test_every_shape_is_written_or_refused_with_a_way_out(shaped):
    for name, result in export_all(shaped, choice=PIXEL).items():
        if isinstance(result, BadInputError):
            assert FORMATS[name].by_step
            roomy = "netcdf" in str(result)
            assert roomy or "no spectrum was measured" in str(result) or "--step" in str(result)
        else:
            assert result.exists()


def test_all_formats_need_a_run_and_a_place(aborted, tmp_path):
    with pytest.raises(BadInputError, match=r"holds no journal\.db"):
        export_all(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match=r"cannot write .*--out"):
        export_all(aborted, tmp_path / "file")


@pytest.mark.parametrize(("name", "library"), [("zarr", "zarr"), ("netcdf", "h5netcdf")])
def test_a_library_that_is_missing_is_named(aborted, monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(BadInputError, match=rf"{library}.*stm-daq\[formats\]"):
        export_run(aborted, name)
    assert not list((aborted / "exports").iterdir())


def test_a_step_is_chosen(shape):
    folder = shape("outer axes")
    with pytest.raises(BadInputError, match=r"2 temperature x 3 repeat.*--step 0 \.\.\. 5"):
        export_run(folder, "3ds")
    with pytest.raises(BadInputError, match="step 6 does not exist"):
        export_run(folder, "sxm", choice=Choice(6))
    path = export_run(folder, "3ds", choice=Choice(5))
    assert path.name == "a_run_step5.3ds"
    values = np.frombuffer(path.read_bytes()[-4 * 16 :], ">f4")
    expected = open_run(folder).conductance.isel(temperature=1, repeat=2)[-1, -1]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_what_a_format_has_no_room_for_is_refused(shape, aborted):
    with pytest.raises(BadInputError, match=r"no spectrum was measured at pixel 1,1"):
        export_run(aborted, "dat", choice=Choice(pixel=(1, 1)))
    with pytest.raises(BadInputError, match=r"--pixel COLUMN,ROW, up to 3,2"):
        export_run(aborted, "dat")
    with pytest.raises(BadInputError, match="the last one is 3,2"):
        export_run(aborted, "dat", choice=Choice(pixel=(2, 3)))
    with pytest.raises(BadInputError, match="unknown format 'origin'"):
        export_run(aborted, "origin")
    with pytest.raises(BadInputError, match=r"this run has none.*3ds, netcdf"):
        export_run(shape("line"), "sxm")
    with pytest.raises(JournalError, match="has no refit 'latest'"):
        export_run(aborted, "csv", fit="latest")


def test_tiles_of_rows_fit_together(aborted, monkeypatch):
    """Pieces of one row of sites, tiles of two: the files are the same."""
    whole = {name: contents(export_run(aborted, name)) for name in ("3ds", "gwy", "igor")}
    monkeypatch.setattr("stm_daq.store.exports.source.CHUNK", 4)
    monkeypatch.setattr("stm_daq.store.exports.source.PIECES", 2)
    with open_source(aborted) as source:
        assert [tile.rows for tile in source.tiles()] == [slice(0, 2), slice(2, 3)]
    assert {name: contents(export_run(aborted, name)) for name in whole} == whole
    with xr.open_zarr(export_run(aborted, "zarr")) as found:
        np.testing.assert_array_equal(found.conductance, open_run(aborted).conductance)
        assert found.conductance.chunks[0] == (1, 1, 1)


@pytest.mark.parametrize("name", FORMATS)
def test_what_fails_leaves_the_earlier_export_alone(aborted, monkeypatch, name):
    path = export_run(aborted, name, choice=PIXEL)
    before = contents(path)

    def break_down(self, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunSource, "_read", break_down)
    monkeypatch.setattr(RunSource, "topograph", break_down)
    with pytest.raises(BadInputError, match=r"cannot write .*No space left on device.*--out"):
        export_run(aborted, name, choice=PIXEL)
    assert contents(path) == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_folder_of_somebody_else_is_left_alone(aborted, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("all of it")
    assert export_run(aborted, "csv", precious).parent == precious  # beside the thesis
    taken = tmp_path / "taken.zarr"
    taken.write_text("a file")
    with pytest.raises(BadInputError, match="not an earlier export"):
        export_run(aborted, "zarr", taken)
    assert (precious / "thesis.txt").read_text() == "all of it"
    with pytest.raises(BadInputError, match="name of a journal"):
        export_run(aborted, "qcodes", aborted / "journal.db")


def test_a_run_that_goes_on_is_exported_as_far_as_it_is(tmp_path, run):
    with Journal.create(tmp_path / "run", run.started()) as journal:
        journal.write(run.spectrum(6), run.fit(6))
        with xr.open_dataset(export_run(tmp_path / "run", "netcdf")) as found:
            assert found.attrs["state"] == "not ended"
            assert np.isfinite(found.gap).sum() == 1
        journal.write(run.spectrum(7), run.fit(7))
        with xr.open_dataset(export_run(tmp_path / "run", "netcdf")) as found:
            assert np.isfinite(found.gap).sum() == 2


def test_damaged_spectra_are_missing(aborted):
    path = aborted / "journal.db"
    data = path.read_bytes()
    mark = (1e-9 * (1000.0 + np.arange(16.0))).astype("<f8").tobytes()  # conductance of site 4
    at = data.index(mark)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.warns(UserWarning, match="1 spectra are damaged"):
        folder = export_run(aborted, "csv")
    lines = (folder / "conductance.csv").read_text().splitlines()
    assert lines[5].startswith("0,1,0,nan,nan")
    assert "damaged" in (folder / "maps.csv").read_text().splitlines()[5]


def test_a_refit_travels_instead_of_the_fits_of_the_run(aborted):
    """A flagged spectrum's refit is not to be trusted either."""
    sites = np.array([0, 1, 2, 6])
    columns = {
        "site": sites,
        "attempt": np.array([0, 1, 0, 0]),
        "row": sites // 4,
        "col": sites % 4,
        "step": np.zeros_like(sites),
        "dynes:gap": 1e-4 * sites,
        "dynes:gap_std": 1e-6 * sites,
        "dynes:reduced_chi_square": np.ones(4),
        "dynes:ok": np.array([True, True, False, True]),
        "dynes:flags": np.array(["", "", "shallow", ""], dtype=object),
    }
    with RefitFile.begin(aborted, {"models": ["dynes"]}, 1.764e9) as file:
        file.write(0, "key", columns)
        file.finish("digest", 1.764e9)
    expected = open_run(aborted, fit="latest")
    with xr.open_dataset(export_run(aborted, "netcdf", fit="latest")) as found:
        for name in ("gap", "gap_std", "reduced_chi_square", "fit_ok"):
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
        assert found.fit_ok.sum() == 2
        assert found.attrs["fit"] == expected.attrs["fit"] != "online"
        assert found.fit_flags[0, 2] == "shallow"


def test_the_command(aborted, tmp_path):
    def command(*arguments):
        line = [sys.executable, "-m", "stm_daq", "export", str(aborted), *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    done = command("dat", "--pixel", "3,1", "--out", str(tmp_path / "one.dat"))
    assert done.stdout.strip() == str(tmp_path / "one.dat")
    assert (tmp_path / "one.dat").read_bytes().startswith(b"Experiment\tbias spectroscopy\t\r\n")
    done = command("all", "--out", str(tmp_path / "all"))
    assert done.returncode == 0
    assert "dat     not:" in done.stdout
    names = {item.name for item in (tmp_path / "all").iterdir()}
    assert names == {f"aborted{kind.suffix}" for name, kind in FORMATS.items() if name != "dat"}
    done = command("dat", "--pixel", "middle")
    assert done.returncode == 2
    assert "give column,row" in done.stderr

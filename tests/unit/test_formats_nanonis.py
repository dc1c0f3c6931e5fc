"""Nanonis files, made here: which channel, which direction, which way up."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stm_daq.errors import BadInputError
from stm_daq.store.formats import read_spectra, read_topograph

BIAS = np.linspace(-4e-3, 4e-3, 33)


def dat(columns: dict[str, float], header: str = "", bias=BIAS) -> bytes:
    """Return a .dat file; column `name` holds its number times (1 + 1000 bias)."""
    names = "\t".join(["Bias calc (V)", *columns])
    lines = [f"Experiment\tbias spectroscopy\t\r\n{header}\r\n[DATA]", names]
    rows = ((v, *(k * (1 + 1e3 * v) for k in columns.values())) for v in bias)
    lines.extend("\t".join(f"{value:.9E}" for value in row) for row in rows)
    return "\r\n".join([*lines, ""]).encode("latin-1")


def grid_header(**changes: str) -> dict[str, str]:
    header = {
        "Grid dim": '"4 x 3"',
        "Grid settings": "0;0;4E-9;3E-9;0",
        "Sweep Signal": '"Bias (V)"',
        "Fixed parameters": '"Sweep Start;Sweep End"',
        "Experiment parameters": '"X (m);Y (m);Z (m)"',
        "# Parameters (4 byte)": "5",
        "Experiment size (bytes)": "264",
        "Points": "33",
        "Channels": '"Current (A);LI Demod 1 X (A)"',
        "Experiment": "Grid",
    }
    return {key: value for key, value in (header | changes).items() if value}


def grid(header: dict[str, str], pixels: int = 12) -> bytes:
    """Return a .3ds file of 3 rows and 4 columns; each lock-in trace tells row and column."""
    text = "".join(f"{key}={value}\r\n" for key, value in header.items()) + ":HEADER_END:\r\n"
    blocks = []
    for row, col in list(np.ndindex(3, 4))[:pixels]:
        trace = 100 * row + 10 * col + 1e3 * BIAS
        blocks.append(np.concatenate([[-4e-3, 4e-3, 1e-9 * col, 1e-9 * row, 0.0], -trace, trace]))
    return text.encode() + np.array(blocks).astype(">f4").tobytes()


def scan(direction: str = "up", rows: int = 3, channels: str = "") -> bytes:
    """Return a .sxm file of 3 rows and 4 columns; Z (nm) is 10 x line scanned + column."""
    info = channels or "\t14\tZ\tm\tboth\t-1E-9\t0\n\t0\tCurrent\tA\tboth\t1E-9\t0\n"
    text = (
        ":NANONIS_VERSION:\n2\n:SCANIT_TYPE:\n FLOAT MSBFIRST\n:SCAN_PIXELS:\n 4 3\n"
        f":SCAN_RANGE:\n 8E-9 6E-9\n:SCAN_DIR:\n{direction}\n:DATA_INFO:\n"
        f"\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n{info}\n:SCANIT_END:\n\n\n"
    )
    line, column = np.mgrid[:3, :4]
    z = 1e-9 * (10.0 * line + column)
    z[rows:] = np.nan
    images = np.stack([z, z[:, ::-1] + 1e-6, 0 * z + 7, 0 * z + 8])
    if info.startswith("\t0"):
        images = images[[2, 3, 0, 1]]
    return text.encode() + b"\x1a\x04" + images.astype(">f4").tobytes()


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content: bytes, name: str = "data.bin"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def complaint(reader, path) -> str:
    """Return what `reader` complains of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reader(path)
        except BadInputError as error:
            return str(error)
    return ""


@pytest.mark.parametrize(
    ("columns", "conductance", "current"),
    [
        (["Current (A)", "LI Demod 2 X (A)", "LI Demod 1 X (A)", "LI Demod 1 Y (A)"], 3, 1),
        (["LI Demod 1 X [bwd] (A)", "Current [bwd] (A)", "Current (A)", "LI Demod 1 X (A)"], 4, 3),
        (
            ["LI Demod 1 X (A) [filt]", "Current (A) [filt]", "LI Demod 1 X (A)", "Current (A)"],
            3,
            4,
        ),
        (
            [
                "Current [00001] (A)",
                "LI Demod 1 X [00001] (A)",
                "Current [AVG] (A)",
                "LI Demod 1 X [AVG] (A)",
            ],
            4,
            3,
        ),
        (["Current (A)", "Phase (deg)", "LIX 1 omega (A)", "LIY 1 omega (A)"], 3, 1),
        (["Current (A)", "ZI R1 (Vrms)", "LIY 1 omega (A)"], 3, 1),
        (["Input 3 (A)", "LockinX (V)"], 2, 1),
    ],
)
def test_the_right_channel_is_chosen(file, columns, conductance, current):
    numbered = {name: float(i) for i, name in enumerate(columns, 1)}
    spectra = read_spectra(file(dat(numbered)))
    np.testing.assert_allclose(spectra.bias, BIAS, atol=1e-11)
    np.testing.assert_allclose(spectra.conductance, conductance * (1 + 1e3 * BIAS), atol=1e-6)
    np.testing.assert_allclose(spectra.current, current * (1 + 1e3 * BIAS), atol=1e-6)
    assert spectra.columns["conductance"] == columns[conductance - 1]
    assert not spectra.units_known
    assert spectra.conductance_unit in columns[conductance - 1]


def test_without_lock_in_the_current_is_differentiated(file):
    spectra = read_spectra(file(dat({"Current (A)": 2e-9})))
    np.testing.assert_allclose(spectra.conductance, 2e-6, rtol=1e-5)
    assert spectra.units_known


def test_the_user_chooses_the_backward_sweep(file):
    path = file(dat({"LI Demod 1 X (A)": 1.0, "LI Demod 1 X [bwd] (A)": 2.0}))
    spectra = read_spectra(path, conductance_column="LI Demod 1 X [bwd] (A)")
    assert spectra.conductance[16] == pytest.approx(2.0)


def test_the_temperature_is_found_where_it_has_a_unit(file):
    columns = {"LI Demod 1 X (A)": 1.0}
    path = file(dat(columns, "Temperature 1>Temperature 1 (K)\t4.92997E+0\t\r\n"))
    assert read_spectra(path).temperature == pytest.approx(4.92997)
    path = file(dat(columns, "Ext. VI 1>Microscope temperature (K)\tN/A\t\r\nTemp\t7\t\r\n"))
    assert read_spectra(path).temperature is None
    columns = {"Temperature 1 (K)": 0.0, "LI Demod 1 X (A)": 1.0}
    assert read_spectra(file(dat(columns))).temperature == 0.0


def test_a_dat_cut_off_is_reported(file):
    whole = dat({"Current (A)": 1e-9})
    with pytest.raises(BadInputError, match="ends after"):
        read_spectra(file(whole[: whole.index(b"[DATA]") + 6]))
    with pytest.raises(BadInputError, match="no rows of numbers"):
        read_spectra(file(whole[: whole.index(b"Current (A)") + 13]))
    with pytest.raises(BadInputError, match="cut off or damaged"):
        read_spectra(file(whole[:-20]))
    assert read_spectra(file(whole)).remarks == ()
    cut = read_spectra(file(whole.rstrip()[:-1]))
    assert len(cut.bias) == len(BIAS) - 1
    assert "cut off" in cut.remarks[0]


def test_a_grid_has_its_first_row_at_the_bottom(file):
    spectra = read_spectra(file(grid(grid_header())))
    assert spectra.conductance.shape == spectra.current.shape == (3, 4, 33)
    np.testing.assert_allclose(spectra.bias, BIAS, atol=1e-9)
    row, col, _ = np.mgrid[:3, :4, :33]
    np.testing.assert_allclose(spectra.conductance, 100 * row + 10 * col + 1e3 * BIAS, atol=1e-4)
    np.testing.assert_allclose(spectra.current, -spectra.conductance)
    assert spectra.conductance_unit == "A"


def test_an_aborted_grid_is_nan_where_nothing_was_measured(file):
    path = file(grid(grid_header(), pixels=6) + b"\0" * 100)
    spectra = read_spectra(path)
    (remark,) = spectra.remarks
    assert "aborted after 6 of 12 spectra" in remark
    np.testing.assert_array_equal(
        np.isfinite(spectra.conductance).all(axis=2),
        [[True] * 4, [True, True, False, False], [False] * 4],
    )


def test_a_grid_over_a_bias_channel(file):
    channels = '"Bias (V);LI Demod 1 X (A)"'
    path = file(grid(grid_header(Filetype="MLS", Channels=channels), pixels=1).ljust(300, b"\0"))
    assert "steps of the sweep are not equal" in complaint(read_spectra, path)
    spectra = read_spectra(path, bias_column="Bias (V)")
    assert "aborted" in spectra.remarks[0]
    np.testing.assert_allclose(spectra.bias, -1e3 * BIAS, rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Grid dim=", "header has no end"),
        (grid(grid_header(Points="")), "header lacks 'Points'"),
        (grid(grid_header(Points="x")), "header is damaged"),
        (grid(grid_header(Points="0")), "empty grid"),
        (grid(grid_header(Points="999999999")), "impossibly large"),
        (grid(grid_header(Points="20")), "bytes of data where the header states"),
        (grid(grid_header(), pixels=1)[:-1], "not one complete spectrum"),
        (grid(grid_header(**{"Sweep Signal": '"Z (m)"'})), "not over a bias"),
        (grid(grid_header(**{"Fixed parameters": '""'})), "lacks Sweep Start"),
        (grid(grid_header(Channels='"Phase (deg);Z (m)"')), "recognisable as dI/dV"),
    ],
)
def test_a_damaged_grid_is_reported(file, content, reason):
    with pytest.raises(BadInputError, match=reason) as caught:
        read_spectra(file(content))
    assert "\n" not in str(caught.value)


def test_a_scan_is_the_right_way_up(file):
    up, size = read_topograph(file(scan("up")))
    row, column = np.mgrid[:3, :4]
    np.testing.assert_allclose(up, 1e-9 * (10 * row + column), rtol=1e-6)
    assert size == (8e-9, 6e-9)
    down, _ = read_topograph(file(scan("down")))
    np.testing.assert_allclose(down, 1e-9 * (10 * (2 - row) + column), rtol=1e-6)


def test_an_aborted_scan_is_nan_where_nothing_was_scanned(file):
    z, _ = read_topograph(file(scan("down", rows=1)))
    np.testing.assert_array_equal(np.isfinite(z).all(axis=1), [False, False, True])


def test_z_is_found_behind_other_channels(file):
    channels = "\t0\tCurrent\tA\tboth\t1\t0\n\t14\tZ\tm\tboth\t1\t0\n"
    z, _ = read_topograph(file(scan(channels=channels)))
    assert z[2, 3] == pytest.approx(23e-9)


def test_scans_and_spectra_are_told_apart(file):
    with pytest.raises(BadInputError, match=r"is a Nanonis scan \(\.sxm\)"):
        read_spectra(file(scan()))
    with pytest.raises(BadInputError, match="not a whole Nanonis scan"):
        read_topograph(file(grid(grid_header())))
    with pytest.raises(BadInputError, match="no channel Z"):
        read_topograph(file(scan(channels="\t0\tCurrent\tA\tboth\t1\t0\n")))
    with pytest.raises(BadInputError, match="cannot be read"):
        read_topograph("nowhere.sxm")


def test_a_scan_cut_off_is_told(file):
    content = scan()
    end = content.index(b"\x1a\x04") + 2
    with pytest.warns(UserWarning, match="cut off"):
        z, _ = read_topograph(file(content[: end + 4 * 5 + 2]))
    assert np.isfinite(z).sum() == 5
    with pytest.raises(BadInputError, match="cut off before the channel Z"):
        read_topograph(file(content[:end]))


WHOLE = (dat({"Current (A)": 1.0, "LI Demod 1 X (A)": 2.0}), grid(grid_header()), scan())


@given(st.sampled_from(WHOLE), st.integers(0, 2000), st.binary(max_size=20), st.integers(0, 30))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
def test_damaged_files_never_raise_anything_else(file, whole, place, garbage, lost):
    path = file(whole[:place] + garbage + whole[place + lost :])
    for reader in (read_spectra, read_topograph):
        assert "\n" not in complaint(reader, path)

"""Files of other programs: right values at the right place in SI, and clear errors for the rest."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import netcdf_file

import stm_daq
from stm_daq.errors import StmDaqError
from stm_daq.protocols.nanonis_files import (
    GridFile,
    ScanFile,
    dat_file,
    grid_header,
    grid_pixel,
    sxm_file,
)
from stm_daq.store.formats import read_spectra
from stm_daq.store.formats.read import FORMATS

BIAS = np.linspace(4e-3, -4e-3, 9)
FRAME = (1e-8, -2e-8, 6e-9, 4e-9, 30.0)
ROWS, COLUMNS = 2, 3


def trace(row, column):
    """10 row + column nA at the first point, 1 nA more at every further one."""
    return 1e-9 * (10.0 * row + column + 100.0 * np.arange(9))


def grid(pixels=ROWS * COLUMNS, drop=(), **changes):
    values = {
        "shape": (ROWS, COLUMNS),
        "frame": FRAME,
        "fixed": ("Sweep Start", "Sweep End"),
        "parameters": ("X (m)", "Y (m)", "Z (m)"),
        "points": 9,
        "channels": ("Current (A)", "LI Demod 1 X (A)", "Current [bwd] (A)"),
        "segmented": False,
        "delay": 0.0,
        "start": 1.764e9,
        "bias": 5e-3,
    }
    head = grid_header(GridFile(**(values | changes)), 1.764e9 + 60)
    lines = [line for line in head.split(b"\r\n") if not line.startswith(tuple(drop) or b"\0")]
    body = b"".join(
        grid_pixel(
            (BIAS[0], BIAS[-1], 1e-9 * column, 1e-9 * row, 1e-10 * (row + column)),
            np.array([trace(row, column), 2 * trace(row, column), -trace(row, column)]),
        )
        for row, column in (divmod(pixel, COLUMNS) for pixel in range(pixels))
    )
    return b"\r\n".join(lines) + body


def scan(upwards=True):
    row, column = np.mgrid[:4, :5]
    z = 1e-9 * (10.0 * row + column)  # in the order in which it was scanned
    return sxm_file(
        ScanFile("a.sxm", "a", "µ", 1.764e9, 60.0, 0.4, FRAME, (1.0, 1.0), upwards, 5e-3, 1e-10,
                 True, (("Z (m)", z, z + 1e-10), ("Current (A)", z, z)))
    )  # fmt: skip


def dat():
    names = ["Bias calc (V)", "Current [AVG] (A)", "Current [AVG] [bwd] (A)", "Current [00001] (A)",
             "Current [00002] (A)", "Current [00001] [bwd] (A)", "Current [00002] [bwd] (A)",
             "LI Demod 1 X [AVG] (A)", "LI Demod 1 X [AVG] (A) [filt]"]  # fmt: skip
    columns = np.stack([BIAS, *(trace(0, i) for i in range(1, 9))])
    header = {"X (m)": "1E-9", "Y (m)": "-2E-9", "Lock-in>Modulated signal": "Bias (V)",
              "Lock-in>Amplitude": "150E-6", "Temperature 1>Temperature 1 (K)": "N/A",
              "Ext>Microscope temperature (K)": "+04.366"}  # fmt: skip
    return dat_file("bias spectroscopy", 1.764e9, header, names, columns)


def vert(bias=BIAS, code=3):
    head = (
        "[ParVERT30]\r\nDAC-Type=20bit\r\nBiasVoltage / BiasVolt.[mV]=-50.00\r\n"
        "Gainpreamp / GainPre 10^=9\r\nScanrotoffx / OffsetX=1000.0\r\n"
        "Scanrotoffy / OffsetY=-2000.0\r\nDacto[A]xy=0.001\r\nSpecFreq=1000.0\r\n"
        "ZPiezoconst=  9.21\r\nT_ADC2[K]=4.5\r\nmemo=\xe5\r\n"
    ).encode("latin-1")
    rows = "".join(
        f"{i}\t{1e3 * v:.5E}\t{i:.5E}\t{1000 + i:.5E}\t{2**19 - i:.5E}\t\r\n"
        for i, v in enumerate(bias)
    )
    table = f"\nDATA\r\n    {len(bias)}      35   17325         {code}\r\n{rows}"
    return head.ljust(2048, b"\0") + table.encode()


VPDATA = (
    "# view via: xmgrace\n# GXSM Vector Probe Data :: VPVersion=00.02\n"
    "# Date                   :: date=Wed Feb 26 15:44:23 2025\n"
    "# GXSM-Main-Offset       :: X0=20 Ang  Y0=-30 Ang, iX0=5 Pix\n"
    "# GXSM-DSP-Control-FB    :: Bias=0.1 V, Current=0 nA\n"
    "#C Data Table             :: data=\n"
    '#C Index\t"ADC0-I (nA)"\t"Bias (V)"\t"ZS (Å)"\t"ADC0-I (nA)"\n'
    + "".join(f"{i}\t{-2.5 - i:e}\t{0.1 * i:e}\t{10 + i:e}\t{i:e}\n" for i in range(9))
    + "#C \n#C END.\n"
).encode()


def nc(length="Ang"):
    """GXSM stores the top row first and lengths in angstrom."""
    stream = io.BytesIO()
    with netcdf_file(stream, "w") as file:
        for name, size in (("time", 1), ("value", 1), ("dimy", 4), ("dimx", 5)):
            file.createDimension(name, size)
        image = file.createVariable("FloatField", "f4", ("time", "value", "dimy", "dimx"))
        image[:] = (10.0 * np.arange(4)[::-1, None] + np.arange(5))[None, None]
        image.ZLabel = "Z"
        file.createVariable("dimx", "f4", ("dimx",))[:] = np.arange(5) * 10.0 - 20.0
        file.createVariable("dimy", "f4", ("dimy",))[:] = 15.0 - 10.0 * np.arange(4)
        dz = file.createVariable("dz", "f8", ())
        dz.data[...] = 0.5
        dz.unit = length
        file.createVariable("sranger_mk2_hwi_bias", "f8", ()).data[...] = -5.0
        file.Creator = "gxsm3"
        file.flush()
        return stream.getvalue()


MAP = (
    b"# File Format = ASCII\n# x-pixels = 3\n# y-pixels = 2\n# x-length = 6\n# y-length = 4\n"
    b"# z-unit = nA\n\n# Start of Data:\n10 11 12\n0\t1\t2\n"
)
TABLE = "T_K,Bias (mV),G (µS),I (nA)\n" + "".join(f"0.5,{i},{i + 2},{2 * i}\n" for i in range(9))
WHOLE = {
    ".3ds": grid(),
    ".sxm": scan(),
    ".dat": dat(),
    ".VERT": vert(),
    ".vpdata": VPDATA,
    ".nc": nc(),
    ".txt": MAP,
    ".csv": TABLE.encode(),
}


@pytest.fixture
def read(tmp_path):
    """Write bytes to a file whose name tells nothing, and read it."""

    def write_and_read(content: bytes):
        (tmp_path / "Messung µ 1").write_bytes(content)
        return stm_daq.read(tmp_path / "Messung µ 1")

    return write_and_read


def test_every_format_is_tried_here():
    assert [form.suffix for form in FORMATS] == [
        ".3ds",
        ".sxm",
        ".VERT",
        ".nc",
        ".vpdata",
        ".dat",
        ".txt",
        ".csv",
    ]
    assert sorted(WHOLE) == sorted(form.suffix for form in FORMATS)


@pytest.mark.parametrize("suffix", WHOLE)
def test_the_format_is_told_by_the_content(read, suffix):
    data = read(WHOLE[suffix])
    assert data.attrs["format"] == next(f.name for f in FORMATS if f.suffix == suffix)
    for name, variable in data.variables.items():
        assert variable.attrs.keys() >= {"units", "long_name"}, name


def test_a_grid_is_like_a_run(read):
    data = read(grid())
    assert data.current.dims == ("y", "x", "direction", "bias")
    assert data.conductance.dims == ("y", "x", "bias")
    assert data.conductance.attrs == {"units": "A", "long_name": "LI Demod 1 X (A)"}
    for row in range(ROWS):
        for column in range(COLUMNS):
            pixel = data.isel(y=row, x=column)
            np.testing.assert_allclose(pixel.conductance, 2 * trace(row, column), rtol=1e-6)
            np.testing.assert_allclose(pixel.current[1], -trace(row, column), rtol=1e-6)
            assert float(pixel.position_x) == pytest.approx(1e-9 * column)
    np.testing.assert_allclose(data.bias, BIAS, atol=1e-10)
    np.testing.assert_allclose(data.x, [1e-9, 3e-9, 5e-9])
    np.testing.assert_allclose(data.y, [1e-9, 3e-9])
    assert data.z.attrs["units"] == "m"
    assert data.sweep_start.attrs["units"] == "V"
    assert data.attrs["frame"] == [1e-8, -2e-8, 6e-9, 4e-9, -30.0]  # clockwise in the file
    assert data.attrs["started"].startswith("2025-11-24")


def test_old_and_aborted_grids(read):
    old = (b"Delay before", b"Start time", b"Comment", b"Filetype", b"Experiment=")
    data = read(grid(pixels=4, drop=old))
    assert "aborted after 4 of 6" in data.attrs["remarks"]
    np.testing.assert_array_equal(
        np.isfinite(data.conductance).all("bias"), [[True, True, True], [True, False, False]]
    )
    assert np.isnan(data.z[1, 1])
    # a grid far larger than the file keeps the rows that were begun
    data = read(grid(pixels=4, shape=(200_000, COLUMNS)))
    assert data.sizes["y"] == 2
    assert "199998 rows that were not begun" in data.attrs["remarks"]
    np.testing.assert_allclose(np.diff(data.y), 4e-9 / 200_000)


def test_a_grid_of_unequal_steps_counts_its_points(read):
    data = read(grid(segmented=True))
    assert data.current.dims == ("y", "x", "direction", "point")


def test_scans_lie_as_they_were_measured(read):
    up, down = read(scan()), read(scan(upwards=False))
    assert up.topography.dims == ("direction", "topograph_y", "topograph_x")
    row, column = np.mgrid[:4, :5]
    np.testing.assert_allclose(up.topography[0], 1e-9 * (10.0 * row + column), rtol=1e-6)
    np.testing.assert_allclose(up.topography[1] - up.topography[0], 1e-10, rtol=1e-4)
    np.testing.assert_allclose(down.topography, up.topography[:, ::-1])
    assert up.current.attrs["units"] == "A"
    assert up.attrs["temperature"] == pytest.approx(0.4)
    np.testing.assert_allclose(up.topograph_x[[0, -1]], [0.6e-9, 5.4e-9])


def test_sweeps_there_and_back_and_their_average(read):
    data = read(dat())
    assert data.current.dims == ("direction", "bias")
    np.testing.assert_allclose(data.current, [trace(0, 1), trace(0, 2)])
    assert data.current_sweeps.dims == ("sweep", "direction", "bias")
    np.testing.assert_allclose(data.current_sweeps[1], [trace(0, 4), trace(0, 6)])
    np.testing.assert_allclose(data.conductance, trace(0, 7))
    np.testing.assert_allclose(data.li_demod_1_x_filt, trace(0, 8))
    assert data.attrs["modulation"] == 150e-6
    assert data.attrs["temperature"] == 4.366
    assert data.attrs["position"] == [1e-9, -2e-9]


def test_createc_counts_become_volts_and_amperes(read, tmp_path):
    data = read(vert())
    volt = 20 / 2**20
    np.testing.assert_allclose(data.bias, BIAS)
    np.testing.assert_allclose(data.current, volt * 1e-9 * (1000 + np.arange(9)))
    np.testing.assert_allclose(
        data.conductance, volt * (2**19 - np.arange(9))
    )  # half the range: 10 V
    np.testing.assert_allclose(data.z, volt * 9.21e-10 * np.arange(9))
    assert data.attrs["position"] == pytest.approx([1e-10, -2e-10])
    assert (data.attrs["temperature_adc2"], data.attrs["setpoint_bias"]) == (4.5, -0.05)
    trace_of_time = read(vert(np.full(9, 0.3), code=1))
    assert trace_of_time.current.dims == ("time",)
    np.testing.assert_allclose(trace_of_time.time, 1e-3 * np.arange(9))
    np.testing.assert_allclose(trace_of_time.bias, 0.3)
    (tmp_path / "sweep").write_bytes(vert(code=1))
    spectra = read_spectra(tmp_path / "sweep")
    assert spectra.units_known
    np.testing.assert_allclose(spectra.conductance, volt * 1e-9 / np.diff(BIAS)[0], rtol=1e-6)


def test_a_sweep_there_and_back_in_one_column(read, tmp_path):
    loop = vert(np.concatenate([BIAS, BIAS[::-1]]))
    data = read(loop)
    assert data.current.dims == ("direction", "bias")
    np.testing.assert_allclose(data.bias, BIAS)
    counts = data.current / (1e-9 * 20 / 2**20) - 1000  # number of the point, as measured
    np.testing.assert_allclose(counts, [np.arange(9), np.arange(17, 8, -1)], atol=1e-6)
    (tmp_path / "loop").write_bytes(loop)
    assert read_spectra(tmp_path / "loop").bias.shape == (9,)


def test_gxsm_probe_and_scan(read):
    probe = read(VPDATA)
    assert probe.current.dims == ("bias",)
    np.testing.assert_allclose(probe.current, 1e-9 * (-2.5 - np.arange(9)))
    np.testing.assert_allclose(probe.z, 1e-10 * (10 + np.arange(9)))
    assert probe.attrs["position"] == pytest.approx([2e-9, -3e-9])
    for shown in ("Ang", "nm"):  # what GXSM shows; the file holds angstrom all the same
        image = read(nc(shown))
        row, column = np.mgrid[:4, :5]
        np.testing.assert_allclose(image.topography, 0.5e-10 * (10 * row + column))
    assert image.topography.attrs["units"] == "m"
    np.testing.assert_allclose(image.topograph_x, 1e-9 * np.arange(5), atol=1e-18)
    assert image.attrs["setpoint_bias"] == -5.0
    volts = read(nc("V"))["z"]
    assert volts.attrs["units"] == "V"


def test_a_map_as_text(read):
    data = read(MAP)
    np.testing.assert_allclose(data.current, 1e-9 * np.array([[0, 1, 2], [10, 11, 12]]))
    np.testing.assert_allclose(data.topograph_x, [1e-9, 3e-9, 5e-9])


def test_tables(read):
    data = read(TABLE.encode())
    np.testing.assert_allclose(data.bias, 1e-3 * np.arange(9))
    np.testing.assert_allclose(data.conductance, 1e-6 * (np.arange(9) + 2))
    assert data.attrs["temperature"] == 0.5
    profile = read(b"distance (nm)\theight (nm)\n0\t1\n2\t3\n")
    np.testing.assert_allclose(profile.height, [1e-9, 3e-9])
    np.testing.assert_allclose(profile.distance, [0, 2e-9])
    bare = read(b"3 4 5\n1 2 3\n2 1 7\n")
    assert set(bare.data_vars) == {"column_1", "column_2", "column_3"}


def complaint(path) -> str:
    """Read by both functions; return what they say, or "". Anything but our errors is a failure."""
    said = []
    for reader in (stm_daq.read, read_spectra):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                reader(path)
            except StmDaqError as error:
                said.append(str(error))
    return "".join(said)


@pytest.mark.parametrize("suffix", WHOLE)
def test_a_truncated_file_says_so_or_gives_what_is_there(tmp_path, suffix):
    whole = WHOLE[suffix]
    step = 997 if len(whole) > 20 * 997 else max(len(whole) // 60, 1)
    for end in range(0, len(whole), step):
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(whole[:end])
        said = complaint(path)
        assert not said or path.name in said


BAD = {
    "wrong magic": (b"\x00\x01\x02" * 100, "unknown kind"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "HDF5"),
    "empty": (b" \n", "is empty"),
    "many pixels": (grid(shape=(10**9, 10**9)), "impossibly large"),
    "no pixels": (grid(shape=(0, 3)), "empty grid"),
    "more than there is": (grid(pixels=1)[:-4], "not one complete"),
    "long rows": (grid(shape=(3, 10**8)), "impossibly large"),
    "large scan": (scan().replace(b"       5       4", b"  50000   40000"), "the file holds"),
    "huge scan": (scan().replace(b"       5       4", b"5000000 4000000"), "the file holds"),
    "frame": (scan().replace(b"6.000000E-09", b"6.000000E+99"), "frame of"),
    "many items": (nc()[:20] + b"\xff\xff\xff\xff" + nc()[24:], "damaged"),
    "long dimension": (nc().replace(b"dimy\0\0\0\x04", b"dimy\x70\0\0\x04"), "the file holds"),
    "bits": (vert().replace(b"DAC-Type=20bit", b"DAC-Type=99999"), "spoils"),
}


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD)
def test_bad_files_are_refused_with_a_reason(tmp_path, content, reason):
    path = tmp_path / "böse.dat"
    path.write_bytes(content)
    said = complaint(path)
    assert reason in said
    assert "böse.dat" in said


@given(
    st.sampled_from(sorted(WHOLE)),
    st.integers(0, 10**6),
    st.binary(max_size=12),
    st.integers(0, 20),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None
)
def test_damaged_bytes_never_raise_anything_else(tmp_path, suffix, place, garbage, lost):
    whole = WHOLE[suffix]
    at = place % len(whole)
    path = tmp_path / "damaged"
    path.write_bytes(whole[:at] + garbage + whole[at + lost :])
    complaint(path)


NUMBERS = st.one_of(st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=5))


@given(st.sampled_from([".3ds", ".sxm", ".VERT", ".txt", ".nc"]), st.integers(0, 10**6), NUMBERS)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None
)
def test_absurd_numbers_in_headers_never_raise_anything_else(tmp_path, suffix, place, number):
    """Put another number in the place of one of the header's."""
    whole = WHOLE[suffix]
    digits = [i for i in range(min(len(whole), 2500)) if 48 <= whole[i] <= 57]
    at = digits[place % len(digits)]
    path = tmp_path / "absurd"
    path.write_bytes(whole[:at] + str(number).encode() + whole[at + 1 :])
    complaint(path)

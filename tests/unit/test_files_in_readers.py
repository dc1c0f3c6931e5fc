"""Measured files of laboratories, compared with other programs that read them.

The files are not part of the project; without them these tests are skipped.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import stm_daq
from stm_daq.fitting import fit
from stm_daq.store.formats import read_spectra

DATA = Path(__file__).parents[3] / "shared" / "realdata"
NANONIS = DATA / "nanonis_files"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no measured files in {DATA}")
FILES = sorted(p.relative_to(DATA).as_posix() for p in DATA.glob("*/*"))


@pytest.mark.parametrize("name", FILES)
def test_every_measured_file_opens_with_units_and_metadata(name):
    data = stm_daq.read(DATA / name)
    assert data.data_vars
    assert data.attrs["format"]
    for variable in data.variables.values():
        assert {"units", "long_name"} <= variable.attrs.keys()
    assert all(np.isfinite(v).any() for v in data.data_vars.values())
    if data.attrs["format"] != "table":
        assert len(data.attrs["header"]) > 100


def theirs(path: Path) -> xr.Dataset:
    """The file as xarray-nanonis reads it."""
    pytest.importorskip("xarray_nanonis")
    return xr.open_dataset(path, engine="nanonis")


@pytest.mark.parametrize("name", ["FeSe_topography", "Au_mica_2023_Y_A_diPAMY_20230512_058"])
def test_scans_like_nanonispy2_and_nanonis_reader(name):
    nanonispy2 = pytest.importorskip("nanonispy2")
    path = NANONIS / f"{name}.sxm"
    ours = stm_daq.read(path)
    with contextlib.redirect_stdout(io.StringIO()):
        scan = nanonispy2.read.Scan(str(path))
    down = scan.header["scan_dir"] == "down"
    names = {"Z": "topography"}
    for channel, images in scan.signals.items():
        mine = ours[names.get(channel, channel.lower())]
        there, back = (images["forward"], images["backward"][:, ::-1])
        for direction, image in (("there", there), ("back", back)):
            expected = image[::-1] if down else image
            np.testing.assert_array_equal(mine.sel(direction=direction), expected)
    width, height = scan.header["scan_range"]
    assert ours.topograph_x.values[-1] == pytest.approx(
        width * (1 - 0.5 / ours.sizes["topograph_x"])
    )
    assert ours.topograph_y.values[0] == pytest.approx(height * 0.5 / ours.sizes["topograph_y"])


def test_the_grid_like_xarray_nanonis():
    path = NANONIS / "NanonisReader_STS_grid_lockin.3ds"
    ours, other = stm_daq.read(path), theirs(path)
    names = {str(name).lower(): name for name in other.data_vars}
    for mine in ("current", "lockinx", "lockiny"):
        match = next(name for key, name in names.items() if key.replace(" ", "").startswith(mine))
        values = other[match].transpose("y", "x", ...).values
        np.testing.assert_allclose(ours[mine], values, rtol=1e-6)
    # where the tip was: 45 degrees clockwise, from the edge of the frame by one step a pixel
    x, y = ours.position_x.values, ours.position_y.values
    step = 5e-9 / 30 / np.sqrt(2)
    np.testing.assert_allclose(np.diff(x, axis=1), step, rtol=0.02)
    np.testing.assert_allclose(np.diff(y, axis=1), -step, rtol=0.02)


@pytest.mark.parametrize("name", sorted(p.name for p in NANONIS.glob("*.dat")))
def test_spectra_like_nanonispy2(name):
    nanonispy2 = pytest.importorskip("nanonispy2")
    path = NANONIS / name
    with contextlib.redirect_stdout(io.StringIO()):
        columns = nanonispy2.read.Spec(str(path)).signals
    ours = stm_daq.read(path)
    bias = next(values for header, values in columns.items() if header.startswith("Bias calc"))
    np.testing.assert_allclose(ours.bias, bias)
    compared = 0
    for header, values in columns.items():
        if header.startswith("Bias"):
            continue
        plain = header.replace(" [bwd]", "").replace(" [filt]", "")
        variable = plain.rpartition(" (")[0].lower().replace(" ", "_").replace(".", "")
        variable += "_filt" * ("[filt]" in header)
        mine = ours[variable]
        if "direction" in mine.dims:
            mine = mine.sel(direction="back" if "[bwd]" in header else "there")
        np.testing.assert_allclose(mine, values, err_msg=header)
        compared += 1
    assert compared == len([h for h in columns if not h.startswith("Bias")])


def test_a_dataset_is_fitted_like_the_spectra_of_the_command_line():
    path = DATA / "nbse2_tunnel_70mK_TomDvir" / "nbse2_d058_T0068mK.csv"
    data, spectra = stm_daq.read(path), read_spectra(path)
    np.testing.assert_array_equal(data.conductance, spectra.conductance)
    assert data.attrs["temperature"] == spectra.temperature
    found = fit(data.bias, data.conductance, model="dynes", fixed={"temperature": 0.068})
    assert 1.0e-3 < float(found.gap) < 1.3e-3  # eV; the file is of NbSe2


def test_the_gxsm_scan_like_netcdf4():
    netcdf4 = pytest.importorskip("netCDF4")
    path = DATA / "gxsm_files" / "chigwell009-Xp-ADC1.nc"
    with netcdf4.Dataset(path) as file:
        counts, dz = file["FloatField"][0, 0].filled(), float(file["dz"][...])
        y = file["dimy"][:].filled()
    ours = stm_daq.read(path)
    assert y[0] > y[-1]
    np.testing.assert_allclose(ours.frequency_shift, (counts * dz)[::-1])
    np.testing.assert_allclose(ours.topograph_y, 1e-10 * (y[::-1] - y.min()), atol=1e-12)


def test_the_createc_trace_has_the_current_of_its_setpoint():
    """80 pA were set (FBLogIset) when this trace was taken with the feedback closed."""
    ours = stm_daq.read(DATA / "createc_files" / "A180201.124928.VERT")
    assert float(ours.current.mean()) == pytest.approx(-80e-12, rel=0.05)
    assert float(ours.time[-1]) == pytest.approx(4.999)

"""NetCDF, Zarr, NeXus and QCoDeS: the dataset of the run comes back, whatever its shape."""

import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from stm_daq import open_run
from stm_daq.store.exports import export_run

OURS_ALONE = {"journal", "frame"}
"""Attributes that tell of the reading, or come back as another kind of list."""


def check_dataset(found, expected):
    """Names, dimensions, attributes and every number are those of `open_run`."""
    present = [name for name in expected.variables if expected[name].size]
    assert set(found.variables) == {*present, "position_x", "position_y"}
    for name in present:
        assert found[name].dims == expected[name].dims, name
        assert found[name].attrs == expected[name].attrs, name
        assert (
            found[name].dtype.kind == expected[name].dtype.kind or expected[name].dtype.kind == "U"
        )
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)
    told = {key: value for key, value in expected.attrs.items() if key not in OURS_ALONE}
    assert {key: found.attrs[key] for key in told} == told
    np.testing.assert_array_equal(found.attrs["frame"], expected.attrs["frame"])


def test_zarr_is_the_dataset_of_the_run(shaped):
    pytest.importorskip("zarr")
    with xr.open_zarr(export_run(shaped, "zarr"), decode_times=False) as found:
        check_dataset(found, open_run(shaped))


def test_netcdf_is_the_dataset_of_the_run(shaped):
    pytest.importorskip("netCDF4")
    path = export_run(shaped, "netcdf")
    with xr.open_dataset(path, engine="netcdf4", decode_times=False) as found:
        check_dataset(found, open_run(shaped))


def test_netcdf_in_netcdf4_itself(aborted, truth):
    library = pytest.importorskip("netCDF4")
    with library.Dataset(export_run(aborted, "netcdf")) as file:
        assert file["gap_std"].units == "eV"
        np.testing.assert_array_equal(file["current"][:].filled(np.nan), truth.current)
        assert file["flags"][0, 1] == "overload"


def test_zarr_is_in_tiles(aborted, truth):
    library = pytest.importorskip("zarr")
    group = library.open_group(export_run(aborted, "zarr"), mode="r")
    assert group.metadata.zarr_format == 3
    assert group["conductance"].chunks == (3, 4, 16)
    assert group["conductance"].metadata.dimension_names == ("y", "x", "bias")
    np.testing.assert_array_equal(group["conductance"][:], truth.conductance)


def test_nexus_says_what_is_signal_and_axis(aborted, truth):
    h5py = pytest.importorskip("h5py")
    with h5py.File(export_run(aborted, "nexus")) as file:
        entry = file["entry"]
        spectra = entry["spectra"]
        assert list(spectra.attrs["axes"]) == ["y", "x", "bias"]
        signal = spectra[spectra.attrs["signal"]]
        assert signal.attrs["units"] == "S"
        np.testing.assert_array_equal(signal[:], truth.conductance)
        np.testing.assert_array_equal(spectra["current"][:], truth.current)
        for axis in ("y", "x", "bias"):
            np.testing.assert_array_equal(spectra[axis][:], truth[axis])
        np.testing.assert_array_equal(entry["maps/gap_errors"][:], truth.gap_std)
        np.testing.assert_array_equal(entry["topograph/topography"][:], truth.topography)
        assert entry["remarks/flags"].asstr()[0, 1] == "overload"
        scan = entry["instrument/scan_environment/scan_control/scan_region"]
        assert scan["scan_angle_x"][()] == 30.0
        sweep = entry["instrument/bias_spectroscopy_environment/bias_spectroscopy/bias_sweep"]
        assert sweep["linear_sweep/scan_points_bias"][()] == 16


VALIDATE = """
import sys
from pynxtools.cli import pynx
for path in sys.argv[1:]:
    pynx(["validate", path], standalone_mode=False)
"""


def test_nexus_of_every_shape_satisfies_its_definition(shapes):
    """In a process of its own: the validator changes the units of everybody."""
    pytest.importorskip("pynxtools")
    paths = [export_run(folder, "nexus") for folder in shapes]
    command = [sys.executable, "-c", VALIDATE, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    told = done.stdout + done.stderr
    assert told.count("is valid according to the `NXsts`") == len(paths), told


def test_qcodes_shows_spectra_maps_and_topograph(shaped):
    from qcodes.dataset import load_by_id
    from qcodes.dataset.sqlite.database import connect

    expected = open_run(shaped)
    connection = connect(export_run(shaped, "qcodes"))
    try:
        spectra, maps = (load_by_id(number, conn=connection) for number in (1, 2))
        assert (spectra.name, maps.name) == ("spectra", "maps")
        assert spectra.sample_name == expected.attrs["sample"]
        found = spectra.get_parameter_data()
        check_arrays(found["current"], "current", expected)
        check_arrays(found["conductance"], "conductance", expected)
        found = maps.get_parameter_data()
        for name in ("gap", "gap_std", "z"):
            check_arrays(found[name], name, expected)
        if expected.topography.size:
            found = load_by_id(3, conn=connection).get_parameter_data()["topography"]
            np.testing.assert_array_equal(found["topography"], expected.topography)
    finally:
        connection.close()


def check_arrays(found, name, expected):
    """Values and every axis at every point, as plottr gets them."""
    values = expected[name]
    np.testing.assert_array_equal(found[name], values.values)
    for axis in values.dims:
        if axis != "direction":
            wanted = values[axis].broadcast_like(values).transpose(*values.dims)
            np.testing.assert_array_equal(found[axis.replace(".", "_")], wanted)


def test_qcodes_keeps_flags_and_the_times_of_the_run(aborted):
    from qcodes.dataset import load_by_id
    from qcodes.dataset.sqlite.database import connect

    connection = connect(export_run(aborted, "qcodes"))
    try:
        maps = load_by_id(2, conn=connection)
        assert maps.run_timestamp_raw == 1_764_000_000.0
        assert maps.completed_timestamp_raw == 1.764e9 + 200
        texts = json.loads(maps.metadata["stm_daq_flags_of_sites"])
        assert texts == {"flags": {"1": "overload"}, "fit_flags": {"1": "bad"}}
    finally:
        connection.close()

"""Nanonis files of ours in the readers of others: every number at its place."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import stm_daq
from stm_daq import open_run
from stm_daq.records import Frame
from stm_daq.store.exports import Choice, export_run
from stm_daq.store.formats import read_spectra

SINGLE = {"rtol": 2e-7, "atol": 0.0, "equal_nan": True}
"""What float32 can hold."""
TURN = math.radians(30.0)


@pytest.fixture
def grid(aborted):
    return str(export_run(aborted, "3ds"))


@pytest.fixture
def scan(aborted):
    return str(export_run(aborted, "sxm"))


@pytest.fixture
def point(aborted):
    return str(export_run(aborted, "dat", choice=Choice(pixel=(3, 1))))


@pytest.fixture
def stmpy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("stmpy")


@pytest.fixture
def nanonis_reader():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("nanonis_reader")


def same(found, expected, **tolerance):
    np.testing.assert_allclose(found, expected, **(SINGLE | tolerance))


def check_places(x, y):
    """The lower left site lies 3.5 nm left of and 2.5 nm below the middle of the turned frame."""
    cosine, sine = math.cos(TURN), math.sin(TURN)
    assert x[0, 0] == pytest.approx(1e-9 - 3.5e-9 * cosine + 2.5e-9 * sine)
    assert y[0, 0] == pytest.approx(-2e-9 - 3.5e-9 * sine - 2.5e-9 * cosine)
    same(np.diff(x, axis=1), 2e-9 * cosine, rtol=1e-5)
    same(np.diff(y, axis=0), 2e-9 * cosine, rtol=1e-5)
    same(np.diff(y, axis=1), 2e-9 * sine, rtol=1e-5)


def test_grid_in_nanonispy2(grid, truth):
    read = pytest.importorskip("nanonispy2.read")
    found = read.Grid(grid)
    same(found.signals["Current (A)"], truth.current)
    same(found.signals["Conductance (S)"], truth.conductance)
    same(found.signals["sweep_signal"], truth.bias, rtol=1e-6)
    same(found.signals["topo"], truth.z)
    names = [*found.header["fixed_parameters"], *found.header["experimental_parameters"]]
    parameters = dict(zip(names, np.moveaxis(found.signals["params"], -1, 0), strict=True))
    for label, name in {
        "Gap (eV)": "gap",
        "Gap std (eV)": "gap_std",
        "Barrier": "barrier",
        "Offset std (V)": "offset_std",
        "Reduced chi square": "reduced_chi_square",
        "Fit ok": "fit_ok",
        "Stage temperature (K)": "stage_temperature",
        "True gap (eV)": "true_gap",
    }.items():
        # a truth value is missing too where nothing was measured
        same(parameters[label], truth[name].where(np.isfinite(truth.z)))
    same(parameters["Time since start (s)"], truth.time - 1.764e9)
    check_places(parameters["X (m)"], parameters["Y (m)"])
    header = found.header
    assert header["dim_px"] == [4, 3]
    assert float(header["angle"]) == -30.0  # Nanonis counts clockwise
    same(header["size_xy"], [8e-9, 6e-9])


def test_grid_in_xarray_nanonis(grid, truth):
    pytest.importorskip("xarray_nanonis")
    found = xr.open_dataset(grid).transpose("y", "x", "bias")
    rising = truth.sortby("bias")
    same(found.Current, rising.current)
    same(found.Conductance, rising.conductance)
    same(found.bias, rising.bias, rtol=1e-6)
    same(found["Gap_(eV)"], truth.gap)
    same(found["Scan:Z"], truth.z)
    # this reader spreads the sites from edge to edge, in files of Nanonis as well
    same(found.x, np.linspace(0.0, 8e-9, 4))
    same(found.y, np.linspace(0.0, 6e-9, 3))
    check_places(found.X.values, found.Y.values)


def test_grid_in_nanonis_reader(grid, truth, nanonis_reader):
    found = nanonis_reader.load(grid)
    bias, conductance = found.sts.raw("Conductance (S)")
    same(conductance, truth.conductance)
    same(bias, truth.bias, rtol=1e-6)
    height = truth.z.where(truth.z != 0.0)  # this reader takes a zero for a missing value
    same(found.topo.raw(), height)


def test_grid_in_stmpy(grid, truth, stmpy):
    found = stmpy.load(grid, biasOffset=False)
    same(np.moveaxis(found.I, 0, -1), truth.current)
    same(np.moveaxis(found.grid["Conductance (S)"], 0, -1), truth.conductance)
    same(found.en, truth.bias, rtol=1e-6)
    same(found.Z, truth.z)
    same(found.scan["Gap std (eV)"], truth.gap_std)


def check_frame(found, positions, frame):
    """The file states the frame, and a site is where the stated frame has its pixel."""
    same(found.attrs["frame"], frame, rtol=1e-6)
    x, y = np.meshgrid(found.x, found.y)
    same(np.array(Frame(*found.attrs["frame"]).position(x, y)), positions, atol=1e-15)


def test_a_frame_comes_back_from_our_own_files(grid, scan, truth):
    frame = open_run(Path(grid).parents[1]).attrs["frame"]
    assert frame == [1e-9, -2e-9, 8e-9, 6e-9, 30.0]
    found = stm_daq.read(grid)
    x, y = np.meshgrid(truth.x, truth.y)
    # the sites begin half a nanometre off the edge: the frame of which they are the pixels lies so
    centre = Frame(*frame).position(3.5e-9, 2.5e-9)
    check_frame(found, Frame(*frame).position(x, y), [*centre, *frame[2:]])
    measured = np.isfinite(truth.z.values)
    for name, places in zip(
        ("position_x", "position_y"), Frame(*frame).position(x, y), strict=True
    ):
        same(found[name].values[measured], places[measured], rtol=1e-6)
    same(stm_daq.read(scan).attrs["frame"], frame, rtol=1e-6)


def test_grid_in_our_own_reader(grid, truth):
    found = read_spectra(Path(grid))
    assert found.conductance_unit == "S"
    same(found.conductance.reshape(3, 4, -1), truth.conductance)


def test_scan_in_nanonispy2(scan, truth):
    read = pytest.importorskip("nanonispy2.read")
    found = read.Scan(scan)
    # scanned upwards: the first line is the bottom
    same(found.signals["Z"]["forward"], truth.topography)
    assert np.isnan(found.signals["Z"]["backward"]).all()
    same(found.header["scan_range"], [8e-9, 6e-9])
    same(found.header["scan_offset"], [1e-9, -2e-9])
    assert found.header["scan_dir"] == "up"
    assert float(found.header["scan_angle"]) == -30.0  # Nanonis counts clockwise
    assert found.header["bias"] == 4e-3


def test_scan_in_xarray_nanonis(scan, truth):
    pytest.importorskip("xarray_nanonis")
    same(xr.open_dataset(scan).Z.sel(dir="forward"), truth.topography)


def test_scan_in_nanonis_reader_and_stmpy(scan, truth, nanonis_reader, stmpy):
    same(nanonis_reader.load(scan).topo.raw(), truth.topography)
    same(stmpy.load(scan).channels["Z_Fwd"], truth.topography)


def test_point_in_every_reader(point, truth, nanonis_reader, stmpy):
    expected = truth.isel(x=3, y=1)
    read = pytest.importorskip("nanonispy2.read")
    spec = read.Spec(point)
    channels = stmpy.load(point, biasOffset=False).channels
    for signals in (spec.signals, nanonis_reader.load(point).signals, channels):
        same(signals["Bias calc (V)"], expected.bias)
        same(signals["Current (A)"], expected.current)
        same(signals["Conductance (S)"], expected.conductance)
    found = xr.open_dataset(point)
    same(found.Conductance, expected.sortby("bias").conductance)
    assert float(spec.header["Fit>Gap (eV)"]) == pytest.approx(313e-6)
    assert float(spec.header["Fit>Gap std (eV)"]) == pytest.approx(2e-6)
    assert float(spec.header["Z (m)"]) == pytest.approx(1.3e-9)


def test_the_way_back_is_a_channel_in_the_order_of_the_way_there(shape):
    back = shape("there and back")
    read = pytest.importorskip("nanonispy2.read")
    truth = open_run(back)
    for name, direction in (("Current (A)", "there"), ("Current [bwd] (A)", "back")):
        expected = truth.current.sel(direction=direction)
        same(read.Grid(str(export_run(back, "3ds"))).signals[name], expected)
        dat = str(export_run(back, "dat", choice=Choice(pixel=(2, 0))))
        same(read.Spec(dat).signals[name], expected.isel(x=2, y=0))


def test_a_line_is_a_turned_grid_of_one_row(shape):
    read = pytest.importorskip("nanonispy2.read")
    folder = shape("line")
    found = read.Grid(str(export_run(folder, "3ds")))
    assert found.header["dim_px"] == [4, 1]
    assert float(found.header["angle"]) == pytest.approx(45.0)  # downwards: clockwise
    along = 1e-9 * np.arange(4.0)
    places = (along[None], 2e-9 - along[None])
    check_frame(
        stm_daq.read(folder / "exports/a_run.3ds"), places, [1.5e-9, 0.5e-9, 4e-9 * 2**0.5, 0, -45]
    )
    same(found.signals["params"][0, [0, 1, 3], 2], [0.0, 1e-9, 3e-9])
    assert np.isnan(found.signals["Current (A)"][0, 2]).all()


def test_what_is_swept_is_named(shape):
    read = pytest.importorskip("nanonispy2.read")
    found = read.Grid(str(export_run(shape("heights"), "3ds")))
    assert found.header["sweep_signal"] == "Z rel (m)"
    same(found.signals["sweep_signal"][-1], -2e-10)
    same(found.signals["Bias (V)"][0, 0], 4e-3)


def test_unequal_steps_travel_as_a_channel(shape):
    folder = shape("unequal steps")
    found = read_spectra(export_run(folder, "3ds"), bias_column="Bias (V)")
    same(found.bias, open_run(folder).bias)

"""Files of the simulated controller: unfinished ones, odd names, and where they may lie."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import stm_daq
from sim.devices.nanonis import Nanonis
from stm_daq.protocols import nanonis as protocol
from stm_daq.records import Frame
from stm_daq.store.formats import read_spectra, read_topograph


@pytest.fixture
def rig(make_world, tmp_path):
    """Return (world, call, folder); the controller saves in the folder."""
    world = make_world()
    device = Nanonis(world)
    folder = tmp_path / "session"
    device.save_in(folder)

    def call(name, *arguments):
        reply = device.handle(protocol.encode_request(name, *arguments))
        assert device.failures == []
        return protocol.decode_reply(name, reply)

    return world, call, folder


def scan(call, direction, channels=(30,)):
    call("Scan.FrameSet", 0.0, 0.0, 32e-9, 16e-9, 30.0)
    call("Scan.BufferSet", channels, 32, 8)
    call("Scan.SpeedSet", 0.0, 0.0, 1.0, 0.5, 2, 1.0)
    call("Scan.PropsSet", 2, 2, 1, "t", "first\nsecond", (), 0)
    call("Scan.Action", 0, direction)


@pytest.mark.parametrize("upwards", [1, 0])
def test_a_scan_that_was_stopped_is_saved_with_what_there_is(rig, upwards):
    world, call, folder = rig
    scan(call, upwards)
    world.clock.sleep(7.0)
    call("Scan.Action", 1, upwards)
    assert call("Scan.Save", 1, 1000) == ((0,), "")
    (path,) = folder.glob("t*.sxm")
    z, size = read_topograph(path)
    image = call("Scan.FrameDataGrab", 30, 1)[0][1][::-1]
    np.testing.assert_allclose(z, image, rtol=1e-6)
    assert size == pytest.approx((32e-9, 16e-9))
    done = np.isfinite(z).all(axis=1)
    assert 2 <= done.sum() <= 4
    assert done[0 if upwards else -1]
    nanonispy = pytest.importorskip("nanonispy2")
    theirs = nanonispy.read.Scan(str(path))
    assert theirs.header["scan_dir"] == ("up" if upwards else "down")
    assert theirs.header["comment"] == "first second"
    assert theirs.signals["Z"]["backward"].shape == (8, 32)


def test_backward_images_are_stored_as_they_were_scanned(rig):
    _, call, folder = rig
    scan(call, 1, channels=(28, 30))  # x itself is the best mark of a direction
    call("Scan.WaitEndOfScan", -1)
    (path,) = folder.glob("t*.sxm")
    theirs = pytest.importorskip("nanonispy2").read.Scan(str(path))
    forward, backward = (theirs.signals["X"][way] for way in ("forward", "backward"))
    assert np.all(np.diff(forward, axis=1) > 0)
    assert np.all(np.diff(backward, axis=1) < 0)
    grabbed = call("Scan.FrameDataGrab", 28, 0)[0][1]
    assert np.all(np.diff(grabbed, axis=1) > 0)


def test_where_the_tip_was_in_a_turned_frame(rig):
    """Positive angles are clockwise: by 30 degrees, the right end of a line is lower than the left."""
    world, call, folder = rig
    frame = Frame(0.0, 0.0, 32e-9, 16e-9, -30.0)
    scan(call, 1, channels=(28, 29, 30))
    call("Scan.WaitEndOfScan", -1)
    (path,) = folder.glob("t*.sxm")
    found = stm_daq.read(path)
    assert found.attrs["frame"] == pytest.approx([0.0, 0.0, 32e-9, 16e-9, -30.0])
    x, y = frame.position(*np.meshgrid(found.topograph_x, found.topograph_y))
    np.testing.assert_allclose(found.x.sel(direction="there"), x, atol=1e-11)
    np.testing.assert_allclose(found.y.sel(direction="back"), y, atol=1e-11)
    scan(call, 1)
    call("Scan.WaitEndOfLine", -1)
    call("Scan.WaitEndOfLine", -1)  # the way to the start, and the first line forward
    assert world.tip.position == pytest.approx(frame.position(32e-9, 1e-9), abs=1e-12)


def test_a_turned_grid_is_where_its_header_says(rig):
    _, call, folder = rig
    call("BiasSpectr.PropsSet", 0, 1, 2, 16, 0.0, 2, 2)
    call("Pattern.ExpOpen")
    call("Pattern.GridSet", 1, 3, 2, 0, 1e-8, -2e-8, 30e-9, 20e-9, 30.0)
    call("Pattern.PropsSet", "", "grid", "", 0.0, 0)
    call("Pattern.ExpStart", 1)
    while call("Pattern.ExpStatusGet")[0] == (1,):
        call("Signals.ValGet", 0, 1)
    (path,) = folder.glob("grid*.3ds")
    found = stm_daq.read(path)
    frame = Frame(1e-8, -2e-8, 30e-9, 20e-9, -30.0)
    assert found.attrs["frame"] == pytest.approx([1e-8, -2e-8, 30e-9, 20e-9, -30.0])
    x, y = frame.position(*np.meshgrid(found.x, found.y))
    np.testing.assert_allclose(found.position_x, x, atol=1e-11)
    np.testing.assert_allclose(found.position_y, y, atol=1e-11)


def test_an_aborted_grid_keeps_whole_spectra(rig):
    world, call, folder = rig
    call("BiasSpectr.PropsSet", 0, 1, 2, 16, 0.0, 2, 2)
    call("Pattern.ExpOpen")
    call("Pattern.GridSet", 1, 3, 2, 0, 0.0, 0.0, 30e-9, 20e-9, 90.0)
    call("Pattern.PropsSet", "", "part", "", 0.0, 0)
    assert call("Pattern.ExpStart", 1)[1] == ""
    assert "is running" in call("Pattern.ExpStart", 1)[1]
    while not list(folder.glob("part*")):
        world.clock.sleep(0.5)
    call("Pattern.ExpPause", 1)
    world.clock.sleep(60.0)
    assert call("Pattern.ExpStatusGet")[0] == (1,)
    call("Pattern.ExpStop")
    assert call("Pattern.ExpStatusGet")[0] == (0,)
    (path,) = folder.glob("part*.3ds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spectra = read_spectra(path)
    measured = np.isfinite(spectra.conductance).all(axis=2).sum()
    assert 1 <= measured < 6
    assert world.tip.feedback_on


@pytest.mark.parametrize(("kind", "suffix", "count"), [("ASCII", ".dat", 3), ("BINARY", ".3ds", 1)])
def test_lines_and_clouds(rig, kind, suffix, count):
    _, call, folder = rig
    call("BiasSpectr.PropsSet", 0, 1, 2, 16, 0.0, 2, 2)
    call("Pattern.ExpOpen")
    call("Pattern.PropsSet", f"Bias Spectroscopy {kind}", "p", "", 0.0, 1)
    call("Pattern.CloudSet", 1, 3, [0.0, 1e-9, 2e-9], [0.0, 0.0, 1e-9])
    assert call("Pattern.CloudGet")[0][0] == 3
    call("Pattern.LineSet", 0, 3, 0, 0.0, 0.0, 4e-9, 0.0)
    for pattern in (0, 2):
        assert call("Pattern.ExpStart", pattern)[1] == ""
        while call("Pattern.ExpStatusGet")[0] == (1,):
            call("Signals.ValGet", 0, 1)
    assert len(list(folder.glob(f"p*{suffix}"))) == 2 * count


@pytest.mark.parametrize("name", ["../../evil", "/etc/x", "C:\\con", "a\0b", "..", "x" * 250])
def test_files_stay_in_the_folder_whatever_their_name(rig, name):
    _, call, folder = rig
    outside = set(folder.parent.iterdir())
    assert call("BiasSpectr.Start", 1, name)[1] == ""
    assert len(list(folder.glob("*.dat"))) == 1
    assert set(folder.parent.iterdir()) == outside


def test_numbers_go_on(rig):
    _, call, folder = rig
    (folder / "a00002.dat").write_text("")
    for _ in range(2):
        call("BiasSpectr.Start", 1, "a")
    assert {path.name for path in folder.iterdir()} == {"a00001.dat", "a00002.dat", "a00003.dat"}


def test_the_session_may_move_only_inside_its_folder(rig):
    _, call, folder = rig
    assert "saves only below" in call("Util.SessionPathSet", str(folder.parent), 0)[1]
    assert "saves only below" in call("Util.SessionPathSet", "../x", 0)[1]
    assert call("Util.SessionPathSet", str(folder / "day2"), 0)[1] == ""
    assert call("Util.SessionPathGet")[0] == (str((folder / "day2").resolve()),)
    call("BiasSpectr.Start", 1, "a")
    assert (folder / "day2" / "a00001.dat").exists()


def test_without_a_folder_nothing_is_saved(make_world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    device = Nanonis(make_world())
    reply = device.handle(protocol.encode_request("BiasSpectr.Start", 1, "a"))
    assert protocol.decode_reply("BiasSpectr.Start", reply)[1] == ""
    assert list(tmp_path.iterdir()) == []


def test_single_sweeps_are_saved_beside_their_average(rig):
    _, call, folder = rig
    call("BiasSpectr.PropsSet", 1, 2, 1, 16, 0.0, 1, 2)
    names, table, _ = call("BiasSpectr.Start", 1, "avg")[0]
    assert names == ("Bias calc (V)", "Current [AVG] (A)", "Current [AVG] [bwd] (A)")
    (path,) = folder.glob("avg*.dat")
    lines = path.read_text().splitlines()
    columns = lines[lines.index("[DATA]") + 1].split("\t")
    assert columns[3:] == [f"Current [0000{n}]{way} (A)" for n in (1, 2) for way in ("", " [bwd]")]
    np.testing.assert_allclose(read_spectra(path).current, table[1], rtol=1e-5)

"""Gwyddion's files, in gwyfile and in Gwyddion itself."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from stm_daq import open_run
from stm_daq.store.exports import export_run


@pytest.fixture
def gwyfile():
    return pytest.importorskip("gwyfile")


def channels(container):
    """Return the images of a container by their titles, and masks likewise."""
    keys = [key for key in container if key.endswith("/data/title")]
    named = {container[key]: key.removesuffix("/data/title") for key in keys}
    images = {title: container[f"{key}/data"] for title, key in named.items()}
    masks = {t: container[f"{k}/mask"].data for t, k in named.items() if f"{k}/mask" in container}
    return images, masks


def test_channels_in_gwyfile(aborted, truth, gwyfile):
    images, masks = channels(gwyfile.load(str(export_run(aborted, "gwy"))))
    for title in ("gap", "gap std", "z", "barrier std", "fit ok", "stage temperature", "true gap"):
        expected = truth[title.replace(" ", "_")]
        if title == "fit ok":  # missing too where nothing was measured
            expected = expected.where(np.isfinite(truth.z))
        # the first line of an image is the top
        np.testing.assert_array_equal(images[title].data[::-1], expected)
    np.testing.assert_array_equal(images["topography"].data[::-1], truth.topography)
    assert images["gap"]["si_unit_z"]["unitstr"] == "eV"
    np.testing.assert_array_equal(masks["z"][::-1] == 1.0, np.isnan(truth.z))
    assert not masks["gap"][2, 0]
    gap, topography = images["gap"], images["topography"]
    # sites lie on every second pixel: their images overlap, by half a pixel of the topograph
    assert (gap.xreal, gap.yreal) == pytest.approx((8e-9, 6e-9))
    assert gap.xoff == pytest.approx(topography.xoff - 0.5e-9)
    assert topography.xoff == pytest.approx(-3e-9)
    assert topography.yoff == pytest.approx(-5e-9)


def test_bricks_in_gwyfile(aborted, truth, gwyfile):
    container = gwyfile.load(str(export_run(aborted, "gwy")))
    rising = truth.sortby("bias")
    for number, name in enumerate(("conductance", "current")):
        brick = container[f"/brick/{number}"]
        shape = (brick["zres"], brick["yres"], brick["xres"])
        planes = brick["data"].reshape(shape)[:, ::-1]
        np.testing.assert_array_equal(planes, rising[name].transpose("bias", "y", "x"))
        np.testing.assert_array_equal(brick["calibration"][0]["data"], rising.bias)
        assert brick["si_unit_w"]["unitstr"] == truth[name].attrs["units"]
        assert brick["zoff"] == pytest.approx(-4e-3)


def test_every_step_and_direction_has_its_bricks(shape, gwyfile):
    folder = shape("outer axes")
    data = open_run(folder)
    container = gwyfile.load(str(export_run(folder, "gwy")))
    images, _ = channels(container)
    found = images["gap [temperature = 0.5 K, repeat = 2]"].data[::-1]
    np.testing.assert_array_equal(found, data.gap.isel(temperature=1, repeat=2))
    assert np.isnan(images["gap [temperature = 0.5 K, repeat = 1]"].data).all()
    current = container["/brick/11"]["data"].reshape(16, 3, 4)[::-1, ::-1]
    expected = data.current.isel(temperature=1, repeat=2).transpose("bias", "y", "x")
    np.testing.assert_array_equal(current, expected)


def converted(file, folder):
    """Let Gwyddion open a file and write it in its own format."""
    program = shutil.which("gwyddion")
    if program is None:
        pytest.skip("Gwyddion is not installed")
    display = [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a"]
    if display and shutil.which("xvfb-run") is None:
        pytest.skip("Gwyddion needs a display or xvfb-run")
    out = folder / "converted.gwy"
    command = [*display, program, f"--convert-to-gwy={out}", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return str(out)


def test_gwyddion_opens_the_channels_and_bricks(aborted, truth, gwyfile, tmp_path):
    container = gwyfile.load(converted(export_run(aborted, "gwy"), tmp_path))
    images, _ = channels(container)
    np.testing.assert_array_equal(images["gap"].data[::-1], truth.gap)
    brick = container["/brick/0"]
    planes = brick["data"].reshape(16, 3, 4)[:, ::-1]
    np.testing.assert_array_equal(
        planes, truth.sortby("bias").conductance.transpose("bias", "y", "x")
    )


def test_gwyddion_sees_the_same_topograph_in_sxm_and_gwy(aborted, truth, gwyfile, tmp_path):
    """Gwyddion's own reader of Nanonis files agrees about orientation and place."""
    ours, _ = channels(gwyfile.load(str(export_run(aborted, "gwy"))))
    read, _ = channels(gwyfile.load(converted(export_run(aborted, "sxm"), tmp_path)))
    forward = next(image for title, image in read.items() if "orward" in title or title == "Z")
    np.testing.assert_allclose(forward.data, ours["topography"].data, rtol=2e-7)
    for name in ("xreal", "yreal", "xoff", "yoff"):
        assert getattr(forward, name) == pytest.approx(getattr(ours["topography"], name))

"""Topographs through the Nanonis driver on the simulated controller."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.nanonis import NanonisController, NanonisStm
from sim.devices.nanonis import Nanonis
from sim.samples.tin import TinFilm
from sim.samples.uniform import Uniform
from sim.tip import Tip
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.records import Frame
from stm_daq.station.streams import streams_from

FRAME = Frame(5e-9, -3e-9, 42e-9, 42e-9)


@pytest.fixture
def rig(make_world, limits):
    opened = []

    def make(sample=None, **tip):
        world = make_world(sample=sample, tip=Tip(**{"drift_z": 0.0, "z_noise": 0.0, **tip}))
        device = Nanonis(world)
        context = streams_from(lambda host, port, timeout: device.connect())
        context.__enter__()
        instrument = NanonisController("nanonis", "127.0.0.1")
        opened.append((instrument, context))
        return world, device, NanonisStm(instrument, limits, world.clock)

    yield make
    for instrument, context in reversed(opened):
        instrument.close()
        context.__exit__(None, None, None)


def pixels(frame, columns, rows):
    """Centres of the pixels, row 0 at the bottom."""
    u = ((np.arange(columns) + 0.5) / columns - 0.5) * frame.width
    v = ((np.arange(rows) + 0.5) / rows - 0.5) * frame.height
    u, v = np.meshgrid(u, v)
    angle = np.radians(frame.angle)
    x = frame.centre_x + u * np.cos(angle) - v * np.sin(angle)
    y = frame.centre_y + u * np.sin(angle) + v * np.cos(angle)
    return x, y


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_the_topograph_is_the_surface_with_row_0_at_the_bottom(rig, angle):
    frame = Frame(5e-9, -3e-9, 42e-9, 20e-9, angle)
    film = TinFilm(1)
    _, _, stm = rig(sample=film)
    stm.prepare_scan(frame, 32, 16, 1.0)
    stm.scan_rows(16)
    z = stm.scan_data()
    surface = film.height(*pixels(frame, 32, 16))
    assert z.shape == (16, 32)
    assert z - z.mean() == pytest.approx(surface - surface.mean(), abs=0.02e-9)


def test_the_controller_is_told_the_angle_clockwise_and_the_tip_goes_where_the_frame_says(rig):
    world, _, stm = rig()
    frame = Frame(5e-9, -3e-9, 42e-9, 20e-9, 30.0)
    stm.prepare_scan(frame, 32, 4, 1.0)
    assert stm._nanonis.call("Scan.FrameGet")[4] == pytest.approx(-30.0)
    stm._nanonis.call("Scan.Action", 0, 1)
    stm._nanonis.call("Scan.WaitEndOfLine", -1)  # at the left end of the first line
    assert world.tip.position == pytest.approx(frame.position(0.0, 2.5e-9), abs=1e-12)
    stm._nanonis.call("Scan.WaitEndOfLine", -1)
    assert world.tip.position == pytest.approx(frame.position(42e-9, 2.5e-9), abs=1e-12)
    stm.stop_scan()


def test_rows_not_yet_scanned_are_nan_and_come_from_the_bottom(rig):
    _, _, stm = rig()
    stm.prepare_scan(FRAME, 32, 8, 1.0)
    assert np.all(np.isnan(stm.scan_data()))
    for done in (1, 3, 6, 8):
        stm.scan_rows(done - int(np.isfinite(stm.scan_data()[:, 0]).sum()))
        finite = np.isfinite(stm.scan_data())
        assert finite[:done].all()
        assert not finite[done:].any()


def test_scanning_takes_its_time_and_few_transactions(rig):
    world, device, stm = rig()
    stm.prepare_scan(FRAME, 64, 64, 2.0)
    stm.scan_rows(2)
    start, before = world.clock.now(), device.transactions
    stm.scan_rows(2)
    assert world.clock.now() - start == pytest.approx(2 * 2 * 2.0, rel=0.02)
    assert device.transactions - before <= 8


def test_the_scan_goes_on_where_it_was_after_moves_in_between(rig):
    film = TinFilm(2)
    world, _, stm = rig(sample=film)
    stm.prepare_scan(FRAME, 32, 16, 1.0)
    for _ in range(8):
        stm.scan_rows(2)
        stm.move_to(0.0, 0.0)
        stm.hold()
        world.clock.sleep(3.0)
        stm.release()
    surface = film.height(*pixels(FRAME, 32, 16))
    z = stm.scan_data()
    assert z - z.mean() == pytest.approx(surface - surface.mean(), abs=0.02e-9)
    assert world.violations == []


def test_drift_tilts_the_topograph(rig):
    _, _, stm = rig(sample=Uniform(), drift_z=1e-12)
    stm.prepare_scan(FRAME, 16, 16, 1.0)
    stm.scan_rows(16)
    z = stm.scan_data()
    assert np.diff(z[:, 0]) == pytest.approx(np.full(15, 2e-12), rel=1e-3)
    assert np.diff(z[0]) == pytest.approx(np.full(15, 1e-12 / 16), rel=1e-2)


def test_the_height_has_the_noise_of_the_controller(rig):
    _, _, stm = rig(sample=Uniform(), z_noise=2e-12)
    stm.prepare_scan(FRAME, 128, 32, 1.0)
    stm.scan_rows(32)
    assert stm.scan_data().std() == pytest.approx(2e-12, rel=0.05)


def test_stopping_leaves_the_tip_where_it_is_with_feedback(rig):
    world, _, stm = rig()
    stm.prepare_scan(FRAME, 32, 16, 1.0)
    stm.scan_rows(3)
    stm.stop_scan()
    where = world.tip.position
    world.clock.sleep(100.0)
    assert stm.position() == pytest.approx(where)
    assert stm.feedback_on()


def test_more_rows_than_the_frame_has_are_refused(rig):
    _, _, stm = rig()
    stm.prepare_scan(FRAME, 32, 4, 1.0)
    stm.scan_rows(3)
    with pytest.raises(InstrumentError, match="only 1 are left"):
        stm.scan_rows(2)
    stm.scan_rows(1)
    assert np.isfinite(stm.scan_data()).all()


def test_columns_that_nanonis_would_change_are_refused_before_anything_is_sent(rig):
    _, device, stm = rig()
    before = device.transactions
    with pytest.raises(OutOfRangeError, match="multiple of 16"):
        stm.prepare_scan(FRAME, 50, 50, 1.0)
    assert device.transactions == before


def test_the_tip_cannot_be_sent_away_from_a_running_scan(rig):
    world, _, stm = rig()
    stm.prepare_scan(FRAME, 32, 16, 1.0)
    stm._nanonis.call("Scan.Action", 0, 1)
    with pytest.raises(InstrumentError, match="Pause or stop the scan"):
        stm.move_to(0.0, 0.0)
    stm.stop_scan()
    stm.move_to(0.0, 0.0)
    assert world.tip.position == (0.0, 0.0)


def test_the_same_seed_gives_the_same_topograph(rig):
    images = []
    for _ in range(2):
        _, _, stm = rig(sample=TinFilm(3), z_noise=2e-12)
        stm.prepare_scan(FRAME, 32, 4, 1.0)
        stm.scan_rows(4)
        images.append(stm.scan_data())
        stm._nanonis.close()
    assert np.array_equal(*images)

"""The Nanonis driver and its role on the simulated controller."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from drivers.nanonis import NanonisController, NanonisStm
from sim.devices.nanonis import Nanonis
from sim.samples.tin import TinFilm
from sim.samples.uniform import Uniform
from sim.tip import Tip
from stm_daq.errors import DeadlineError, FeedbackError, InstrumentError, OutOfRangeError
from stm_daq.protocols import nanonis as protocol
from stm_daq.records import Frame
from stm_daq.station.limits import Range
from stm_daq.station.streams import streams_from


class Flaky:
    """A connection that breaks once around a chosen command."""

    def __init__(self, stream, plan):
        self._stream, self._plan = stream, plan

    def send(self, data):
        fault = self._plan.pop(protocol.request_name(data), None)
        if fault == "before":
            raise ConnectionResetError("reset before the command arrived")
        self._stream.send(data)
        if fault == "after":
            raise ConnectionResetError("reset before the reply arrived")

    def __getattr__(self, name):
        return getattr(self._stream, name)


@pytest.fixture
def rig(make_world, limits):
    """Build (world, device, instrument, adapter, faults) with options for the device."""
    opened = []

    def make(sample=None, tip=None, **options):
        world = make_world(sample=sample, tip=tip)
        device, faults = Nanonis(world, **options), {}
        context = streams_from(lambda host, port, timeout: Flaky(device.connect(), faults))
        context.__enter__()
        instrument = NanonisController("nanonis", "127.0.0.1")
        opened.append((instrument, context))
        return world, device, instrument, NanonisStm(instrument, limits, world.clock), faults

    yield make
    for instrument, context in reversed(opened):
        instrument.close()
        context.__exit__(None, None, None)


def transactions(device, action):
    before = device.transactions
    action()
    return device.transactions - before


def test_parameters_read_the_controller(rig):
    world, _, nanonis, _, _ = rig()
    assert nanonis.bias() == 0.0
    assert nanonis.setpoint() == pytest.approx(100e-12)
    assert nanonis.current() == pytest.approx(100e-12, rel=0.01)
    assert nanonis.z() == pytest.approx(world.tip.z(world.clock.now()), abs=20e-12)
    assert nanonis.feedback() is True
    assert (nanonis.x(), nanonis.y()) == (0.0, 0.0)
    assert nanonis.scan_running() is False
    assert nanonis.get_idn()["vendor"] == "SPECS"


def test_parameters_set_the_controller_and_have_limits(rig):
    _, _, nanonis, _, _ = rig()
    for parameter, value in (
        (nanonis.bias, 0.5),
        (nanonis.setpoint, 50e-12),
        (nanonis.switch_off_delay, 0.1),
        (nanonis.follow_speed, 1e-8),
        (nanonis.withdraw_rate, 1e-8),
        (nanonis.safe_tip, True),
    ):
        parameter(value)
        assert parameter.get() == pytest.approx(value, rel=1e-6)
    with pytest.raises(ValueError, match="11"):
        nanonis.bias(11.0)


def test_a_snapshot_reads_every_parameter(rig):
    _, _, nanonis, _, _ = rig()
    parameters = nanonis.snapshot(update=True)["parameters"]
    assert all(entry["value"] is not None for entry in parameters.values())


def test_an_error_of_the_controller_is_raised_with_its_text(rig):
    _, _, nanonis, _, _ = rig()
    with pytest.raises(InstrumentError, match=r"refused ZCtrl\.SetpntSet: Setpoint out of range"):
        nanonis.call("ZCtrl.SetpntSet", 1.0)
    with pytest.raises(InstrumentError, match="has no signal 'Z'"):
        nanonis.signal("Z")


def test_a_site_costs_six_transactions(rig):
    world, device, _, stm, _ = rig()
    stm.move_to(1e-9, 0.0)
    assert transactions(device, lambda: stm.move_to(2e-9, 1e-9)) == 1
    world.clock.sleep(2.0)  # what is known of the loop is old: it is looked at first
    assert transactions(device, lambda: stm.move_to(1e-9, 0.0)) == 2
    assert transactions(device, stm.height_and_current) == 1
    assert transactions(device, stm.hold) == 2
    assert transactions(device, stm.release) == 2


def test_a_move_takes_its_time_and_arrives(rig):
    world, _, _, stm, _ = rig(follow_speed=10e-9)
    start = world.clock.now()
    stm.move_to(30e-9, 40e-9)
    assert world.clock.now() - start == pytest.approx(5.0, abs=0.1)
    assert stm.position() == pytest.approx((30e-9, 40e-9))
    assert world.tip.position == (30e-9, 40e-9)


def test_a_move_longer_than_the_timeout_does_not_time_out(rig):
    _, _, _, stm, _ = rig(follow_speed=1e-9)
    stm.move_to(30e-9, 0.0)
    stm.move_to(0.0, 0.0)
    assert stm.position() == (0.0, 0.0)


def test_height_and_current_are_those_of_the_world(rig):
    world, _, _, stm, _ = rig(sample=TinFilm(1))
    z, current = stm.height_and_current()
    assert z == pytest.approx(world.tip.z(world.clock.now()), abs=15e-12)
    assert current == pytest.approx(100e-12, rel=0.01)


def test_hold_and_release_reach_the_world(rig):
    world, _, _, stm, _ = rig()
    stm.hold()
    assert not world.tip.feedback_on
    assert not stm.feedback_on()
    stm.release()
    assert world.tip.feedback_on
    assert stm.feedback_on()
    assert world.violations == []


def test_hold_returns_only_after_the_switch_off_delay(rig):
    world, device, _, stm, _ = rig(switch_off_delay=0.5)
    start = world.clock.now()
    assert transactions(device, stm.hold) == 2
    assert world.clock.now() - start >= 0.5
    assert not world.tip.feedback_on


def test_an_order_to_switch_off_can_be_recalled(rig):
    world, _, nanonis, _, _ = rig(switch_off_delay=1.0)
    nanonis.feedback(False)
    assert nanonis.call("ZCtrl.StatusGet") == (4,)
    nanonis.feedback(True)
    world.clock.sleep(5.0)
    assert world.tip.feedback_on


def test_the_tip_does_not_move_while_held_nor_until_the_loop_is_seen_closed(rig):
    world, device, _, stm, _ = rig()
    stm.hold()
    before = device.transactions
    with pytest.raises(FeedbackError):
        stm.move_to(1e-9, 0.0)
    assert device.transactions == before
    stm.release()
    stm.move_to(1e-9, 0.0)
    assert world.violations == []


def test_a_feedback_found_off_at_the_start_prevents_moves_and_scans(rig):
    world, _, _, stm, _ = rig()
    world.tip.hold()
    with pytest.raises(FeedbackError, match="close the loop first"):
        stm.move_to(1e-9, 0.0)
    with pytest.raises(FeedbackError):
        stm.scan_rows(1)
    stm.release()
    stm.move_to(1e-9, 0.0)


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("action", ["hold", "release"])
def test_a_connection_lost_during_hold_or_release_is_survived(rig, action, fault):
    world, _, nanonis, stm, faults = rig()
    if action == "release":
        stm.hold()
    faults["ZCtrl.OnOffSet"] = fault
    getattr(stm, action)()
    assert nanonis.connections == 2
    assert world.tip.feedback_on == (action == "release")


def test_after_a_reconnection_the_feedback_is_read_before_the_next_move(rig):
    world, _, nanonis, stm, faults = rig()
    stm.release()
    stm.move_to(1e-9, 0.0)
    faults["Bias.Get"] = "before"
    nanonis.bias()
    world.tip.hold()  # somebody else did that meanwhile
    with pytest.raises(FeedbackError):
        stm.move_to(2e-9, 0.0)
    assert world.violations == []


def test_a_lost_move_is_not_repeated_but_the_next_one_works(rig):
    world, _, _, stm, faults = rig()
    stm.move_to(1e-9, 0.0)
    faults["FolMe.XYPosSet"] = "after"
    with pytest.raises(InstrumentError, match=r"FolMe\.XYPosSet"):
        stm.move_to(2e-9, 0.0)
    stm.move_to(3e-9, 0.0)
    assert world.tip.position == (3e-9, 0.0)


def test_a_feedback_that_does_not_open_is_a_deadline(rig):
    world, _, _, stm, _ = rig(switch_off_delay=60.0)
    stm._nanonis.switch_off_delay.cache.set(0.0)  # the driver believes it is quick
    start = world.clock.now()
    with pytest.raises(DeadlineError, match="did not switch off"):
        stm.hold()
    assert world.clock.now() - start < 10.0
    with pytest.raises(FeedbackError):
        stm.move_to(1e-9, 0.0)


def test_the_setpoint_is_checked_set_and_read_back(rig):
    world, device, _, stm, _ = rig()
    stm.set_setpoint(50e-12)
    assert stm.setpoint() == pytest.approx(50e-12)
    assert world.tip.setpoint == pytest.approx(50e-12)
    before = device.transactions
    for bad in (3e-9, 0.0, math.nan):
        with pytest.raises(OutOfRangeError):
            stm.set_setpoint(bad)
    assert device.transactions == before


def test_a_position_that_is_none_is_refused(rig):
    _, _, _, stm, _ = rig()
    with pytest.raises(OutOfRangeError):
        stm.move_to(math.nan, 0.0)


def test_withdrawing_leaves_the_tip_up_with_the_feedback_off(rig):
    world, _, nanonis, stm, _ = rig()
    stm.withdraw()
    assert not world.tip.feedback_on
    assert nanonis.z() == pytest.approx(250e-9, rel=1e-3)
    assert nanonis.current() == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(FeedbackError):
        stm.move_to(1e-9, 0.0)


def test_the_safe_tip_withdraws_when_the_current_grows(rig):
    world, _, nanonis, _, _ = rig(sample=Uniform(slope=0.1))
    nanonis.call("SafeTip.PropsSet", 0, 1, 5e-10)
    nanonis.safe_tip(True)
    world.tip.hold()
    assert nanonis.call("ZCtrl.StatusGet") == (1,)
    world.tip.move_to(2e-9, 0.0)
    assert nanonis.call("ZCtrl.StatusGet") == (5,)
    assert nanonis.z() > 200e-9


def test_the_controller_gets_the_limits_of_z_and_keeps_narrower_ones(rig):
    world, _, nanonis, stm, _ = rig()
    nanonis.call("ZCtrl.LimitsSet", 100e-9, -50e-9)  # not switched on: they do not count
    stm.set_setpoint(100e-12)
    assert nanonis.call("ZCtrl.LimitsEnabledGet") == (1,)
    assert nanonis.call("ZCtrl.LimitsGet") == pytest.approx((250e-9, -250e-9))
    nanonis.call("ZCtrl.LimitsSet", 100e-9, -50e-9)
    stm.set_setpoint(100e-12)
    assert nanonis.call("ZCtrl.LimitsGet") == pytest.approx((100e-9, -50e-9))
    assert world.tip.violations == []


def test_a_controller_that_does_not_take_the_limits_of_z_is_noticed(rig, monkeypatch):
    _, device, _, stm, _ = rig()
    monkeypatch.setitem(device._methods, "ZCtrl.LimitsEnabledSet", lambda on: ())
    with pytest.raises(InstrumentError, match=r"limits of z read back .*\(off\)"):
        stm.set_setpoint(100e-12)


def test_the_feedback_stops_at_the_limits_of_z(rig):
    world, _, nanonis, stm, _ = rig(tip=Tip(drift_z=1e-9, z_noise=0.0))
    before = world.tip.z(world.clock.now())
    nanonis.call("ZCtrl.LimitsSet", before + 1e-9, before - 1e-9)
    nanonis.call("ZCtrl.LimitsEnabledSet", 1)
    world.clock.sleep(0.5)
    stm.hold()
    stm.release()
    assert world.tip.violations == []
    world.clock.sleep(0.9)  # the surface has risen by 1.4 nm: the tip cannot give way any more
    assert world.tip.z(world.clock.now()) == pytest.approx(before + 1e-9, abs=1e-15)
    stm.hold()
    assert any("stopped by the limits of z" in text for text in world.tip.violations)
    stm.withdraw()
    assert world.tip.z(world.clock.now()) == pytest.approx(before + 1e-9, abs=1e-15)


def test_a_tip_at_or_beyond_the_limits_of_z_gives_no_reading(rig, limits):
    world, _, nanonis, _, _ = rig()
    z = world.tip.z(world.clock.now())
    for low, high in ((z - 1e-9, z), (z, z + 1e-9), (z + 1e-9, z + 2e-9)):
        stm = NanonisStm(nanonis, replace(limits, z=Range(low, high, "m")), world.clock)
        with pytest.raises(InstrumentError, match=r"tip height of .* limits of z"):
            stm.height_and_current()


@pytest.mark.parametrize("place", [(1.1e-6, 0.0), (0.0, -1.1e-6), (float("nan"), 0.0)])
def test_places_outside_the_limits_are_refused_before_anything_is_sent(rig, place):
    _, device, _, stm, _ = rig()
    assert transactions(device, lambda: refused(lambda: stm.move_to(*place))) == 0
    frame = Frame(*place, 10e-9, 10e-9)
    assert transactions(device, lambda: refused(lambda: stm.prepare_scan(frame, 16, 16, 1.0))) == 0


def refused(action):
    with pytest.raises(OutOfRangeError, match="nothing was sent"):
        action()

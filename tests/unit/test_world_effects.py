"""Drift, creep, gains, changes of the tip: what is off until somebody switches it on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.apex import Apex, Changes, Flake
from sim.drift import CREEP_TIMES, Creep, Thermal
from sim.feedback import Feedback, Gains
from sim.samples.measured import Measured
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.waveform import Waveform
from stm_daq.errors import BadInputError
from stm_daq.physics import sis

KAPPA = 5.123167e9 * math.sqrt(4.0)
STILL = {"drift_z": 0.0}


def current(world, time):
    return float(world.current(np.array([time]))[0])


# -- drift and creep --------------------------------------------------------------------------


def test_thermal_drift_comes_to_rest_where_it_should(make_world):
    thermal = Thermal(x=3e-9, y=-1e-9, z=2e-9, relaxation=100.0)
    world = make_world(tip=Tip(**STILL, thermal=thermal))
    before = world.tip.z(0.0)
    world.clock.sleep(100.0)
    part = 1 - math.exp(-1)
    assert world.tip.z(100.0) - before == pytest.approx(part * 2e-9, rel=1e-6)
    assert world.tip.displacement(100.0) == pytest.approx((part * 3e-9, -part * 1e-9, part * 2e-9))
    world.clock.sleep(1e4)
    world.tip.hold()
    truth = world.truth()
    assert (truth["x"], truth["y"]) == (pytest.approx(-3e-9), pytest.approx(1e-9))
    assert truth["drift_z"] == pytest.approx(2e-9)


def test_lateral_drift_carries_the_slope_under_the_held_tip(make_world):
    """A surface that slides along x under a held tip rises as it slopes."""
    world = make_world(sample=Uniform(slope=0.1), tip=Tip(**STILL, drift_x=-1e-12))
    world.tip.hold()
    world.clock.sleep(200.0)  # 200 pm along x, 20 pm up
    growth = current(world, 200.0) / current(world, 0.0)
    assert growth == pytest.approx(math.exp(2 * KAPPA * 20e-12), rel=1e-3)


def test_creep_grows_like_the_logarithm_of_time(make_world):
    creep = Creep(lateral=0.02)
    world = make_world(sample=Uniform(slope=1.0), tip=Tip(**STILL, creep=creep))
    world.tip.move_to(100e-9, 0.0)
    start = world.tip.z(0.0)
    world.clock.sleep(2000.0)
    crept = [world.tip.z(t) - start for t in (2.0, 20.0, 200.0, 2000.0)]
    assert np.diff(crept) == pytest.approx(np.full(3, 2e-9), rel=0.15)  # 2 % in each decade
    world.clock.sleep(1e6)
    assert world.tip.z(1e6) - start == pytest.approx(len(CREEP_TIMES) * 2e-9, rel=1e-6)


def test_creep_does_not_depend_on_how_often_it_is_asked_for(make_world):
    heights = []
    for looks in (1, 50):
        world = make_world(sample=Uniform(slope=1.0), tip=Tip(**STILL, creep=Creep(0.02, 0.05)))
        world.tip.move_to(100e-9, 0.0)
        for _ in range(looks):
            world.clock.sleep(50.0 / looks)
            world.tip.z(world.clock.now())
            world.tip.hold()
            world.tip.release()
        heights.append(world.tip.z(world.clock.now()))
    assert heights[0] == pytest.approx(heights[1], abs=1e-14)


def test_the_z_piezo_creeps_on_after_the_loop_is_opened(make_world):
    world = make_world(tip=Tip(**STILL, creep=Creep(vertical=0.02)))
    world.tip.hold()
    world.tip.set_z(world.tip.z(0.0) + 1e-9)
    world.clock.sleep(1e5)
    lacking = 0.02 * 1e-9 * len(CREEP_TIMES)
    early, late = current(world, 0.0), current(world, 1e5)
    assert early / late == pytest.approx(math.exp(2 * KAPPA * lacking), rel=1e-3)


# -- feedback ---------------------------------------------------------------------------------


def test_gains_decide_how_fast_the_loop_is(make_world):
    gains = Gains(proportional=10e-12, integral=2e-9)
    world = make_world(tip=Tip(**STILL, gains=gains))
    time = (1 + 2 * KAPPA * 10e-12) / (2 * KAPPA * 2e-9)
    assert world.tip.feedback.time == pytest.approx(time)
    world.tip.set_setpoint(200e-12)
    world.clock.sleep(1.0)
    errors = [math.log(current(world, t) / 200e-12) for t in (0.0, time)]
    assert errors[0] == pytest.approx(-math.log(2) / (1 + 2 * KAPPA * 10e-12), rel=1e-6)
    assert errors[0] / errors[1] == pytest.approx(math.e, rel=1e-6)


def test_gains_can_be_changed_while_the_loop_is_closed(make_world):
    world = make_world(tip=Tip(**STILL))
    world.tip.set_setpoint(200e-12)
    world.clock.sleep(5e-3)
    before = world.tip.z(5e-3)
    world.tip.set_gains(0.0, 1e-9)
    assert world.tip.z(5e-3) == pytest.approx(before, abs=1e-15)
    assert world.tip.feedback.time == pytest.approx(1 / (2 * KAPPA * 1e-9))
    with pytest.raises(ValueError, match="integral gain must be positive"):
        world.tip.set_gains(0.0, 0.0)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_slow_loop_lags_behind_a_slope_by_speed_times_time(direction):
    loop = Feedback(5e-3, Gains(integral=1e-9), KAPPA)
    times = np.linspace(0, 1, 257)[::direction]
    wanted = 1e-9 * np.abs(times - times.min()) * direction
    followed = loop.follow(wanted, times)
    late = np.argmax(times)
    assert (wanted - followed)[late] == pytest.approx(direction * 1e-9 * loop.time, rel=1e-6)
    assert Feedback(5e-3, Gains(), KAPPA).follow(wanted, times) is wanted


def test_forward_and_backward_lines_of_a_slow_loop_differ(make_world):
    sample = Uniform(slope=0.2)
    world = make_world(sample=sample, tip=Tip(**STILL, gains=Gains(integral=1e-9)))
    world.clock.sleep(2.0)
    x = np.linspace(0, 100e-9, 128)
    forth = world.tip.line(x, 0 * x, np.linspace(0, 1, 128))
    back = world.tip.line(x, 0 * x, np.linspace(2, 1, 128))
    lag = 0.2 * 100e-9 * world.tip.feedback.time
    assert (back - forth)[64] == pytest.approx(2 * lag, rel=0.01)


# -- changes of the tip -----------------------------------------------------------------------


def test_a_change_of_the_tip_is_a_step_of_the_current_when_held(make_world):
    changes = Changes(times=[10.0], step=20e-12)
    world = make_world(tip=Tip(**STILL, changes=changes))
    world.tip.hold()
    world.clock.sleep(20.0)
    event = world.history()[1]
    assert (event["what"], event["time"]) == ("change", 10.0)
    step = event["length"]
    ratio = current(world, 10.0) / current(world, 9.99)
    assert ratio == pytest.approx(math.exp(2 * KAPPA * step), rel=1e-6)
    assert world.changes_between(0.0, 20.0).tolist() == [10.0]
    assert world.violations == []


def test_under_feedback_a_change_is_a_step_of_z_after_which_the_current_recovers(make_world):
    world = make_world(tip=Tip(**STILL, changes=Changes(times=[10.0], step=20e-12)))
    before = world.tip.z(0.0)
    world.clock.sleep(20.0)
    step = world.history()[1]["length"]
    assert world.tip.z(20.0) - before == pytest.approx(step, rel=1e-9)
    assert current(world, 10.0) == pytest.approx(100e-12 * math.exp(2 * KAPPA * step), rel=1e-6)
    assert current(world, 20.0) == pytest.approx(100e-12, rel=1e-9)


def test_changes_are_the_same_however_often_the_tip_is_looked_at(make_world):
    histories = []
    for looks in (1, 200):
        world = make_world(seed=3, tip=Tip(changes=Changes(interval=1000.0)))
        for _ in range(looks):
            world.clock.sleep(20000.0 / looks)
            world.tip.z(world.clock.now())
        histories.append(world.history())
    assert histories[0] == histories[1]
    assert 8 < len(histories[0]) < 40
    assert make_world(seed=4, tip=Tip(changes=Changes(interval=1000.0))).history() != histories[0]


def test_changes_at_given_times_and_at_random_come_in_order():
    apex = Apex(Changes(interval=50.0, times=(30.0, 10.0)), Flake(), np.random.default_rng(1))
    for _ in range(10):
        apex.change()
    times = [state.since for state in apex.states]
    assert times == sorted(times)
    assert {10.0, 30.0} <= set(times)
    assert apex.state_at(10.0).since == 10.0
    lengths = apex.length(np.array(times))
    assert lengths.tolist() == [state.length for state in apex.states]


def test_a_flake_turns_the_spectrum_into_that_between_two_superconductors(make_world):
    source = Waveform(4e-3)
    changes = Changes(times=[10.0], step=0.0)
    tip = Tip(**STILL, changes=changes, flake=Flake(gap=1.3e-3, broadening=30e-6))
    world = make_world(sample=Uniform(barrier=3.5), tip=tip, bias=source)
    world.clock.sleep(20.0)
    world.tip.hold()
    assert world.truth()["tip_gap"] == 1.3e-3
    source.ramp(20.0, -4e-3, 8e-3)
    world.clock.sleep(1.0)
    times = np.linspace(20.0, 21.0, 401)
    bias, scale = world.bias(times), world.truth()["scale"]
    expected = sis.conductance(bias, 0.6e-3, 0.5, 1.3e-3, 0.0, 30e-6)
    assert world.conductance(times) / scale == pytest.approx(expected, rel=1e-9, abs=1e-6)
    peak = abs(bias[np.argmax(world.conductance(times))])
    assert peak == pytest.approx(1.9e-3, rel=0.03)  # sum of both gaps


def test_a_tip_that_superconducts_from_the_start_loses_its_flake(make_world):
    flake = Flake(gap=1.3e-3, present=True)
    world = make_world(tip=Tip(changes=Changes(times=[5.0]), flake=flake))
    world.clock.sleep(10.0)
    assert [event["gap"] for event in world.history()] == [1.3e-3, 0.0]


def test_a_flake_on_a_sample_that_cannot_show_it_is_refused(make_world):
    bias = np.linspace(-3e-3, 3e-3, 101)
    sample = Measured(np.zeros((8, 8)), (1e-8, 1e-8), [(0.5, bias, np.ones(101))])
    with pytest.raises(BadInputError, match="what a superconducting tip would see"):
        make_world(sample=sample, tip=Tip(flake=Flake(gap=1e-3)))


# -- crashes ----------------------------------------------------------------------------------


def test_a_crash_is_recorded_and_may_change_the_tip(make_world):
    for by_crash, events in ((False, ["start", "crash"]), (True, ["start", "crash"])):
        world = make_world(tip=Tip(**STILL, changes=Changes(by_crash=by_crash)))
        world.clock.sleep(1.0)
        world.tip.hold()
        world.tip.set_z(world.tip.z(1.0) - 2e-9)
        assert [event["what"] for event in world.history()] == events
        assert (world.history()[1]["length"] != 0) == by_crash
        assert ["touches the surface" in line for line in world.violations] == [True]


def test_a_set_point_beyond_contact_drives_the_tip_into_the_surface(make_world):
    world = make_world(tip=Tip(**STILL))
    world.tip.set_setpoint(100e-9)
    assert world.violations == []
    world.tip.set_setpoint(1e-6)  # 4 mV at 77 uS are 0.3 uA
    assert ["before the set-point is reached" in line for line in world.violations] == [True]


def test_a_tip_that_grows_into_the_surface_while_held_crashes(make_world):
    changes = Changes(times=[float(t) for t in range(1, 30)], step=0.5e-9)
    world = make_world(seed=1, tip=Tip(**STILL, changes=changes))
    world.tip.hold()
    world.clock.sleep(40.0)
    assert any("the tip changed and touches the surface" in line for line in world.violations)


def test_everything_is_off_by_default(make_world):
    world = make_world()
    world.clock.sleep(1e5)
    world.tip.hold()
    assert set(world.truth()) == {"gap", "temperature", "barrier", "x", "y", "scale"}
    expected = {"what": "start", "time": 0.0, "length": 0.0, "gap": 0.0}
    assert world.history() == [expected]
    assert not world.interference.active

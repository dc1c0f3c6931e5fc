"""The tip of the twin: set-point, exponential decay, drift, feedback, and what it must not do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.barrier import CONTACT_CONDUCTANCE
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.waveform import Waveform

STILL = {"drift_z": 0.0}


def current(world, time):
    return float(world.current(np.array([time]))[0])


@pytest.mark.parametrize("bias", [4e-3, -4e-3, 0.3e-3])
def test_feedback_gives_the_setpoint_current_with_the_sign_of_the_bias(make_world, bias):
    world = make_world(tip=Tip(**STILL), bias=Waveform(bias))
    world.clock.sleep(1.0)
    assert current(world, 1.0) == pytest.approx(math.copysign(100e-12, bias), rel=1e-9)


def test_feedback_keeps_the_setpoint_on_any_junction(make_world):
    for barrier in (0.0, 0.5, 3.0):
        world = make_world(sample=Uniform(barrier=barrier))
        assert current(world, 0.0) == pytest.approx(100e-12, rel=1e-9)


def test_the_held_junction_has_the_setpoint_current_at_the_setpoint_bias(make_world):
    world = make_world(tip=Tip(**STILL))
    world.tip.hold()
    world.clock.sleep(10.0)
    assert current(world, 10.0) == pytest.approx(100e-12, rel=1e-9)
    assert world.truth()["scale"] == pytest.approx(100e-12 / 4e-3, rel=0.05)


def test_the_scale_belongs_to_the_true_nonlinear_current(make_world):
    """At small Z the excess current makes the same set-point a smaller normal conductance."""
    scales = []
    for barrier in (0.0, 3.0):
        world = make_world(sample=Uniform(barrier=barrier), tip=Tip(**STILL))
        world.tip.hold()
        scales.append(world.truth()["scale"])
    transparent, opaque = scales
    excess = 4 / 3 * 0.6e-3  # BTK: e I_exc R_N = 4/3 gap at Z = 0 and zero temperature
    assert transparent == pytest.approx(100e-12 / (4e-3 + excess), rel=0.02)
    assert opaque == pytest.approx(100e-12 / 4e-3, rel=0.02)


def test_conductance_is_the_derivative_of_the_current(make_world):
    source = Waveform(4e-3)
    world = make_world(tip=Tip(**STILL), bias=source)
    world.tip.hold()
    source.ramp(0.0, -4e-3, 8e-3)
    world.clock.sleep(1.0)
    times = np.linspace(0.0, 1.0, 4001)
    volts, amperes = world.bias(times), world.current(times)
    numerical = np.gradient(amperes, volts)
    assert world.conductance(times)[2:-2] == pytest.approx(numerical[2:-2], rel=2e-3, abs=5e-12)


def test_drift_changes_the_held_junction_exponentially(make_world):
    drift = 1e-12
    world = make_world(tip=Tip(drift_z=drift, work_function=4.0))
    world.tip.hold()
    world.clock.sleep(100.0)
    kappa = math.sqrt(2 * 9.1093837e-31 * 4.0 * 1.602176634e-19) / 1.054571817e-34
    assert current(world, 20.0) / current(world, 0.0) == pytest.approx(
        math.exp(2 * kappa * drift * 20.0), rel=1e-6
    )


def test_the_height_follows_the_drift_under_feedback_and_stays_when_held(make_world):
    world = make_world(tip=Tip(drift_z=1e-12))
    world.clock.sleep(10.0)
    before = world.tip.z(0.0)
    assert world.tip.z(10.0) - before == pytest.approx(10e-12, rel=1e-6)
    world.tip.hold()
    world.clock.sleep(10.0)
    assert world.tip.z(20.0) == world.tip.z(10.0)


def test_ten_times_the_current_brings_the_tip_closer_by_ln10_over_2kappa(make_world):
    world = make_world(tip=Tip(**STILL))
    far = world.tip.z(0.0)
    world.tip.set_setpoint(1e-9)
    world.clock.sleep(1.0)
    assert far - world.tip.z(1.0) == pytest.approx(
        math.log(10) / (2 * world.tip.barrier.kappa), rel=1e-9
    )
    assert current(world, 1.0) == pytest.approx(1e-9, rel=1e-9)


def test_after_release_the_loop_settles_with_its_time_constant(make_world):
    world = make_world(tip=Tip(drift_z=1e-12, feedback_time=0.1))
    world.tip.hold()
    world.clock.sleep(100.0)
    world.tip.release()
    world.clock.sleep(1.0)
    errors = [math.log(current(world, 100.0 + t) / 100e-12) for t in (0.0, 0.1)]
    assert errors[0] == pytest.approx(2 * world.tip.barrier.kappa * 100e-12, rel=1e-6)
    assert errors[0] / errors[1] == pytest.approx(math.e, rel=1e-6)
    assert current(world, 101.0) == pytest.approx(100e-12, rel=1e-3)


def test_the_past_can_still_be_measured_after_the_release(make_world):
    world = make_world(tip=Tip(drift_z=5e-12))
    world.clock.sleep(1.0)
    world.tip.hold()
    world.clock.sleep(1.0)
    times = np.linspace(0.5, 1.9, 15)
    during = world.current(times)
    world.tip.release()
    world.clock.sleep(1.0)
    assert world.current(times) == pytest.approx(during, rel=1e-12)
    assert during[-1] > during[0]


def test_truth_is_that_of_the_last_hold(make_world):
    world = make_world(tip=Tip(drift_x=1e-10))
    assert world.truth() == {}
    world.clock.sleep(10.0)
    world.tip.move_to(5e-9, 2e-9)
    world.tip.hold()
    world.clock.sleep(10.0)
    truth = world.truth()
    assert (truth["gap"], truth["barrier"]) == (0.6e-3, 2.0)
    assert truth["x"] == pytest.approx(4e-9)  # the surface slid 1 nm along
    assert truth["y"] == 2e-9


def test_a_good_night_has_no_violations(make_world):
    world = make_world()
    for x in (1e-9, 2e-9):
        world.tip.move_to(x, 0.0)
        world.clock.sleep(0.1)
        world.tip.hold()
        world.clock.sleep(2.0)
        world.tip.release()
    assert world.violations == []


def test_a_lateral_move_with_the_feedback_off_is_recorded(make_world):
    world = make_world()
    world.tip.hold()
    world.tip.move_to(0.0, 0.0)
    assert world.violations == []
    world.tip.move_to(1e-9, 0.0)
    assert ["lateral move" in line for line in world.violations] == [True]


def test_dragging_the_held_tip_uphill_shortens_the_distance_until_it_crashes(make_world):
    world = make_world(sample=Uniform(slope=0.1), tip=Tip(**STILL))
    world.tip.hold()
    world.tip.move_to(1e-9, 0.0)
    assert current(world, 0.0) == pytest.approx(
        100e-12 * math.exp(2 * world.tip.barrier.kappa * 0.1e-9), rel=1e-6
    )
    world.tip.move_to(10e-9, 0.0)
    assert any("touches the surface" in line for line in world.violations)
    largest = float(world.conductance(np.array([0.0]))[0])
    assert largest == pytest.approx(CONTACT_CONDUCTANCE, rel=0.1)


def test_drifting_into_the_surface_while_held_is_a_crash(make_world):
    world = make_world(tip=Tip(drift_z=1e-12))
    world.tip.hold()
    world.clock.sleep(300.0)  # 0.3 nm: still clear of the surface
    world.tip.release()
    assert world.violations == []
    world.tip.hold()
    world.clock.sleep(600.0)
    world.tip.release()
    assert ["drifted into the held tip" in line for line in world.violations] == [True]


def test_closing_the_loop_at_zero_bias_is_a_crash(make_world):
    source = Waveform(4e-3)
    world = make_world(bias=source)
    world.inspect()
    world.tip.hold()
    source.ramp(world.clock.now(), 0.0, 0.1)
    world.clock.sleep(1.0)
    world.tip.release()
    assert ["feedback closed at zero bias" in line for line in world.violations] == [True]


def test_withdrawing_ends_the_current(make_world):
    world = make_world()
    world.tip.withdraw()
    assert not world.tip.feedback_on
    assert current(world, 0.0) == 0.0
    assert world.violations == []

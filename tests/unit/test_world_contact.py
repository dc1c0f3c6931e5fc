"""The world over junctions that change as the tip comes closer, or under microwaves."""

from __future__ import annotations

import numpy as np
import pytest

from sim.samples.inox import InoxFilm
from sim.samples.microwave import InoxFilm as HeatedInox
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.waveform import Waveform
from stm_daq.physics import btk

QUANTUM = 7.748e-5
STILL = {"drift_z": 0.0, "contact_conductance": 4 * QUANTUM}


def current(world, time):
    return float(world.current(np.array([time]))[0])


@pytest.mark.parametrize("film", [2, 4])
def test_the_feedback_finds_the_set_point_from_tunnelling_to_contact(make_world, film):
    """As the paper: 1 nA to 1 uA at a few millivolts."""
    world = make_world(sample=InoxFilm(1, film), tip=Tip(**STILL))
    scales = []
    for setpoint in (1e-9, 30e-9, 1e-6):
        world.tip.release()
        world.tip.set_setpoint(setpoint)
        world.clock.sleep(1.0)
        assert current(world, world.clock.now()) == pytest.approx(setpoint, rel=1e-3)
        world.tip.hold()
        scales.append(world.truth()["scale"])
    assert scales[0] == pytest.approx(1e-9 / 4e-3, rel=0.1)
    assert QUANTUM < scales[2] < 4 * QUANTUM
    assert world.violations == []


def test_the_spectrum_of_a_held_tip_is_that_of_its_contact(make_world):
    source = Waveform(4e-3)
    world = make_world(sample=InoxFilm(1, 2), tip=Tip(**STILL), bias=source)
    world.tip.set_setpoint(0.5e-6)
    world.clock.sleep(1.0)
    world.tip.hold()
    truth = world.truth()
    source.ramp(1.0, -4e-3, 8e-3)
    world.clock.sleep(1.0)
    times = np.linspace(1.0, 2.0, 201)
    place = world.sample.junction(truth["x"], truth["y"], 0.5)
    expected = truth["scale"] * place.at(truth["scale"]).conductance(world.bias(times), 0.0)
    assert world.conductance(times) == pytest.approx(expected, rel=1e-2)
    assert truth["weight"] == pytest.approx(1 - truth["scale"] / 3.1e-4, rel=1e-2)


def test_drift_closes_the_contact_little_by_little(make_world):
    tip = Tip(drift_z=1e-12, contact_conductance=4 * QUANTUM)
    world = make_world(sample=InoxFilm(1, 2), tip=tip, bias=Waveform(0.05e-3))
    world.tip.set_setpoint(1e-10)
    world.clock.sleep(1.0)
    world.tip.hold()
    world.clock.sleep(100.0)
    times = np.linspace(1.0, 101.0, 400)
    inside = world.conductance(times)
    steps = np.diff(np.log(inside))
    assert np.all(steps > 0)
    assert np.abs(np.diff(steps)).max() < 3e-3  # junctions are told apart more finely than noise


def test_microwaves_act_from_the_moment_on_when_they_arrive(make_world):
    world = make_world(sample=HeatedInox(), tip=Tip(drift_z=0.0), bias=Waveform(0.3e-3))
    world.clock.sleep(1.0)
    world.tip.hold()
    world.clock.sleep(1.0)
    world.set_microwave_power(0.9e-9)
    world.clock.sleep(1.0)
    times = np.array([1.5, 2.5])
    dark, lit = world.conductance(times)
    assert lit > 5 * dark
    assert world.changes_between(1.0, 3.0).tolist() == [2.0]
    world.tip.release()
    world.clock.sleep(1.0)
    world.tip.hold()
    truth = world.truth()
    assert truth["microwave_power"] == 0.9e-9
    hot = world.sample.electron_temperature(world.stage_temperature(3.0), 0.9e-9)
    assert truth["gap"] < 0.9 * 1.764 * btk.K_B * 3.5
    assert 2.5 < hot < 3.5
    with pytest.raises(ValueError, match="must not be negative"):
        world.set_microwave_power(-1e-9)


def test_a_sample_that_feels_no_microwaves_stays_as_it_is(make_world):
    world = make_world(sample=Uniform(), tip=Tip(drift_z=0.0))
    before = current(world, 0.0)
    world.set_microwave_power(1e-6)
    world.clock.sleep(1.0)
    assert current(world, 1.0) == before

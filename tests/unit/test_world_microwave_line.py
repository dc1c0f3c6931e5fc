"""The line of the microwaves to the tip: losses, standing waves, powers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.line import LIGHT, MicrowaveLine
from sim.world import World


def test_cables_lose_by_the_skin_effect() -> None:
    line = MicrowaveLine(attenuation=20.0, skin_loss=3.0, reflection=0.0)
    assert line.loss(1e9) == pytest.approx(23.0)
    assert line.loss(16e9) == pytest.approx(32.0)


def test_standing_waves_repeat_when_another_half_wave_fits() -> None:
    line = MicrowaveLine(skin_loss=0.0, reflection=0.3)
    period = line.speed * LIGHT / (2 * line.length)
    frequencies = np.linspace(5e9, 5e9 + period, 1001)
    loss = np.array([line.loss(f) for f in frequencies])
    assert loss[0] == pytest.approx(loss[-1])
    assert np.ptp(loss) == pytest.approx(20 * math.log10(1.3 / 0.7), rel=1e-3)
    assert np.sum(np.diff(np.sign(np.diff(loss))) != 0) == 2  # one maximum, one minimum


def test_power_in_watts() -> None:
    line = MicrowaveLine(attenuation=30.0, skin_loss=0.0, reflection=0.0)
    assert line.power_at_tip(10e9, 0.0) == pytest.approx(1e-6)
    assert line.power_at_tip(10e9, 3.0) == pytest.approx(1.995e-6, rel=1e-3)


def test_the_world_adds_all_sources_that_are_on(make_world) -> None:  # type: ignore[no-untyped-def]
    world: World = make_world()
    assert world.microwave_power(0.0) == 0.0
    world.add_microwaves("one", lambda time: (5e9, -20.0))
    world.add_microwaves("two", lambda time: (5e9, -20.0) if time > 1 else None)
    alone = world.line.power_at_tip(5e9, -20.0)
    assert world.microwave_power(0.0) == alone
    assert world.microwave_power(2.0) == 2 * alone

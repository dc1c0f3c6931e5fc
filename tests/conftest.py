"""Fixtures shared by the tests of the twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from sim.fridge import Fridge
from sim.preamplifier import Preamplifier
from sim.samples import Sample
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.waveform import Waveform
from sim.world import World
from stm_daq.clock import VirtualClock

type WorldFactory = Callable[..., World]


@pytest.fixture
def make_world() -> WorldFactory:
    """Build a world whose junction is biased at 4 mV; by default everywhere the same."""

    def make(
        sample: Sample | None = None,
        tip: Tip | None = None,
        seed: int = 1,
        bias: Waveform | None = None,
    ) -> World:
        world = World(
            VirtualClock(), seed, sample or Uniform(), Preamplifier(), Fridge(), tip or Tip()
        )
        world.add_bias("test", bias or Waveform(4e-3))
        return world

    return make


@dataclass
class WaitingClock:
    """A clock whose sleeps are counted; at the third one something happens."""

    happens: Callable[[], object]
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        """Return the sum of all sleeps, s."""
        return sum(self.slept)

    wall = now

    def sleep(self, seconds: float) -> None:
        """Count a sleep."""
        self.slept.append(seconds)
        if len(self.slept) == 3:
            self.happens()


@pytest.fixture
def make_waiting_clock() -> type[WaitingClock]:
    """Return the class of clocks that only count how long somebody waited."""
    return WaitingClock

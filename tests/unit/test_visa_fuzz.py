"""Damaged and absurd messages never kill a simulated VISA device (10^5 each in the benchmark)."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "visa_fuzz.py"


def fuzzing():
    if "visa_fuzz" not in sys.modules:
        spec = importlib.util.spec_from_file_location("visa_fuzz", PATH)
        module = importlib.util.module_from_spec(spec)
        sys.modules["visa_fuzz"] = module
        spec.loader.exec_module(module)
    return sys.modules["visa_fuzz"]


@pytest.mark.parametrize("name", sorted(fuzzing().DEVICES))
def test_no_message_kills_a_device(name):
    outcome = fuzzing().fuzz(name, 500, seed=7)
    assert outcome.failures == []
    assert outcome.healthy
    assert outcome.counts["answered"] > 50
    assert outcome.counts["refused"] > 50


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smb100a", b"SOUR:POW 2,2"),
        ("sgs100a", b"SOUR:FREQ 1e9,2e9"),
        ("sr860", b"SLVL 1e308"),
        ("sr830", b"TRCL? 2,0,inf"),
        ("qdac2", b"SOUR1:DC:TRIG:SOUR"),
        ("qdac2", b"SOUR3:LIST:VOLT #13abc"),
        ("gs200", b"PROG:SLOP fast"),
    ],
)
def test_what_once_killed_a_device_is_refused(name, message):
    from sim.fridge import Fridge
    from sim.preamplifier import Preamplifier
    from sim.samples.uniform import Uniform
    from sim.tip import Tip
    from sim.world import World
    from stm_daq.clock import VirtualClock

    world = World(VirtualClock(), 1, Uniform(), Preamplifier(), Fridge(), Tip())
    device = fuzzing().DEVICES[name](world)
    assert device.handle(message) is None
    assert len(device.errors) == 1
    assert device.handle(b"*IDN?") == device.IDENTITY.encode() + device.TERMINATOR

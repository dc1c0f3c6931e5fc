"""Rehearsals killed at random instants lose nothing and go on as if nothing had been."""

import importlib
import sys
from pathlib import Path

import pytest

KILLS = {"plain": 7, "careful": 8, "steps": 5, "skips": 5}
"""Kills of each plan of the benchmark."""


@pytest.fixture(scope="module")
def kill():
    """Return the harness of the benchmark, importable under its name in other processes too."""
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    yield importlib.import_module("kill")
    sys.path.remove(folder)


@pytest.mark.parametrize(("name", "kills"), KILLS.items())
def test_a_killed_rehearsal_ends_as_if_nothing_had_been(kill, tmp_path, name, kills):
    killer = kill.Killer(tmp_path, kill.PLANS[name], seed=5)
    number = 0
    while killer.tally.kills < kills:
        killer.trial(number, kills=5)
        number += 1
    assert killer.tally.troubles == []
    assert killer.tally.maps == number
    assert killer.tally.acknowledged >= 5 * number  # how many depends on the speed of the machine
    assert len(killer.tally.phases) >= 2

"""Rehearsals killed at random instants lose nothing and go on as if nothing had been."""

import importlib
import sys
from pathlib import Path

import pytest

KILLS = 25


@pytest.fixture(scope="module")
def kill():
    """Return the harness of the benchmark, importable under its name in other processes too."""
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    yield importlib.import_module("kill")
    sys.path.remove(folder)


def test_kills_at_random_instants_lose_nothing(kill, tmp_path):
    killer = kill.Killer(tmp_path, "", seed=5)
    number = 0
    while killer.tally.kills < KILLS:
        killer.trial(number, kills=5)
        number += 1
    # whether resumed maps are equal bit for bit is counted by the benchmark, on an idle machine
    assert killer.tally.lost == []
    assert killer.tally.unreadable == []
    assert killer.tally.maps == number
    assert killer.tally.acknowledged >= 15 * number
    assert len(killer.tally.phases) >= 3

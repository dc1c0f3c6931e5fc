"""A full disk: the run waits with its feedback closed, and goes on as if nothing had been."""

import sys

import numpy as np
import pytest

import stm_daq
from stm_daq import disk_space
from stm_daq.records import Event, Spectrum
from stm_daq.store.journal import Journal
from stm_daq.store.reading import events


def limit(journal, pages):
    """Let the journal's file have so many pages at most, or as many as it has if that is more."""
    return journal._connection.execute(f"PRAGMA max_page_count={pages}").fetchone()[0]


@pytest.fixture
def filling(monkeypatch, make_waiting_clock):
    """Let the disk of the next rehearsal be full after some writes, and free after three looks."""
    journals = []
    clock = make_waiting_clock(lambda: limit(journals[0], 100_000))
    original = Journal.write

    def write(self, *records, durable=True):
        if any(isinstance(r, Spectrum) and r.site.index == 5 for r in records) and not journals:
            journals.append(self)
            limit(self, 1)
        original(self, *records)

    monkeypatch.setattr(Journal, "write", write)
    module = sys.modules["stm_daq.night.measure"]  # the package has a function of that name
    monkeypatch.setattr(module, "RealClock", lambda: clock)
    return clock


def test_a_full_disk_pauses_the_run_and_nothing_is_lost(rehearse, filling):
    seen = []
    result = rehearse(seen.append, seed=3)
    assert result.ended.state == "finished"
    assert filling.slept == [disk_space.POLL] * 3
    told = [event.kind for event in events(result.folder) if event.kind.startswith("disk")]
    assert told == ["disk_full", "disk_free"]
    assert [r.kind for r in seen if isinstance(r, Event) and r.kind.startswith("disk")] == told
    assert result.violations == ()
    run = stm_daq.open_run(result.folder)
    whole = stm_daq.open_run(rehearse(runs="whole", seed=3).folder)
    for name in ("conductance", "time", "z", "gap", "topography"):
        np.testing.assert_array_equal(run[name].values, whole[name].values, err_msg=name)

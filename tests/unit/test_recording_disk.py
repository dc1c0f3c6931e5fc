"""Waiting for space on the disk, and for somebody who does not want to wait."""

from collections import namedtuple

import pytest

from stm_daq import disk_space
from stm_daq.disk_space import DiskSpace
from stm_daq.errors import DiskFullError
from stm_daq.recording import Recording
from stm_daq.records import Event
from stm_daq.store.journal import Journal

Usage = namedtuple("Usage", "total used free")


def test_somebody_may_stop_a_run_that_waits_for_the_disk(tmp_path, run, make_waiting_clock):
    stops = []
    clock = make_waiting_clock(lambda: stops.append(True))
    with Journal.create(tmp_path, run.started()) as journal:
        recording = Recording(clock, DiskSpace(tmp_path, clock, lambda: bool(stops)))
        recording.connect(journal, run.started(), [], [], [])
        journal._connection.execute("PRAGMA max_page_count=1")
        large = run.topograph(0, 300)  # does not fit into the pages that are free already
        with pytest.raises(DiskFullError, match="free some space"):
            recording.emit(large)
    assert len(clock.slept) == 3


def test_little_space_is_enough_to_wait(tmp_path, run, monkeypatch, make_waiting_clock):
    free = [disk_space.LEAST - 1]
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: Usage(0, 0, free[0]))
    clock = make_waiting_clock(lambda: free.append(free.pop() + 1))
    seen = []
    with Journal.create(tmp_path, run.started()) as journal:
        recording = Recording(clock, DiskSpace(tmp_path, clock))
        recording.connect(journal, run.started(), [], [], [seen.append])
        recording.emit(run.spectrum(0))
        recording.emit(run.spectrum(1))
    assert len(clock.slept) == 3
    kinds = [r.kind if isinstance(r, Event) else type(r).__name__ for r in seen[1:]]
    assert kinds == ["Spectrum", "disk_full", "disk_free", "Spectrum"]

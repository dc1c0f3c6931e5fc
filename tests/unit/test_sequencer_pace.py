"""The expected finish time."""

import pytest

from stm_daq.clock import VirtualClock
from stm_daq.sequencer.pace import Pace


def test_steady_run_predicts_its_end_exactly():
    clock = VirtualClock(epoch=1000.0)
    pace = Pace(clock, total=10, expected_seconds=999.0)
    for _ in range(4):
        clock.sleep(3.0)
        pace.site_done()
    progress = pace.progress("running")
    assert (progress.done, progress.total) == (4, 10)
    assert progress.finish_time == pytest.approx(1000.0 + 30.0)
    assert progress.rate == pytest.approx(1200.0)


def test_rows_of_the_topograph_are_counted_in():
    clock = VirtualClock()
    pace = Pace(clock, total=4, expected_seconds=1.0)
    for rows_left in (1, 0):
        clock.sleep(10.0)
        pace.row_scanned(rows_left)
        for _ in range(2):
            clock.sleep(1.0)
            pace.site_done()
        if rows_left:
            assert pace.progress("running").finish_time == pytest.approx(24.0)
    assert pace.progress("running").finish_time == pytest.approx(clock.wall())


def test_one_long_pause_does_not_change_the_pace():
    clock = VirtualClock()
    pace = Pace(clock, total=1000, expected_seconds=1.0)
    for seconds in [1.0] * 20 + [3600.0] + [1.0] * 20:
        clock.sleep(seconds)
        pace.site_done()
    assert pace.progress("running").rate == pytest.approx(3600.0)


def test_before_the_first_site_the_estimate_of_the_plan_is_used():
    pace = Pace(VirtualClock(), total=10, expected_seconds=50.0)
    assert pace.progress("running").finish_time == pytest.approx(50.0)

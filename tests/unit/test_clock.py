"""Virtual time."""

import pytest

from stm_daq.clock import RealClock, VirtualClock, wait_until
from stm_daq.errors import DeadlineError


def test_sleep_jumps_and_events_happen_in_order_at_their_time():
    clock = VirtualClock(epoch=100.0)
    seen = []
    clock.call_at(2.0, lambda: seen.append(("b", clock.now())))
    clock.call_at(1.0, lambda: seen.append(("a", clock.now())))
    clock.call_at(9.0, lambda: seen.append(("late", clock.now())))
    clock.sleep(5.0)
    assert seen == [("a", 1.0), ("b", 2.0)]
    assert (clock.now(), clock.wall()) == (5.0, 105.0)


def test_an_event_may_schedule_the_next_one():
    clock = VirtualClock()
    ticks = []

    def tick():
        ticks.append(clock.now())
        clock.call_at(clock.now() + 1.0, tick)

    clock.call_at(1.0, tick)
    clock.sleep(3.5)
    assert ticks == [1.0, 2.0, 3.0]


def test_negative_sleep_returns_at_once():
    clock = VirtualClock()
    clock.sleep(-1.0)
    assert clock.now() == 0.0


def test_wait_until_has_a_deadline_and_says_what_it_waited_for():
    clock = VirtualClock()
    wait_until(clock, lambda: clock.now() >= 1.0, timeout=2.0, poll=0.1, what="nothing happened")
    with pytest.raises(DeadlineError, match="the loop did not close within 2 s"):
        wait_until(clock, lambda: False, timeout=2.0, poll=0.1, what="the loop did not close")
    assert clock.now() == pytest.approx(3.0, abs=0.25)


def test_real_clock_moves_forward():
    clock = RealClock()
    before = clock.now()
    clock.sleep(0.001)
    assert clock.now() > before

"""The clock of a served twin: it follows real time, and threads take turns."""

from __future__ import annotations

import threading

import pytest

from stm_daq.clock import PacedClock
from stm_daq.errors import ClockStoppedError


def test_time_stands_still_during_a_turn_and_passes_in_sleep():
    clock = PacedClock(1e9, speed=1000.0)
    with clock.turn():
        before = clock.now()
        for _ in range(1000):
            assert clock.now() == before
        clock.sleep(5.0)
        assert clock.now() >= before + 5.0
    assert clock.wall() == 1e9 + clock.now()
    clock.sleep(-1.0)


def test_what_is_due_happens_in_order_at_its_own_time():
    clock = PacedClock(0.0, speed=1000.0)
    happened = []
    with clock.turn():
        start = clock.now()
        for delay in (2.0, 1.0, 3.0):
            clock.call_at(start + delay, lambda: happened.append(clock.now() - start))
        clock.sleep(4.0)
    assert happened == pytest.approx([1.0, 2.0, 3.0])


def test_a_sleeper_lends_its_turn():
    clock = PacedClock(0.0, speed=1.0)
    asleep, visited = threading.Event(), threading.Event()

    def sleeper():
        with clock.turn():
            asleep.set()
            with pytest.raises(ClockStoppedError, match="switched off"):
                clock.sleep(1e6)

    thread = threading.Thread(target=sleeper)
    thread.start()
    asleep.wait()
    with clock.turn():  # would wait for ever if the sleeper kept its turn
        visited.set()
    clock.stop()
    thread.join(timeout=30)
    assert visited.is_set()
    assert not thread.is_alive()


def test_only_one_has_a_turn():
    clock = PacedClock(0.0)
    inside, most = [], []

    def work():
        for _ in range(200):
            with clock.turn():
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 800


def test_nobody_waits_for_somebody_who_left():
    clock = PacedClock(0.0)
    with (
        clock.while_wanted(lambda: False),
        pytest.raises(ClockStoppedError, match="left"),
        clock.turn(),
    ):
        clock.sleep(1e6)
    clock.sleep(1e-3)


def test_what_fails_when_it_is_due_does_not_hit_who_has_the_turn(caplog):
    clock = PacedClock(0.0, speed=1000.0)
    happened = []
    with clock.turn():
        clock.call_at(clock.now() + 1.0, lambda: 1 // 0)
        clock.call_at(clock.now() + 2.0, lambda: happened.append(1))
        clock.sleep(5.0)
    assert happened == [1]
    assert "ZeroDivisionError" in caplog.text

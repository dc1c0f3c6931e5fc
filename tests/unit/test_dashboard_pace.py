"""A page is told no faster than its browser draws, and who clicks hears what became of it."""

from __future__ import annotations

import pytest

from stm_daq.clock import VirtualClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.dashboard.offers import Offers
from stm_daq.monitor.dashboard.pace import BEHIND, GATHER, PERIOD, Pace
from stm_daq.monitor.orders import Confirmation


def test_a_browser_that_keeps_up_is_told_every_period() -> None:
    clock = VirtualClock()
    pace = Pace(clock)
    for tick in range(1, 4):
        pace.updated()
        pace.told(tick)
        pace.drawn(tick)
        assert pace.wait == pytest.approx(PERIOD)
        clock.sleep(PERIOD)
        assert pace.wait == GATHER


def test_a_browser_that_lags_is_waited_for_but_not_for_ever() -> None:
    clock = VirtualClock()
    pace = Pace(clock)
    pace.updated()
    pace.told(1)
    pace.told(2)
    clock.sleep(0.5)
    pace.drawn(1)
    assert pace.wait == pytest.approx(BEHIND - 0.5)
    pace.drawn(2)
    assert pace.wait == GATHER
    pace.updated()
    pace.told(3)
    clock.sleep(BEHIND)
    assert pace.wait == GATHER
    pace.drawn(10**9)  # a page cannot draw what it was not told
    pace.told(4)
    assert pace.wait == GATHER
    pace.updated()
    assert pace.wait == pytest.approx(BEHIND)


def test_whatever_happens_to_an_order_its_page_is_told() -> None:
    def refuse(command: str, argument: str) -> Confirmation:
        raise BadInputError("no such address")

    def fail(command: str, argument: str) -> Confirmation:
        raise RuntimeError

    def accept(command: str, argument: str) -> Confirmation:
        return Confirmation(True, f"{command} {argument}")

    def told(send):
        return Offers(str, send).carry_out("note", "x")

    assert told(accept) == {"command": "note", "accepted": True, "text": "note x"}
    assert told(refuse) == {"command": "note", "accepted": False, "text": "no such address"}
    assert told(fail)["accepted"] is False
    assert "see its log" in told(fail)["text"]

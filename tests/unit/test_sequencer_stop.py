"""Stopping: once politely, twice at once, never during the restore steps."""

import signal

import pytest

from stm_daq.sequencer.stop import StopSwitch, stop_on_signals


def test_first_interrupt_asks_second_aborts_third_is_ignored():
    switch = StopSwitch()
    switch.interrupt()
    assert switch.requested
    with pytest.raises(KeyboardInterrupt):
        switch.interrupt()
    switch.interrupt()
    assert "aborted" in switch.reason


def test_nothing_aborts_while_the_station_is_parked():
    switch = StopSwitch()
    switch.interrupt()
    switch.shield()
    switch.interrupt()
    assert "parked" in switch.reason


def test_the_first_reason_is_kept():
    switch = StopSwitch()
    switch.request("helium is low")
    switch.request("somebody else")
    assert switch.reason == "helium is low"


def test_signals_reach_the_switch_and_handlers_are_restored():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    switch = StopSwitch()
    with stop_on_signals(switch):
        signal.raise_signal(signal.SIGTERM)
    assert "terminated" in switch.reason
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before

"""A station that falls silent is told about, once; also when it is back."""

from __future__ import annotations

import numpy as np

from stm_daq.clock import VirtualClock
from stm_daq.monitor.bodies import Alert, Heartbeat
from stm_daq.monitor.dashboard.hub import DeadMan, overview
from stm_daq.monitor.dashboard.live import Station
from stm_daq.monitor.messages import Body, Message
from stm_daq.records import Frame, RunEnded, RunStarted


def say(station: Station, body: Body) -> None:
    station.take(Message("run", "boot", 0, 0.0, body))


def started() -> RunStarted:
    along = np.arange(2.0)
    return RunStarted("run", "run", 0.0, "Night", "TiN", "", "", Frame(0, 0, 1, 1), (2, 2), along,
                      along, (0, 0), np.linspace(-1, 1, 3), 0.0)  # fmt: skip


def test_silence_is_told_once_and_its_end() -> None:
    clock = VirtualClock()
    station = Station("cold", clock=clock)
    told: list[tuple[str, Alert]] = []
    switch = DeadMan([station], lambda name, alert: told.append((name, alert)), 30.0, clock)
    clock.sleep(100.0)
    switch.look()
    assert told == []  # never heard: nothing fell silent
    say(station, started())
    clock.sleep(31.0)
    switch.look()
    switch.look()
    assert len(told) == 1
    assert "cold" in told[0][1].text
    assert overview([station], "viewer")[0]["stale"] is True
    say(station, Heartbeat("running"))
    switch.look()
    assert len(told) == 2
    assert len(station.alerts) == 2


def test_a_run_that_has_ended_may_be_silent() -> None:
    clock = VirtualClock()
    station = Station("cold", clock=clock)
    told: list[str] = []
    switch = DeadMan([station], lambda name, _alert: told.append(name), 30.0, clock)
    say(station, started())
    say(station, RunEnded(0.0, "finished"))
    clock.sleep(1000.0)
    switch.look()
    assert told == []


def test_a_broken_way_out_stays_visible() -> None:
    clock = VirtualClock()
    station = Station("cold", clock=clock)

    def broken(_name: str, _alert: Alert) -> None:
        raise OSError("no network")

    say(station, started())
    clock.sleep(60.0)
    DeadMan([station], broken, 30.0, clock).look()
    assert [alert.delivered for alert in station.alerts] == [False]

"""Virtual time inside driver modules, and nowhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from sim.virtual_time import VirtualTime, is_driver
from stm_daq.clock import VirtualClock


def module(name: str) -> ModuleType:
    made = ModuleType(name)
    made.time = time  # type: ignore[attr-defined]
    made.sleep_s = time.sleep  # type: ignore[attr-defined]
    made.clock = time.perf_counter  # type: ignore[attr-defined]
    sys.modules[name] = made
    return made


@pytest.fixture
def made() -> Iterator[list[ModuleType]]:
    names = ["qcodes.test_driver", "qcodes.dataset.test", "somebody.else_", "drivers.test_driver"]
    yield [module(name) for name in names]
    for name in names:
        del sys.modules[name]


def test_only_driver_modules_change(made: list[ModuleType]) -> None:
    virtual = VirtualTime(VirtualClock(1e9))
    virtual.refresh()
    changed = [m.time is not time for m in made]
    virtual.restore()
    assert changed == [True, False, False, True]
    assert time.sleep is made[2].sleep_s


def test_driver_sleeps_and_reads_the_virtual_clock(made: list[ModuleType]) -> None:
    clock = VirtualClock(1e9)
    virtual = VirtualTime(clock)
    virtual.refresh()
    driver, real = made[0], time.monotonic()
    driver.time.sleep(1000.0)
    driver.sleep_s(500.0)
    readings = driver.clock(), driver.time.time(), driver.time.monotonic_ns()
    formatted = driver.time.strftime("%Y")
    virtual.restore()
    assert readings == (1500.0, 1e9 + 1500.0, 1_500_000_000_000)
    assert clock.now() == 1500.0
    assert time.monotonic() - real < 100.0
    assert len(formatted) == 4


def test_everything_is_put_back(made: list[ModuleType]) -> None:
    virtual = VirtualTime(VirtualClock())
    virtual.refresh()
    virtual.restore()
    for m in made:
        assert m.time is time
        assert m.sleep_s is time.sleep
        assert m.clock is time.perf_counter


def test_modules_loaded_later_are_found(made: list[ModuleType]) -> None:
    virtual = VirtualTime(VirtualClock())
    virtual.refresh()
    late = module("drivers.test_late")
    virtual.refresh()
    changed = late.time is not time
    virtual.restore()
    del sys.modules["drivers.test_late"]
    assert changed
    assert late.time is time


def test_what_others_changed_stays(made: list[ModuleType]) -> None:
    virtual = VirtualTime(VirtualClock())
    virtual.refresh()
    made[0].sleep_s = print  # type: ignore[attr-defined]
    virtual.restore()
    assert made[0].sleep_s is print
    assert made[0].time is time


def test_two_twins_one_after_the_other(made: list[ModuleType]) -> None:
    for _ in range(2):
        clock = VirtualClock()
        virtual = VirtualTime(clock)
        virtual.refresh()
        made[0].sleep_s(5.0)
        virtual.restore()
        assert clock.now() == 5.0


def test_which_modules_are_drivers() -> None:
    assert is_driver("qcodes.instrument.visa")
    assert is_driver("qcodes_contrib_drivers.drivers.QDevil.QDAC2")
    assert not is_driver("qcodes.dataset.measurements")
    assert not is_driver("pyvisa.resources")
    assert not is_driver("stm_daq.night")

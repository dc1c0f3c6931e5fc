"""Log files of a BlueFors: both layouts, midnight, old and damaged lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from qcodes.instrument import Instrument

from drivers.bluefors import BlueforsThermometer
from drivers.bluefors_logs import BlueforsLogs, newest_line
from sim.devices.bluefors_logs import BlueforsLogs as Writer
from stm_daq.clock import VirtualClock
from stm_daq.errors import InstrumentError
from stm_daq.station.limits import Limits

NOON = datetime(2026, 3, 14, 12, 0, 0)
LINE = "14-03-26,11:59:30,1.234500E-02\n"


@pytest.fixture
def thermometer(tmp_path: Path) -> Iterator[BlueforsThermometer]:
    logs = BlueforsLogs("logs", str(tmp_path), channel=6)
    clock = VirtualClock(NOON.timestamp())
    yield BlueforsThermometer(logs, _no_limits(), clock, age_limit=150.0)
    Instrument.close_all()


def _no_limits() -> Limits:
    return None  # type: ignore[return-value]  # a thermometer has none


def write(folder: Path, text: str, day: str = "26-03-14", inside: bool = True) -> Path:
    path = folder / day / f"CH6 T {day}.log" if inside else folder / f"CH6 T {day}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode("latin-1"))
    return path


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("blank", ["", " "])
def test_the_newest_line(
    tmp_path: Path, thermometer: BlueforsThermometer, inside: bool, blank: str
) -> None:
    write(tmp_path, f"{blank}14-03-26,11:58:30,9.9E-02\n{blank}{LINE}", inside=inside)
    reading = thermometer.read()
    assert reading.fresh
    assert reading.kelvin == 12.345e-3
    assert reading.time == NOON.timestamp() - 30


def test_an_old_line_is_not_fresh(tmp_path: Path, thermometer: BlueforsThermometer) -> None:
    write(tmp_path, LINE)
    thermometer._clock.sleep(119.0)
    assert thermometer.read().fresh
    thermometer._clock.sleep(2.0)
    assert not thermometer.read().fresh


@pytest.mark.parametrize(
    "today", [None, "", "15-03-26,00:0", "garbage\n"], ids=["none", "empty", "partial", "garbage"]
)
def test_just_after_midnight_yesterday_counts(tmp_path: Path, today: str | None) -> None:
    write(tmp_path, "14-03-26,23:59:40,0.02\n")
    if today is not None:
        write(tmp_path, today, day="26-03-15")
    logs = BlueforsLogs("midnight", str(tmp_path))
    newest = logs.newest(datetime(2026, 3, 15, 0, 0, 10).timestamp())
    logs.close()
    assert newest.kelvin == 0.02
    assert newest.age == 30.0


@pytest.mark.parametrize(
    "tail", ["14-03-26,11:59:5", "14-03-26,11:59:50,1.0", "\0\0\0\n", "a,b,c\n"]
)
def test_a_line_being_written_or_damaged_is_not_read(
    tmp_path: Path, thermometer: BlueforsThermometer, tail: str
) -> None:
    write(tmp_path, LINE + tail)
    assert thermometer.read().kelvin == 12.345e-3


@pytest.mark.parametrize("value", ["nan", "0.0", "-1", "inf"])
def test_no_temperature(tmp_path: Path, thermometer: BlueforsThermometer, value: str) -> None:
    write(tmp_path, f"14-03-26,11:59:50,{value}\n")
    reading = thermometer.read()
    assert math.isnan(reading.kelvin)
    assert not reading.fresh


def test_a_long_day_is_not_read_as_a_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "14-03-26,00:00:00,1.0\n" * 100_000 + LINE)
    assert newest_line(path) == (datetime(2026, 3, 14, 11, 59, 30), 12.345e-3)


def test_no_logs_at_all(tmp_path: Path, thermometer: BlueforsThermometer) -> None:
    assert not thermometer.read().fresh
    tmp_path.rmdir()
    with pytest.raises(InstrumentError, match="is the folder shared"):
        thermometer.read()


@pytest.mark.parametrize("blank", [0, 1])
def test_the_twin_writes_what_the_driver_reads(make_world, tmp_path: Path, blank: int) -> None:  # type: ignore[no-untyped-def]
    world = make_world()
    writer = Writer("logs", world, pot_channel=6, blank=blank)
    logs = BlueforsLogs("written", str(tmp_path), channel=6)
    for hours in (0.5, 20.0, 30.0):  # over a midnight, wherever that is
        world.clock.sleep(hours * 3600)
        writer.write(tmp_path)
        newest = logs.newest(world.clock.wall())
        assert newest.age <= 61.0
        assert newest.kelvin == pytest.approx(0.5, abs=0.01)
    logs.close()
    assert len(list(tmp_path.iterdir())) >= 3

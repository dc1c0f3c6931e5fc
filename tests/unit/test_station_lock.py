"""One run per station."""

import subprocess
import sys
from pathlib import Path

import pytest

from stm_daq.errors import StationBusyError
from stm_daq.station.config import load_station
from stm_daq.station.lock import station_lock

STATION = Path(__file__).parents[2] / "station.yaml"

HOLD = """
import sys, time
from pathlib import Path
from stm_daq.station.config import load_station
from stm_daq.station.lock import station_lock
with station_lock(load_station(Path(sys.argv[1])), Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_until_the_first_dies(tmp_path):
    config = load_station(STATION)
    line = [sys.executable, "-c", HOLD, str(STATION), str(tmp_path)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with (
        pytest.raises(StationBusyError, match=f"used by another run .process {process.pid}"),
        station_lock(config, tmp_path),
    ):
        pass
    process.kill()
    process.wait()
    with station_lock(config, tmp_path):
        pass


def test_a_copy_of_the_station_file_is_the_same_station(tmp_path):
    copy = tmp_path / "other.yaml"
    copy.write_text(
        STATION.read_text()
        .replace("  nanonis:\n", "  stm:\n")
        .replace("  nanonis: {port", "  stm: {port")
        .replace("instrument: nanonis", "instrument: stm")
        .replace("    nanonis: {type: sim", "    stm: {type: sim")
    )
    with (
        station_lock(load_station(STATION), tmp_path),
        pytest.raises(StationBusyError),
        station_lock(load_station(copy), tmp_path),
    ):
        pass


def test_the_lock_is_given_back(tmp_path):
    config = load_station(STATION)
    for _ in range(2):
        with station_lock(config, tmp_path):
            pass

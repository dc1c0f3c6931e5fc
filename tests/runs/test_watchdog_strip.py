"""The watchdog of a station with a microwave source and a current through a strip."""

from __future__ import annotations

import json
from pathlib import Path

from stm_daq.clock import RealClock
from stm_daq.rehearsal import Rehearsal, make_twin, visa_library
from stm_daq.station.config import load_station
from stm_daq.station.loader import open_roles
from stm_daq.station.streams import streams_from
from stm_daq.watchdog.__main__ import NEEDED, act

STATION = Path(__file__).parents[2] / "docs/stations/microwave_strip.yaml"


def test_microwaves_and_current_through_the_strip_go_off(tmp_path: Path) -> None:
    config = load_station(STATION)
    with (
        make_twin(config, Rehearsal(epoch=1.8e9, seed=3)) as twin,
        visa_library(twin.visa_library),
        streams_from(twin.open_stream),
        open_roles(config, RealClock(), NEEDED) as roles,
    ):
        roles["bias"].ramp_to(2e-3)
        roles["transport"].start(90e-6)
        roles["microwave"].on()
        assert twin.device("k2400").settings[("OUTPut:STATe",)] == "1"
        act(roles, {"setpoint_bias": 2e-3, "withdrawn": False}, "the run died", tmp_path)
        assert json.loads((tmp_path / "watchdog.json").read_text())["failures"] == []
        assert not roles["microwave"].is_on()
        assert twin.device("k2400").settings[("OUTPut:STATe",)] == "0"

"""The reference station.yaml on the twin: roles, order, limits, snapshot, and the estimate."""

import json
from pathlib import Path

import pytest
from qcodes.instrument import Instrument

from sim.twin import Twin
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.plan import estimate, load_plan
from stm_daq.sequencer.runner import Runner
from stm_daq.station.loader import load_station, open_station
from stm_daq.station.streams import streams_from

ROOT = Path(__file__).parents[2]
NAMES = ["nanonis", "sr830", "qdac", "preamp", "ls372", "sgs100a"]


@pytest.fixture
def config():
    return load_station(ROOT / "station.yaml")


@pytest.fixture
def twin(config, monkeypatch):
    simulation = {key: value for key, value in config.simulation.items() if key != "type"}
    with (
        Twin(simulation, config.instruments, epoch=1.8e9) as running,
        streams_from(running.open_stream),
    ):
        monkeypatch.setenv("PYVISA_LIBRARY", running.visa_library)
        yield running
    assert not [name for name in NAMES if Instrument.exist(name)]


def test_every_role_is_played_by_the_instrument_of_the_file(config, twin):
    with open_station(config, twin.clock) as station:
        assert [instrument.name for instrument in station.instruments] == NAMES
        assert not station.stm.feedback_on()  # the operator left the tip retracted
        assert station.bias.voltage() == pytest.approx(0, abs=1e-6)
        assert station.preamplifier.gain() == 1e9
        assert station.thermometer.read().kelvin == pytest.approx(0.5, abs=0.02)
        assert not station.microwave.is_on()
        station.bias.ramp_to(4e-3)
        assert station.bias.voltage() == pytest.approx(4e-3, abs=1e-6)
        station.bias.ramp_to(0.0)
    assert twin.violations() == []
    assert twin.unknown_commands() == []


def test_limits_of_the_station_reach_the_adapters(config, twin):
    with open_station(config, twin.clock) as station:
        before = twin.transactions()
        with pytest.raises(OutOfRangeError, match="nothing was sent"):
            station.bias.ramp_to(11e-3)
        with pytest.raises(OutOfRangeError, match="nothing was sent"):
            station.stm.set_setpoint(3e-9)
        assert twin.transactions() == before


def test_a_snapshot_reads_everything_within_its_budget(config, twin):
    with open_station(config, twin.clock) as station:
        began = twin.clock.now()
        snapshot = station.snapshot()
        assert twin.clock.now() - began < 10
    assert snapshot["unread"] == {}
    assert list(snapshot["instruments"]) == NAMES
    assert json.loads(json.dumps(snapshot)) == snapshot
    time_constant = snapshot["instruments"]["sr830"]["parameters"]["time_constant"]
    assert time_constant["unit"] == "s"
    assert time_constant["value"] > 0
    preamplifier = snapshot["instruments"]["preamp"]["parameters"]
    found = {name: preamplifier[name]["value"] for name in ("gain", "bandwidth", "full_scale")}
    assert found == {"gain": 1e9, "bandwidth": 1.1e3, "full_scale": 10e-9}
    scanner = snapshot["instruments"]["ls372"]["parameters"]
    assert (scanner["scanned_channel"]["value"], scanner["autoscan"]["value"]) == (6, False)


def test_an_instrument_that_is_not_there_closes_the_others(config, twin, tmp_path):
    path = tmp_path / "station.yaml"
    path.write_text(config.text.replace("GPIB0::12::INSTR", "GPIB0::13::INSTR"), encoding="utf-8")
    with pytest.raises(InstrumentError, match=r"station.yaml:\d+:3: cannot open ls372 .*GPIB0::13"):
        open_station(load_station(path), twin.clock)
    with open_station(config, twin.clock) as station:  # nothing is left in the way
        assert not station.stm.feedback_on()  # the operator left the tip retracted


def test_opening_is_silent_so_that_json_output_stays_json(config, twin, capsys):
    with open_station(config, twin.clock):
        pass
    assert capsys.readouterr().out == ""


def test_the_estimate_agrees_with_the_rehearsed_duration(config, twin, tmp_path):
    text = (ROOT / "plans/tin_demo.yaml").read_text(encoding="utf-8")
    path = tmp_path / "plan.yaml"
    path.write_text(text.replace("columns: 64, rows: 64", "columns: 16, rows: 8"), encoding="utf-8")
    plan = load_plan(path)
    expected = estimate(plan, config.limits)
    with open_station(config, twin.clock) as station:
        station.snapshot()
        records = []
        runner = Runner(plan, station, twin.clock, records.append, expected.total)
        with runner.prepared():
            ended = runner.run()
    assert ended.state == "finished"
    assert twin.clock.now() == pytest.approx(expected.total, rel=0.03)

"""The watchdog against a twin in a process of its own: the run is killed, stopped, or ends well."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from drivers.nanonis import NanonisController

ROOT = Path(__file__).parents[2]

STATION = """
instruments:
  nanonis: {{type: drivers.nanonis.NanonisController, address: 127.0.0.1, port: {nanonis}}}
  qdac:
    type: qcodes_contrib_drivers.drivers.QDevil.QDAC2.QDac2
    address: TCPIP0::127.0.0.1::{qdac}::SOCKET
    init: {{visalib: "@py"}}
  sr830: {{type: qcodes.instrument_drivers.stanford_research.SR830, address: "GPIB0::8::INSTR"}}
  preamp: {{type: drivers.dlpca200.Dlpca200, init: {{gain: 1.0e+9, mode: low_noise}}}}
roles:
  stm: {{instrument: nanonis, adapter: drivers.nanonis.NanonisStm}}
  lockin:
    instrument: sr830
    adapter: drivers.sr830.Sr830LockIn
    modulation_divider: 1.0e-4
    auxiliary_input: 3
  preamplifier: {{instrument: preamp, adapter: drivers.dlpca200.Dlpca200Preamplifier}}
  bias: {{instrument: qdac, adapter: drivers.qdac2.Qdac2Bias, channel: 1, divider: 0.01, trigger: 1}}
limits:
  bias: {{min: "-10 mV", max: "10 mV", slew: "200 mV/s", step: "1 mV"}}
  setpoint_current: {{min: "1 pA", max: "2 nA"}}
  x: {{min: "-1 um", max: "1 um"}}
  y: {{min: "-1 um", max: "1 um"}}
  z: {{min: "-250 nm", max: "250 nm"}}
  microwave_power: {{min: "-120 dBm", max: "-20 dBm"}}
watchdog:
  nanonis: {{port: {second}}}
"""

RUN = """
import sys
from pathlib import Path
from stm_daq.station.config import load_station
from stm_daq.station.loader import open_roles
from stm_daq.watchdog.heartbeat import BeatingClock, SafetyState, watched

station, folder, end = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
clock = BeatingClock()
with open_roles(load_station(station), clock, ("stm", "bias")) as roles:
    with watched(station, folder, clock, print) as heartbeat:
        heartbeat.start(lambda: SafetyState(4e-3, False, False))
        stm, bias = roles["stm"], roles["bias"]
        stm.hold()
        bias.ramp_to(4e-3)
        stm.release()
        stm.hold()
        bias.ramp_to(-2e-3)
        print("held", flush=True)
        if end != "well":
            clock.sleep(60.0)
        bias.ramp_to(4e-3)
        stm.release()
print("over", flush=True)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return the address of a twin that another process serves, and a station that reaches it."""
    line = [sys.executable, "-m", "stm_daq", "simulate", "--station", str(ROOT / "station.yaml")]
    process = subprocess.Popen(
        [*line, "--port", "0", "--json"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    devices = {d["name"]: d for d in json.loads(process.stdout.readline())["devices"]}
    ports = {name: devices[name]["ports"][0] for name in ("nanonis", "qdac")}
    ports["second"] = devices["nanonis"]["ports"][1]
    folder = tmp_path_factory.mktemp("served")
    station = folder / "station.yaml"
    station.write_text(STATION.format(**ports))
    (folder / "run.py").write_text(textwrap.dedent(RUN))
    yield station, devices["nanonis"]["ports"][-1]
    process.send_signal(signal.SIGTERM)
    process.wait(10.0)


def start(station, tmp_path, end):
    line = [sys.executable, str(station.parent / "run.py"), str(station), str(tmp_path), end]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout.readline() == "held\n"
    return process


def look(port):
    """Return whether the feedback is on, and the controller's connection is given back."""
    controller = NanonisController("looker", "127.0.0.1", port)
    try:
        return bool(controller.call("ZCtrl.OnOffGet")[0])
    finally:
        controller.close()


def await_report(folder, seconds=15.0):
    until = time.monotonic() + seconds
    path = folder / "watchdog.json"
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return json.loads(path.read_text())


def test_a_killed_run_gets_its_feedback_back(served, tmp_path):
    station, port = served
    process = start(station, tmp_path, "killed")
    assert not look(port)
    process.kill()
    process.wait()
    report = await_report(tmp_path)
    assert report["cause"] == "the run died"
    assert report["failures"] == []
    assert look(port)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX can stop a process")
def test_a_hung_run_is_helped_and_told(served, tmp_path):
    station, port = served
    process = start(station, tmp_path, "hung")
    process.send_signal(signal.SIGSTOP)
    try:
        report = await_report(tmp_path)
        assert report["cause"] == "the run hangs"
        assert report["failures"] == []
        assert look(port)
    finally:
        process.send_signal(signal.SIGCONT)
        assert "took over: the run hangs" in process.stdout.readline()
        process.kill()
        process.wait()


def test_a_run_that_ends_well_is_left_alone(served, tmp_path):
    station, port = served
    process = start(station, tmp_path, "well")
    assert process.stdout.readline() == "over\n"
    assert process.wait(20.0) == 0
    assert not (tmp_path / "watchdog.json").exists()
    assert look(port)

"""`stm-daq simulate` as a process of its own: its table, its ports, its end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from drivers.nanonis_connection import NanonisConnection
from stm_daq.store.formats import read_spectra

ROOT = Path(__file__).parents[2]


@contextmanager
def simulate(*options):
    """Run the command; yield the process and its table; end it with SIGTERM."""
    command = [sys.executable, "-m", "stm_daq", "simulate", *map(str, options)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def ask(address, message):
    """Send one line to a socket address of VISA and return the answer."""
    _, host, port, _ = address.split("::")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(message)
        return connection.recv(200)


def test_programs_reach_every_device_and_the_session_is_kept(tmp_path):
    options = ("--port", 0, "--speed", 50, "--json", "--session", tmp_path)
    with simulate(*options) as process:
        table = {row["name"]: row for row in json.loads(process.stdout.readline())["devices"]}
        assert table["nanonis"]["protocol"] == "Nanonis"
        assert len(set(table["nanonis"]["ports"])) == 4
        identity = ask(table["sr830"]["addresses"][0], b"*IDN?\r\n")
        assert identity.startswith(b"Stanford_Research_Systems,SR830")
        assert b"QDAC" in ask(table["qdac"]["addresses"][0], b"*idn?\n")
        four = [
            NanonisConnection("127.0.0.1", port, 20.0, lambda: None)
            for port in table["nanonis"]["ports"]
        ]
        four[0].call("Bias.Set", 4e-3)
        four[1].call("ZCtrl.OnOffSet", 1)
        four[2].call("BiasSpectr.PropsSet", 2, 1, 2, 16, 0.0, 1, 2)
        names, data, _ = four[3].call("BiasSpectr.Start", 1, "cli", duration=60.0)
        assert names == ("Bias calc (V)", "Current (A)")
        for connection in four:
            connection.close()
        # what one program does, others see: both biases are those of one junction
        assert data.shape == (2, 16)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    (path,) = tmp_path.glob("cli*.dat")
    np.testing.assert_allclose(read_spectra(path).current, data[1], rtol=1e-5)


def test_a_person_gets_a_table_and_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with simulate("--port", port) as process:
            assert process.wait(timeout=60) == 2
            error = process.stderr.read()
    assert str(port) in error
    assert "choose other ports with --port" in error
    with simulate("--port", 0) as process:
        lines = [process.stdout.readline() for _ in range(6)]
    assert lines[0].split()[:2] == ["nanonis", "Nanonis"]
    assert lines[-1] == "Ctrl-C stops\n"
    assert process.returncode == 0


@pytest.mark.parametrize("speed", ["0", "-1", "nan"])
def test_time_must_go_forwards(speed):
    with simulate("--speed", speed) as process:
        assert process.wait(timeout=60) == 2
        assert "must be positive" in process.stderr.read()

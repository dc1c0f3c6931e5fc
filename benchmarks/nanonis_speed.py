"""How long a Nanonis command takes over TCP: our client against the vendor's, same server, same run.

    python benchmarks/nanonis_speed.py

Starts `stm-daq simulate` in a process of its own and asks for the bias (one number), the signals'
names (128 strings) and an image (256 x 256) over and over. Ends with 1 if a goal is missed.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nanonis_spm

from drivers.nanonis_connection import NanonisConnection

ROOT = Path(__file__).resolve().parents[1]
GOAL = 60.0
"""Median of a short command, us."""
FASTER = 3.0
"""At least so many times faster than the vendor's client."""
REPEATS = 5000
BLOCKS = 10
"""The clients take turns, so that what else the machine does hits both."""


def start() -> tuple[subprocess.Popen[str], list[int]]:
    """Start the simulator; return it and the Nanonis ports."""
    command = [sys.executable, "-m", "stm_daq", "simulate", "--port", "0", "--json"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    devices = json.loads(server.stdout.readline())["devices"]
    return server, next(d["ports"] for d in devices if d["protocol"] == "Nanonis")


def times(call: Callable[[], object], repeats: int) -> list[float]:
    """Return how long each of `repeats` calls took, us."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        found.append((time.perf_counter() - began) * 1e6)
    return found


def compare(
    ours: Callable[[], object], vendor: Callable[[], object], repeats: int
) -> tuple[float, float, float]:
    """Return our median, our 99th percentile and the vendor's median, us."""
    own: list[float] = []
    other: list[float] = []
    for _ in range(BLOCKS):
        own += times(ours, repeats // BLOCKS)
        other += times(vendor, repeats // BLOCKS)
    return statistics.median(own), sorted(own)[int(0.99 * len(own))], statistics.median(other)


def main() -> int:
    """Print the table."""
    server, ports = start()
    try:
        ours = NanonisConnection("127.0.0.1", ports[0], 5.0, lambda: None)
        vendor = nanonis_spm.Nanonis(socket.create_connection(("127.0.0.1", ports[1])))
        vendor.returnDebugInfo(0)
        ours.call("Scan.BufferSet", (30,), 256, 256)
        rows = {
            "Bias.Get": compare(lambda: ours.call("Bias.Get"), vendor.Bias_Get, REPEATS),
            "Signals.NamesGet": compare(
                lambda: ours.call("Signals.NamesGet"), vendor.Signals_NamesGet, REPEATS // 10
            ),
            "Scan.FrameDataGrab": compare(
                lambda: ours.call("Scan.FrameDataGrab", 30, 1),
                lambda: vendor.Scan_FrameDataGrab(30, 1),
                REPEATS // 100,
            ),
        }
        ours.close()
        vendor.close()
    finally:
        server.terminate()
        server.wait(timeout=20)
    print("| command | ours, us | 99 % | nanonis-spm, us | times faster |")
    print("| --- | --- | --- | --- | --- |")
    for name, (median, slow, other) in rows.items():
        print(f"| {name} | {median:.1f} | {slow:.1f} | {other:.1f} | {other / median:.1f} |")
    median, _, other = rows["Bias.Get"]
    return 0 if median <= GOAL and other / median >= FASTER else 1


if __name__ == "__main__":
    sys.exit(main())

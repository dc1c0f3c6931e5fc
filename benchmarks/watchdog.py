"""How long a killed or hung run leaves the tip without feedback: the watchdog on a served twin.

The run of tests/runs/test_watchdog.py holds the feedback at a bias that is not the set-point's and is
killed (SIGKILL) or stopped (SIGSTOP); the clock ticks until the controller says that the feedback is on
again. A hang is only known once a beat is missing for as long as the watchdog is patient.

    python benchmarks/watchdog.py [--trials 20]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from drivers.nanonis import NanonisController
from stm_daq.watchdog.__main__ import PATIENCE
from stm_daq.watchdog.heartbeat import BEAT, REPORT

TESTS = Path(__file__).resolve().parents[1] / "tests" / "runs"
WANTED = 1.0
"""The feedback has to be back so long after the heartbeat was lost, s."""
DEADLINE = 20.0


def trial(harness: ModuleType, station: Path, port: int, folder: Path, name: str) -> float:
    """Return the seconds from the signal until the feedback is on."""
    process = harness.start(station, folder, "held")
    controller = NanonisController(folder.name, "127.0.0.1", port)
    try:
        if controller.call("ZCtrl.OnOffGet")[0]:
            raise SystemExit("the feedback was not held: nothing to measure")
        process.send_signal(getattr(signal, name))
        began = time.perf_counter()
        while not controller.call("ZCtrl.OnOffGet")[0]:
            if time.perf_counter() - began > DEADLINE:
                return float("inf")
            time.sleep(0.002)
        seconds = time.perf_counter() - began
        harness.await_report(folder)
        return seconds
    finally:
        controller.close()
        process.kill()
        process.wait()


def main() -> int:
    """Print the table; return 1 if the feedback was away for too long."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=20)
    trials = parser.parse_args().trials
    sys.path.insert(0, str(TESTS))
    harness = importlib.import_module("test_watchdog")
    print("| signal | trials | heartbeat lost after (s, at most) | feedback back: median s | slowest s | "
          "slowest after the heartbeat was lost, s | ok |\n|" + " --- |" * 7)  # fmt: skip
    good = True
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        station, port = stack.enter_context(harness.serving(root))
        for name, known in (("SIGKILL", 0.0), ("SIGSTOP", PATIENCE)):
            found = []
            for number in range(trials):
                folder = root / f"{name}{number}"
                folder.mkdir()
                found.append(trial(harness, station, port, folder, name))
            good &= show(name, known, np.array(found))
    print(f"beats every {BEAT} s; patience {PATIENCE} s; report: {REPORT}")
    return 0 if good else 1


def show(name: str, known: float, seconds: Any) -> bool:
    """Print a row; return whether all was fast enough."""
    late = float(seconds.max()) - known
    ok = late <= WANTED
    print(f"| {name} | {len(seconds)} | {known} | {np.median(seconds):.3f} | {seconds.max():.3f} | "
          f"{late:.3f} | {'yes' if ok else 'NO'} |", flush=True)  # fmt: skip
    return ok


if __name__ == "__main__":
    sys.exit(main())

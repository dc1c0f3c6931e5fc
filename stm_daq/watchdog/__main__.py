"""The watchdog's process: ``python -m stm_daq.watchdog STATION RUN_FOLDER``.

It opens its own connections to what has to be made safe, says {"ready": true}, and reads beats from
its standard input. When they end without a goodbye (the run was killed) or stay away (it hangs), it
brings the bias back, closes the feedback, switches the microwaves and the current through the strip
off; writes what it did to ``watchdog.json`` in the run's folder; and says so.
"""

from __future__ import annotations

import json
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from stm_daq.clock import RealClock
from stm_daq.errors import CleanupError, StmDaqError
from stm_daq.sequencer.hold import close_loop
from stm_daq.station.config import load_station
from stm_daq.station.loader import open_roles
from stm_daq.station.safe_state import Failure, Step, restore
from stm_daq.watchdog.heartbeat import REPORT

PATIENCE = 0.8
"""Without a beat for so long (s) the run counts as dead."""
NEEDED = ("stm", "bias", "microwave", "transport")
"""Roles that have to be made safe."""


def main() -> int:
    """Watch until the run says goodbye or dies; return the exit code."""
    station_path, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # what ends the run must not end the watchdog
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    beats: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read, args=(beats,), daemon=True).start()
    try:
        config = load_station(station_path)
        with open_roles(config, RealClock(), NEEDED, config.watchdog) as roles:
            _say({"ready": True})
            last, cause = _watch(beats)
            if cause:
                act(roles, last, cause, folder)
    except StmDaqError as error:
        _say({"error": str(error)})
        return error.exit_code
    return 0


def _read(beats: queue.Queue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        beats.put(json.loads(line))
    beats.put(None)


def _watch(beats: queue.Queue[dict[str, Any] | None]) -> tuple[dict[str, Any], str]:
    """Return the last beat, and why the run has to be helped; "" after a goodbye."""
    last: dict[str, Any] = {}
    while True:
        try:
            beat = beats.get(timeout=PATIENCE if last else None)
        except queue.Empty:
            return last, "the run hangs"
        if beat is None:
            return last, "the run died" if last else ""  # before its first beat it held nothing
        if beat.get("bye"):
            return last, ""
        last = beat


def act(roles: Mapping[str, Any], last: dict[str, Any], cause: str, folder: Path) -> None:
    """Bring the station to its safe state; try everything, and tell."""
    failures: list[Failure] = []
    withdrawn = bool(last.get("withdrawn"))
    done = "the tip stays withdrawn"
    if last and not withdrawn:
        try:
            bias, current = float(last["setpoint_bias"]), last.get("setpoint_current")
            close_loop(roles["stm"], roles["bias"], bias, current=current)
            done = "the bias is back and the feedback is closed"
        except CleanupError as error:
            failures.extend(error.failures)
            withdrawn = error.withdrawn
            done = "the tip was withdrawn" if withdrawn else "the feedback could not be closed"
    steps: list[Step] = [("stop the topograph", roles["stm"].stop_scan)]
    if "microwave" in roles:
        steps.append(("switch the microwaves off", roles["microwave"].off))
    if "transport" in roles:
        steps.append(("switch the current through the strip off", roles["transport"].off))
    failures += restore(steps)
    troubles = [f"{name}: {error}" for name, error in failures]
    report = {
        "time": RealClock().wall(),
        "cause": cause,
        "done": done,
        "failures": troubles,
    }
    (folder / REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(f"stm-daq watchdog: {cause}; {done}", *troubles, sep="\n", file=sys.stderr)
    _say({"acted": f"{cause}; {done}"})


def _say(message: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody is left to listen; the report is on the disk
        print(json.dumps(message), flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""``stm-daq simulate``."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.rehearsal import Rehearsal, ServedDevice, make_twin
from stm_daq.station.loader import load_station


def simulate_station(
    station: Path, port: int, speed: float, seed: int | None, session: Path | None, as_json: bool
) -> None:
    """Serve the twin of a station on TCP ports of this computer until interrupted."""
    if not speed > 0:
        raise BadInputError(f"--speed {speed:g}: must be positive (1 is real time)")
    twin = make_twin(load_station(station), Rehearsal(seed=seed), speed)
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda *_: stop.set())
    with twin.serve(port, session) as service:
        _show(service.table, as_json)
        while not stop.wait(0.5):  # a wait without end could not be interrupted on Windows
            pass


def _show(table: Sequence[ServedDevice], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "name": row.name,
                "protocol": row.protocol,
                "host": row.host,
                "ports": list(row.ports),
                "addresses": _addresses(row),
            }
            for row in table
        ]
        print(json.dumps({"devices": rows}), flush=True)
        return
    width = max(len(row.name) for row in table) + 2
    for row in table:
        print(f"{row.name:<{width}}{row.protocol:<10}{', '.join(_addresses(row))}")
    print("Ctrl-C stops", flush=True)


def _addresses(row: ServedDevice) -> list[str]:
    """Return where a program reaches the device; a VISA address for what VISA can talk to."""
    if row.protocol == "SCPI":
        return [f"TCPIP0::{row.host}::{port}::SOCKET" for port in row.ports]
    return [f"{row.host}:{port}" for port in row.ports]

"""What the variables of a run are called: unit and meaning; what a dataset says of its run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from stm_daq.records import RunEnded, RunStarted

MEANING = {
    "current": ("A", "tunnelling current"),
    "conductance": ("S", "differential conductance dI/dV"),
    "time": ("seconds since 1970-01-01", "start of the sweep"),
    "z": ("m", "tip height when the feedback was held"),
    "setpoint_current": ("A", "current under feedback just before the hold"),
    "stage_temperature": ("K", "temperature of the stage"),
    "topography": ("m", "tip height"),
    "reduced_chi_square": ("", "reduced chi-square of the fit"),
}
"""Variable: unit and meaning."""
FITTED = {
    "gap": ("eV", "superconducting gap"),
    "temperature": ("K", "electron temperature"),
    "barrier": ("", "barrier strength Z"),
    "scale": ("S", "normal-state conductance"),
    "broadening": ("eV", "broadening"),
    "offset": ("V", "offset of the bias"),
    "slope": ("1/V", "slope of the background"),
}
"""Fit value: unit and meaning. The first four are always there."""
ALWAYS = ("gap", "temperature", "barrier", "scale")
TRUE = FITTED | {"x": ("m", "x of the tip"), "y": ("m", "y of the tip")}
"""What the twin knows: unit and meaning."""


def date(time: float) -> str:
    """Return a time (s since the Unix epoch) as ISO 8601, UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat()


def run_attributes(started: RunStarted, ended: RunEnded | None) -> dict[str, Any]:
    """What a dataset or a file says of its run."""
    frame = started.frame
    return {
        "run_id": started.run_id,
        "kind": started.kind,
        "name": started.name,
        "sample": started.sample,
        "started": date(started.time),
        "frame": [frame.centre_x, frame.centre_y, frame.width, frame.height, frame.angle],
        "modulation": started.modulation,
        "plan_text": started.plan_text,
        "station_text": started.station_text,
        "versions": json.dumps(started.metadata.get("versions", {})),
        "metadata": json.dumps(dict(started.metadata)),
        "state": ended.state if ended else "not ended",
        "ended": date(ended.time) if ended else "",
        "ended_text": ended.text if ended else "",
    }

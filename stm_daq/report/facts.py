"""What is known about a run as a whole, read from the attributes of its dataset."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class Facts:
    """A run in words and times."""

    run_id: str
    kind: str
    name: str
    sample: str
    state: str
    """"finished", "stopped", "failed"; "not ended" while it goes on or if it was cut off."""
    reason: str
    """Why it ended so; empty if there is nothing to say."""
    started: float
    """Seconds since the Unix epoch."""
    ended: float
    """The last sign of life if the run never said that it ended."""
    modulation: float
    """Peak amplitude at the junction, V."""
    step_memory: tuple[float, ...]
    """How much the present and earlier points count in each value of dI/dV (the lock-in's filter)."""
    fit_model: str
    plan_text: str
    station_text: str
    versions: Mapping[str, str]

    @property
    def fitted(self) -> bool:
        """Whether spectra were fitted: those of a sweep of the bias are."""
        return bool(self.fit_model)

    @property
    def rehearsed(self) -> bool:
        """Whether the run was a rehearsal on the twin."""
        return self.kind == "rehearsal"


def facts_of(dataset: xr.Dataset) -> Facts:
    """Read the attributes of a run, or of a file of another program."""
    attributes = dataset.attrs
    if "run_id" not in attributes:
        return _facts_of_file(attributes)
    started = datetime.fromisoformat(attributes["started"]).timestamp()
    last = float(np.nanmax(dataset["time"].values, initial=started))
    ended = attributes.get("ended") or ""
    metadata = json.loads(attributes.get("metadata", "{}"))
    return Facts(
        run_id=attributes["run_id"],
        kind=attributes["kind"],
        name=attributes["name"],
        sample=attributes["sample"],
        state=attributes["state"],
        reason=str(attributes.get("ended_text") or ""),
        started=started,
        ended=datetime.fromisoformat(ended).timestamp() if ended else last,
        modulation=float(attributes["modulation"]),
        step_memory=tuple(metadata.get("step_memory", (1.0,))),
        fit_model=metadata.get("fit_model", "btk"),
        plan_text=attributes["plan_text"],
        station_text=attributes["station_text"],
        versions=json.loads(attributes.get("versions", "{}")),
    )


def _facts_of_file(attributes: Mapping[Any, Any]) -> Facts:
    source = str(attributes.get("source", "file"))
    return Facts(
        run_id=Path(source).name,
        kind="file",
        name=str(attributes.get("title") or Path(source).name),
        sample=str(attributes.get("format", "")),
        state="",
        reason="",
        started=math.nan,
        ended=math.nan,
        modulation=float(attributes.get("modulation", math.nan)),
        step_memory=(1.0,),
        fit_model="",
        plan_text="",
        station_text="",
        versions={},
    )


def show_date(time: float) -> str:
    """Write a time for people, in the zone of this computer: ``21 Nov 2026, 03:23 (UTC+01:00)``."""
    if not math.isfinite(time):
        return "unknown"
    local = datetime.fromtimestamp(time).astimezone()
    zone = f"{local:%z}"
    return f"{local.day} {local:%b %Y, %H:%M} (UTC{zone[:3]}:{zone[3:5]})"

"""Nanonis ``.sxm``: the topograph."""

from __future__ import annotations

import math
from dataclasses import astuple
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.protocols.nanonis_files import ScanFile, sxm_file
from stm_daq.protocols.nanonis_frame import nanonis_frame
from stm_daq.store.exports.choice import ROOMY, Choice
from stm_daq.store.exports.nanonis_3ds import ascii_line
from stm_daq.store.exports.source import RunSource


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write the topograph of one step of a run, scanned upwards.

    A journal holds the way forward of every line; the way backward, which readers insist on, is NaN,
    as is what was not scanned.

    Raises
    ------
    BadInputError
        If the run has no topograph.
    """
    step = choice.step_of(source, "sxm")
    started = source.started
    if not source.has_topograph:
        raise BadInputError(
            f"{source.path}: a .sxm holds a topograph and this run has none; formats with room for "
            f"its {started.sites}: 3ds, {ROOMY}"
        )
    z = source.topograph(step)
    bias, current = source.setpoint
    scan = ScanFile(
        path=f"{source.path.resolve().name}.sxm",
        series=ascii_line(started.name),
        comment=ascii_line(f"{started.name}, {started.sample}"),
        start=started.time,
        duration=source.finished - started.time,
        temperature=source.temperature(step),
        frame=nanonis_frame(*astuple(started.frame)),
        line_times=(math.nan, math.nan),
        upwards=True,
        bias=bias,
        setpoint=current,
        feedback=True,
        images=[("Z (m)", z, np.full_like(z, np.nan))],
        gains=(math.nan, math.nan, math.nan),
    )
    path.write_bytes(sxm_file(scan))

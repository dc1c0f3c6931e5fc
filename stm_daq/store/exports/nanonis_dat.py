"""Nanonis ``.dat``: one spectrum, with its fit in the header."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from stm_daq.protocols.nanonis_files import dat_file, date_and_time
from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.nanonis_3ds import ascii_line, sweep_label
from stm_daq.store.exports.source import RunSource
from stm_daq.store.exports.variables import Variable

_PLACES = {"position_x": "X (m)", "position_y": "Y (m)", "z": "Z (m)"}
_OUTSIDE = (*_PLACES, "time", "flags", "fit_flags")


def write(source: RunSource, choice: Choice, path: Path) -> None:
    """Write the chosen spectrum of one step of a run; the way back in the order of the way there."""
    step = choice.step_of(source, "dat")
    row, column = choice.site_of(source, step)
    tile = source.row(step, row)
    at = (step, row, column)
    wall = float(source.maps["time"][at])
    header = {label: _number(source.maps[name][at]) for name, label in _PLACES.items()}
    header["Z-Ctrl hold"] = "TRUE"
    header["Start time"] = "{} {}".format(*date_and_time(wall)) if math.isfinite(wall) else "N/A"
    header["Run>Name"] = ascii_line(source.started.name)
    header["Run>Sample"] = ascii_line(source.started.sample)
    for name in ("flags", "fit_flags"):
        header[f"Run>{name}"] = ascii_line(source.maps[name][at]) or "none"
    for name, value in source.outer(step).items():
        header[f"Run>{ascii_line(name)}"] = _number(value)
    for variable in source.numbers:
        if variable.name not in _OUTSIDE:
            header[_key(variable)] = _number(source.maps[variable.name][at])
    swept = "Bias calc (V)" if source.started.swept_name == "bias" else sweep_label(source)
    columns = {swept: source.sweep}
    for variable in source.traces:
        for direction, values in source.halves(tile.traces[variable.name][0, column]).items():
            columns[variable.channel(" [bwd]" if direction else "")] = values
    wall = wall if math.isfinite(wall) else source.started.time
    content = dat_file(
        "bias spectroscopy", wall, header, list(columns), np.array(list(columns.values()))
    )
    path.write_bytes(content)


def _key(variable: Variable) -> str:
    """`Fit>Gap (eV)`, `True>Gap (eV)`, `Run>Stage temperature (K)`."""
    if variable.name.startswith("true_"):
        return "True>" + variable.label.removeprefix("True ")
    measured = ("setpoint_current", "stage_temperature")
    return ("Run>" if variable.name in measured else "Fit>") + variable.label


def _number(value: float) -> str:
    return f"{value:.9E}" if math.isfinite(value) else "N/A"

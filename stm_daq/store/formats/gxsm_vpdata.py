"""GXSM ``.vpdata``: one probe (spectrum) as text.

Comment lines ``# key :: name=value ...``, a table between ``#C Data Table`` and ``#C END.`` whose
first line names the columns: ``"ADC0-I (nA)"``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stm_daq.errors import BadInputError
from stm_daq.store.formats.columns import Column, column_of
from stm_daq.store.formats.contents import number_of
from stm_daq.store.formats.table import Table, there_and_back
from stm_daq.store.formats.text import Line, numbers, without_cut_row

MARK = "GXSM Vector Probe Data"
_TABLE = "#C Data Table"
_NAMES = {"adc0-i": "current", "bias": "bias", "zs": "z"}
"""What the analyses call a column."""


def parse_vpdata(path: Path, text: str) -> Table:
    """Read a GXSM probe; lengths become metres, currents amperes.

    Raises
    ------
    BadInputError
        If it is cut off or damaged.
    """
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(_TABLE)), None)
    if start is None or start + 1 >= len(lines):
        raise BadInputError(f"{path}: has no data table; the file is cut off")
    names = [cell.strip().strip('"') for cell in lines[start + 1].removeprefix("#C").split("\t")]
    rows: list[Line] = []
    ended = False
    for number, line in enumerate(lines[start + 2 :], start + 3):
        ended = line.startswith("#")
        if ended:
            break
        if line.strip():
            rows.append((number, line))
    if not rows:
        raise BadInputError(f"{path}: holds no rows of numbers")
    values = numbers(path, rows, "\t")
    remarks: tuple[str, ...] = ()
    if not ended:
        values, remarks = without_cut_row(text, rows, "\t", values)
        remarks = (*remarks, "the file has no END; it is cut off")
    if values.shape[1] != len(names):
        raise BadInputError(f"{path}: {len(names)} column names but {values.shape[1]} columns")
    header = _header(lines[:start])
    columns = _columns(names)
    facts = _facts(header)
    table = Table(path, "GXSM probe", path.stem, columns, values, header, facts, remarks)
    return there_and_back(table)


def _columns(names: Sequence[str]) -> list[Column]:
    """Name the columns; one that is there twice (source and monitor) keeps its first place."""
    columns: list[Column] = []
    for name in names:
        column = column_of(name)
        known = _NAMES.get(column.name, column.name)
        if any(other.name == known for other in columns):
            known = f"{column.name} {len(columns)}"
        columns.append(replace(column, name=known))
    return columns


def _header(lines: Sequence[str]) -> dict[str, str]:
    pairs = (line.lstrip("# ").partition("::") for line in lines if "::" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _facts(header: dict[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    offset = re.search(r"X0=(\S+) Ang\s+Y0=(\S+) Ang", header.get("GXSM-Main-Offset", ""))
    if offset:
        place = [number_of(offset[1]), number_of(offset[2])]
        facts["position"] = [1e-10 * part for part in place if part is not None]
    bias = re.search(r"Bias=(\S+) V", header.get("GXSM-DSP-Control-FB", ""))
    if bias and (volt := number_of(bias[1])) is not None:
        facts["setpoint_bias"] = volt
    date = header.get("Date", "").removeprefix("date=")
    if date:
        facts["started"] = date
    return facts

"""A map as text: header lines ``# x-pixels = 299``, then a row of numbers for every line.

Written by WSxM and others ("File Format = ASCII"). The first row is the top of the frame.
"""

from __future__ import annotations

import re
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.store.formats.contents import (
    BOTTOM,
    LEFT,
    Channel,
    Contents,
    number_of,
    pixel_axis,
    variable_name,
)
from stm_daq.store.formats.text import Line, numbers
from stm_daq.store.formats.units import to_si

MARK = re.compile(r"^#\s*x-pixels\s*=", re.MULTILINE)
_MAPS = {"m": "topography", "A": "current", "S": "conductance"}


def parse_map(path: Path, text: str) -> Contents:
    """Read a map; lengths without a unit are in nm, as WSxM writes them.

    Raises
    ------
    BadInputError
        If it is cut off or damaged.
    """
    lines = text.splitlines()
    pairs = (line.lstrip("# ").partition("=") for line in lines if line.startswith("#"))
    header = {key.strip().lower(): value.strip() for key, _, value in pairs}
    found: list[Line] = [
        (i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")
    ]
    columns, rows = (number_of(header.get(f"{axis}-pixels")) for axis in "xy")
    width, height = (number_of(header.get(f"{axis}-length")) for axis in "xy")
    if not found:
        raise BadInputError(f"{path}: holds no rows of numbers")
    values = numbers(path, found, None)[::-1]
    if columns is not None and values.shape[1] != columns:
        raise BadInputError(
            f"{path}: {values.shape[1]} values a row where the header states {columns:g}"
        )
    remarks: tuple[str, ...] = ()
    if rows is not None and len(values) < rows:
        remarks = (f"the file holds {len(values)} of {rows:g} rows; it is cut off",)
    if width is None or height is None or not (width > 0 and height > 0):
        raise BadInputError(f"{path}: the header lacks x-length or y-length")
    factor, unit = to_si(header.get("z-unit", ""))
    height *= len(values) / rows if rows else 1.0
    name = _MAPS.get(unit, variable_name("value"))
    dims = ("topograph_y", "topograph_x")
    meaning = header.get("z-unit", "value")
    return Contents(
        path,
        "map as text",
        path.stem,
        {name: Channel(dims, factor * values, unit, f"map in {meaning}")},
        {
            "topograph_y": pixel_axis("topograph_y", len(values), 1e-9 * height, BOTTOM),
            "topograph_x": pixel_axis("topograph_x", values.shape[1], 1e-9 * width, LEFT),
        },
        {"frame": [0.0, 0.0, 1e-9 * width, 1e-9 * height, 0.0]},
        header,
        remarks,
    )

"""GXSM ``.nc``: one channel of a scan, a classic NetCDF file.

``FloatField`` holds counts; times ``dz`` they are in the unit that GXSM shows. Lengths are in
angstrom. ``dimy`` falls: the first row is the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.formats.contents import (
    BOTTOM,
    LEFT,
    Channel,
    Contents,
    check_size,
    floats,
    number_of,
    variable_name,
)
from stm_daq.store.formats.netcdf_classic import ClassicFile, read_classic
from stm_daq.store.formats.units import to_si

START = b"CDF"
_FIELD = "FloatField"
_ANGSTROM = 1e-10
_TEXTS = ("title", "comment", "username", "dateofscan", "reftime", "basename", "spm_scancontrol")


def parse_nc(path: Path, data: bytes) -> Contents:
    """Read a scan of GXSM.

    Raises
    ------
    BadInputError
        If it is cut off, damaged, or not of GXSM.
    """
    if len(data) < 8 or data[3] not in (1, 2):
        raise BadInputError(f"{path}: is not a classic NetCDF file")
    file = read_classic(path, data)
    field = file.variables.get(_FIELD)
    if field is None or len(field.shape) < 2:
        raise BadInputError(
            f"{path}: is a NetCDF file without '{_FIELD}'; of GXSM it would have it"
        )
    check_size(path, int(np.prod(field.shape, dtype=object)) * field.dtype.itemsize, len(data))
    counts = floats(file.values(_FIELD))
    y, x = (
        _axis(file, f"dim{axis}", size) for axis, size in zip("yx", field.shape[-2:], strict=True)
    )
    image = counts.reshape(-1, *field.shape[-2:])[0] * _number(file, "dz", 1.0)
    if y[0] > y[-1]:
        image, y = image[::-1], y[::-1]
    written = file.variables["dz"].attributes.get("unit", "") if "dz" in file.variables else ""
    factor, unit = to_si(str(written).strip("\0 "))
    if unit == "m":  # the unit is for display; lengths are stored in angstrom, whatever it says
        factor = _ANGSTROM
    label = str(field.attributes.get("ZLabel", "value")).strip("\0 ")
    name = "topography" if unit == "m" else variable_name(label)
    channel = Channel(("topograph_y", "topograph_x"), factor * image, unit, label)
    return Contents(
        path,
        "GXSM scan",
        path.stem,
        {name: channel},
        {
            "topograph_y": Channel(("topograph_y",), y - y[0], "m", BOTTOM),
            "topograph_x": Channel(("topograph_x",), x - x[0], "m", LEFT),
        },
        _facts(file),
        {text: file.text(text) for text in _TEXTS},
    )


def _axis(file: ClassicFile, name: str, size: int) -> Array:
    values: Array = _ANGSTROM * floats(file.values(name))
    if values.shape != (size,) or size < 1 or not np.all(np.isfinite(values)):
        raise BadInputError(f"{file.path}: '{name}' does not fit the image; it is damaged")
    return values


def _number(file: ClassicFile, name: str, default: float) -> float:
    if name not in file.variables:
        return default
    values = file.values(name).ravel()
    value = number_of(str(values[0])) if len(values) and values.dtype.kind != "S" else None
    return default if value is None else value


def _facts(file: ClassicFile) -> dict[str, Any]:
    place = [_ANGSTROM * _number(file, f"offset{axis}", 0.0) for axis in "xy"]
    size = [_ANGSTROM * _number(file, f"range{axis}", 0.0) for axis in "xy"]
    facts: dict[str, Any] = {"frame": [*place, *size, _number(file, "alpha", 0.0)]}
    for name, variable in (
        ("setpoint_bias", "sranger_mk2_hwi_bias"),
        ("modulation_frequency", "sranger_mk2_hwi_AC_frq"),
    ):
        if variable in file.variables:
            facts[name] = _number(file, variable, 0.0)
    return facts

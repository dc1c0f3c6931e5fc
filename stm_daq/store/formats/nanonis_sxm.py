"""Nanonis ``.sxm``: the images of a scan.

Header lines ``:KEY:`` and their values end with ``:SCANIT_END:`` and the bytes 1A 04; then follow
the images as big-endian float32, for each channel forward and (direction "both") backward. The
first row is the line scanned first: the bottom of the frame when the scan went up. Backward images
are stored as they were scanned, from right to left.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.protocols.nanonis_frame import other_way
from stm_daq.records import Array
from stm_daq.store.formats.contents import (
    BOTTOM,
    LEFT,
    Channel,
    Contents,
    check_size,
    directions,
    floats,
    iso_date,
    number_of,
    pixel_axis,
    variable_name,
)
from stm_daq.store.formats.nanonis_header import facts_of
from stm_daq.store.formats.units import to_si

START = b":NANONIS_VERSION:"
_DATA = b"\x1a\x04"
_NO_THERMOMETER = 290.0
"""K; what Nanonis writes when it knows no temperature."""
_WAYS = {"both": 2, "forward": 1, "backward": 1}


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    unit: str
    direction: str
    first: int
    """Number of its first image in the file."""


@dataclass(frozen=True, slots=True)
class _Scan:
    """The layout that the header states, and what follows it."""

    header: dict[str, list[str]]
    columns: int
    rows: int
    size: tuple[float, float]
    """Width and height, m."""
    upwards: bool
    channels: tuple[_Channel, ...]
    body: bytes

    def image(self, number: int, backward: bool) -> tuple[Array, int]:
        """Return an image, row 0 at the bottom and column 0 at the left, and its missing pixels."""
        count = self.rows * self.columns
        part = self.body[4 * count * number :][: 4 * count]
        z = np.full(count, np.nan)
        values = floats(part[: len(part) // 4 * 4])
        z[: len(values)] = values
        lines = z.reshape(self.rows, self.columns)
        lines = lines[:, ::-1] if backward else lines
        return (lines if self.upwards else lines[::-1]).copy(), count - len(values)


def parse_sxm(path: Path, data: bytes) -> Contents:
    """Read all images of a scan; the height is called ``topography``.

    Raises
    ------
    BadInputError
        If it is damaged, or cut off before the first image.
    """
    scan = _scan(path, data)
    channels: dict[str, Channel] = {}
    missing = 0
    for channel in scan.channels:
        name = "topography" if channel.name == "Z" else variable_name(channel.name, channels)
        images, lost = _images(scan, channel)
        missing += lost
        factor, unit = to_si(channel.unit)
        dims: tuple[str, ...] = ("direction", "topograph_y", "topograph_x")
        if len(images) == 1:
            images, dims = images[0], dims[1:]
        meaning = "tip height" if channel.name == "Z" else channel.name.replace("_", " ")
        channels[name] = Channel(dims, factor * images, unit, meaning)
    if not channels:
        raise BadInputError(f"{path}: the header names no channels")
    if missing == sum(channel.values.size for channel in channels.values()):
        raise BadInputError(f"{path}: the file is cut off before the first image")
    width, height = scan.size
    coordinates = {
        "topograph_y": pixel_axis("topograph_y", scan.rows, height, BOTTOM),
        "topograph_x": pixel_axis("topograph_x", scan.columns, width, LEFT),
    }
    if any("direction" in channel.dims for channel in channels.values()):
        coordinates["direction"] = directions()
    header = {key: "\n".join(lines).strip() for key, lines in scan.header.items()}
    return Contents(
        path,
        "Nanonis scan",
        path.stem,
        channels,
        coordinates,
        _facts(header, scan.size),
        header,
        (f"the file is cut off; {missing} pixels are NaN",) if missing else (),
    )


def read_topograph(path: Path | str) -> tuple[Array, tuple[float, float]]:
    """Read the topograph of a scan.

    Parameters
    ----------
    path : Path or str
        A ``.sxm`` file.

    Returns
    -------
    z : array, shape (rows, columns)
        Tip height, m, of the forward scan; row 0 at the bottom of the frame. NaN where the
        scan was aborted.
    size : (float, float)
        Width and height of the frame, m.

    Raises
    ------
    BadInputError
        If the file is missing, is no ``.sxm`` or damaged, or has no channel Z.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror or error})") from None
    scan = _scan(path, data)
    height = next((channel for channel in scan.channels if channel.name == "Z"), None)
    if height is None:
        raise BadInputError(f"{path}: the scan has no channel Z")
    if height.unit != "m" or height.direction == "backward":
        raise BadInputError(f"{path}: the channel Z is not a forward scan in m")
    z, missing = scan.image(height.first, backward=False)
    if missing == z.size:
        raise BadInputError(f"{path}: the file is cut off before the channel Z")
    if missing:
        warnings.warn(f"{path}: the file is cut off; missing rows are NaN", stacklevel=2)
    return z, scan.size


def _scan(path: Path, data: bytes) -> _Scan:
    text, mark, body = data.partition(_DATA)
    if not text.startswith(START) or not mark:
        raise BadInputError(f"{path}: is not a whole Nanonis scan (.sxm)")
    header = _header(text.decode("latin-1"))
    try:
        columns, rows = (int(part) for part in header["SCAN_PIXELS"][0].split())
        width, height = (float(part) for part in header["SCAN_RANGE"][0].split())
        upwards = {"up": True, "down": False}[header["SCAN_DIR"][0].strip()]
        channels = _channels(header["DATA_INFO"])
    except (KeyError, ValueError, IndexError) as error:
        raise BadInputError(f"{path}: the header lacks or spoils {error}") from None
    if min(columns, rows) < 1:
        raise BadInputError(f"{path}: the header states an empty scan")
    if not (0 < width < 1 and 0 < height < 1):
        raise BadInputError(f"{path}: the header states a frame of {width} x {height} m")
    images = sum(_WAYS[channel.direction] for channel in channels)
    check_size(path, 4 * columns * rows * images, len(body))
    return _Scan(header, columns, rows, (width, height), upwards, channels, body)


def _header(text: str) -> dict[str, list[str]]:
    """Return the value lines of every key."""
    header: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(":") and line.rstrip().endswith(":"):
            lines = header.setdefault(line.strip().strip(":"), [])
        else:
            lines.append(line)
    return header


def _channels(table: list[str]) -> tuple[_Channel, ...]:
    rows = [line.strip("\t").split("\t") for line in table if line.strip()]
    name, unit, direction = (rows[0].index(key) for key in ("Name", "Unit", "Direction"))
    channels: list[_Channel] = []
    images = 0
    for row in rows[1:]:
        channels.append(_Channel(row[name], row[unit], row[direction], images))
        images += _WAYS[row[direction]]
    return tuple(channels)


def _images(scan: _Scan, channel: _Channel) -> tuple[Array, int]:
    """Return the images of a channel, shape (1 or 2, rows, columns), and their missing pixels."""
    ways = {"both": (False, True), "forward": (False,), "backward": (True,)}[channel.direction]
    found = [scan.image(channel.first + i, backward) for i, backward in enumerate(ways)]
    return np.stack([image for image, _ in found]), sum(missing for _, missing in found)


def _facts(header: dict[str, str], size: tuple[float, float]) -> dict[str, Any]:
    facts = facts_of(header)
    centre = [number_of(part) for part in header.get("SCAN_OFFSET", "").split()[:2]]
    if len(centre) == 2 and None not in centre:
        angle = number_of(header.get("SCAN_ANGLE")) or 0.0
        facts["frame"] = [*centre, *size, other_way(angle)]
    date = iso_date(f"{header.get('REC_DATE', '').strip()} {header.get('REC_TIME', '').strip()}")
    if date is not None:
        facts["started"] = date
    kelvin = number_of(header.get("REC_TEMP"))
    if kelvin not in (None, _NO_THERMOMETER) and "temperature" not in facts:
        facts["temperature"] = kelvin
    return facts

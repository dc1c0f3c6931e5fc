"""Nanonis ``.sxm``: the topograph of a scan.

Header lines ``:KEY:`` and their values end with ``:SCANIT_END:`` and the bytes 1A 04; then follow
the images as big-endian float32, for each channel forward and (direction "both") backward. The
first row is the line scanned first: the bottom of the frame when the scan went up.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array

START = b":NANONIS_VERSION:"
_DATA = b"\x1a\x04"


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
    text, mark, body = data.partition(_DATA)
    if not text.startswith(START) or not mark:
        raise BadInputError(f"{path}: is not a whole Nanonis scan (.sxm)")
    header = _header(text.decode("latin-1"))
    try:
        columns, rows = (int(part) for part in header["SCAN_PIXELS"][0].split())
        width, height = (float(part) for part in header["SCAN_RANGE"][0].split())
        upwards = {"up": True, "down": False}[header["SCAN_DIR"][0].strip()]
        image = _first_image(path, header["DATA_INFO"])
    except (KeyError, ValueError, IndexError) as error:
        raise BadInputError(f"{path}: the header lacks or spoils {error}") from None
    if min(columns, rows) < 1:
        raise BadInputError(f"{path}: the header states an empty scan")
    start = 4 * columns * rows * image
    values = np.frombuffer(body[start : start + 4 * columns * rows][: len(body) // 4 * 4], ">f4")
    if len(values) == 0:
        raise BadInputError(f"{path}: the file is cut off before the channel Z")
    z = np.full(rows * columns, np.nan)
    z[: len(values)] = values
    if len(values) < len(z):
        warnings.warn(f"{path}: the file is cut off; missing rows are NaN", stacklevel=2)
    lines = z.reshape(rows, columns)
    return (lines if upwards else lines[::-1].copy()), (width, height)


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


def _first_image(path: Path, table: list[str]) -> int:
    """Return the number of the forward image of channel Z."""
    rows = [line.strip("\t").split("\t") for line in table if line.strip()]
    names = rows[0]
    name, unit, direction = (names.index(key) for key in ("Name", "Unit", "Direction"))
    images = 0
    for row in rows[1:]:
        if row[name] == "Z":
            if row[unit] != "m" or row[direction] == "backward":
                raise BadInputError(f"{path}: the channel Z is not a forward scan in m")
            return images
        images += 2 if row[direction] == "both" else 1
    raise BadInputError(f"{path}: the scan has no channel Z")

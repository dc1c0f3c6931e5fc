"""Objects of Gwyddion's native format as bytes.

A component is its name, a zero byte, a letter for its type, and its value; an object is its name, a
zero byte, the size of its components (uint32), and these. Everything is little-endian (Gwyddion user
guide, "Gwyddion native data file format").
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

from stm_daq.records import Array

MAGIC = b"GWYP"
LARGEST = 2**32 - 1
"""Bytes of an object: sizes are uint32."""


def text(name: str, value: str) -> bytes:
    """Return a text component."""
    return _head(name, "s") + value.replace("\0", "").encode() + b"\0"


def real(name: str, value: float) -> bytes:
    """Return a component that is a number."""
    return _head(name, "d") + struct.pack("<d", value)


def integer(name: str, value: int) -> bytes:
    """Return a component that is an int32."""
    return _head(name, "i") + struct.pack("<i", value)


def numbers_head(name: str, count: int) -> bytes:
    """Return what comes before `count` float64 of an array component."""
    return _head(name, "D") + struct.pack("<I", count)


def numbers(name: str, values: Array) -> bytes:
    """Return an array component, C order."""
    return numbers_head(name, values.size) + np.ascontiguousarray(values, dtype="<f8").tobytes()


def object_head(name: str, type_: str, size: int) -> bytes:
    """Return what comes before the `size` bytes of an object component."""
    return _head(name, "o") + start_of(type_, size)


def start_of(type_: str, size: int) -> bytes:
    """Return what comes before the `size` bytes of an object."""
    return type_.encode() + b"\0" + struct.pack("<I", size)


def nested(name: str, type_: str, content: bytes) -> bytes:
    """Return an object component."""
    return object_head(name, type_, len(content)) + content


def objects(name: str, type_: str, content: bytes) -> bytes:
    """Return a list of one object."""
    return _head(name, "O") + struct.pack("<I", 1) + start_of(type_, len(content)) + content


def unit(name: str, symbol: str) -> bytes:
    """Return a unit."""
    return nested(name, "GwySIUnit", text("unitstr", symbol))


def texts(name: str, values: Mapping[str, str]) -> bytes:
    """Return a container of texts, as Gwyddion keeps metadata."""
    return nested(name, "GwyContainer", b"".join(text(key, v) for key, v in values.items()))


def _head(name: str, letter: str) -> bytes:
    return name.encode() + b"\0" + letter.encode()

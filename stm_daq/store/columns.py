"""Named arrays as bytes of a database row."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Columns = dict[str, NDArray[Any]]
"""First axis spectrum."""


def pack(columns: Columns) -> tuple[str, bytes]:
    """Plain arrays as a description (JSON) and bytes; texts as JSON lists."""
    layout: dict[str, Any] = {}
    parts: list[bytes] = []
    for name, values in columns.items():
        if values.dtype.kind in "OU":
            kind, data = "text", json.dumps([str(v) for v in values.ravel()]).encode()
        else:
            kind = {"f": "<f8", "i": "<i8", "b": "|b1"}[values.dtype.kind]
            data = np.ascontiguousarray(values, dtype=kind).tobytes()
        layout[name] = [kind, list(values.shape), len(data)]
        parts.append(data)
    return json.dumps(layout), zlib.compress(b"".join(parts), 1)


def unpack(layout: str, data: bytes) -> Columns:
    """Undo :func:`pack`."""
    whole, at = zlib.decompress(data), 0
    columns: Columns = {}
    for name, (kind, shape, size) in json.loads(layout).items():
        piece = whole[at : at + size]
        at += size
        if kind == "text":
            values = np.array(json.loads(piece), dtype=object)
        else:
            values = np.frombuffer(piece, dtype=kind).copy()
        columns[name] = values.reshape(shape)
    return columns

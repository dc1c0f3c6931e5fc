"""Values on the Nanonis wire: numbers, strings and arrays, all big-endian.

| kind | encoding |
| --- | --- |
| ``H h I i f d`` | unsigned/signed 16 bit, unsigned/signed 32 bit, float32, float64 |
| ``str`` | int32 byte length, bytes (ASCII, at most 255) |
| ``strs`` | int32 total size, int32 count, then each string with its length before it |
| ``i[]``, ``f[]`` | int32 count, then the numbers |
| ``f[n]``, ``i[n]`` | the numbers alone; their count is the earlier value `n` |
| ``f[,]`` | int32 rows, int32 columns, then float32 row by row |
| ``strs[,]`` | int32 rows, int32 columns, then each string with its length before it |

The protocol's tables list a length that stands before a string or array as a value of its own;
here it belongs to the string or array, but for arrays that share one count.

Source: SPECS, "Nanonis TCP Protocol", R14718 (2025).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

_INT = struct.Struct(">i")
_TWO_INTS = struct.Struct(">ii")
_DTYPES = {code: np.dtype(f">{code}4") for code in "if"} | {"I": np.dtype(">u4")}
_FLOAT32 = _DTYPES["f"]
LONGEST_STRING = 255


class ProtocolError(ValueError):
    """Bytes that are not a message of the Nanonis protocol, or values that do not fit into one."""


@dataclass(frozen=True)
class Field:
    """One value of a message."""

    name: str
    kind: str

    @cached_property
    def base(self) -> str:
        """The kind, but ``[]`` for every one-dimensional array."""
        return "[]" if "[" in self.kind and "," not in self.kind else self.kind

    @cached_property
    def count(self) -> str:
        """Name of the earlier value that is the length of this array; "" if it has its own."""
        return self.kind[2:-1] if self.base == "[]" else ""


class Layout:
    """The values of a message in wire order.

    Parameters
    ----------
    text : str
        Such as ``"x:d y:d wait:I"``; empty for a message without values.
    """

    def __init__(self, text: str) -> None:
        parts = [part.split(":") for part in text.split()]
        self.fields = tuple(Field(name, kind) for name, kind in parts)
        kinds = "".join(field.kind for field in self.fields)
        scalar = all(len(field.kind) == 1 for field in self.fields)
        self._struct = struct.Struct(">" + kinds) if scalar else None

    def pack(self, values: Sequence[Any]) -> bytes:
        """Encode one value for every field.

        Raises
        ------
        ProtocolError
            If their number is wrong or a value does not fit its type.
        """
        if len(values) != len(self.fields):
            names = ", ".join(field.name for field in self.fields) or "none"
            raise ProtocolError(f"needs {len(self.fields)} values ({names}), got {len(values)}")
        try:
            if self._struct is not None:
                return self._struct.pack(*values)
            named = dict(zip((f.name for f in self.fields), values, strict=True))
            return b"".join(_pack_one(field, named) for field in self.fields)
        except (struct.error, OverflowError, TypeError, ValueError) as error:
            raise ProtocolError(f"cannot encode {values!r}: {error}") from error

    def unpack(self, data: bytes, offset: int = 0) -> tuple[tuple[Any, ...], int]:
        """Decode the values that begin at `offset`; return them and the offset behind the last.

        Raises
        ------
        ProtocolError
            If `data` ends too early or a length in it is impossible.
        """
        try:
            if self._struct is not None:
                values = self._struct.unpack_from(data, offset)
                return values, offset + self._struct.size
            found: dict[str, Any] = {}
            for field in self.fields:
                found[field.name], offset = _unpack_one(field, data, offset, found)
        except (struct.error, UnicodeDecodeError) as error:
            raise ProtocolError(f"damaged message: {error}") from error
        return tuple(found.values()), offset

    def blank(self) -> tuple[Any, ...]:
        """Return zeros and empty strings: what a reply carries in front of an error."""
        return tuple(_BLANKS.get(field.base, 0) for field in self.fields)


_BLANKS: dict[str, Any] = {"str": "", "strs": (), "[]": (), "f[,]": np.empty((0, 0)), "strs[,]": ()}


def _pack_one(field: Field, values: dict[str, Any]) -> bytes:
    kind, value = field.kind, values[field.name]
    if kind == "str":
        return pack_string(value)
    if kind == "strs":
        body = b"".join(pack_string(item) for item in value)
        return _TWO_INTS.pack(len(body), len(value)) + body
    if kind == "strs[,]":
        columns = len(value[0]) if len(value) else 0
        cells = b"".join(pack_string(cell) for row in value for cell in row)
        return _TWO_INTS.pack(len(value), columns) + cells
    if kind == "f[,]":
        table = np.asarray(value)
        rows, columns = table.shape
        return _TWO_INTS.pack(rows, columns) + table.astype(_FLOAT32).tobytes()
    if field.base == "[]":
        numbers = np.asarray(value).astype(_DTYPES[kind[0]]).tobytes()
        if not field.count:
            return _INT.pack(len(value)) + numbers
        if len(value) != values[field.count]:
            raise ProtocolError(f"{field.name}: {len(value)} numbers, {values[field.count]} needed")
        return numbers
    return struct.pack(">" + kind, value)


def _unpack_one(field: Field, data: bytes, offset: int, found: dict[str, Any]) -> tuple[Any, int]:
    kind = field.kind
    if kind == "str":
        return unpack_string(data, offset)
    if kind == "strs":
        _, count = _TWO_INTS.unpack_from(data, offset)
        return _strings(data, offset + _TWO_INTS.size, count)
    if kind in ("f[,]", "strs[,]"):
        rows, columns = _TWO_INTS.unpack_from(data, offset)
        if rows < 0 or columns < 0:
            raise ProtocolError(f"damaged message: an array of {rows} x {columns}")
        offset += _TWO_INTS.size
        if kind == "f[,]":
            flat, offset = _numbers(_FLOAT32, data, offset, rows * columns)
            return flat.reshape(rows, columns), offset
        cells, offset = _strings(data, offset, rows * columns)
        return tuple(cells[i : i + columns] for i in range(0, len(cells), columns or 1)), offset
    if field.base == "[]":
        if field.count:
            return _numbers(_DTYPES[kind[0]], data, offset, found[field.count])
        (count,) = _INT.unpack_from(data, offset)
        return _numbers(_DTYPES[kind[0]], data, offset + _INT.size, count)
    (value,) = struct.unpack_from(">" + kind, data, offset)
    return value, offset + struct.calcsize(">" + kind)


def _strings(data: bytes, offset: int, count: int) -> tuple[tuple[str, ...], int]:
    if not 0 <= count <= len(data) // _INT.size:
        raise ProtocolError(f"damaged message: {count} strings do not fit into {len(data)} bytes")
    names = []
    for _ in range(count):
        name, offset = unpack_string(data, offset)
        names.append(name)
    return tuple(names), offset


def _numbers(dtype: np.dtype[Any], data: bytes, offset: int, count: int) -> tuple[Any, int]:
    end = offset + count * dtype.itemsize
    if count < 0 or end > len(data):
        raise ProtocolError(f"damaged message: {count} numbers do not fit into {len(data)} bytes")
    native = np.float64 if dtype.kind == "f" else np.int64
    with np.errstate(invalid="ignore"):  # a damaged number may be a signalling NaN
        return np.frombuffer(data, dtype, count, offset).astype(native), end


def pack_string(text: str) -> bytes:
    """Encode a string with its length before it."""
    body = text.encode("ascii")
    if len(body) > LONGEST_STRING:
        raise ProtocolError(f"a string of {len(body)} bytes; some clients read only 255")
    return _INT.pack(len(body)) + body


def unpack_string(data: bytes, offset: int) -> tuple[str, int]:
    """Decode a string; return it and the offset behind it."""
    (length,) = _INT.unpack_from(data, offset)
    begin = offset + _INT.size
    end = begin + length
    if length < 0 or end > len(data):
        raise ProtocolError(f"damaged message: a string of {length} bytes")
    return data[begin:end].decode("latin-1"), end

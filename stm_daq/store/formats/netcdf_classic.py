"""The classic NetCDF format, as far as images need it: header, and fixed-size variables.

Layout: "The NetCDF Classic Format Specification", Unidata. Every length is checked against the
file before anything is allocated. Written here because a library that trusts the header may
allocate what a damaged one states.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import BadInputError

_TYPES = {1: ">i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8"}
_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and where its data are."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    attributes: dict[str, Any]
    dtype: np.dtype[Any]
    begin: int


@dataclass(frozen=True, slots=True)
class ClassicFile:
    """A file whose header was read."""

    path: Path
    data: bytes
    attributes: dict[str, Any]
    variables: dict[str, Variable]

    def values(self, name: str) -> NDArray[Any]:
        """Return the values of a variable.

        Raises
        ------
        BadInputError
            If there is none of that name, or the file ends before its end.
        """
        variable = self.variables.get(name)
        if variable is None:
            raise BadInputError(f"{self.path}: has no variable '{name}'")
        count = math.prod(variable.shape)
        end = variable.begin + count * variable.dtype.itemsize
        if end > len(self.data):
            raise BadInputError(
                f"{self.path}: '{name}' ends at byte {end}, the file at {len(self.data)}; "
                "it is cut off"
            )
        part = self.data[variable.begin : end]
        return np.frombuffer(part, variable.dtype).reshape(variable.shape)

    def text(self, name: str) -> str:
        """Return a variable of characters as text; "" without it."""
        if name not in self.variables or self.variables[name].dtype.kind != "S":
            return ""
        characters = self.values(name).ravel().tolist()
        return b"".join(characters).decode("utf-8", errors="replace").strip("\0 \n")


def read_classic(path: Path, data: bytes) -> ClassicFile:
    """Read the header of a classic NetCDF file.

    Raises
    ------
    BadInputError
        If it is damaged or cut off.
    """
    try:
        return _Header(path, data).read()
    except (struct.error, UnicodeDecodeError, KeyError, IndexError) as error:
        raise BadInputError(f"{path}: the NetCDF header is damaged or cut off ({error})") from None


class _Header:
    def __init__(self, path: Path, data: bytes) -> None:
        self._path, self._data, self._at = path, data, 4
        self._long = data[3] == 2  # 64-bit offsets

    def read(self) -> ClassicFile:
        records = self._number()
        dims = [(self._name(), self._number()) for _ in range(self._list(_DIMENSIONS))]
        sizes = [(name, size or records) for name, size in dims]
        unlimited = {name for name, size in dims if size == 0}
        attributes = self._attributes()
        variables: dict[str, Variable] = {}
        for _ in range(self._list(_VARIABLES)):
            name = self._name()
            variables[name] = self._variable(sizes)
        several = [v for v in variables.values() if v.dims and v.dims[0] in unlimited]
        if records > 1 and several:  # records of all variables take turns
            raise BadInputError(f"{self._path}: holds several records; only one is read here")
        return ClassicFile(self._path, self._data, attributes, variables)

    def _variable(self, sizes: list[tuple[str, int]]) -> Variable:
        chosen = [sizes[self._number()] for _ in range(self._count(4))]
        attributes = self._attributes()
        dtype = np.dtype(_TYPES[self._number()])
        self._number()  # size in bytes, follows from the shape
        begin = self._unpack(">Q" if self._long else ">I")
        dims = tuple(name for name, _ in chosen)
        return Variable(dims, tuple(size for _, size in chosen), attributes, dtype, begin)

    def _attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(self._list(_ATTRIBUTES)):
            name = self._name()
            dtype = np.dtype(_TYPES[self._number()])
            raw = self._bytes(self._count(dtype.itemsize) * dtype.itemsize)
            if dtype.kind == "S":
                found[name] = raw.decode("utf-8", errors="replace")
            else:
                found[name] = np.frombuffer(raw, dtype).tolist()
        return found

    def _list(self, kind: int) -> int:
        tag, count = self._number(), self._count(4)
        if tag != kind and (tag, count) != (0, 0):
            raise BadInputError(f"{self._path}: the NetCDF header is damaged at byte {self._at}")
        return count

    def _count(self, least: int) -> int:
        """Return a number of things that take at least so many bytes each."""
        count = self._number()
        if count * least > len(self._data) - self._at:
            raise BadInputError(
                f"{self._path}: the header states {count} items at byte {self._at}, more than the "
                "file holds; it is damaged or cut off"
            )
        return count

    def _name(self) -> str:
        return self._bytes(self._count(1)).decode("utf-8")

    def _bytes(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        self._at += size + -size % 4  # padded to four bytes
        return part

    def _number(self) -> int:
        return self._unpack(">I")

    def _unpack(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return int(value)

"""What a measured file holds, before it becomes an :class:`xarray.Dataset`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import BadInputError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

LEFT, BOTTOM = "distance from the left edge", "distance from the bottom edge"
_SMALL = 64 * 2**20
_FEW_TIMES = 16


@dataclass(frozen=True, slots=True)
class Channel:
    """One array of a file."""

    dims: tuple[str, ...]
    values: NDArray[Any]
    unit: str = ""
    """SI unit where it is known, else as the file writes it."""
    meaning: str = ""

    def variable(self) -> tuple[tuple[str, ...], NDArray[Any], dict[str, str]]:
        """Return the form that :class:`xarray.Dataset` takes."""
        return self.dims, self.values, {"units": self.unit, "long_name": self.meaning}


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything a file holds, in SI as far as it states units.

    Names and dimensions are those of a run: ``y``, ``x`` of spectra, ``topograph_y``,
    ``topograph_x`` of images, ``direction`` ("there", "back"), ``bias``; row 0 is the bottom.
    """

    path: Path
    kind: str
    """Of file, such as "Nanonis grid"."""
    title: str
    channels: dict[str, Channel]
    coordinates: dict[str, Channel] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Attributes: numbers in SI, texts; such as "temperature", "frame", "modulation"."""
    header: Mapping[str, str] = field(default_factory=dict)
    """As the file states it."""
    remarks: tuple[str, ...] = ()
    """What a user should know about how the file was read; sentences."""

    def dataset(self) -> xr.Dataset:
        """Return it as a dataset; the header is JSON in the attribute ``header``."""
        import xarray as xr

        attributes = {
            "title": self.title,
            "source": str(self.path),
            "format": self.kind,
            **self.facts,
            "remarks": "; ".join(self.remarks),
            "header": json.dumps(dict(self.header), ensure_ascii=False),
        }
        dims = {dim for channel in self.channels.values() for dim in channel.dims}
        channels = {
            f"{name}_channel" if name in dims | self.coordinates.keys() else name: channel
            for name, channel in self.channels.items()
        }
        return xr.Dataset(
            {name: channel.variable() for name, channel in channels.items()},
            coords={name: channel.variable() for name, channel in self.coordinates.items()},
            attrs=attributes,
        )


def variable_name(name: str, taken: Mapping[str, object] = {}) -> str:
    """Return `name` as a name in a program, such as ``li_demod_1_x``, unlike those `taken`."""
    plain = re.sub(r"\W+", "_", name.lower()).strip("_") or "channel"
    if plain[0].isdigit():
        plain = f"channel_{plain}"
    number, free = 2, plain
    while free in taken:
        free = f"{plain}_{number}"
        number += 1
    return free


def pixel_axis(dim: str, count: int, extent: float, meaning: str) -> Channel:
    """Return the middles of `count` pixels along `extent` (m)."""
    middles: Array = (np.arange(count, dtype=np.float64) + 0.5) * (extent / count)
    return Channel((dim,), middles, "m", meaning)


def directions() -> Channel:
    """Return the axis of sweeps or scans there and back."""
    return Channel(("direction",), np.array(["there", "back"]), "", "direction")


def floats(data: bytes | NDArray[Any]) -> Array:
    """Return big-endian float32 bytes, or an array of numbers, as float64.

    Damaged bytes may be signalling NaN, of which numpy would complain.
    """
    raw = np.frombuffer(data, ">f4") if isinstance(data, bytes) else data
    with np.errstate(invalid="ignore"):
        return raw.astype(np.float64)


def slope(values: Array, axis: Array) -> Array:
    """Return the derivative along the last axis; damaged numbers may give infinite ones."""
    with np.errstate(all="ignore"):
        found: Array = np.gradient(values, axis, axis=-1)
    return found


def number_of(text: str | None) -> float | None:
    """Return the first number in `text`; None if it has none that is finite."""
    match = re.match(r"\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)", text or "")
    if match is None:
        return None
    value = float(match[1])
    return value if np.isfinite(value) else None


def iso_date(text: str | None) -> str | None:
    """Return a date as Nanonis writes it (21.11.2026 10:00:00) in ISO form; None if it is none."""
    try:
        return datetime.strptime((text or "").strip(), "%d.%m.%Y %H:%M:%S").isoformat()
    except ValueError:
        return None


def check_size(path: Path, stated: int, held: int) -> None:
    """Refuse to allocate what a damaged header states.

    Parameters
    ----------
    stated, held : int
        Bytes of the data that the header states and that the file holds.

    Raises
    ------
    BadInputError
        If much more is stated than is there.
    """
    if stated > max(_SMALL, _FEW_TIMES * held):
        raise BadInputError(
            f"{path}: the header states {stated} bytes of data, the file holds {held}; "
            "it is damaged or cut off"
        )

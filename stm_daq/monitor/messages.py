"""Messages on the wire: what a run tells its viewers, version 2 (see ``docs/protocol.md``).

A message is a list of frames ``[topic, header, array, array, ...]``: the header is JSON, the arrays
are raw bytes. Whatever arrives is checked before it is believed, and nothing is ever unpickled.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Buffer, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_type_hints

import msgspec
import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import StmDaqError
from stm_daq.monitor.bodies import (
    TYPES,
    Alert,
    Body,
    Cells,
    End,
    Guard,
    Heartbeat,
    Hello,
)
from stm_daq.records import Array, Axis, Progress, RunStarted, Spectrum, TopographRows

__all__ = [
    "Alert",
    "Body",
    "Cells",
    "End",
    "Guard",
    "Heartbeat",
    "Hello",
    "Message",
    "MessageError",
    "decode",
    "encode",
]

VERSION: Final = 2
LARGEST_HEADER = 64 * 1024
"""Bytes."""
LARGEST_ARRAY = 16 * 1024 * 1024
"""Bytes of all arrays of a message together."""
MOST_ARRAYS = 8
LARGEST_MAP = 2048 * 2048
"""Sites or pixels, of all steps together, that a run may announce."""
MOST_AXES = 16
_PLACES = {"x", "y", "topograph_x", "topograph_y"}
LATEST = 1e11
"""Seconds since 1970 beyond which no moment is believed (year 5138)."""
_DTYPES = {"<f8", "<f4"}
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What could command a terminal (an escape, a carriage return), or turn a line around."""
_SUSPICIOUS = re.compile(rb"\\[ubfr]|\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
"""Headers as JSON that may hold such characters."""
_NAMES = {kind: name for name, kind in TYPES.items()}


class MessageError(StmDaqError):
    """A message cannot be believed (damaged, foreign, of another version) or is too large."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, decoded."""

    run: str
    """Identifier of the run; "" while none has begun."""
    boot: str
    """Changes whenever the publisher is started anew."""
    seq: int
    """Increases by 1 with every message of a publisher: a gap is a loss."""
    t: float
    """Real time when it was sent, seconds since the Unix epoch."""
    body: Body


class _ArrayHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    dtype: str
    shape: tuple[int, ...]


class _Header(msgspec.Struct, frozen=True):
    v: Literal[2]
    type: str
    run: str
    boot: str
    seq: int
    t: float
    arr: tuple[_ArrayHeader, ...]


_HINTS = {body: get_type_hints(body) for body in TYPES.values()}
_ARRAYS = {
    body: tuple(name for name, hint in hints.items() if hint is Array)
    for body, hints in _HINTS.items()
}
_FLOATS = {
    body: tuple(name for name, hint in hints.items() if hint is float)
    for body, hints in _HINTS.items()
}
_FLOAT_MAPS = {
    body: tuple(name for name, hint in hints.items() if hint == Mapping[str, float])
    for body, hints in _HINTS.items()
}
_MOMENTS = {"time", "finish_time"}
_MAY_BE_UNKNOWN = (TopographRows, Progress, Heartbeat)
"""What may be told without a time."""


def encode(message: Message) -> list[bytes]:
    """Return the frames of `message`.

    NaN and infinity travel as null and arrive as NaN.

    Raises
    ------
    MessageError
        If the header would be too long, or holds something other than plain JSON types.
    """
    body = message.body
    kind = type(body)
    arrays = {name: np.ascontiguousarray(getattr(body, name), "<f8") for name in _ARRAYS[kind]}
    header: dict[str, Any] = {
        "v": VERSION,
        "type": _NAMES[kind],
        "run": message.run,
        "boot": message.boot,
        "seq": message.seq,
        "t": message.t,
        "arr": [
            {"name": name, "dtype": "<f8", "shape": array.shape} for name, array in arrays.items()
        ],
    }
    for field in dataclasses.fields(kind):
        if field.name not in arrays:
            header[field.name] = getattr(body, field.name)
    try:
        packed = msgspec.json.encode(header)
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise MessageError(f"a record of type {kind.__name__} cannot be sent ({error})") from None
    if len(packed) > LARGEST_HEADER:
        raise MessageError(f"a record of type {kind.__name__} is too long to be sent")
    return [_NAMES[kind].encode(), packed, *(array.tobytes() for array in arrays.values())]


def decode(frames: Sequence[Buffer]) -> Message:
    """Check and decode the frames of a message.

    Raises
    ------
    MessageError
        If anything about them is wrong; never another exception.
    """
    if not 2 <= len(frames) <= 2 + MOST_ARRAYS:
        raise MessageError(f"a message of {len(frames)} frames")
    topic, packed = bytes(frames[0]), bytes(frames[1])
    if len(packed) > LARGEST_HEADER:
        raise MessageError(f"a header of {len(packed)} bytes")
    try:
        fields = msgspec.json.decode(packed, type=dict[str, Any])
        if _SUSPICIOUS.search(packed):
            fields = _harmless(fields)
        header = msgspec.convert(fields, _Header)
        kind = TYPES[header.type]
        arrays = _arrays(header.arr, frames[2:])
        if topic != header.type.encode() or set(arrays) != set(_ARRAYS[kind]):
            raise MessageError(f"topic or arrays do not belong to a message '{header.type}'")
        body: Body = msgspec.convert(_with_nan(kind, fields) | arrays, kind, dec_hook=_as_is)
    except KeyError as error:
        raise MessageError(f"a message of unknown type {error}") from None
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MessageError(f"a damaged message ({error})") from None
    _check(body)
    return Message(header.run, header.boot, header.seq, header.t, body)


def _arrays(headers: Sequence[_ArrayHeader], frames: Sequence[Buffer]) -> dict[str, Array]:
    if len(headers) != len(frames):
        raise MessageError(f"{len(frames)} arrays where the header states {len(headers)}")
    views = [memoryview(frame) for frame in frames]
    if sum(view.nbytes for view in views) > LARGEST_ARRAY:
        raise MessageError("the arrays are too large")
    return {header.name: _array(header, view) for header, view in zip(headers, views, strict=True)}


def _array(header: _ArrayHeader, view: memoryview) -> Array:
    if header.dtype not in _DTYPES:
        raise MessageError(f"an array of type '{header.dtype}'")
    dtype = np.dtype(header.dtype)
    if len(header.shape) > 2 or min(header.shape, default=0) < 0:
        raise MessageError(f"an array of shape {header.shape}")
    if math.prod(header.shape) * dtype.itemsize != view.nbytes:
        raise MessageError(f"{view.nbytes} bytes for an array of shape {header.shape}")
    return np.frombuffer(view, dtype).reshape(header.shape).astype(np.float64, copy=False)


def _with_nan(kind: type, fields: dict[str, Any]) -> dict[str, Any]:
    """Turn null back into NaN where a number belongs."""
    restored = dict(fields)
    for name in _FLOATS[kind]:
        if name in restored and restored[name] is None:
            restored[name] = math.nan
    for name in _FLOAT_MAPS[kind]:
        values = restored.get(name)
        if isinstance(values, dict):
            restored[name] = {k: math.nan if v is None else v for k, v in values.items()}
    return restored


def _harmless(value: Any) -> Any:
    """Replace what cannot be printed, in all texts and names."""
    match value:
        case str():
            return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        case list():
            return [_harmless(item) for item in value]
        case dict():
            return {_harmless(name): _harmless(item) for name, item in value.items()}
        case _:
            return value


def _as_is(kind: type, value: Any) -> NDArray[np.float64]:
    if isinstance(value, np.ndarray):
        return value
    raise MessageError(f"a {type(value).__name__} where a {kind.__name__} belongs")


def _check(body: Body) -> None:
    """Check what the types cannot say, so that a viewer may rely on it."""
    match body:
        case RunStarted():
            good = (
                _plausible(body.grid_shape)
                and _plausible(body.topograph_shape)
                and body.grid_y.shape == body.grid_shape[:1]
                and body.grid_x.shape == body.grid_shape[1:]
                and body.bias.ndim == 1
                and body.swept.shape in ((0,), body.bias.shape)
                and body.directions in (1, 2)
                and _distinct(body.axes)
                and body.steps * max(1, *map(math.prod, (body.grid_shape, body.topograph_shape)))
                <= LARGEST_MAP
            )
        case TopographRows():
            good = body.z.ndim == 2 and body.first_row >= 0 and body.step >= 0
        case Spectrum():
            shapes = {body.bias.shape, body.current.shape, body.conductance.shape}
            good = len(shapes) == 1 and body.bias.ndim == 1
        case Cells():
            good = body.sites.ndim == 1 and len(set(body.names)) == len(body.names)
            good = good and body.values.shape == (len(body.sites), len(body.names))
            good = good and _in_time(body)
        case _:
            good = True
    if not good:
        raise MessageError(f"the arrays of a message '{_NAMES[type(body)]}' do not fit together")
    for name in _MOMENTS.intersection(_FLOATS[type(body)]):
        moment = getattr(body, name)
        unknown = math.isnan(moment) and isinstance(body, _MAY_BE_UNKNOWN)
        if not (unknown or 0.0 <= moment <= LATEST):
            raise MessageError(f"a message '{_NAMES[type(body)]}' of an impossible time ({moment})")


def _in_time(cells: Cells) -> bool:
    """Return whether the times among the values are possible, or unknown."""
    if "time" not in cells.names:
        return True
    times = cells.values[:, cells.names.index("time")]
    return bool(np.all(np.isnan(times) | ((times >= 0.0) & (times <= LATEST))))


def _distinct(axes: Sequence[Axis]) -> bool:
    """Return whether these may be the outer axes of a dataset."""
    names = {axis.name for axis in axes}
    return len(axes) <= MOST_AXES and len(names) == len(axes) and not names & _PLACES


def _plausible(shape: tuple[int, int]) -> bool:
    return min(shape) >= 0 and max(shape) <= LARGEST_MAP and math.prod(shape) <= LARGEST_MAP

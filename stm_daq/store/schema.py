"""The run journal's tables, and how records become rows and rows records.

One SQLite file per run. Arrays are little-endian float64 blobs; every row is sealed by a CRC-32 of
all its values. SQLite stores NaN as NULL; reading turns NULL back into NaN.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from stm_daq.errors import JournalError
from stm_daq.records import (
    Array,
    Axis,
    Event,
    Fit,
    Frame,
    RunEnded,
    RunStarted,
    Site,
    Spectrum,
    TopographRows,
    Truth,
    TwinState,
)

FILE_NAME = "journal.db"
APPLICATION_ID = 0x53544D31
"""Marks the file as ours ("STM1") in the SQLite header."""
VERSION = 2
"""Version of the tables below (SQLite's user_version). Older ones are read by way of `upgraded`."""

_COLUMNS_1 = {
    "run": 19,
    "topograph": 5,
    "spectrum": 14,
    "fit": 9,
    "truth": 4,
    "event": 5,
    "ended": 4,
}
COLUMNS = {1: _COLUMNS_1, 2: _COLUMNS_1 | {"run": 25, "topograph": 6, "spectrum": 17}}
"""Columns of every table by version: a damaged header is not taken for an old journal."""

type Row = tuple[Any, ...]

TABLES = """
CREATE TABLE run (
    run_id TEXT, kind TEXT, time REAL, name TEXT, sample TEXT, plan_text TEXT, station_text TEXT,
    frame TEXT, grid_rows INTEGER, grid_columns INTEGER, grid_x BLOB, grid_y BLOB,
    topograph_rows INTEGER, topograph_columns INTEGER, bias BLOB, modulation REAL, metadata TEXT,
    axes TEXT, sites TEXT, swept_name TEXT, swept_unit TEXT, swept BLOB, directions INTEGER,
    software TEXT, crc32 INTEGER
);
CREATE TABLE topograph (
    time REAL, first_row INTEGER, columns INTEGER, z BLOB, step INTEGER, crc32 INTEGER
);
CREATE TABLE spectrum (
    site INTEGER, attempt INTEGER, row INTEGER, col INTEGER, x REAL, y REAL, time REAL,
    duration REAL, z REAL, setpoint_current REAL, temperature REAL, flags TEXT,
    data BLOB,      -- bias (V), current (A), conductance (S), one after the other, then further traces
    step INTEGER, sweeps INTEGER, reason TEXT,
    crc32 INTEGER,
    UNIQUE (site, attempt)
);
CREATE TABLE fit (
    site INTEGER, attempt INTEGER, model TEXT, value TEXT, std TEXT, reduced_chi_square REAL,
    ok INTEGER, flags TEXT, crc32 INTEGER
);
CREATE INDEX fit_of_site ON fit (site);
CREATE TABLE truth (site INTEGER, attempt INTEGER, value TEXT, crc32 INTEGER);
CREATE TABLE twin_state (number INTEGER PRIMARY KEY, time REAL, state TEXT, crc32 INTEGER);
CREATE TABLE event (time REAL, kind TEXT, text TEXT, data TEXT, crc32 INTEGER);
CREATE TABLE ended (time REAL, state TEXT, text TEXT, crc32 INTEGER);
"""


NEW_IN_2: dict[str, tuple[int, Row]] = {
    "run": (17, ("[]", "grid", "bias", "V", b"", 1)),
    "topograph": (4, (0,)),
    "spectrum": (13, (0, 1, "")),
}
"""Table: where columns were added in version 2, and what they hold in older journals."""


def upgraded(table: str, version: int, row: Row) -> Row:
    """Return a row of a journal of some `version`, without its CRC-32, in the present form."""
    if version < 2 and table in NEW_IN_2:
        at, added = NEW_IN_2[table]
        return (*row[:at], *added, *row[at:-1])
    return row[:-1]


def blob(array: Array) -> bytes:
    """Return `array` as little-endian float64 bytes, C order."""
    return np.ascontiguousarray(array, dtype="<f8").tobytes()


def array_of(data: bytes) -> Array:
    """Return the one-dimensional array kept in `data` (a fresh copy)."""
    return np.frombuffer(data, dtype="<f8").astype(np.float64)


def number(value: float | None) -> float:
    """Return `value`, or NaN for SQLite's NULL."""
    return math.nan if value is None else value


def text_of(value: object, where: str) -> str:
    """Write `value` as JSON.

    Raises
    ------
    JournalError
        If it holds something other than plain JSON types.
    """
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise JournalError(
            f"{where} cannot be stored ({error}); use plain JSON types only"
        ) from None


_NUMBERS = msgspec.json.Decoder(dict[str, float])


def numbers_of(text: str) -> dict[str, float]:
    """Read named numbers; also NaN and Infinity, which strict JSON does not know."""
    try:
        return _NUMBERS.decode(text)
    except msgspec.DecodeError:
        return {str(name): float(value) for name, value in json.loads(text).items()}


def join_flags(flags: Iterable[str]) -> str:
    """Write flags as one comma-separated text."""
    return ",".join(flags)


def split_flags(text: str) -> tuple[str, ...]:
    """Undo :func:`join_flags`."""
    return tuple(text.split(",")) if text else ()


def sealed(row: Row) -> Row:
    """Return `row` as it will be read back (NaN as NULL), with its CRC-32 appended."""
    stored = tuple(None if value != value else value for value in row)
    return (*stored, _crc32(stored))


def is_whole(row: Row) -> bool:
    """Say whether the CRC-32 at the end of `row` is that of the values before it."""
    return bool(_crc32(row[:-1]) == row[-1])


_BYTES: dict[type, Callable[[Any], bytes]] = {
    float: struct.Struct("<d").pack,
    int: lambda value: b"%d" % value,
    str: lambda value: value.encode(errors="surrogatepass"),
    bytes: bytes,
    type(None): lambda _: b"NULL",
}


def _crc32(row: Row) -> int:
    return zlib.crc32(b"".join([_BYTES[type(value)](value) for value in row]))


def run_row(record: RunStarted, software: str) -> Row:
    """Return the row of table ``run``."""
    frame = record.frame
    return (
        record.run_id,
        record.kind,
        float(record.time),
        record.name,
        record.sample,
        record.plan_text,
        record.station_text,
        text_of([frame.centre_x, frame.centre_y, frame.width, frame.height, frame.angle], "frame"),
        *map(int, record.grid_shape),
        blob(record.grid_x),
        blob(record.grid_y),
        *map(int, record.topograph_shape),
        blob(record.bias),
        float(record.modulation),
        text_of(dict(record.metadata), "the metadata of the run"),
        text_of([[axis.name, axis.unit, list(axis.values)] for axis in record.axes], "axes"),
        record.sites,
        record.swept_name,
        record.swept_unit,
        blob(record.swept),
        int(record.directions),
        software,
    )


def run_of(row: Row) -> RunStarted:
    """Undo :func:`run_row` (``software`` is left out)."""
    return RunStarted(
        run_id=row[0],
        kind=row[1],
        time=row[2],
        name=row[3],
        sample=row[4],
        plan_text=row[5],
        station_text=row[6],
        frame=Frame(*json.loads(row[7])),
        grid_shape=(row[8], row[9]),
        grid_x=array_of(row[10]),
        grid_y=array_of(row[11]),
        topograph_shape=(row[12], row[13]),
        bias=array_of(row[14]),
        modulation=number(row[15]),
        metadata=json.loads(row[16]),
        axes=tuple(Axis(name, unit, tuple(values)) for name, unit, values in json.loads(row[17])),
        sites=row[18],
        swept_name=row[19],
        swept_unit=row[20],
        swept=array_of(row[21]),
        directions=row[22],
    )


def topograph_row(record: TopographRows) -> Row:
    """Return the row of table ``topograph``."""
    data = blob(record.z)
    columns = int(record.z.shape[1])
    return (float(record.time), int(record.first_row), columns, data, int(record.step))


def topograph_of(row: Row) -> TopographRows:
    """Undo :func:`topograph_row`."""
    return TopographRows(row[0], row[1], array_of(row[3]).reshape(-1, row[2]), row[4])


def spectrum_row(record: Spectrum) -> Row:
    """Return the row of table ``spectrum``."""
    site = record.site
    # int() and float(): SQLite would store numpy's scalar types as bytes
    return (
        int(site.index),
        int(record.attempt),
        int(site.row),
        int(site.col),
        float(site.x),
        float(site.y),
        float(record.time),
        float(record.duration),
        float(record.z),
        float(record.setpoint_current),
        float(record.temperature),
        join_flags(record.flags),
        blob(record.bias) + blob(record.current) + blob(record.conductance) + blob(record.extra),
        int(site.step),
        int(record.sweeps),
        record.reason,
    )


def spectrum_of(row: Row, traces: int = 0) -> Spectrum:
    """Undo :func:`spectrum_row`; `traces` is how many the run has besides current and conductance."""
    bias, current, conductance, *extra = array_of(row[12]).reshape(3 + traces, -1)
    return Spectrum(
        site=Site(row[0], row[2], row[3], number(row[4]), number(row[5]), row[13]),
        attempt=row[1],
        time=row[6],
        duration=number(row[7]),
        bias=bias,
        current=current,
        conductance=conductance,
        z=number(row[8]),
        setpoint_current=number(row[9]),
        temperature=number(row[10]),
        flags=split_flags(row[11]),
        sweeps=row[14],
        reason=row[15],
        extra=np.array(extra).reshape(traces, -1) if traces else np.empty((0, 0)),
    )


def fit_row(record: Fit) -> Row:
    """Return the row of table ``fit``."""
    return (
        int(record.site_index),
        int(record.attempt),
        record.model,
        text_of(dict(record.values), "the values of a fit"),
        text_of(dict(record.std), "the standard deviations of a fit"),
        float(record.reduced_chi_square),
        int(record.ok),
        join_flags(record.flags),
    )


def fit_of(row: Row) -> Fit:
    """Undo :func:`fit_row`."""
    return Fit(
        site_index=row[0],
        attempt=row[1],
        model=row[2],
        values=numbers_of(row[3]),
        std=numbers_of(row[4]),
        reduced_chi_square=number(row[5]),
        ok=bool(row[6]),
        flags=split_flags(row[7]),
    )


def truth_row(record: Truth) -> Row:
    """Return the row of table ``truth``."""
    values = text_of(dict(record.values), "the truth of a site")
    return (int(record.site_index), int(record.attempt), values)


def truth_of(row: Row) -> Truth:
    """Undo :func:`truth_row`."""
    return Truth(row[0], row[1], numbers_of(row[2]))


def twin_state_row(record: TwinState) -> Row:
    """Return the one row of table ``twin_state``: only the latest state is of use."""
    return (1, float(record.time), text_of(dict(record.state), "the state of the twin"))


def twin_state_of(row: Row) -> TwinState:
    """Undo :func:`twin_state_row`."""
    return TwinState(row[1], json.loads(row[2]))


def event_row(record: Event) -> Row:
    """Return the row of table ``event``."""
    data: Mapping[str, Any] = dict(record.data)
    return (float(record.time), record.kind, record.text, text_of(data, f"event '{record.text}'"))


def event_of(row: Row) -> Event:
    """Undo :func:`event_row`."""
    return Event(number(row[0]), row[1], row[2], json.loads(row[3]))


def ended_row(record: RunEnded) -> Row:
    """Return the row of table ``ended``."""
    return (float(record.time), record.state, record.text)

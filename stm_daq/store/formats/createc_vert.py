"""Createc ``.VERT``: one spectrum or time trace.

A header of ``key=value`` lines, padded with NUL to 16 384 bytes, the line ``DATA``, a line with the
number of points, the position and a code of the channels, and the rows: number, bias (mV), height
and channels in counts of converters that span -10 to 10 V.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.formats.columns import Column
from stm_daq.store.formats.contents import number_of
from stm_daq.store.formats.table import Table, there_and_back
from stm_daq.store.formats.text import Line, numbers, without_cut_row

START = b"[ParVERT"
_DATA = re.compile(r"^DATA\s*$", re.MULTILINE)
_SPAN = 20.0
"""V, of all counts of a converter."""
_SIGNALS = ("I", "dI/dV", "d2I/dV2", "ADC0", "ADC1", "ADC2", "ADC3")
"""Channels by bit of the code; what the further bits mean is not known here."""


def parse_vert(path: Path, data: bytes) -> Table:
    """Read a Createc spectrum.

    The current is in A, by the gain of the preamplifier that the header states; the other signals
    are in V at the converter. A trace of time has the column ``time``.

    Raises
    ------
    BadInputError
        If it is cut off or damaged.
    """
    text = data.decode("cp1252", errors="replace")
    mark = _DATA.search(text)
    if mark is None:
        raise BadInputError(f"{path}: has no DATA; the file is cut off")
    header = dict(_pair(line) for line in text[: mark.start()].splitlines() if "=" in line)
    lines = text[mark.end() :].lstrip("\r\n").splitlines()
    code = _channel_code(path, lines[0] if lines else "")
    rows: list[Line] = [
        (text.count("\n", 0, mark.end()) + i, line)
        for i, line in enumerate(lines[1:], 2)
        if line.strip()
    ]
    if not rows:
        raise BadInputError(f"{path}: holds no rows of numbers after DATA")
    counts, remarks = without_cut_row(text, rows, "\t", numbers(path, rows, "\t"))
    stated = int(lines[0].split()[0])
    if len(counts) < stated:
        remarks = (*remarks, f"the file holds {len(counts)} of {stated} points; it is cut off")
    columns, values = _in_si(path, header, code, counts)
    facts = _facts(header)
    table = Table(path, "Createc spectrum", path.stem, columns, values, header, facts, remarks)
    return there_and_back(table)


def _pair(line: str) -> tuple[str, str]:
    """Return key and value; of ``internal / shown=value`` the key that is shown."""
    key, _, value = line.partition("=")
    return key.rpartition(" / ")[2].strip(), value.strip()


def _channel_code(path: Path, line: str) -> int:
    try:
        _, _, _, code = (int(part) for part in line.split()[:4])
    except ValueError:
        raise BadInputError(
            f"{path}: '{line.strip()[:60]}' after DATA does not state points and channels"
        ) from None
    return code


def _in_si(
    path: Path, header: Mapping[str, str], code: int, counts: Array
) -> tuple[list[Column], Array]:
    bits = number_of(header.get("DAC-Type"))
    gain = number_of(header.get("GainPre 10^"))
    piezo = number_of(header.get("ZPiezoconst"))
    rate = number_of(header.get("SpecFreq"))
    if bits is None or not 8 <= bits <= 32 or gain is None or not 0 < gain < 20:
        raise BadInputError(f"{path}: the header lacks DAC-Type or GainPre, or spoils them")
    volt = _SPAN / 2**bits
    signals = [name for bit, name in enumerate(_SIGNALS) if code >> bit & 1]
    if counts.shape[1] < 3 + len(signals):
        raise BadInputError(
            f"{path}: {counts.shape[1]} columns, fewer than the header states; it is damaged"
        )
    columns = [Column("V (mV)", "bias", "V", 1e-3)]
    scaled = [counts[:, 1]]  # Column.factor brings it to V
    if piezo is not None:
        columns.append(Column("Z", "z", "m", volt * piezo * 1e-10))  # piezo: angstrom per V
        scaled.append(counts[:, 2])
    for place, name in enumerate(signals, 3):
        amperes = name == "I"
        factor = volt / 10**gain if amperes else volt
        known = "current" if amperes else name.lower()
        columns.append(Column(name, known, "A" if amperes else "V", factor))
        scaled.append(counts[:, place])
    if np.ptp(counts[:, 1]) == 0 and rate is not None and rate > 0:
        columns.insert(0, Column("time", "time", "s", 1 / rate))
        scaled.insert(0, counts[:, 0])
    return columns, np.stack(scaled, axis=1)


def _facts(header: Mapping[str, str]) -> dict[str, Any]:
    """Return what is known of the settings.

    Positions are in counts in the file; ``Dacto[A]xy`` is the length of one, angstrom.
    """
    facts: dict[str, Any] = {}
    millivolt = number_of(header.get("BiasVolt.[mV]"))
    length = number_of(header.get("Dacto[A]xy"))
    place = [number_of(header.get(key)) for key in ("OffsetX", "OffsetY")]
    for channel in ("ADC2", "ADC3"):  # where these thermometers sit, the file does not say
        kelvin = number_of(header.get(f"T_{channel}[K]"))
        if kelvin is not None and kelvin > 0:
            facts[f"temperature_{channel.lower()}"] = kelvin
    if millivolt is not None:
        facts["setpoint_bias"] = 1e-3 * millivolt
    if length is not None and None not in place:
        facts["position"] = [1e-10 * length * number for number in place if number is not None]
    return facts

"""What the columns of a measured file are: their units and which is which.

A unit counts only where the header states it: ``Bias (mV)``, ``V [mV]``, ``bias_mV``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.store.formats.units import unit_factor

_BRACKETED = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_TAG = re.compile(r"\[(bwd|filt|AVG|\d{5})\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Column:
    """The header of one column, taken apart."""

    header: str
    """As it stands in the file."""
    name: str
    """Without unit and tags, lower case."""
    unit: str
    """SI unit ("V", "A", "S", "K"); else the unit as written; "" where none is stated."""
    factor: float
    """To the SI unit."""
    tags: tuple[str, ...] = ()
    """Of Nanonis: "bwd" (backward), "filt" (filtered), "avg" or the number of a sweep."""


def column_of(header: str) -> Column:
    """Take the header of a column apart."""
    tags = tuple(tag.lower() for tag in _TAG.findall(header))
    rest = _TAG.sub("", header).strip()
    match = None
    for match in _BRACKETED.finditer(rest):  # noqa: B007 (the last one is the unit)
        pass
    if match:
        unit = (match[1] or match[2] or "").strip()
        name = (rest[: match.start()] + rest[match.end() :]).strip()
    else:
        name, _, unit = rest.rpartition("_")
        if not name or unit_factor(unit) is None:
            name, unit = rest, ""
    factor, si = unit_factor(unit) or (1.0, unit)
    return Column(header.strip(), name.lower(), si, factor, tags)


_BIAS = (r"bias calc", r"(sample[ _])?bias.*", r"v|u|vb|voltage|energy|e")
_CONDUCTANCE = (
    r"li demod 1 x.*",
    r"lix 1 omega|lix",
    r"li demod \d+ x.*|lix .*|lock-?in ?_?x.*",
    r"g_?in_?phase|conductance.*|di_?/?dv.*|g|normali[sz]ed.*",
    r"li demod 1 y.*|liy 1 omega|liy|lock-?in ?_?y.*|li[xy] .*|li demod .*",
)
_CURRENT = (r"current.*|i",)
_TEMPERATURE = (r"temperature.*|t",)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which columns are which, as positions; several conductances are several spectra."""

    bias: int | None
    conductance: tuple[int, ...]
    current: int | None
    temperature: int | None


def choose(columns: Sequence[Column]) -> Choice:
    """Find bias, conductance, current and temperature by the names of `columns`.

    The forward, unfiltered sweep and the average of several sweeps are preferred, and as
    conductance the in-phase output of the first lock-in.
    """
    plain = [i for i, column in enumerate(columns) if not {"bwd", "filt"} & set(column.tags)]
    plain.sort(key=lambda i: any(tag.isdigit() for tag in columns[i].tags))  # averages first
    bias = _find(columns, plain, _BIAS, ("V",))
    rest = [i for i in plain if i != bias]
    conductance = _find(columns, rest, _CONDUCTANCE, None)
    current = _find(columns, rest, _CURRENT, ("A",))
    if current is None:  # an input with a name of the user's
        current = next((i for i in rest if columns[i].unit == "A" and i != conductance), None)
    return Choice(
        bias=bias,
        conductance=() if conductance is None else _series(columns, rest, conductance),
        current=current,
        temperature=_find(columns, rest, _TEMPERATURE, ("K",)),
    )


def _find(
    columns: Sequence[Column],
    places: Sequence[int],
    patterns: Sequence[str],
    units: tuple[str, ...] | None,
) -> int | None:
    for pattern in patterns:
        for i in places:
            unit_fits = units is None or columns[i].unit in (*units, "")
            if unit_fits and re.fullmatch(pattern, columns[i].name):
                return i
    return None


def _series(columns: Sequence[Column], places: Sequence[int], first: int) -> tuple[int, ...]:
    """Return `first` and its like: ``dI/dV_1``, ``dI/dV_2`` ... are spectra of one series."""
    stem = re.sub(r"_\d+$", "", columns[first].name)
    if stem == columns[first].name:
        return (first,)
    pattern = re.escape(stem) + r"_\d+"
    return tuple(sorted(i for i in places if re.fullmatch(pattern, columns[i].name)))


def named_column(
    wanted: str, columns: Sequence[Column], path: Path, option: str
) -> tuple[int, Column]:
    """Find the column that the user names.

    Parameters
    ----------
    wanted : str
        The header, the name without its unit, or a number from 1; optionally with the unit,
        as in ``"1:mV"``. Without any unit the numbers are taken as they are.
    columns : sequence of Column
    path : Path
    option : str
        Named in the error, such as ``"--bias-column"``.

    Returns
    -------
    position, column
    """
    name, unit = wanted, None
    place = _place(name, columns)
    if place is None and ":" in wanted:
        name, _, unit = wanted.rpartition(":")
        place = _place(name, columns)
    if place is None:
        names = ", ".join(f"{i} '{column.header}'" for i, column in enumerate(columns, 1))
        raise BadInputError(f"{path}: {option}: there is no column '{wanted}'; there are {names}")
    if unit is None:
        return place, columns[place]
    known = unit_factor(unit.strip())
    if known is None:
        raise BadInputError(f"{path}: {option}: unit '{unit}' is not known; write for example 1:mV")
    column = columns[place]
    return place, Column(column.header, column.name, known[1], known[0], column.tags)


def _place(name: str, columns: Sequence[Column]) -> int | None:
    if name.isdecimal() and 1 <= int(name) <= len(columns):
        return int(name) - 1
    text = name.strip().lower()
    for i, column in enumerate(columns):
        if text == column.header.lower():
            return i
    return next((i for i, column in enumerate(columns) if text == column.name), None)

"""Plain tables: CSV, TSV, or columns separated by blanks, with or without a header row."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.formats.columns import Column, column_of
from stm_daq.store.formats.measured import MeasuredSpectra, Wanted, from_table
from stm_daq.store.formats.table import Table

type Line = tuple[int, str]
"""Number in the file, from 1, and text."""


def parse_table(path: Path, text: str) -> Table:
    """Read a plain table; columns without names are called ``column 1``, ``column 2`` ...

    Raises
    ------
    BadInputError
        If it is no table, cut off or damaged.
    """
    table, _ = _parse(path, text)
    return table


def read_table(path: Path, text: str, wanted: Wanted) -> MeasuredSpectra:
    """Read a plain table; see :func:`stm_daq.store.formats.read_spectra`."""
    table, named = _parse(path, text)
    if not named and (wanted.bias is None or wanted.conductance is None):
        raise BadInputError(
            f"{path}: {table.values.shape[1]} columns without names or units; say which is which, "
            'for example --bias-column "1:mV" --conductance-column 2'
        )
    return from_table(path, table.title, table.columns, table.values, wanted, table.remarks)


def _parse(path: Path, text: str) -> tuple[Table, bool]:
    """Return the table, and whether its columns have names."""
    header, rows = _split(text)
    if not rows:
        raise BadInputError(f"{path}: holds no rows of numbers")
    delimiter = _delimiter(rows[0][1])
    values = numbers(path, rows, delimiter)
    columns = _columns(header, values.shape[1], delimiter)
    named = columns is not None
    if columns is None:
        columns = [column_of(f"column {i + 1}") for i in range(values.shape[1])]
    values, remarks = without_cut_row(text, rows, delimiter, values)
    return Table(path, "table", path.stem, columns, values, remarks=remarks), named


def numbers(path: Path, rows: list[Line], delimiter: str | None) -> Array:
    """Return the numbers of `rows`, shape (rows, columns); an empty cell is NaN.

    Raises
    ------
    BadInputError
        If a cell is no number or a row has another length; names the line.
    """
    width = len(_cells(rows[0][1], delimiter))
    values = np.empty((len(rows), width))
    for i, (line, text) in enumerate(rows):
        cells = _cells(text, delimiter)
        if len(cells) != width:
            raise BadInputError(
                f"{path}:{line}: {len(cells)} values where the rows above have {width}; "
                "the file is cut off or damaged"
            )
        try:
            values[i] = [float(cell) if cell else np.nan for cell in cells]
        except ValueError:
            raise BadInputError(
                f"{path}:{line}: '{text.strip()[:60]}' is not a row of numbers"
            ) from None
    return values


def without_cut_row(
    text: str, rows: list[Line], delimiter: str | None, values: Array
) -> tuple[Array, tuple[str, ...]]:
    """Leave out a last row that a full disk or a broken transfer cut within its last number.

    It has no end of line, and fewer digits than any number above it. A number that loses digits
    where those above have different numbers of them cannot be told from a whole one.
    """
    if text.endswith(("\n", "\r")) or len(rows) < 2:
        return values, ()
    last, *others = (_digits(_cells(line, delimiter)[-1]) for _, line in reversed(rows))
    if all(size >= min(sizes) for size, *sizes in zip(last, *others, strict=True)):
        return values, ()
    cut = rows[-1][1].strip()[-30:]
    return values[:-1], (
        f"the file ends within line {rows[-1][0]} ('{cut}'): it is cut off; this row is left out",
    )


def _digits(number: str) -> tuple[int, int, int]:
    """Return how many characters, decimals and digits of the exponent a written number has."""
    mantissa, _, exponent = number.lower().partition("e")
    return len(number), len(mantissa.partition(".")[2]), len(exponent.lstrip("+-"))


def _split(text: str) -> tuple[str | None, list[Line]]:
    """Return the header row, if there is one, and the rows of numbers."""
    header = None
    rows: list[Line] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare:
            continue
        comment = bare[0] in "#%;"
        if rows or (not comment and _is_numeric(bare)):
            if not comment:
                rows.append((number, line))
        else:
            header = bare.lstrip("#%; ")
    return header, rows


def _is_numeric(text: str) -> bool:
    first = _cells(text, _delimiter(text))[0]
    try:
        float(first)
    except ValueError:
        return False
    return True


def _delimiter(text: str) -> str | None:
    """Return what separates cells; None for blanks."""
    return next((mark for mark in (";", "\t", ",") if mark in text.strip()), None)


def _cells(text: str, delimiter: str | None) -> list[str]:
    cells = [cell.strip().strip('"') for cell in text.strip().split(delimiter)]
    if delimiter in (None, ","):
        return cells
    return [cell.replace(",", ".") for cell in cells]  # a decimal comma


def _columns(header: str | None, width: int, delimiter: str | None) -> list[Column] | None:
    """Take the header row apart; None if it does not name `width` columns."""
    if header is None:
        return None
    for separator in (delimiter or "\t", "\t", ",", ";"):
        cells = [cell.strip().strip('"') for cell in header.split(separator)]
        if len(cells) == width:
            return [column_of(cell) for cell in cells]
    for pattern in (r"\s{2,}", r"\s+(?![(\[])"):  # a blank before a unit does not separate
        cells = re.split(pattern, header)
        if len(cells) == width:
            return [column_of(cell) for cell in cells]
    return None

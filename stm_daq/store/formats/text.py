"""Plain tables: CSV, TSV, or columns separated by blanks, with or without a header row."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.formats.columns import Column, column_of
from stm_daq.store.formats.measured import MeasuredSpectra, from_table

type Line = tuple[int, str]
"""Number in the file, from 1, and text."""


def read_table(
    path: Path, text: str, bias_column: str | None, conductance_column: str | None
) -> MeasuredSpectra:
    """Read a plain table; see :func:`stm_daq.store.formats.read_spectra`."""
    header, rows = _split(text)
    if not rows:
        raise BadInputError(f"{path}: holds no rows of numbers")
    values = numbers(path, rows, _delimiter(rows[0][1]))
    columns = _columns(header, values.shape[1], _delimiter(rows[0][1]))
    if columns is None:
        if bias_column is None or conductance_column is None:
            raise BadInputError(
                f"{path}: {values.shape[1]} columns without names or units; say which is which, "
                'for example --bias-column "1:mV" --conductance-column 2'
            )
        columns = [column_of(f"column {i + 1}") for i in range(values.shape[1])]
    return from_table(path, path.stem, columns, values, bias_column, conductance_column)


def numbers(path: Path, rows: list[Line], delimiter: str | None) -> Array:
    """Return the numbers of `rows`, shape (rows, columns).

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
            values[i] = [float(cell) for cell in cells]
        except ValueError:
            raise BadInputError(
                f"{path}:{line}: '{text.strip()[:60]}' is not a row of numbers"
            ) from None
    return values


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

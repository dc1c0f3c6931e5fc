"""Nanonis ``.dat``: one spectrum with a header of settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.store.formats.columns import column_of
from stm_daq.store.formats.measured import MeasuredSpectra, Wanted, from_table
from stm_daq.store.formats.nanonis_header import facts_of, stated_temperature
from stm_daq.store.formats.table import Table
from stm_daq.store.formats.text import Line, numbers, without_cut_row

MARK = "[DATA]"


def parse_dat(path: Path, text: str) -> Table:
    """Read a Nanonis spectrum.

    Raises
    ------
    BadInputError
        If it is cut off or damaged.
    """
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == MARK)
    header = dict(_pair(line) for line in lines[:start] if line.strip())
    if start + 1 >= len(lines):
        raise BadInputError(f"{path}: ends after {MARK}; the file is cut off")
    names = lines[start + 1].strip("\r\n").rstrip("\t").split("\t")
    rows: list[Line] = [
        (i, line) for i, line in enumerate(lines[start + 2 :], start + 3) if line.strip()
    ]
    if not rows:
        raise BadInputError(f"{path}: holds no rows of numbers after {MARK}")
    values, remarks = without_cut_row(text, rows, "\t", numbers(path, rows, "\t"))
    if values.shape[1] != len(names):
        raise BadInputError(f"{path}: {len(names)} column names but {values.shape[1]} columns")
    title = f"{path.stem} ({header.get('Experiment', 'spectroscopy')})"
    columns = [column_of(name) for name in names]
    facts = facts_of(header)
    return Table(path, "Nanonis spectrum", title, columns, values, header, facts, remarks)


def read_dat(path: Path, text: str, wanted: Wanted) -> MeasuredSpectra:
    """Read a Nanonis spectrum; see :func:`stm_daq.store.formats.read_spectra`."""
    table = parse_dat(path, text)
    spectra = from_table(path, table.title, table.columns, table.values, wanted, table.remarks)
    found = stated_temperature(table.header)
    if spectra.temperature is not None or found is None:
        return spectra
    kelvin, key = found
    return replace(spectra, temperature=kelvin, columns={**spectra.columns, "temperature": key})


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition("\t")
    return key.strip(), value.strip()

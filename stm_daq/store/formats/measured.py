"""Spectra read from a file, and how a table of columns becomes spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.formats.columns import Choice, Column, choose, named_column

_FEWEST = 8
"""Points below which nothing can be called a spectrum."""


@dataclass(frozen=True, slots=True)
class MeasuredSpectra:
    """One or more spectra over a common bias axis, in SI as far as the file states units."""

    source: Path
    title: str
    bias: Array
    """V, shape (n,)."""
    conductance: Array
    """Differential conductance in `conductance_unit`, shape (..., n); NaN where not measured.

    Of a ``.3ds`` grid the shape is (rows, columns, n), row 0 at the bottom."""
    conductance_unit: str
    """"S"; or the unit of the lock-in's output ("A", "V"), or "" where the file states none:
    the spectra are then known up to a factor."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Which column of the file was used as "bias", "conductance", "current", "temperature"."""
    current: Array | None = None
    """A, same shape as `conductance`; None if the file has none."""
    temperature: float | None = None
    """K; None if the file does not state it."""

    @property
    def units_known(self) -> bool:
        """Whether the conductance is in siemens."""
        return self.conductance_unit == "S"


@dataclass(frozen=True, slots=True)
class Selected:
    """The columns to use, their positions, and their headers."""

    bias: tuple[int, Column] | None
    conductance: tuple[tuple[int, Column], ...]
    current: tuple[int, Column] | None
    temperature: tuple[int, Column] | None

    @property
    def in_amperes(self) -> bool:
        """Whether the file states that the current is in A (or nA ...)."""
        return self.current is not None and self.current[1].unit == "A"

    def names(self) -> dict[str, str]:
        """Return the headers of the columns in use."""
        names = {
            "bias": self.bias,
            "conductance": self.conductance[0] if self.conductance else None,
            "current": self.current,
            "temperature": self.temperature,
        }
        return {key: found[1].header for key, found in names.items() if found is not None}


def select(
    path: Path, columns: Sequence[Column], bias: str | None, conductance: str | None
) -> Selected:
    """Choose columns by their names, or as the user says.

    Raises
    ------
    BadInputError
        If a column that the user names does not exist.
    """
    found: Choice = choose(columns)

    def at(place: int | None) -> tuple[int, Column] | None:
        return None if place is None else (place, columns[place])

    x = named_column(bias, columns, path, "--bias-column") if bias else at(found.bias)
    y: tuple[tuple[int, Column], ...]
    if conductance:
        y = (named_column(conductance, columns, path, "--conductance-column"),)
    else:
        y = tuple((i, columns[i]) for i in found.conductance if x is None or i != x[0])
    taken = {x[0] if x else None, *(i for i, _ in y)}
    current = at(found.current if found.current not in taken else None)
    return Selected(x, y, current, at(found.temperature))


def from_table(
    path: Path,
    title: str,
    columns: Sequence[Column],
    values: Array,
    bias_column: str | None,
    conductance_column: str | None,
) -> MeasuredSpectra:
    """Make spectra of a table.

    Parameters
    ----------
    columns : sequence of Column
    values : array, shape (rows, columns)
    bias_column, conductance_column : str or None
        As the user says; see :func:`stm_daq.store.formats.columns.named_column`.

    Raises
    ------
    BadInputError
        If it is not clear which columns are bias and conductance, or the bias has no unit.
    """
    used = select(path, columns, bias_column, conductance_column)
    if used.bias is None:
        raise BadInputError(
            f"{path}: no column is recognisable as the bias; "
            'say which with --bias-column, for example "1:mV"'
        )
    if used.bias[1].unit != "V" and not (bias_column and not used.bias[1].unit):
        raise BadInputError(
            f"{path}: the bias column '{used.bias[1].header}' states no unit of a voltage; "
            f'give it, for example --bias-column "{used.bias[0] + 1}:mV"'
        )
    bias = scaled(values, used.bias)
    traces = [scaled(values, y) for y in used.conductance]
    current = scaled(values, used.current) if used.current else None
    conductance, unit, name = conductance_of(path, used, bias, traces, current)
    if current is not None:
        current = np.broadcast_to(current, conductance.shape) if used.in_amperes else None
    temperature = None
    if used.temperature is not None and used.temperature[1].unit == "K":
        kelvin = scaled(values, used.temperature)
        finite = kelvin[np.isfinite(kelvin)]
        temperature = float(np.mean(finite)) if len(finite) else None
    names = used.names() | {"conductance": name}
    return checked(
        MeasuredSpectra(path, title, bias, conductance, unit, names, current, temperature)
    )


def scaled(values: Array, used: tuple[int, Column]) -> Array:
    """Return one column of a table in SI."""
    place, column = used
    result: Array = values[:, place] * column.factor
    return result


def conductance_of(
    path: Path, used: Selected, bias: Array, traces: Sequence[Array], current: Array | None
) -> tuple[Array, str, str]:
    """Return dI/dV, its unit and its name; without a signal of its own from the current.

    Parameters
    ----------
    traces : sequence of array
        The columns of `used.conductance`; several are spectra of a series.
    """
    if used.conductance:
        column = used.conductance[0][1]
        return (np.stack(traces) if len(traces) > 1 else traces[0]), column.unit, column.header
    if used.current is None or current is None:
        raise BadInputError(
            f"{path}: no column is recognisable as dI/dV or current; "
            'say which with --conductance-column, for example "2" or "2:nS"'
        )
    if np.any(np.diff(bias) == 0):
        raise BadInputError(
            f"{path}: holds no dI/dV, and the bias repeats so that the current has no derivative; "
            "name a column with --conductance-column"
        )
    column = used.current[1]
    slope: Array = np.gradient(current, bias, axis=-1)
    unit = "S" if column.unit == "A" else ""
    return slope, unit, f"numerical derivative of {column.header}"


def checked(spectra: MeasuredSpectra) -> MeasuredSpectra:
    """Return `spectra` if they can be fitted.

    Raises
    ------
    BadInputError
        If there are too few points, the bias is not finite or constant, or nothing was measured.
    """
    path, bias = spectra.source, spectra.bias
    if len(bias) < _FEWEST:
        raise BadInputError(f"{path}: {len(bias)} points are too few for a spectrum")
    if not np.all(np.isfinite(bias)):
        raise BadInputError(f"{path}: the bias column holds values that are not numbers")
    if np.ptp(bias) == 0:
        raise BadInputError(f"{path}: the bias is {bias[0]:g} V everywhere; choose another column")
    if not np.any(np.isfinite(spectra.conductance)):
        raise BadInputError(f"{path}: the conductance holds no numbers; choose another column")
    return spectra

"""Spectra read from a file, and how a table of columns becomes spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.records import Array
from stm_daq.store.formats.columns import Choice, Column, choose, named_column
from stm_daq.store.formats.contents import slope

_FEWEST = 8
"""Points below which nothing can be called a spectrum."""

UNSTEADY = 0.1
"""Relative excursion of the temperature during a sweep that is worth a remark."""


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
    """K; None if the file does not state it. Of a column, the median: a thermometer that runs away
    at the end of a sweep does not matter."""
    noise: Array | None = None
    """Standard deviation of the conductance, in its unit, same shape; None if not named."""
    remarks: tuple[str, ...] = ()
    """What a user should know about how the file was read; sentences."""

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
    noise: tuple[int, Column] | None = None

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
            "noise": self.noise,
        }
        return {key: found[1].header for key, found in names.items() if found is not None}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Columns that the user names; see :func:`stm_daq.store.formats.read_spectra`."""

    bias: str | None = None
    conductance: str | None = None
    noise: str | None = None


def select(path: Path, columns: Sequence[Column], wanted: Wanted) -> Selected:
    """Choose columns by their names, or as the user says.

    Raises
    ------
    BadInputError
        If a column that the user names does not exist.
    """
    found: Choice = choose(columns)

    def at(place: int | None) -> tuple[int, Column] | None:
        return None if place is None else (place, columns[place])

    def named(name: str, option: str) -> tuple[int, Column]:
        return named_column(name, columns, path, option)

    x = named(wanted.bias, "--bias-column") if wanted.bias else at(found.bias)
    y: tuple[tuple[int, Column], ...]
    if wanted.conductance:
        y = (named(wanted.conductance, "--conductance-column"),)
    else:
        y = tuple((i, columns[i]) for i in found.conductance if x is None or i != x[0])
    noise = named(wanted.noise, "--noise-column") if wanted.noise else None
    if noise is not None and len(y) != 1:
        raise BadInputError(
            f"{path}: --noise-column: the errors of one spectrum; name it with --conductance-column"
        )
    taken = {x[0] if x else None, *(i for i, _ in y)}
    current = at(found.current if found.current not in taken else None)
    return Selected(x, y, current, at(found.temperature), noise)


def from_table(
    path: Path,
    title: str,
    columns: Sequence[Column],
    values: Array,
    wanted: Wanted,
    remarks: tuple[str, ...] = (),
) -> MeasuredSpectra:
    """Make spectra of a table.

    Parameters
    ----------
    columns : sequence of Column
    values : array, shape (rows, columns)
        Rows without a number as bias are left out.
    wanted : Wanted
    remarks : tuple of str
        On the file so far.

    Raises
    ------
    BadInputError
        If it is not clear which columns are bias and conductance, or the bias has no unit.
    """
    used = select(path, columns, wanted)
    if used.bias is None:
        raise BadInputError(
            f"{path}: no column is recognisable as the bias; "
            'say which with --bias-column, for example "1:mV"'
        )
    if used.bias[1].unit != "V" and not (wanted.bias and not used.bias[1].unit):
        raise BadInputError(
            f"{path}: the bias column '{used.bias[1].header}' states no unit of a voltage; "
            f'give it, for example --bias-column "{used.bias[0] + 1}:mV"'
        )
    values, left_out = _without_bias_left_out(path, used.bias, values)
    bias = scaled(values, used.bias)
    traces = [scaled(values, y) for y in used.conductance]
    current = scaled(values, used.current) if used.current else None
    conductance, unit, name = conductance_of(path, used, bias, traces, current)
    if current is not None:
        current = np.broadcast_to(current, conductance.shape) if used.in_amperes else None
    temperature, drift = _temperature(values, used.temperature)
    return checked(
        MeasuredSpectra(
            path,
            title,
            bias,
            conductance,
            unit,
            used.names() | {"conductance": name},
            current,
            temperature,
            _noise(path, values, used, unit),
            (*remarks, *left_out, *drift),
        )
    )


def _without_bias_left_out(
    path: Path, bias: tuple[int, Column], values: Array
) -> tuple[Array, tuple[str, ...]]:
    """Return the rows whose bias is a number, and a remark if there are others."""
    known = np.isfinite(values[:, bias[0]])
    left_out = int(np.count_nonzero(~known))
    if left_out == 0:
        return values, ()
    if np.count_nonzero(known) < _FEWEST:
        raise BadInputError(f"{path}: the bias column holds numbers in too few rows")
    return values[known], (f"{left_out} rows without a bias are left out",)


def _temperature(
    values: Array, used: tuple[int, Column] | None
) -> tuple[float | None, tuple[str, ...]]:
    """Return the median of the temperature column in K, and a remark if it was not steady."""
    if used is None or used[1].unit != "K":
        return None, ()
    kelvin = scaled(values, used)
    kelvin = kelvin[np.isfinite(kelvin)]
    if not len(kelvin):
        return None, ()
    low, middle, high = (float(f(kelvin)) for f in (np.min, np.median, np.max))
    if max(high - middle, middle - low) <= UNSTEADY * abs(middle):
        return middle, ()
    return middle, (
        f"the temperature ran from {low:.3g} to {high:.3g} K during the sweep; "
        f"its median, {middle:.3g} K, is used",
    )


def _noise(path: Path, values: Array, used: Selected, unit: str) -> Array | None:
    """Return the standard deviations that the user names, in the unit of the conductance."""
    if used.noise is None:
        return None
    column = used.noise[1]
    if column.unit and column.unit != unit:
        raise BadInputError(
            f"{path}: --noise-column: '{column.header}' is in {column.unit}, "
            f"the conductance in {unit or 'no unit'}; give both the same"
        )
    factor = column.factor if column.unit else used.conductance[0][1].factor
    noise: Array = values[:, used.noise[0]] * factor
    if np.any(noise <= 0):
        raise BadInputError(
            f"{path}: --noise-column: '{column.header}' is not positive everywhere; "
            "give the column with the standard deviations"
        )
    return noise


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
    if len(bias) < _FEWEST:
        raise BadInputError(f"{path}: {len(bias)} points are too few for a spectrum")
    if np.any(np.diff(bias) == 0):
        raise BadInputError(
            f"{path}: holds no dI/dV, and the bias repeats so that the current has no derivative; "
            "name a column with --conductance-column"
        )
    column = used.current[1]
    unit = "S" if column.unit == "A" else ""
    return slope(current, bias), unit, f"numerical derivative of {column.header}"


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

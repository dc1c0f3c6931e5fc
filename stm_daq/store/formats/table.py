"""A file that is a table of columns, as arrays over its axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stm_daq.records import Array
from stm_daq.store.formats.columns import Column, choose
from stm_daq.store.formats.contents import Channel, Contents, directions, slope, variable_name
from stm_daq.store.formats.units import to_si

_KNOWN = {"temperature": "stage_temperature", "bias calc": "bias"}
"""Names that mean something else in the dataset of a run."""

_SAME = 1e-3
"""So far, in parts of the sweep, may the way back be off the way there."""
_DIMENSIONS = ("direction", "sweep", "spectrum")


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file."""

    path: Path
    kind: str
    title: str
    columns: Sequence[Column]
    values: Array
    """Shape (rows, columns)."""
    header: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def contents(self) -> Contents:
        """Return every column as a channel, and beside them ``conductance`` and ``current``.

        Columns that belong together (forward and backward, several sweeps) are one channel with
        the dimension ``direction`` or ``sweep``.
        """
        axis, place = _axis(self), _axis_place(self)
        coordinates = {axis.dims[0]: axis}
        channels: dict[str, Channel] = {}
        for signal in _signals(self.columns):
            if signal.places() != [place]:
                signal.add(self, axis.dims[0], channels)
        _add_known(self, axis, channels)
        if any("direction" in channel.dims for channel in channels.values()):
            coordinates["direction"] = directions()
        return Contents(
            self.path,
            self.kind,
            self.title,
            channels,
            coordinates,
            {**self._temperature(), **self.facts},
            self.header,
            self.remarks,
        )

    def _temperature(self) -> dict[str, float]:
        """Return the median of the thermometer's column, K."""
        place = choose(self.columns).temperature
        if place is None or self.columns[place].unit != "K":
            return {}
        kelvin = self.column(place)[0]
        kelvin = kelvin[np.isfinite(kelvin)]
        return {"temperature": float(np.median(kelvin))} if len(kelvin) else {}

    def column(self, place: int) -> tuple[Array, str]:
        """Return a column in SI and its unit."""
        column = self.columns[place]
        factor, unit = to_si(column.unit)
        scaled: Array = self.values[:, place] * (column.factor * factor)
        return scaled, unit


def there_and_back(table: Table) -> Table:
    """Return a table whose bias goes there and back in one column with the way back in columns.

    They are in the order of the way there, as those of Nanonis; other tables stay as they are.
    """
    place = choose(table.columns).bias
    half, odd = divmod(len(table.values), 2)
    if place is None or odd or half < 2 or any("bwd" in c.tags for c in table.columns):
        return table
    there, back = table.values[:half], table.values[half:][::-1]
    bias = there[:, place]
    reach = float(np.ptp(bias)) if np.all(np.isfinite(bias)) else 0.0
    same = np.abs(back[:, place] - bias).max() <= _SAME * reach
    if not reach > 0 or not same:
        return table
    others = [i for i in range(len(table.columns)) if i != place]
    returned = [replace(table.columns[i], tags=(*table.columns[i].tags, "bwd")) for i in others]
    columns = [*table.columns, *returned]
    return replace(table, columns=columns, values=np.hstack([there, back[:, others]]))


@dataclass(frozen=True, slots=True)
class _Signal:
    """One quantity: its column in every direction and sweep."""

    name: str
    filtered: bool
    columns: dict[tuple[int, bool], int]
    """Position by (sweep, backward); sweep 0 is the average or the only one."""

    def places(self) -> list[int]:
        return list(self.columns.values())

    def add(self, table: Table, dim: str, channels: dict[str, Channel]) -> None:
        """Make channels of the columns."""
        base = _KNOWN.get(self.name, self.name)
        if variable_name(base) in (dim, *_DIMENSIONS):  # beside the nominal values
            base = f"measured {base}"
        base += " filt" if self.filtered else ""
        sweeps = _sweeps(table.columns) if any(sweep for sweep, _ in self.columns) else []
        if (0, False) in self.columns:
            channels[variable_name(base, channels)] = self._channel(table, [0], dim, False)
        if sweeps:
            several = self._channel(table, sweeps, dim, True)
            channels[variable_name(f"{base}_sweeps", channels)] = several
        elif (0, False) not in self.columns:  # backward only
            back = self.columns[0, True]
            values, unit = table.column(back)
            name = variable_name(f"{base} bwd", channels)
            channels[name] = Channel((dim,), values, unit, table.columns[back].header)

    def _channel(self, table: Table, sweeps: list[int], dim: str, keep_sweeps: bool) -> Channel:
        there_back = any((sweep, True) in self.columns for sweep in sweeps)
        ways = [False, True] if there_back else [False]
        nothing = np.full(len(table.values), np.nan)
        first = self.columns.get((sweeps[0], False), self.places()[0])
        values = np.stack(
            [
                np.stack(
                    [
                        table.column(self.columns[s, w])[0] if (s, w) in self.columns else nothing
                        for w in ways
                    ]
                )
                for s in sweeps
            ]
        )
        dims: tuple[str, ...] = ("sweep", "direction", dim)
        if len(ways) == 1:
            values, dims = values[:, 0], ("sweep", dim)
        if not keep_sweeps:
            values, dims = values[0], dims[1:]
        return Channel(dims, values, table.column(first)[1], table.columns[first].header)


def _sweeps(columns: Sequence[Column]) -> list[int]:
    return sorted({int(tag) for column in columns for tag in column.tags if tag.isdigit()})


def _signals(columns: Sequence[Column]) -> list[_Signal]:
    found: dict[tuple[str, str, bool], _Signal] = {}
    for place, column in enumerate(columns):
        filtered, backward = "filt" in column.tags, "bwd" in column.tags
        sweep = next((int(tag) for tag in column.tags if tag.isdigit()), 0)
        key = (column.name, column.unit, filtered)
        signal = found.setdefault(key, _Signal(column.name, filtered, {}))
        if (sweep, backward) in signal.columns:  # the same header twice
            key = (f"{column.name} {place}", column.unit, filtered)
            signal = found.setdefault(key, _Signal(column.name, filtered, {}))
        signal.columns[sweep, backward] = place
    return list(found.values())


def _axis_place(table: Table) -> int | None:
    """Return which column is the axis: a bias that is swept, or a first one that grows."""
    bias = choose(table.columns).bias
    if bias is not None and table.columns[bias].unit == "V" and _varies(table.values[:, bias]):
        return bias
    first = table.values[:, 0]
    steps = np.diff(first)
    grows = len(first) > 1 and bool(np.all(steps > 0) or np.all(steps < 0))
    return 0 if grows and len(table.columns) > 1 else None


def _varies(values: Array) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) == len(values) > 1 and float(np.ptp(finite)) > 0


def _axis(table: Table) -> Channel:
    place = _axis_place(table)
    if place is None:
        return Channel(("row",), np.arange(len(table.values)), "", "row of the table")
    values, unit = table.column(place)
    column = table.columns[place]
    name = "bias" if unit == "V" and place == choose(table.columns).bias else column.name
    dim = variable_name(_KNOWN.get(name, name), dict.fromkeys(_DIMENSIONS))
    return Channel((dim,), values, unit, "bias" if dim == "bias" else column.header)


def _add_known(table: Table, axis: Channel, channels: dict[str, Channel]) -> None:
    """Add the channels that the analyses of runs look for, where the file has them."""
    if axis.dims != ("bias",):
        return
    chosen = choose(table.columns)
    current = _with_direction(table, chosen.current, axis)
    if current is not None and current.unit == "A":
        channels["current"] = current
    conductance = _conductance(table, chosen.conductance, axis)
    steps = np.diff(axis.values)
    if conductance is None and current is not None and len(steps) and bool(np.all(steps)):
        unit = "S" if current.unit == "A" else ""
        meaning = f"numerical derivative of {current.meaning}"
        derived = slope(current.values, axis.values)
        conductance = Channel(current.dims, derived, unit, meaning)
    if conductance is not None:
        channels["conductance"] = conductance


def _conductance(table: Table, places: tuple[int, ...], axis: Channel) -> Channel | None:
    if len(places) > 1:  # spectra of a series
        values = np.stack([table.column(place)[0] for place in places])
        first = table.columns[places[0]]
        return Channel(("spectrum", *axis.dims), values, table.column(places[0])[1], first.header)
    return _with_direction(table, places[0] if places else None, axis)


def _with_direction(table: Table, place: int | None, axis: Channel) -> Channel | None:
    """Return a column, and the way back if the file has it."""
    if place is None:
        return None
    signal = next(s for s in _signals(table.columns) if place in s.places())
    sweep = next(key[0] for key, at in signal.columns.items() if at == place)
    return signal._channel(table, [sweep], axis.dims[0], False)

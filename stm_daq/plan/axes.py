"""Outer axes: what is changed before all sites are measured once more."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stm_daq.records import Axis

type AxisKind = Literal[
    "temperature",
    "setpoint_current",
    "setpoint_bias",
    "microwave_frequency",
    "parameter",
    "repeat",
]

NAMES: dict[AxisKind, str] = {
    "temperature": "set_temperature",
    "setpoint_current": "set_current",
    "setpoint_bias": "set_bias",
    "microwave_frequency": "microwave_frequency",
    "repeat": "repeat",
}
"""Dimension of the dataset by kind; a parameter's is its own name. None hides something measured."""


@dataclass(frozen=True, slots=True)
class OuterAxis:
    """One outer axis."""

    kind: AxisKind
    name: str
    """Dimension in the dataset."""
    unit: str
    values: tuple[float, ...]
    parameter: str = ""
    """Dotted name of the QCoDeS parameter, such as "magnet.field", if it is one."""
    tolerance: float = math.inf
    """How near the value has to be, in `unit`, before measuring."""
    stable: float = 0.0
    """How long it has to stay so near, s."""
    settle: float = 0.0
    """Wait after that, s."""
    deadline: float = math.inf
    """Give up after, s."""

    @property
    def record(self) -> Axis:
        """The axis as it is stored with the run."""
        return Axis(self.name, self.unit, self.values)


@dataclass(frozen=True, slots=True)
class Step:
    """One combination of values of the outer axes."""

    number: int
    """From 0, the last axis the fastest."""
    values: tuple[float, ...]
    """One for every axis."""
    changed: tuple[int, ...]
    """Axes whose value differs from that of the step before; all of them in the first step."""


def steps(axes: tuple[OuterAxis, ...]) -> Iterator[Step]:
    """Yield every combination, the last axis the fastest; one empty step without axes."""
    before: tuple[int, ...] | None = None
    for number, place in enumerate(itertools.product(*(range(len(a.values)) for a in axes))):
        values = tuple(axis.values[k] for axis, k in zip(axes, place, strict=True))
        changed = tuple(k for k in range(len(axes)) if before is None or place[k] != before[k])
        yield Step(number, values, changed)
        before = place


def step_count(axes: tuple[OuterAxis, ...]) -> int:
    """Return the number of steps."""
    return math.prod(len(axis.values) for axis in axes)

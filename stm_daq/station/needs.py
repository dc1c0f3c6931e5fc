"""What a plan asks of the instruments, and what an adapter finds that it cannot do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stm_daq.errors import OutOfRangeError

type Finding = tuple[str, str]
"""Name of an option, or path of a value in the plan such as "sweep.bias.dwell"; what is wrong."""


@dataclass(frozen=True, slots=True)
class PlanNeeds:
    """What a plan asks of the instruments, for the checks of adapters."""

    columns: int
    """``sites.grid.topograph.columns``; 0 without a topograph."""
    dwell: float
    """``sweep.bias.dwell``, s."""
    samples: int
    """Steps of one list of voltages, there and back; from ``sweep.bias.points``. 0 without a list."""
    modulation_peak: float
    """``sweep.modulation.peak``, V at the junction."""
    modulation_frequency: float
    """``sweep.modulation.frequency``, Hz."""
    time_constant: float
    """``sweep.lockin.time_constant``, s."""
    sweep_kind: str = "dac"
    """``sweep.kind``."""
    power_range: tuple[float, float] | None = None
    """``sweep.power_sweep``, dBm: within it the source must not switch an attenuator."""


def refusal(place: str, require: Callable[..., object], *values: object) -> Iterator[Finding]:
    """Call `require` with `values`; if it raises OutOfRangeError, yield its text as a finding."""
    try:
        require(*values)
    except OutOfRangeError as error:
        yield place, str(error).removesuffix("; nothing was sent")

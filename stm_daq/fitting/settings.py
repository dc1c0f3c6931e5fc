"""Everything that decides a fit besides the spectra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stm_daq.fitting.data import Conditions


@dataclass(frozen=True)
class FitSettings:
    """Everything that decides a fit besides the spectra; see `stm_daq.fitting.fit`."""

    model: str = "btk"
    free: tuple[str, ...] | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    modulation: float = 0.0
    voltage_noise: float = 0.0
    memory: tuple[float, ...] = (1.0,)
    loss: str = "linear"
    engine: str = "exact"

    @property
    def conditions(self) -> Conditions:
        """All but the model and its parameters."""
        return Conditions(self.modulation, self.voltage_noise, self.memory, self.loss, self.engine)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(replace(self, fixed=dict(self.fixed)))

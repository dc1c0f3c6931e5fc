"""Quantities as people see them: label, unit and factor of everything on the page."""

from __future__ import annotations

from dataclasses import dataclass

from stm_daq.quantities import prefix_of
from stm_daq.records import Array


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a number in SI is shown."""

    label: str
    unit: str = ""
    factor: float = 1.0
    """Shown number per SI number."""

    @property
    def title(self) -> str:
        """Label and unit, as at an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


_KNOWN = {
    "gap": Quantity("Gap Δ", "meV", 1e3),
    "gap_std": Quantity("σ of gap", "µeV", 1e6),
    "temperature": Quantity("Temperature T", "K"),
    "temperature_std": Quantity("σ of temperature", "mK", 1e3),
    "barrier": Quantity("Barrier Z"),
    "barrier_std": Quantity("σ of barrier"),
    "scale": Quantity("Normal conductance", "nS", 1e9),
    "scale_std": Quantity("σ of normal conductance", "nS", 1e9),
    "broadening": Quantity("Broadening Γ", "µeV", 1e6),
    "broadening_std": Quantity("σ of broadening", "µeV", 1e6),
    "offset": Quantity("Bias offset", "µV", 1e6),
    "offset_std": Quantity("σ of bias offset", "µV", 1e6),
    "slope": Quantity("Background slope", "1/V"),
    "slope_std": Quantity("σ of background slope", "1/V"),
    "reduced_chi_square": Quantity("Reduced χ²"),
    "fit_ok": Quantity("Verdict (1 good, 0 not)"),
    "stage_temperature": Quantity("Stage temperature", "mK", 1e3),
    "setpoint_current": Quantity("Set-point current", "pA", 1e12),
    "z": Quantity("Tip height", "nm", 1e9),
}
NOT_SHOWN = {"time"}
"""Maps of which nobody wants to see an image."""
_ORDER = {name: number for number, name in enumerate(_KNOWN)}
_SWEPT = {
    "bias": Quantity("Bias", "mV", 1e3),
    "z": Quantity("z", "nm", 1e9),
    "microwave_power": Quantity("Microwave power", "dBm"),
    "power_sweep": Quantity("Point of the power sweep"),
}
NANOMETRES = Quantity("", "nm", 1e9)


def fitted(name: str) -> Quantity:
    """Return how a fitted value is shown; one that is not known as it is, in SI."""
    return _KNOWN.get(name, Quantity(name.replace("_", " ")))


def in_order(names: list[str]) -> list[str]:
    """Sort the names of maps: what is known first, in its order."""
    wanted = [name for name in names if name not in NOT_SHOWN]
    return sorted(wanted, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def swept(name: str) -> Quantity:
    """Return how the swept quantity is shown."""
    return _SWEPT.get(name, Quantity(name.replace("_", " ")))


def with_prefix(label: str, unit: str, values: Array) -> Quantity:
    """Choose the prefix that suits the largest of some finite numbers."""
    largest = float(abs(values).max()) if len(values) else 0.0
    if largest == 0.0 or unit in ("", "dBm", "°"):
        return Quantity(label, unit)
    factor, prefix = prefix_of(largest)
    return Quantity(label, f"{prefix}{unit}", 1.0 / factor)

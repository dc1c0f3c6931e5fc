"""FEMTO DLPCA-200 current preamplifier: no bus, its switches are written in station.yaml.

Bandwidths are the typical upper cut-off frequencies of FEMTO's data sheet "DLPCA-200, variable gain
low noise current amplifier", for both positions of the mode switch. They were entered from memory
of that sheet: compare with the one that came with the amplifier. That the response is that of one
pole is an assumption.

Gain, mode, bandwidth and full scale are in the snapshot of every run; a spectrum whose current
reached full scale carries the flag ``preamplifier_overload``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qcodes.instrument import Instrument
from qcodes.parameters import Parameter

from stm_daq.clock import Clock
from stm_daq.errors import BadInputError
from stm_daq.station.limits import Limits

BANDWIDTHS = {
    "low_noise": {
        1e3: 500e3,
        1e4: 500e3,
        1e5: 400e3,
        1e6: 200e3,
        1e7: 50e3,
        1e8: 7e3,
        1e9: 1.1e3,
    },
    "high_speed": {
        1e5: 500e3,
        1e6: 500e3,
        1e7: 400e3,
        1e8: 200e3,
        1e9: 50e3,
        1e10: 7e3,
        1e11: 1.1e3,
    },
}
"""-3 dB frequency (Hz) by mode and gain (V/A)."""
OVERLOAD = 10.0
"""Largest output, V."""


class Dlpca200(Instrument):
    """The preamplifier as its front panel is set.

    Parameters
    ----------
    name : str
    gain : float
        V/A.
    mode : str
        "low_noise" or "high_speed".
    coupling : str
        "dc" or "ac"; with ac there is no dc current to record.

    Raises
    ------
    BadInputError
        If the amplifier has no such setting.
    """

    def __init__(
        self,
        name: str,
        gain: float = 1e9,
        mode: str = "low_noise",
        coupling: str = "dc",
        label: str | None = None,
        metadata: Mapping[Any, Any] | None = None,
    ) -> None:
        gains = BANDWIDTHS.get(mode, {})
        if gain not in gains:
            there_are = "; ".join(
                f"{known}: {', '.join(f'{g:.0e}' for g in table)}"
                for known, table in BANDWIDTHS.items()
            )
            raise BadInputError(
                f"{name}: a DLPCA-200 has no gain of {gain:g} V/A in mode '{mode}' ({there_are})"
            )
        if coupling != "dc":
            raise BadInputError(
                f"{name}: coupling '{coupling}': set the switch to dc, the tunnelling current is a "
                "dc current"
            )
        super().__init__(name, metadata=metadata, label=label)
        self.mode = self._written("mode", "Mode", "", mode)
        self.coupling = self._written("coupling", "Input coupling", "", coupling)
        self.gain = self._written("gain", "Gain", "V/A", gain)
        self.bandwidth = self._written("bandwidth", "Bandwidth", "Hz", gains[gain])
        self.full_scale = self._written("full_scale", "Full scale", "A", OVERLOAD / gain)

    def _written(self, name: str, label: str, unit: str, value: object) -> Parameter:
        """Add a parameter that is what the station file says and cannot be set."""
        return self.add_parameter(
            name,
            label=label,
            unit=unit,
            get_cmd=None,
            set_cmd=False,
            initial_cache_value=value,
        )

    def get_idn(self) -> dict[str, str | None]:
        """Return what is known without a bus."""
        return {"vendor": "FEMTO", "model": "DLPCA-200", "serial": None, "firmware": None}


class Dlpca200Preamplifier:
    """Gain and frequency response of a DLPCA-200.

    Parameters
    ----------
    instrument : Dlpca200
    limits : Limits
    clock : Clock
    """

    def __init__(self, instrument: Dlpca200, limits: Limits, clock: Clock) -> None:
        self._gain = float(instrument.gain())
        self._bandwidth = float(instrument.bandwidth())

    def gain(self) -> float:
        """Return the dc gain, V/A."""
        return self._gain

    def response(self, frequency: float) -> complex:
        """Return the complex gain at `frequency` (Hz), V/A: ``gain / (1 + i f / bandwidth)``."""
        return self._gain / (1 + 1j * frequency / self._bandwidth)

    def bandwidth(self) -> float:
        """Return the frequency at which the gain is 3 dB down, Hz."""
        return self._bandwidth

    def full_scale(self) -> float:
        """Return the largest current that is not overloaded, A."""
        return OVERLOAD / self._gain

"""Any QCoDeS voltage parameter as bias source.

It has no list, so spectra are taken point by point; ramps are made of steps by software.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from qcodes.instrument import Instrument

from drivers.bias_wiring import require_divider
from stm_daq.clock import Clock
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError, StmDaqError
from stm_daq.quantities import show
from stm_daq.station.limits import Limits
from stm_daq.station.narrowing import parameters_at
from stm_daq.station.roles import Finding, PlanNeeds, refusal

SLOWEST_CALL = 5.0
"""A write with its read-back that takes longer than this (s) is an error."""


class GenericBias:
    """One voltage parameter of any instrument, through a divider, at the junction.

    Parameters
    ----------
    instrument : qcodes.Instrument
    limits : Limits
    clock : Clock
    parameter : str
        Path of the parameter inside the instrument, such as ``voltage`` or ``channels[2].v``. It
        must be in volts, and readable.
    divider : float
        Junction voltage per volt of the parameter.
    resolution : float
        A read-back this close to the wanted voltage is right, V at the source.
    """

    def __init__(
        self,
        instrument: Instrument,
        limits: Limits,
        clock: Clock,
        parameter: str,
        divider: float,
        resolution: float = 1e-4,
    ) -> None:
        _require_options(divider, resolution)
        found = list(parameters_at(instrument, parameter))
        if len(found) != 1:
            raise ValueError(f"{parameter} means {len(found)} parameters; name one of them")
        self._parameter: Any = found[0]
        unit = getattr(self._parameter, "unit", "")
        if unit != "V":
            raise ValueError(f"{parameter} is in '{unit}'; it must be in V")
        if not (self._parameter.gettable and self._parameter.settable):
            raise ValueError(f"{parameter} can not be both set and read back")
        self._name = f"{instrument.name}.{parameter}"
        self._limits = limits
        self._clock = clock
        self._divider = divider
        self._resolution = resolution

    @staticmethod
    def check(
        options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None
    ) -> Iterator[Finding]:
        """Yield what is wrong with the options; see :mod:`stm_daq.station.roles`."""
        divider, resolution = options.get("divider", 1.0), options.get("resolution", 1.0)
        yield from refusal("divider", _require_options, divider, 1.0)
        yield from refusal("resolution", _require_options, 1.0, resolution)

    def voltage(self) -> float:
        """Read the bias that is really applied now, V at the junction."""
        return self._read() * self._divider

    def ramp_to(self, volts: float) -> None:
        """Change the bias in steps that obey the station's step and slew; each is read back.

        Raises
        ------
        OutOfRangeError
            Before anything is sent, if the station's limits or the driver do not allow it.
        InstrumentError
            If the driver fails, or a step is not reached.
        """
        self._limits.bias.require(volts, "bias")
        self._require_allowed(volts / self._divider)
        start = self.voltage()
        steps = max(math.ceil(abs(volts - start) / self._limits.bias_step - 1e-6), 1)
        pause = abs(volts - start) / steps / self._limits.bias_slew
        for step in range(1, steps + 1):
            self._set((start + (volts - start) * step / steps) / self._divider)
            self._clock.sleep(pause)

    def _set(self, target: float) -> None:
        began = self._clock.now()
        with self._told("set"):
            self._parameter.set(target)
        found = self._read()
        if abs(found - target) > self._resolution:
            raise InstrumentError(
                f"{self._name} reads back {show(found, 'V', 6)}, not {show(target, 'V', 6)}"
            )
        if (took := self._clock.now() - began) > SLOWEST_CALL:
            raise DeadlineError(
                f"{self._name} took {show(took, 's')} to set; it may have a ramp of its own: give "
                "it a larger step or a smaller delay"
            )

    def _read(self) -> float:
        with self._told("read"):
            value = self._parameter.get()
        if not (isinstance(value, int | float) and math.isfinite(value)):
            raise InstrumentError(f"{self._name} reads {value!r}, which is no voltage")
        return float(value)

    def _require_allowed(self, target: float) -> None:
        try:
            self._parameter.validate(target)
        except (TypeError, ValueError) as error:
            raise OutOfRangeError(
                f"{self._name} cannot be set to {show(target, 'V', 6)}: {error}; nothing was sent"
            ) from error

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Tell whatever a driver raises as an error of the instrument."""
        try:
            yield
        except StmDaqError:
            raise
        except Exception as error:
            raise InstrumentError(f"{self._name}: {doing}: {error or repr(error)}") from error


def _require_options(divider: float, resolution: float) -> None:
    require_divider(divider, 0.0, math.inf)
    if not 0 < resolution < math.inf:
        raise OutOfRangeError(f"resolution must be greater than 0, not {resolution}")

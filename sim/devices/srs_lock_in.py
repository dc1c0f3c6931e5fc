"""What the lock-in amplifiers of Stanford Research have in common: reference, filter, status."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np

from sim.devices.lock_in_path import Array, LockInPath, Output, Settings
from sim.devices.scpi import Device
from sim.devices.scpi_rows import Call, Row, ScpiError
from sim.devices.trigger_line import TriggerLine
from sim.world import World

OVERLOADED = 0.5
"""What an overloaded input leaves of the output."""
UNLOCKED = np.exp(1.2j)
"""By so much the output turns without a reference."""
FAULT_BITS = {"overload": 1, "unlock": 8}
"""Bits of LIAS: input or reserve overload, reference unlock."""


class SrsLockIn(Device):
    """A lock-in whose sine output modulates the junction and that measures its response.

    Parameters
    ----------
    name : str
    world : World
    trigger : TriggerLine
        Cable at the trigger input.
    sine_divider : float
        Junction voltage per volt of the sine output.
    auxiliary_input : int
        Auxiliary input that the preamplifier's dc output is wired to, from 1.
    """

    QUEUES_REPLIES = True
    TIME_CONSTANTS: ClassVar[tuple[float, ...]] = ()
    """s, in the order of OFLT."""
    SINE_RANGE: ClassVar[tuple[float, float]] = (0.0, 0.0)
    """V rms."""
    SINE_STEP: ClassVar[float] = 1e-9
    """Resolution of the sine output, V rms."""
    LARGEST_FREQUENCY: ClassVar[float] = 0.0
    """Hz."""
    STATUS_BITS: ClassVar[int] = 8
    """Width of LIAS."""

    def __init__(
        self,
        name: str,
        world: World,
        trigger: TriggerLine,
        sine_divider: float = 1e-4,
        auxiliary_input: int = 3,
    ) -> None:
        super().__init__(name, world)
        self.line = trigger
        self._divider = sine_divider
        self._wired = auxiliary_input
        self._path = LockInPath(world, self.rng)
        self._lias = 0
        self._status_since = 0.0
        self._sine = self.SINE_RANGE[1] / 5
        self._frequency = 1000.0
        self._phase = 0.0
        self._time_constant = self.TIME_CONSTANTS.index(0.1)
        self._slope = 1
        self._modulate()

    def sample(self) -> None:
        """Fill the buffer up to now; called before anything changes or is read."""
        raise NotImplementedError

    def clear_status(self) -> None:
        """Clear all status registers (``*CLS``)."""
        super().clear_status()
        self.sample()
        self._lias, self._status_since = 0, self.clock.now()

    def status_byte(self, reply_waiting: bool) -> int:
        """Return the status byte: bit 3 LIAS, 4 reply waiting, 5 standard event."""
        return 8 * bool(self._lias) + 16 * reply_waiting + 32 * bool(self.event_status)

    @property
    def time_constant(self) -> float:
        """Time constant of one pole, s."""
        return self.TIME_CONSTANTS[self._time_constant]

    def output_at(self, times: Array) -> Output:
        """Return what the path gives at `times` (s) with the present settings."""
        settings = Settings(self.time_constant, self._slope + 1, self._phase)
        output = self._path.output(times, settings, self._status_since)
        faults = self.world.faults
        too_small = np.where(faults.during("overload", self.name, times), OVERLOADED, 1.0)
        turned = np.where(faults.during("unlock", self.name, times), UNLOCKED, 1.0)
        return replace(output, xy=output.xy * too_small * turned)

    def auxiliaries(self, volts: float) -> list[float]:
        """Return all four auxiliary inputs, of which one has `volts`."""
        return [volts if i == self._wired else 0.0 for i in range(1, 5)]

    # -- settings -----------------------------------------------------------------------------

    def _modulate(self) -> None:
        peak = self._sine * math.sqrt(2) * self._divider
        self.world.set_modulation(self._frequency, peak)

    def set_sine(self, call: Call) -> None:
        """``SLVL x``: sine output, V rms."""
        low, high = self.SINE_RANGE
        half = self.SINE_STEP / 2
        value = round(call.within(low - half, high + half) / self.SINE_STEP) * self.SINE_STEP
        self.sample()
        self._sine = value
        self._modulate()

    def set_frequency(self, call: Call) -> None:
        """``FREQ x``, Hz."""
        if not 1e-3 <= call.number() <= self.LARGEST_FREQUENCY:
            raise ScpiError(-222, "Data out of range")
        self.sample()
        self._frequency = call.number()
        self._modulate()

    def set_phase(self, call: Call) -> None:
        """``PHAS x``: reference phase, degrees; kept within -180 to 180."""
        value = call.number()
        if not -360 <= value <= 729.99:
            raise ScpiError(-222, "Data out of range")
        self.sample()
        self._phase = (value + 180) % 360 - 180

    def set_time_constant(self, call: Call) -> None:
        """``OFLT i``."""
        value = call.whole(0, len(self.TIME_CONSTANTS) - 1)
        self.sample()
        self._time_constant = value

    def set_slope(self, call: Call) -> None:
        """``OFSL i``: 6, 12, 18, 24 dB/oct."""
        value = call.whole(0, 3)
        self.sample()
        self._slope = value

    def software_trigger(self, _call: Call) -> None:
        """Act like a pulse at the trigger input (``TRIG`` or a bus trigger)."""
        self.line.pulse(np.array([self.clock.now()]))

    def lock_in_status(self, call: Call) -> str:
        """``LIAS?`` or ``LIAS? bit``: read and clear."""
        self.sample()
        for kind, bit in FAULT_BITS.items():
            if self.world.faults.active(kind, self.name, self._status_since):
                self._lias |= bit
        if call.args:
            mask = 1 << call.whole(0, self.STATUS_BITS - 1)
            found, self._lias = self._lias & mask, self._lias & ~mask
            return str(int(bool(found)))
        found, self._lias = self._lias, 0
        self._status_since = self.clock.now()
        return str(found)


REFERENCE = (
    Row("SLVL", lambda d, c: d.set_sine(c)),
    Row("FREQ", lambda d, c: d.set_frequency(c)),
    Row("FREQ?", lambda d, _c: f"{d._frequency:.7g}"),
    Row("PHAS", lambda d, c: d.set_phase(c)),
    Row("OFLT", lambda d, c: d.set_time_constant(c)),
    Row("OFLT?", lambda d, _c: str(d._time_constant)),
    Row("OFSL", lambda d, c: d.set_slope(c)),
    Row("OFSL?", lambda d, _c: str(d._slope)),
    Row("TRIG", lambda d, c: d.software_trigger(c)),
    Row("*TRG", lambda d, c: d.software_trigger(c)),
    Row("LIAS?", lambda d, c: d.lock_in_status(c)),
    Row("ERRS?", lambda _d, _c: "0"),
)
"""Rows that all of them have, after the methods of :class:`SrsLockIn`."""

"""Stanford Research SR830 lock-in amplifier, after its manual as the QCoDeS and pymeasure drivers
use it.

A trigger pulse makes a sample on the next tick of the instrument's 512 Hz clock, so up to 2 ms
later; pulses that come faster are ignored. The buffer holds what the two displays show, 16383
samples. Overloads are latched in LIAS until it is read. Not simulated: harmonics, the notch and
synchronous filters, offset and expand, ratios, and the start of a scan by a trigger (TSTR).
"""

from __future__ import annotations

import math

import numpy as np

from sim.devices.lock_in_path import Array
from sim.devices.sample_buffer import SampleBuffer
from sim.devices.scpi_rows import Call, Row, ScpiError
from sim.devices.sr830_buffer import (
    CAPACITY,
    TICK,
    encode_floats,
    encode_lockin_format,
)
from sim.devices.sr830_tables import (
    AUX_FULL_SCALE,
    INPUT_OVERLOAD,
    ONLY_REMEMBERED,
    OUTPUT_OVERLOAD,
    OVERRANGE,
    SAMPLE_RATES,
    SENSITIVITIES,
    SINE_STEP,
    TIME_CONSTANTS,
    TRIGGERED,
    TRIGGERED_BIT,
    digitise,
)
from sim.devices.srs_lock_in import REFERENCE, SrsLockIn
from sim.devices.trigger_line import TriggerLine
from sim.world import World


class Sr830(SrsLockIn):
    """The lock-in as its drivers see it; parameters as :class:`SrsLockIn`."""

    IDENTITY = "Stanford_Research_Systems,SR830,s/n00001,ver1.07"
    TIME_CONSTANTS = TIME_CONSTANTS
    SINE_RANGE = (0.004, 5.0)
    SINE_STEP = SINE_STEP
    LARGEST_FREQUENCY = 102e3

    def __init__(
        self,
        name: str,
        world: World,
        trigger: TriggerLine,
        sine_divider: float = 1e-4,
        auxiliary_input: int = 3,
    ) -> None:
        super().__init__(name, world, trigger, sine_divider, auxiliary_input)
        self._buffer = SampleBuffer(trigger, TICK, CAPACITY)
        self._sensitivity = len(SENSITIVITIES) - 1
        self._display = {1: (0, 0), 2: (0, 0)}

    def parse_header(self, text: str) -> tuple[str, str]:
        """Split off the four letters; blanks are optional: ``SLVL0.05``, ``SPTS ?``."""
        letters = 4 if text[:1] != "*" else len(text)
        header, rest = text[:letters].strip(), text[letters:].strip()
        if rest.startswith("?"):
            return header + "?", rest[1:]
        return header, rest

    # -- measuring ----------------------------------------------------------------------------

    def _measure(self, times: Array) -> tuple[Array, Array, Array]:
        """Return X, Y (V rms) and the wired auxiliary input (V) as digitised at `times`."""
        output = self.output_at(times)
        limit = OVERRANGE * SENSITIVITIES[self._sensitivity]
        if output.largest_input > limit:
            self._lias |= INPUT_OVERLOAD
        x, y = output.xy.real, output.xy.imag
        if max(np.max(np.abs(x)), np.max(np.abs(y))) > limit:
            self._lias |= OUTPUT_OVERLOAD
        return digitise(x, limit), digitise(y, limit), digitise(output.dc, AUX_FULL_SCALE)

    def sample(self) -> None:
        """Fill the buffer up to now; called before anything changes or is read."""
        times = self._buffer.due(self.clock.now())
        if len(times):
            self._lias |= TRIGGERED_BIT
            x, y, auxiliary = self._measure(times)
            shown = [self._shown(channel, x, y, auxiliary) for channel in (1, 2)]
            self._buffer.store(*shown)

    def _shown(self, channel: int, x: Array, y: Array, auxiliary: Array) -> Array:
        """Return what a display shows (DDEF)."""
        quantity = self._display[channel][0]
        if quantity == 0:
            return x if channel == 1 else y
        if quantity == 1:
            return np.hypot(x, y) if channel == 1 else np.degrees(np.arctan2(y, x))
        if quantity == 2:
            raise ScpiError(-221, "the noise display is not simulated")
        wired = quantity - 2 + 2 * (channel - 1) == self._wired
        return auxiliary if wired else np.zeros_like(auxiliary)

    def _now(self) -> tuple[float, float, float]:
        self.sample()
        x, y, auxiliary = self._measure(np.array([self.clock.now()]))
        return float(x[0]), float(y[0]), float(auxiliary[0])

    def _quantities(self) -> list[float]:
        """Return everything that OUTP? and SNAP? can name: X, Y, R, theta, aux 1-4, f, CH1, CH2."""
        x, y, auxiliary = self._now()
        values = [x, y, math.hypot(x, y), math.degrees(math.atan2(y, x))]
        values += self.auxiliaries(auxiliary)
        shown = [
            float(self._shown(ch, *(np.array([v]) for v in (x, y, auxiliary)))[0]) for ch in (1, 2)
        ]
        return [*values, self._frequency, *shown]

    def output(self, call: Call) -> str:
        """``OUTP? i``: X, Y, R or theta."""
        return f"{self._quantities()[call.whole(1, 4) - 1]:.6g}"

    def snap(self, call: Call) -> str:
        """``SNAP? i,j,...``: two to six quantities at one moment."""
        if not 2 <= len(call.args) <= 6:
            raise ScpiError(-108, "Parameter error")
        quantities = self._quantities()
        wanted = [call.whole(1, 11, i) for i in range(len(call.args))]
        return ",".join(f"{quantities[i - 1]:.6g}" for i in wanted)

    def auxiliary(self, call: Call) -> str:
        """``OAUX? i``: auxiliary input, V."""
        return f"{self._quantities()[3 + call.whole(1, 4)]:.6g}"

    # -- settings -----------------------------------------------------------------------------

    def set_sensitivity(self, call: Call) -> None:
        """``SENS i``."""
        value = call.whole(0, len(SENSITIVITIES) - 1)
        self.sample()
        self._sensitivity = value

    def set_display(self, call: Call) -> None:
        """``DDEF i,j,k``: what display i shows, and its ratio."""
        channel, quantity = call.whole(1, 2), call.whole(0, 4, 1)
        ratio = call.whole(0, 0, 2)
        self.sample()
        self._display[channel] = (quantity, ratio)

    def display(self, call: Call) -> str:
        """``DDEF? i``."""
        quantity, ratio = self._display[call.whole(1, 2)]
        return f"{quantity},{ratio}"

    # -- buffer -------------------------------------------------------------------------------

    def set_rate(self, call: Call) -> None:
        """``SRAT i``: sample rate, 14 = one sample per trigger."""
        value = call.whole(0, TRIGGERED)
        self.sample()
        self._buffer.set_rate(None if value == TRIGGERED else SAMPLE_RATES[value])

    def rate(self, _call: Call) -> str:
        """``SRAT?``."""
        rate = self._buffer.rate
        return str(TRIGGERED if rate is None else SAMPLE_RATES.index(rate))

    def start(self, _call: Call) -> None:
        """``STRT``."""
        self._buffer.start(self.clock.now())

    def pause(self, _call: Call) -> None:
        """``PAUS``."""
        self.sample()
        self._buffer.pause()

    def reset_buffer(self, _call: Call) -> None:
        """``REST``: empty the buffer and stop."""
        self._buffer.reset()

    def points(self, _call: Call) -> str:
        """``SPTS?``: samples in the buffer."""
        self.sample()
        return str(self._buffer.count)

    def _trace(self, call: Call) -> Array:
        """Return the samples that ``TRC*? channel,first,count`` names."""
        self.sample()
        channel, first, count = call.whole(1, 2), int(call.number(1)), int(call.number(2))
        if first < 0 or count < 1 or first + count > self._buffer.count:
            raise ScpiError(-222, "Data out of range")
        return self._buffer.trace(channel - 1)[first : first + count]

    COMMANDS = (
        *REFERENCE,
        Row("SLVL?", lambda d, _c: f"{d._sine:.3f}"),
        Row("PHAS?", lambda d, _c: f"{d._phase:.2f}"),
        Row("SENS", set_sensitivity),
        Row("SENS?", lambda d, _c: str(d._sensitivity)),
        Row("OEXP?", lambda _d, _c: "0,0"),
        Row("OUTP?", output),
        Row("SNAP?", snap),
        Row("OAUX?", auxiliary),
        Row("DDEF", set_display),
        Row("DDEF?", display),
        Row("SRAT", set_rate),
        Row("SRAT?", rate),
        Row("STRT", start),
        Row("PAUS", pause),
        Row("REST", reset_buffer),
        Row("SPTS?", points),
        Row("TRCL?", lambda d, c: encode_lockin_format(d._trace(c))),
        Row("TRCB?", lambda d, c: encode_floats(d._trace(c))),
        Row("TRCA?", lambda d, c: "".join(f"{value:.6g}," for value in d._trace(c))),
        *ONLY_REMEMBERED,
    )

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

from sim.devices.lock_in_path import Array, LockInPath, Settings
from sim.devices.scpi import Device
from sim.devices.scpi_rows import Call, Row, ScpiError
from sim.devices.sr830_buffer import SampleBuffer, encode_floats, encode_lockin_format
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
from sim.devices.trigger_line import TriggerLine
from sim.world import World


class Sr830(Device):
    """The lock-in whose sine output modulates the junction and that measures its response.

    Parameters
    ----------
    name : str
    world : World
    trigger : TriggerLine
        Cable at the trigger input.
    sine_divider : float
        Junction voltage per volt of the sine output.
    auxiliary_input : int
        Auxiliary input that the preamplifier's dc output is wired to.
    """

    IDENTITY = "Stanford_Research_Systems,SR830,s/n00001,ver1.07"
    QUEUES_REPLIES = True

    def __init__(
        self,
        name: str,
        world: World,
        trigger: TriggerLine,
        sine_divider: float = 1e-4,
        auxiliary_input: int = 3,
    ) -> None:
        super().__init__(name, world)
        self._divider = sine_divider
        self._wired = auxiliary_input
        self._path = LockInPath(world, self.rng)
        self._buffer = SampleBuffer(trigger)
        self._lias = 0
        self._status_since = 0.0
        self._sine = 1.0
        self._frequency = 1000.0
        self._phase = 0.0
        self._sensitivity = len(SENSITIVITIES) - 1
        self._time_constant = 8
        self._slope = 1
        self._display = {1: (0, 0), 2: (0, 0)}
        self._modulate()

    def parse_header(self, text: str) -> tuple[str, str]:
        """Split off the four letters; blanks are optional: ``SLVL0.05``, ``SPTS ?``."""
        letters = 4 if text[:1] != "*" else len(text)
        header, rest = text[:letters].strip(), text[letters:].strip()
        if rest.startswith("?"):
            return header + "?", rest[1:]
        return header, rest

    def clear_status(self) -> None:
        """Clear all status registers (``*CLS``)."""
        super().clear_status()
        self._sample()
        self._lias, self._status_since = 0, self.clock.now()

    def status_byte(self, reply_waiting: bool) -> int:
        """Return the status byte: bit 3 LIAS, 4 reply waiting, 5 standard event."""
        return 8 * bool(self._lias) + 16 * reply_waiting + 32 * bool(self.event_status)

    # -- measuring ----------------------------------------------------------------------------

    def _measure(self, times: Array) -> tuple[Array, Array, Array]:
        """Return X, Y (V rms) and the wired auxiliary input (V) as digitised at `times`."""
        settings = Settings(TIME_CONSTANTS[self._time_constant], self._slope + 1, self._phase)
        output = self._path.output(times, settings, self._status_since)
        limit = OVERRANGE * SENSITIVITIES[self._sensitivity]
        if output.largest_input > limit:
            self._lias |= INPUT_OVERLOAD
        x, y = output.xy.real, output.xy.imag
        if max(np.max(np.abs(x)), np.max(np.abs(y))) > limit:
            self._lias |= OUTPUT_OVERLOAD
        return digitise(x, limit), digitise(y, limit), digitise(output.dc, AUX_FULL_SCALE)

    def _sample(self) -> None:
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
        self._sample()
        x, y, auxiliary = self._measure(np.array([self.clock.now()]))
        return float(x[0]), float(y[0]), float(auxiliary[0])

    def _quantities(self) -> list[float]:
        """Return everything that OUTP? and SNAP? can name: X, Y, R, theta, aux 1-4, f, CH1, CH2."""
        x, y, auxiliary = self._now()
        values = [x, y, math.hypot(x, y), math.degrees(math.atan2(y, x))]
        values += [auxiliary if i == self._wired else 0.0 for i in range(1, 5)]
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

    def _modulate(self) -> None:
        peak = self._sine * math.sqrt(2) * self._divider
        self.world.set_modulation(self._frequency, peak)

    def set_sine(self, call: Call) -> None:
        """``SLVL x``: sine output, V rms."""
        value = round(call.number() / SINE_STEP) * SINE_STEP
        if not 0.004 <= value <= 5.0:
            raise ScpiError(-222, "Data out of range")
        self._sample()
        self._sine = value
        self._modulate()

    def set_frequency(self, call: Call) -> None:
        """``FREQ x``, Hz."""
        if not 1e-3 <= call.number() <= 102e3:
            raise ScpiError(-222, "Data out of range")
        self._sample()
        self._frequency = call.number()
        self._modulate()

    def set_phase(self, call: Call) -> None:
        """``PHAS x``: reference phase, degrees; kept within -180 to 180."""
        value = round(call.number(), 2)
        if not -360 <= value <= 729.99:
            raise ScpiError(-222, "Data out of range")
        self._sample()
        self._phase = (value + 180) % 360 - 180

    def set_sensitivity(self, call: Call) -> None:
        """``SENS i``."""
        value = call.whole(0, len(SENSITIVITIES) - 1)
        self._sample()
        self._sensitivity = value

    def set_time_constant(self, call: Call) -> None:
        """``OFLT i``."""
        value = call.whole(0, len(TIME_CONSTANTS) - 1)
        self._sample()
        self._time_constant = value

    def set_slope(self, call: Call) -> None:
        """``OFSL i``: 6, 12, 18, 24 dB/oct."""
        value = call.whole(0, 3)
        self._sample()
        self._slope = value

    def set_display(self, call: Call) -> None:
        """``DDEF i,j,k``: what display i shows, and its ratio."""
        channel, quantity = call.whole(1, 2), call.whole(0, 4, 1)
        ratio = call.whole(0, 0, 2)
        self._sample()
        self._display[channel] = (quantity, ratio)

    def display(self, call: Call) -> str:
        """``DDEF? i``."""
        quantity, ratio = self._display[call.whole(1, 2)]
        return f"{quantity},{ratio}"

    # -- buffer -------------------------------------------------------------------------------

    def set_rate(self, call: Call) -> None:
        """``SRAT i``: sample rate, 14 = one sample per trigger."""
        value = call.whole(0, TRIGGERED)
        self._sample()
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
        self._sample()
        self._buffer.pause()

    def reset_buffer(self, _call: Call) -> None:
        """``REST``: empty the buffer and stop."""
        self._buffer.reset()

    def software_trigger(self, _call: Call) -> None:
        """``TRIG`` or a bus trigger: like a pulse at the trigger input."""
        self._buffer.line.pulse(np.array([self.clock.now()]))

    def points(self, _call: Call) -> str:
        """``SPTS?``: samples in the buffer."""
        self._sample()
        return str(self._buffer.count)

    def _trace(self, call: Call) -> Array:
        """Return the samples that ``TRC*? channel,first,count`` names."""
        self._sample()
        channel, first, count = call.whole(1, 2), int(call.number(1)), int(call.number(2))
        if first < 0 or count < 1 or first + count > self._buffer.count:
            raise ScpiError(-222, "Data out of range")
        return self._buffer.trace(channel)[first : first + count]

    # -- status -------------------------------------------------------------------------------

    def lock_in_status(self, call: Call) -> str:
        """``LIAS?`` or ``LIAS? bit``: read and clear."""
        self._sample()
        if call.args:
            mask = 1 << call.whole(0, 7)
            found, self._lias = self._lias & mask, self._lias & ~mask
            return str(int(bool(found)))
        found, self._lias = self._lias, 0
        self._status_since = self.clock.now()
        return str(found)

    COMMANDS = (
        Row("SLVL", set_sine),
        Row("SLVL?", lambda d, _c: f"{d._sine:.3f}"),
        Row("FREQ", set_frequency),
        Row("FREQ?", lambda d, _c: f"{d._frequency:.7g}"),
        Row("PHAS", set_phase),
        Row("PHAS?", lambda d, _c: f"{d._phase:.2f}"),
        Row("SENS", set_sensitivity),
        Row("SENS?", lambda d, _c: str(d._sensitivity)),
        Row("OFLT", set_time_constant),
        Row("OFLT?", lambda d, _c: str(d._time_constant)),
        Row("OFSL", set_slope),
        Row("OFSL?", lambda d, _c: str(d._slope)),
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
        Row("TRIG", software_trigger),
        Row("*TRG", software_trigger),
        Row("SPTS?", points),
        Row("TRCL?", lambda d, c: encode_lockin_format(d._trace(c))),
        Row("TRCB?", lambda d, c: encode_floats(d._trace(c))),
        Row("TRCA?", lambda d, c: "".join(f"{value:.6g}," for value in d._trace(c))),
        Row("LIAS?", lock_in_status),
        *ONLY_REMEMBERED,
        Row("ERRS?", lambda _d, _c: "0"),
    )

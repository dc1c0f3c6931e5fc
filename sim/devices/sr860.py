"""Stanford Research SR860 lock-in amplifier, after its manual as the QCoDeS driver uses it.

Its capture buffer holds X and Y (or R and theta) as float32, at a fixed rate or once per trigger;
auxiliary inputs can only be asked for. The scale (SCAL) belongs to the analogue outputs: what is
captured is limited by the input range (IRNG) alone. The input range is counted against dc and ac
together, also with ac coupling: a sweep is quicker than its 0.16 Hz. Bits of LIAS after the
maker's own Python package. Assumed: a triggered sample is made on the next tick of the fastest
capture rate. Not simulated: harmonics, the synchronous and the advanced filter, external
references, expand, continuous captures and streaming.
"""

from __future__ import annotations

import math

import numpy as np

from sim.devices.lock_in_path import Array
from sim.devices.scpi_rows import Call, Row, ScpiError
from sim.devices.sr860_capture import Capture
from sim.devices.sr860_tables import (
    INPUT_OVERLOAD,
    INPUT_RANGES,
    NOISE_BANDWIDTHS,
    ONLY_REMEMBERED,
    OUTPUT_OVERLOADS,
    SCALES,
    TIME_CONSTANTS,
    TRIGGERED_BIT,
    capture_rate,
)
from sim.devices.srs_lock_in import REFERENCE, SrsLockIn
from sim.devices.trigger_line import TriggerLine
from sim.world import World


class Sr860(SrsLockIn):
    """The lock-in as its drivers see it; parameters as :class:`SrsLockIn`."""

    IDENTITY = "Stanford_Research_Systems,SR860,000111,v1.51"
    TIME_CONSTANTS = TIME_CONSTANTS
    SINE_RANGE = (1e-9, 2.0)
    LARGEST_FREQUENCY = 500e3
    STATUS_BITS = 15

    def __init__(
        self,
        name: str,
        world: World,
        trigger: TriggerLine,
        sine_divider: float = 1e-4,
        auxiliary_input: int = 3,
    ) -> None:
        super().__init__(name, world, trigger, sine_divider, auxiliary_input)
        self.capture = Capture(trigger)
        self._scale = 0
        self._input_range = 0

    # -- measuring ----------------------------------------------------------------------------

    def _measure(self, times: Array) -> tuple[Array, Array, Array, int]:
        """Return X, Y (V rms), the wired auxiliary input (V) at `times`, and what overloads."""
        output = self.output_at(times)
        largest = INPUT_RANGES[self._input_range]
        overloads = INPUT_OVERLOAD if output.largest_peak > largest else 0
        parts = [np.clip(part, -largest, largest) for part in (output.xy.real, output.xy.imag)]
        for part, bit in zip(parts, OUTPUT_OVERLOADS, strict=True):
            if np.max(np.abs(part)) > SCALES[self._scale]:
                overloads |= bit
        return parts[0], parts[1], output.dc, overloads

    def sample(self) -> None:
        """Capture up to now."""
        times = self.capture.due(self.clock.now())
        if len(times):
            x, y, _, overloads = self._measure(times)
            self._lias |= overloads | TRIGGERED_BIT
            self.capture.store(x, y)

    def _quantities(self) -> list[float]:
        """Return what OUTP? and SNAP? can name: X, Y, R, theta, aux inputs, settings."""
        self.sample()
        x, y, dc, overloads = self._measure(np.array([self.clock.now()]))
        self._lias |= overloads
        x0, y0 = float(x[0]), float(y[0])
        polar = [math.hypot(x0, y0), math.degrees(math.atan2(y0, x0))]
        settings = [self._phase, self._sine, 0.0, self._frequency, self._frequency]
        return [x0, y0, *polar, *self.auxiliaries(float(dc[0])), 0.0, 0.0, 0.0, 0.0, *settings]

    def snap(self, call: Call) -> str:
        """``SNAP? i,j[,k]``: two or three quantities at one moment."""
        if not 2 <= len(call.args) <= 3:
            raise ScpiError(-108, "Parameter error")
        quantities = self._quantities()
        return ",".join(f"{quantities[call.whole(0, 16, i)]:.9g}" for i in range(len(call.args)))

    def data_channels(self, _call: Call) -> str:
        """``SNAPD?``: what the four data channels show."""
        quantities = self._quantities()
        chosen = (int(self.settings.get(("CDSP", str(i)), str(i))) for i in range(4))
        return ",".join(f"{quantities[i]:.9g}" for i in chosen)

    def overloads_now(self, _call: Call) -> str:
        """``CUROVLDSTAT?``: what is overloaded now."""
        self.sample()
        return str(self._measure(np.array([self.clock.now()]))[3])

    # -- settings -----------------------------------------------------------------------------

    def set_scale(self, call: Call) -> None:
        """``SCAL i``."""
        value = call.whole(0, len(SCALES) - 1)
        self.sample()
        self._scale = value

    def set_input_range(self, call: Call) -> None:
        """``IRNG i``."""
        value = call.whole(0, len(INPUT_RANGES) - 1)
        self.sample()
        self._input_range = value

    # -- capture ------------------------------------------------------------------------------

    def start_capture(self, call: Call) -> None:
        """``CAPTURESTART mode,trigger``."""
        self.capture.start(call, self.clock.now(), self.time_constant)

    def stop_capture(self, _call: Call) -> None:
        """``CAPTURESTOP``."""
        self.sample()
        self.capture.stop()

    def captured(self) -> Capture:
        """Return the capture as it is now."""
        self.sample()
        return self.capture

    def progress(self, _call: Call) -> str:
        """``CAPTUREPROG?``: kB, after the capture has stopped."""
        capture = self.captured()
        if capture.status & 1:
            raise ScpiError(-221, "Settings conflict: capture is running")
        return str(capture.kilobytes_stored)

    def captured_value(self, call: Call) -> str:
        """``CAPTUREVAL? n``: one sample as text."""
        values = self.captured().value(call.whole(0, 2**20))
        return ",".join(f"{value:.7g}" for value in values)

    COMMANDS = (
        *REFERENCE,
        Row("SLVL?", lambda d, _c: f"{d._sine:.9g}"),
        Row("PHAS?", lambda d, _c: f"{d._phase:.7g}"),
        Row("SCAL", set_scale),
        Row("SCAL?", lambda d, _c: str(d._scale)),
        Row("IRNG", set_input_range),
        Row("IRNG?", lambda d, _c: str(d._input_range)),
        Row("ENBW?", lambda d, _c: f"{NOISE_BANDWIDTHS[d._slope] / d.time_constant:.6g}"),
        Row("ILVL?", lambda _d, _c: "1"),
        Row("OUTP?", lambda d, c: f"{d._quantities()[c.whole(0, 16)]:.9g}"),
        Row("SNAP?", snap),
        Row("SNAPD?", data_channels),
        Row("OAUX?", lambda d, c: f"{d._quantities()[4 + c.whole(0, 3)]:.9g}"),
        Row("CUROVLDSTAT?", overloads_now),
        Row("CAPTURECFG", lambda d, c: d.captured().set_config(c)),
        Row("CAPTURECFG?", lambda d, _c: str(d.capture.config)),
        Row("CAPTURELEN", lambda d, c: d.captured().set_length(c)),
        Row("CAPTURELEN?", lambda d, _c: str(d.capture.kilobytes)),
        Row("CAPTURERATEMAX?", lambda d, _c: f"{capture_rate(d.time_constant):.9g}"),
        Row("CAPTURERATE", lambda d, c: d.captured().set_divider(c)),
        Row(
            "CAPTURERATE?",
            lambda d, _c: f"{capture_rate(d.time_constant) / 2**d.capture.divider:.9g}",
        ),
        Row("CAPTURESTART", start_capture),
        Row("CAPTURESTOP", stop_capture),
        Row("CAPTURESTAT?", lambda d, _c: str(d.captured().status)),
        Row("CAPTUREBYTES?", lambda d, _c: str(d.captured().bytes_stored)),
        Row("CAPTUREPROG?", progress),
        Row("CAPTUREVAL?", captured_value),
        Row("CAPTUREGET?", lambda d, c: d.captured().block(int(c.number(0)), int(c.number(1)))),
        *ONLY_REMEMBERED,
    )

"""The capture buffer of the SR860 and the form in which it is read."""

from __future__ import annotations

import math

import numpy as np

from sim.devices.sample_buffer import Array, SampleBuffer
from sim.devices.scpi_rows import Call, ScpiError
from sim.devices.sr860_tables import CAPTURED, LARGEST_BLOCK, LARGEST_CAPTURE, capture_rate
from sim.devices.trigger_line import TriggerLine

VARIABLES = (1, 2, 2, 4)
"""Numbers captured per sample, by CAPTURECFG."""
CHUNK = 2048
"""The instrument fills and counts its memory in pieces of this many bytes."""


class Capture:
    """What is captured, when, and how much of it there is.

    Parameters
    ----------
    line : TriggerLine
        Cable at the trigger input.
    """

    def __init__(self, line: TriggerLine) -> None:
        self.config = 0
        self.kilobytes = 256
        self.divider = 0
        self.running = False
        self._waiting_since = math.inf
        self._buffer = SampleBuffer(line, 1 / capture_rate(0.1), 1)

    def set_config(self, call: Call) -> None:
        """``CAPTURECFG 0..3`` or ``X``, ``XY``, ``RT``, ``XYRT``; forgets what was captured."""
        word = call.args[0].upper() if call.args else ""
        code = CAPTURED.get(word, word)
        if code not in ("0", "1", "2", "3"):
            raise ScpiError(-224, "Illegal parameter value")
        self.config = int(code)
        self.stop()
        self._buffer.reset()

    def set_length(self, call: Call) -> None:
        """``CAPTURELEN n``: kB; odd numbers are rounded up."""
        self.kilobytes = math.ceil(call.whole(1, LARGEST_CAPTURE) / 2) * 2

    def set_divider(self, call: Call) -> None:
        """``CAPTURERATE n``: the fastest rate divided by 2^n."""
        self.divider = call.whole(0, 20)

    def start(self, call: Call, now: float, time_constant: float) -> None:
        """``CAPTURESTART ONE,IMM|TRIG|SAMP``: at once, from a trigger on, or one a trigger."""
        modes = [argument.upper() for argument in call.args]
        if len(modes) != 2 or modes[0] not in ("ONE", "0"):
            raise ScpiError(-224, "Illegal parameter value: only one-shot captures are simulated")
        how = {"0": "IMM", "1": "TRIG", "2": "SAMP"}.get(modes[1], modes[1])
        if how not in ("IMM", "TRIG", "SAMP"):
            raise ScpiError(-224, "Illegal parameter value")
        fastest = capture_rate(time_constant)
        buffer = SampleBuffer(self._buffer.line, 1 / fastest, self.capacity)
        buffer.set_rate(None if how == "SAMP" else fastest / 2**self.divider)
        self._waiting_since = now if how == "TRIG" else math.inf
        if how != "TRIG":
            buffer.start(now)
        self._buffer, self.running = buffer, True

    def stop(self) -> None:
        """``CAPTURESTOP``."""
        self.running = False
        self._waiting_since = math.inf
        self._buffer.pause()

    @property
    def capacity(self) -> int:
        """Samples that fit."""
        return self.kilobytes * 1024 // (4 * VARIABLES[self.config])

    @property
    def bytes_stored(self) -> int:
        """``CAPTUREBYTES?``."""
        return self._buffer.count * 4 * VARIABLES[self.config]

    @property
    def kilobytes_stored(self) -> int:
        """``CAPTUREPROG?``: rounded up to whole chunks."""
        return math.ceil(self.bytes_stored / CHUNK) * CHUNK // 1024

    @property
    def status(self) -> int:
        """``CAPTURESTAT?``: bit 0 capturing, 1 triggered, 2 full."""
        full = self._buffer.count >= self.capacity
        begun = math.isinf(self._waiting_since) and (self.running or self._buffer.count > 0)
        return (self.running and begun and not full) + 2 * begun + 4 * full

    def due(self, now: float) -> Array:
        """Return the times of the samples since the last question, s; :meth:`store` them."""
        if math.isfinite(self._waiting_since):
            pulses = self._buffer.line.between(self._waiting_since, now)
            if len(pulses):
                self._waiting_since = math.inf
                self._buffer.start(float(pulses[0]))
        return self._buffer.due(now)

    def store(self, x: Array, y: Array) -> None:
        """Keep what is captured of X and Y (V rms) at the times that were due."""
        polar = (np.hypot(x, y), np.degrees(np.arctan2(y, x)))
        kinds = ((x,), (x, y), polar, (x, y, *polar))
        self._buffer.store(*kinds[self.config])

    def value(self, index: int) -> Array:
        """Return one sample (``CAPTUREVAL?``), zeros beyond the end."""
        if index < self._buffer.count:
            sample: Array = self._buffer.samples()[index]
            return sample
        return np.zeros(VARIABLES[self.config])

    def block(self, offset: int, length: int) -> bytes:
        """Return `length` kB from `offset` kB on as an IEEE block of float32 (``CAPTUREGET?``)."""
        if self.status & 1:
            raise ScpiError(-221, "Settings conflict: capture is running")
        if not 1 <= length <= LARGEST_BLOCK or offset + length > self.kilobytes_stored:
            raise ScpiError(-222, "Data out of range")
        memory = self._buffer.samples().astype("<f4").tobytes().ljust(self.kilobytes * 1024, b"\0")
        data = memory[offset * 1024 : (offset + length) * 1024]
        count = str(len(data))
        return f"#{len(count)}{count}".encode() + data

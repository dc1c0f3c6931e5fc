"""QDevil QDAC-II as bias source, through the driver of qcodes_contrib_drivers.

Taken from that driver: all command names; lists are sent as float32, which resolves 24 bits of the
value. Assumed, not written there: the slew rate limits list steps too; the delay of a trigger
output shifts each pulse; aborting leaves the output where it is; ``volt:last?`` reads what the
output really has.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import List_Context, QDac2

from drivers.bias_wiring import require_divider
from drivers.visa_errors import ask_number, ask_whole, reported
from stm_daq.clock import Clock, wait_until
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.records import Array
from stm_daq.station.limits import Limits
from stm_daq.station.roles import Finding, PlanNeeds, refusal

log = logging.getLogger(__name__)

GUARD = 2e-3
"""The trigger comes this long before the end of a step (s): an SR830 may take 2 ms to sample."""
PULSE = 10e-6
"""Length of a trigger pulse, s."""
TOLERANCE = 2e-5
"""A voltage (at the DAC) has arrived within this, V."""
SPARE = 2.0
"""A ramp may take so much longer than computed, s."""
CHANNELS, TRIGGERS = 24, 5
"""Voltage and trigger outputs."""
RANGES = {"low": 2.0, "high": 10.0}
"""Output ranges of the QDAC-II, V."""
ROUNDING = 1 + 1e-9


class Qdac2Bias:
    """One channel of a QDAC-II, through a divider, at the junction.

    Parameters
    ----------
    instrument : QDac2
    limits : Limits
    clock : Clock
    channel : int
        Output that biases the junction, from 1.
    divider : float
        Junction voltage per volt of the output.
    trigger : int
        Trigger output that pulses once a step, from 1.
    """

    def __init__(
        self,
        instrument: QDac2,
        limits: Limits,
        clock: Clock,
        channel: int,
        divider: float,
        trigger: int,
    ) -> None:
        self._qdac = instrument
        self._channel = instrument.channel(channel)
        self._source = f"sour{channel}"
        self._limits = limits
        self._clock = clock
        self._divider = divider
        self._port = trigger
        self._slew_set = False
        self._context: List_Context | None = None
        self._start = 0
        self._list: Array = np.empty(0)
        self._duration = 0.0
        self._armed = False
        self._busy_until = -np.inf
        self._at: float | None = None

    @staticmethod
    def check(
        options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None
    ) -> Iterator[Finding]:
        """Yield what a QDAC-II cannot do; see :mod:`stm_daq.station.roles`."""
        largest = max(abs(limits.bias.low), abs(limits.bias.high))
        if "divider" in options:
            full_scale = RANGES["high"]
            yield from refusal("divider", require_divider, options["divider"], largest, full_scale)
        for option, last in (("channel", CHANNELS), ("trigger", TRIGGERS)):
            if not 1 <= options.get(option, 1) <= last:
                yield option, f"a QDAC-II has outputs 1 to {last} of this kind"
        if needs is not None:
            yield from refusal("sweep.bias.dwell", _require_dwell, needs.dwell)

    def voltage(self) -> float:
        """Read the bias that is really applied now, V at the junction."""
        volts = ask_number(self._qdac, f"{self._source}:volt:last?") * self._divider
        if not self._running():
            self._at = volts
        return volts

    def ramp_to(self, volts: float) -> None:
        """Change the bias at the slew limit; return when it is reached and read back."""
        target = self._limits.bias.require(volts, "bias") / self._divider
        self._require_in_range(np.array([target]))
        self._set_slew()
        distance = abs(self.voltage() - volts)
        with reported(self._qdac, "ramp"):
            self._armed = False
            self._channel.dc_constant_V(target)
        duration = distance / self._limits.bias_slew
        self._clock.sleep(duration)
        wait_until(
            self._clock,
            lambda: abs(self.voltage() - volts) <= TOLERANCE * abs(self._divider),
            timeout=duration + SPARE,
            poll=10e-3,
            what=f"{self._qdac.name}: the bias did not reach {show(volts, 'V')}",
        )

    def prepare_list(self, volts: Array, dwell: float) -> None:
        """Load a hardware list; every step ends with a trigger pulse.

        Raises
        ------
        OutOfRangeError
            Before anything is sent, if any voltage, step or slew rate passes the limits.
        InstrumentError
            If the instrument did not take the list.
        """
        self._check_list(volts, dwell)
        self._require_in_range(volts / self._divider)
        self._set_slew()
        with reported(self._qdac, "load the bias list"):
            old = self._qdac.errors()
            if not old.startswith("0"):
                log.warning("%s: errors from before: %s", self._qdac.name, old)
            if self._context is not None:
                self._context.close()
            self._load([float(v) for v in volts / self._divider], dwell)
        self._require_loaded(len(volts))
        self._list = np.array(volts)
        self._duration = len(volts) * dwell
        self._armed = True

    def trigger_delay(self, dwell: float) -> float:
        """Return how long after the beginning of a step its trigger comes, s."""
        return dwell - GUARD

    def start_list(self) -> None:
        """Start the loaded list once; return at once."""
        if self._context is None:
            raise InstrumentError(f"{self._qdac.name}: no list is loaded; prepare it first")
        if self._running():
            raise InstrumentError(f"{self._qdac.name}: the list is still running")
        step = self._limits.bias_step
        if self._at is None or abs(self._at - self._list[0]) > step * ROUNDING:
            where = "unknown" if self._at is None else show(self._at, "V")
            raise InstrumentError(
                f"{self._qdac.name}: the bias ({where}) is not where the list begins "
                f"({show(self._list[0], 'V')}); ramp there first"
            )
        with reported(self._qdac, "start the bias list"):
            if not self._armed:
                self._qdac.write(f"{self._source}:volt:mode list")
                self._qdac.write(f"{self._source}:dc:init:cont on")
                self._armed = True
            self._qdac.write(f"tint {self._start}")
        self._busy_until = self._clock.now() + self._duration
        self._at = float(self._list[-1])

    def abort_list(self) -> None:
        """Stop a running list where it is; the output keeps its value."""
        with reported(self._qdac, "stop the bias list"):
            self._channel.dc_abort()
        if self._running():
            self._at = None
        self._armed = False
        self._busy_until = -np.inf

    def _running(self) -> bool:
        return self._clock.now() < self._busy_until

    def _check_list(self, volts: Array, dwell: float) -> None:
        """Refuse a list that passes the station's limits anywhere."""
        for extreme in (np.min(volts), np.max(volts)):
            self._limits.bias.require(float(extreme), "bias in the list")
        step = float(np.max(np.abs(np.diff(volts)), initial=0.0))
        if step > self._limits.bias_step * ROUNDING:
            raise OutOfRangeError(
                f"the list has a bias step of {show(step, 'V')}, more than the station's "
                f"{show(self._limits.bias_step, 'V')}; use more points"
            )
        _require_dwell(dwell)
        if step / dwell > self._limits.bias_slew * ROUNDING:
            raise OutOfRangeError(
                f"the list changes the bias by {show(step / dwell, 'V/s')}, faster than the "
                f"station's {show(self._limits.bias_slew, 'V/s')}; use a longer dwell time"
            )

    def _require_in_range(self, dac_volts: Array) -> None:
        """Refuse what the divider makes impossible for any range of the DAC."""
        largest = float(np.max(np.abs(dac_volts)))
        if largest > RANGES["high"]:
            raise OutOfRangeError(
                f"{self._qdac.name}: needs {show(largest, 'V')} at the DAC, more than its "
                f"{show(RANGES['high'], 'V')}; check the divider in station.yaml"
            )

    def _set_slew(self) -> None:
        """Set the slew limit once, and see that the instrument took it."""
        if self._slew_set:
            return
        slew = self._limits.bias_slew / abs(self._divider)
        with reported(self._qdac, "set the slew rate"):
            self._channel.dc_slew_rate_V_per_s(slew)
        found = ask_number(self._qdac, f"{self._source}:volt:slew?")
        if not 0 < found <= slew * 1.001:
            raise InstrumentError(
                f"{self._qdac.name}: the slew rate is {show(found, 'V/s')}, not the wanted "
                f"{show(slew, 'V/s')}"
            )
        self._slew_set = True

    def _load(self, dac_volts: list[float], dwell: float) -> None:
        """Send list and triggers; the list then waits for an internal trigger, again and again."""
        context = self._channel.dc_list(dac_volts, repetitions=1, dwell_s=dwell)
        marker = context.step_start_marker()
        self._qdac.connect_external_trigger(self._port, marker, PULSE)
        self._qdac.submodules[f"ext{self._port}"].delay_s(dwell - GUARD)
        trigger = self._qdac.allocate_trigger()
        context.start_on(trigger)
        self._context, self._start = context, trigger.value

    def _require_loaded(self, points: int) -> None:
        """Check that the instrument has the list and complains of nothing."""
        found = ask_whole(self._qdac, f"{self._source}:list:poin?")
        with reported(self._qdac, "read errors"):
            errors = self._qdac.errors()
        if found != points or not errors.startswith("0"):
            self._context = None
            raise InstrumentError(
                f"{self._qdac.name}: did not take the list ({found} of {points} points; {errors})"
            )


def _require_dwell(dwell: float) -> None:
    if not dwell > GUARD:
        raise OutOfRangeError(
            f"a dwell time of {show(dwell, 's')} leaves no time for the trigger; use more "
            f"than {show(GUARD, 's')}"
        )

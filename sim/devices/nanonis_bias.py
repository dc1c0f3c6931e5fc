"""The simulated controller's bias output and current input."""

from __future__ import annotations

import math

from sim.devices.nanonis_output import BiasOutput
from sim.devices.nanonis_process import Later
from sim.devices.nanonis_refusal import Values, require
from sim.devices.nanonis_signals import CURRENT, Signals
from sim.world import World

BIAS_RANGE = 10.0
"""Largest bias of the controller's own output, V."""
HOLD, RELATIVE = 1, 1


class BiasModule:
    """Commands ``Bias.*``; see :mod:`sim.devices.nanonis_modules` for the convention."""

    def __init__(self, world: World, output: BiasOutput) -> None:
        self._world = world
        self._output = output
        self._calibration = (1.0, 0.0)
        self._pulse = Later(world.clock)

    def set(self, volts: float) -> Values:
        require(abs(volts) <= BIAS_RANGE, f"Bias out of range: {volts:g} V")
        self._pulse.recall()
        self._output.jump(volts)
        return ()

    def get(self) -> Values:
        return (self._output.volts,)

    def range_set(self, index: int) -> Values:
        require(index == 0, f"The bias has one range, not number {index}")
        return ()

    def range_get(self) -> Values:
        return ("+-10V (1x)",), 0

    def calibr_set(self, calibration: float, offset: float) -> Values:
        require(calibration == 1 and offset == 0, "The twin's bias is calibrated: 1 and 0 only")
        return ()

    def calibr_get(self) -> Values:
        return self._calibration

    def pulse(self, wait: int, width: float, volts: float, hold: int, reference: int) -> Values:
        before = self._output.volts
        pulse = before + volts if reference == RELATIVE else volts
        require(abs(pulse) <= BIAS_RANGE, f"Bias out of range: {pulse:g} V")
        require(0 < width < 100, f"Pulse width out of range: {width:g} s")
        tip = self._world.tip
        held = hold == HOLD and tip.feedback_on
        if held:
            tip.hold()
        self._output.jump(pulse)

        def end() -> None:
            self._output.jump(before)
            if held:
                tip.release()

        self._pulse.do(width, end)
        if wait:
            self._world.clock.sleep(width)
        return ()


class CurrentModule:
    """Commands ``Current.*``; the preamplifier is not switched from here."""

    def __init__(self, world: World, signals: Signals) -> None:
        self._amplifier = world.preamplifier
        self._signals = signals

    def get(self) -> Values:
        return (self._signals.value(CURRENT),)

    def gain_set(self, gain: int, filter_index: int) -> Values:
        # -1: as it is
        require(gain in (0, -1) and filter_index in (0, -1), "The twin has one gain and no filters")
        return ()

    def gains_get(self) -> Values:
        return (f"{self._amplifier.gain:.0e} V/A",), 0, ("Off",), 0

    def calibr_set(self, gain: int, calibration: float, offset: float) -> Values:
        same = math.isclose(calibration, 1 / self._amplifier.gain, rel_tol=1e-6) and offset == 0
        require(same, "The calibration of the current is that of the twin's preamplifier")
        return ()

    def calibr_get(self, gain: int) -> Values:
        require(gain in (0, -1), f"There is no gain number {gain}")
        return 1 / self._amplifier.gain, 0.0

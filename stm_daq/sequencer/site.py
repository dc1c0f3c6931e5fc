"""One site: move, settle, hold, sweep, release."""

from __future__ import annotations

import math

import numpy as np

from stm_daq.clock import Clock
from stm_daq.plan import Plan
from stm_daq.records import Site, Spectrum
from stm_daq.sequencer.hold import held_feedback
from stm_daq.sequencer.setpoint import Setpoint
from stm_daq.sequencer.sweep import DacSweep
from stm_daq.sequencer.temperature import StageTemperature
from stm_daq.station.roles import BiasSource, StmController

SETPOINT_TOLERANCE = 0.2
"""Relative deviation of the current from its set-point under feedback that flags a spectrum."""


class SiteMeasurement:
    """Takes spectra, one site at a time."""

    def __init__(
        self,
        plan: Plan,
        *,
        stm: StmController,
        bias: BiasSource,
        setpoint: Setpoint,
        sweep: DacSweep,
        temperature: StageTemperature,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._setpoint = setpoint
        self._stm = stm
        self._bias = bias
        self._sweep = sweep
        self._temperature = temperature
        self._clock = clock

    def measure(self, site: Site, attempt: int) -> Spectrum:
        """Take one spectrum; afterwards the feedback is closed at the set-point bias.

        Raises
        ------
        InstrumentError
            If an instrument failed; the feedback is restored nevertheless.
        CleanupError
            If it could not be restored.
        """
        timing = self._plan.timing
        began = self._clock.now()
        self._stm.move_to(site.x, site.y)
        self._clock.sleep(timing.settle)
        z, current = self._height_and_current()
        with held_feedback(self._stm, self._bias, self._setpoint.bias):
            if self._sweep.start != self._setpoint.bias:
                self._bias.ramp_to(self._sweep.start)
            self._clock.sleep(timing.initial_settle)
            started = self._clock.wall()
            data = self._sweep.measure()
            self._clock.sleep(timing.end_settle)
            if self._sweep.start != self._setpoint.bias:
                self._bias.ramp_to(self._setpoint.bias)
        self._clock.sleep(timing.recover)
        stage = self._temperature.latest()
        flags = data.flags + self._setpoint_flags(current)
        if self._temperature.expected and not stage.fresh:
            flags += ("stale_temperature",)
        return Spectrum(
            site=site,
            attempt=attempt,
            time=started,
            duration=self._clock.now() - began,
            bias=self._plan.sweep.bias,
            current=data.current,
            conductance=data.conductance,
            z=z,
            setpoint_current=current,
            temperature=stage.kelvin if stage.fresh else math.nan,
            flags=flags,
            sweeps=self._plan.sweep.averages,
        )

    def _height_and_current(self) -> tuple[float, float]:
        """Return z and current under feedback, averaged as long as the plan wants."""
        until = self._clock.now() + self._plan.timing.z_average
        found = [self._stm.height_and_current()]
        while self._clock.now() < until:
            found.append(self._stm.height_and_current())
        z, current = np.mean(found, axis=0).tolist()
        return z, current

    def _setpoint_flags(self, current: float) -> tuple[str, ...]:
        wanted = self._setpoint.current
        off = abs(abs(current) - wanted) > SETPOINT_TOLERANCE * wanted
        return ("setpoint_not_reached",) if off else ()

"""One site: move, settle, hold, sweep, release."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from stm_daq.clock import Clock
from stm_daq.plan import Plan
from stm_daq.records import Site, Spectrum
from stm_daq.sequencer.height import TipHeight
from stm_daq.sequencer.hold import close_loop, held_feedback
from stm_daq.sequencer.setpoint import Setpoint, near
from stm_daq.sequencer.sideways import Sideways
from stm_daq.sequencer.sweeper import SweepData, Sweeper
from stm_daq.sequencer.temperature import StageTemperature
from stm_daq.station.roles import BiasSource, StmController

NOT_RECOVERED = "feedback_not_recovered"


class SiteMeasurement:
    """Takes spectra, one site at a time."""

    def __init__(
        self,
        plan: Plan,
        *,
        stm: StmController,
        sideways: Sideways,
        bias: BiasSource,
        setpoint: Setpoint,
        sweep: Sweeper,
        height: TipHeight,
        temperature: StageTemperature,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._setpoint = setpoint
        self._stm = stm
        self._sideways = sideways
        self._bias = bias
        self._sweep = sweep
        self._height = height
        self._temperature = temperature
        self._clock = clock
        self._recovered = True

    def go_on_from(self, last: Spectrum) -> None:
        """Go on after the last spectrum of an earlier part of the run."""
        self._recovered = NOT_RECOVERED not in last.flags

    def measure(self, site: Site, attempt: int, reason: str = "") -> Spectrum:
        """Take one spectrum; afterwards the feedback is closed at the set-point between the sites.

        Parameters
        ----------
        site : Site
        attempt : int
            Number of this measurement of the site, from 0.
        reason : str
            Why it is measured again.

        Raises
        ------
        InstrumentError
            If an instrument failed; the feedback is restored nevertheless.
        CleanupError
            If it could not be restored.
        """
        timing = self._plan.timing
        began = self._clock.now()
        self._require_recovered()
        self._sideways.move_to(site.x, site.y)
        self._setpoint.approach()
        self._clock.sleep(timing.settle)
        z, current = self._height_and_current()
        started, data = self._sweep_here()
        self._clock.sleep(timing.recover)
        self._recovered = self._still_at_setpoint(data) or self._setpoint.finds(
            self._setpoint.current
        )
        stage = self._temperature.latest()
        flags = data.flags + self._setpoint_flags(current)
        if not self._recovered:
            flags += (NOT_RECOVERED,)
        if self._temperature.expected and not stage.fresh:
            flags += ("stale_temperature",)
        self._setpoint.leave()
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
            reason=reason,
            extra=data.extra,
        )

    def _sweep_here(self) -> tuple[float, SweepData]:
        """Sweep with the feedback held; return when it began (wall time) and what came of it."""
        if self._sweep.holds_feedback:
            return self._clock.wall(), self._sweep_by_controller()
        timing, elsewhere = self._plan.timing, self._sweep.start != self._setpoint.bias
        with held_feedback(self._stm, self._bias, self._setpoint.bias, self._height):
            self._height.move_to(self._plan.sweep.z_offset)
            if elsewhere:
                self._bias.ramp_to(self._sweep.start)
            self._clock.sleep(timing.initial_settle)
            started = self._clock.wall()
            data = self._sweep.measure()
            self._clock.sleep(timing.end_settle)
            if elsewhere:
                self._bias.ramp_to(self._setpoint.bias)
        return started, data

    def _sweep_by_controller(self) -> SweepData:
        """Sweep; make sure that bias and feedback are back if the controller did not see to it."""
        try:
            return self._sweep.measure()
        except BaseException as error:
            close_loop(self._stm, self._bias, self._setpoint.bias, error)
            raise

    def _still_at_setpoint(self, data: SweepData) -> bool:
        """Whether the sweep ended where the feedback had held: then it has nothing to recover from.

        The loop is known to be closed again, and the last sample, taken at the set-point's bias and
        height, has shown the set-point's current.
        """
        moved = self._sweep.start != self._setpoint.bias or self._plan.sweep.z_offset != 0.0
        return not moved and not data.flags and not self._setpoint_flags(data.closing_current)

    def _require_recovered(self) -> None:
        """Let the tip not move sideways before the feedback has found its current again."""
        if not (self._recovered or self._setpoint.confirms_moves):
            self._setpoint.require(self._setpoint.current, "after the sweep")

    def _height_and_current(self) -> tuple[float, float]:
        """Return z and current under feedback, averaged as long as the plan wants."""
        until = self._clock.now() + self._plan.timing.z_average
        found = [self._stm.height_and_current()]
        while self._clock.now() < until:
            found.append(self._stm.height_and_current())
        z, current = np.mean(found, axis=0).tolist()
        return z, current

    def _setpoint_flags(self, current: float) -> tuple[str, ...]:
        return () if near(current, self._setpoint.current) else ("setpoint_not_reached",)


def averaged(earlier: Spectrum, new: Spectrum) -> Spectrum:
    """Return the average of two spectra of a site, weighted by their sweeps, in place of `new`."""
    count = earlier.sweeps + new.sweeps
    share = earlier.sweeps / count
    return replace(
        new,
        current=share * earlier.current + (1.0 - share) * new.current,
        conductance=share * earlier.conductance + (1.0 - share) * new.conductance,
        duration=earlier.duration + new.duration,
        flags=tuple(dict.fromkeys(earlier.flags + new.flags)),
        sweeps=count,
    )

"""The night: topograph rows and sites in turn, until all are done or somebody stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from stm_daq.clock import Clock
from stm_daq.errors import CleanupError, InstrumentError, StmDaqError
from stm_daq.plan import Plan, site_rows
from stm_daq.records import Event, Record, RunEnded, Site, TopographRows
from stm_daq.sequencer.hold import close_loop, held_feedback
from stm_daq.sequencer.pace import Pace
from stm_daq.sequencer.site import SiteMeasurement
from stm_daq.sequencer.stop import StopSwitch
from stm_daq.sequencer.sweep import BACK, DacSweep
from stm_daq.sequencer.temperature import StageTemperature
from stm_daq.station.limits import Limits
from stm_daq.station.list_source import require_list_source
from stm_daq.station.roles import (
    BiasSource,
    LockIn,
    MicrowaveSource,
    Preamplifier,
    StmController,
    Thermometer,
)
from stm_daq.station.safe_state import Failure, Step, restore

ATTEMPTS = 2
"""Times that a site is tried before it is left out."""

CONSECUTIVE_FAILURES = 5
"""Sites in a row that may be left out before the run stops: then the trouble is not the site."""


class StationRoles(Protocol):
    """The roles of a station; see :mod:`stm_daq.station.roles`."""

    stm: StmController
    bias: BiasSource
    lockin: LockIn
    preamplifier: Preamplifier
    thermometer: Thermometer | None
    microwave: MicrowaveSource | None
    limits: Limits


class Runner:
    """Carries out one plan on one station.

    Parameters
    ----------
    plan : Plan
    station : StationRoles
    clock : Clock
    emit : callable
        Receives every record in order. What it raises stops the run (safely): only a journal that
        cannot write should do so.
    stop : StopSwitch
    expected_seconds : float
        Estimated duration, for the first progress reports.

    Raises
    ------
    BadInputError
        If the station's bias source cannot play a list; nothing was touched.
    """

    def __init__(
        self,
        plan: Plan,
        station: StationRoles,
        clock: Clock,
        emit: Callable[[Record], None],
        stop: StopSwitch,
        expected_seconds: float,
    ) -> None:
        self._plan = plan
        self._station = station
        self._clock = clock
        self._emit = emit
        self._stop = stop
        self._rows = site_rows(plan.grid)
        total = sum(len(row) for row in self._rows)
        self._pace = Pace(clock, total, expected_seconds)
        self._temperature = StageTemperature(station.thermometer, clock, emit)
        self._sweep = DacSweep(
            plan.sweep,
            station.limits,
            bias=require_list_source(station.bias),
            lockin=station.lockin,
            preamplifier=station.preamplifier,
            clock=clock,
        )
        self._site = SiteMeasurement(
            plan,
            stm=station.stm,
            bias=station.bias,
            sweep=self._sweep,
            temperature=self._temperature,
            clock=clock,
        )
        self._failures_in_a_row = 0
        self._parked = False
        self._withdrawn = False

    @contextmanager
    def prepared(self) -> Iterator[DacSweep]:
        """Bring the station to the plan's set-point; when the block ends, however, it is parked.

        Yields
        ------
        DacSweep
            The sweep, set up; its modulation and step memory are known now.

        Raises
        ------
        InstrumentError, OutOfRangeError
            If that is not possible; nothing was measured then.
        CleanupError
            If the station could not be parked.
        """
        try:
            self._prepare()
            yield self._sweep
        except CleanupError as error:
            self._withdrawn = error.withdrawn
            raise
        finally:
            if not self._parked:
                failures = self._park()
                if failures:
                    raise CleanupError(failures, self._withdrawn)

    def _prepare(self) -> None:
        plan, station = self._plan, self._station
        if station.microwave is not None:
            station.microwave.off()
        # held, because on its way the bias may pass zero, where the feedback would crash the tip
        with held_feedback(station.stm, station.bias, plan.setpoint_bias):
            station.bias.ramp_to(plan.setpoint_bias)
            station.stm.set_setpoint(plan.setpoint_current)
        self._sweep.prepare(plan.setpoint_current / abs(plan.setpoint_bias))
        rows, columns = plan.grid.topograph_shape
        station.stm.prepare_scan(plan.grid.frame, columns, rows, plan.grid.line_time)
        self._check_temperature()

    def run(self) -> RunEnded:
        """Measure everything and park; to be called once, inside :meth:`prepared`.

        Returns
        -------
        RunEnded
            Also emitted. State "finished", "stopped" or "failed".
        """
        state, text = "failed", "unexpected error; see the log"
        try:
            self._measure_rows()
            state, text = (
                ("stopped", self._stop.reason) if self._stop.requested else ("finished", "")
            )
        except KeyboardInterrupt:
            state, text = "stopped", self._stop.reason or "interrupted"
        except CleanupError as error:
            self._withdrawn = error.withdrawn
            text = str(error)
        except StmDaqError as error:
            text = str(error)
        finally:
            failures = self._park()
            if failures:
                state = "failed"
                text = "; ".join(filter(None, [text, str(CleanupError(failures, self._withdrawn))]))
            ended = RunEnded(self._clock.wall(), state, text)
            self._emit(ended)
        return ended

    def _measure_rows(self) -> None:
        grid = self._plan.grid
        for number, sites in enumerate(self._rows):
            if self._stopping():
                return
            self._scan_topograph(number * grid.every, grid.every)
            self._pace.row_scanned(len(self._rows) - number - 1)
            for site in sites:
                if self._stopping():
                    return
                self._measure_site(site)
                self._pace.site_done()
                self._emit(self._pace.progress("stopping" if self._stopping() else "running"))
            self._check_bias()
        self._station.stm.stop_scan()

    def _stopping(self) -> bool:
        return self._stop.requested

    def _scan_topograph(self, first_row: int, count: int) -> None:
        stm = self._station.stm
        stm.scan_rows(count)
        z = stm.scan_data()[first_row : first_row + count]
        self._emit(TopographRows(self._clock.wall(), first_row, z))

    def _measure_site(self, site: Site) -> None:
        for attempt in range(ATTEMPTS):
            try:
                spectrum = self._site.measure(site, attempt)
            except InstrumentError as error:
                self._event("error", f"site {site.index}, attempt {attempt + 1}: {error}")
                if isinstance(error, CleanupError):
                    raise
            else:
                self._failures_in_a_row = 0
                self._emit(spectrum)
                return
        self._failures_in_a_row += 1
        self._event("warning", f"site {site.index} left out after {ATTEMPTS} attempts")
        if self._failures_in_a_row >= CONSECUTIVE_FAILURES:
            raise InstrumentError(
                f"stopped: {CONSECUTIVE_FAILURES} sites in a row could not be measured"
            )

    def _check_bias(self) -> None:
        applied, wanted = self._station.bias.voltage(), self._plan.setpoint_bias
        if abs(applied - wanted) > BACK * abs(wanted):
            raise InstrumentError(
                f"the bias reads back {applied * 1e3:.4g} mV instead of {wanted * 1e3:.4g} mV"
            )

    def _check_temperature(self) -> None:
        expected, tolerance = self._plan.expected_temperature, self._plan.temperature_tolerance
        reading = self._temperature.latest()
        if expected is None or tolerance is None or not self._temperature.expected:
            return
        if not reading.fresh:
            self._event("warning", "no fresh temperature reading at the start")
        elif abs(reading.kelvin - expected) > tolerance:
            self._event(
                "warning",
                f"the stage is at {reading.kelvin:.3g} K; the plan expects {expected:.3g} K "
                f"within {tolerance:.2g} K",
            )

    def _park(self) -> list[Failure]:
        """Bring everything to its safe state: all steps are tried, the failures returned.

        A tip that had to be withdrawn stays withdrawn.
        """
        self._stop.shield()
        self._parked = True
        station, failures = self._station, list[Failure]()
        try:
            if not self._withdrawn:
                close_loop(station.stm, station.bias, self._plan.setpoint_bias)
        except CleanupError as error:
            self._withdrawn = error.withdrawn
            failures.extend(error.failures)
        steps: list[Step] = [
            ("stop the topograph", station.stm.stop_scan),
            ("reduce the modulation", station.lockin.modulation_off),
        ]
        if station.microwave is not None:
            steps.append(("switch the microwaves off", station.microwave.off))
        return failures + restore(steps)

    def _event(self, kind: str, text: str) -> None:
        self._emit(Event(self._clock.wall(), kind, text))

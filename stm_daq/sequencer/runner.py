"""The night: topograph rows and sites in turn, until all are done or somebody stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stm_daq.clock import Clock
from stm_daq.errors import CleanupError, InstrumentError, StmDaqError
from stm_daq.plan import Group, Plan, Step, Topograph, groups, step_count, steps
from stm_daq.records import Event, Record, RunEnded, Site, TopographRows
from stm_daq.sequencer.axes import OuterAxes
from stm_daq.sequencer.pace import Pace
from stm_daq.sequencer.parking import park
from stm_daq.sequencer.setpoint import Setpoint
from stm_daq.sequencer.site import SiteMeasurement
from stm_daq.sequencer.stop import StopSwitch
from stm_daq.sequencer.sweep import BACK, DacSweep
from stm_daq.sequencer.temperature import StageTemperature
from stm_daq.station.roles import StationRoles
from stm_daq.station.safe_state import Failure

ATTEMPTS = 2
"""Times that a site is tried before it is left out."""

CONSECUTIVE_FAILURES = 5
"""Sites in a row that may be left out before the run stops: then the trouble is not the site."""


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
        self._groups_left = step_count(plan.axes) * len(groups(plan.sites))
        total = step_count(plan.axes) * plan.sites.count
        self._pace = Pace(clock, total, expected_seconds)
        self._setpoint = Setpoint(plan, station.stm, station.bias)
        self._temperature = StageTemperature(station.thermometer, clock, emit)
        self._sweep = DacSweep(
            plan.sweep,
            station.limits,
            bias=station.bias,
            lockin=station.lockin,
            preamplifier=station.preamplifier,
            clock=clock,
        )
        self._site = SiteMeasurement(
            plan,
            stm=station.stm,
            bias=station.bias,
            setpoint=self._setpoint,
            sweep=self._sweep,
            temperature=self._temperature,
            clock=clock,
        )
        self._axes = OuterAxes(
            plan, setpoint=self._setpoint, sweep=self._sweep, clock=clock, emit=emit, setters={}
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
        self._setpoint.apply()
        self._sweep.prepare(self._setpoint.conductance)
        if plan.sites.topograph is not None:
            self._prepare_scan(plan.sites.topograph)
        self._check_temperature()

    def _prepare_scan(self, topograph: Topograph) -> None:
        rows, columns = topograph.shape
        frame = self._plan.sites.frame
        self._station.stm.prepare_scan(frame, columns, rows, topograph.line_time)

    def run(self) -> RunEnded:
        """Measure everything and park; to be called once, inside :meth:`prepared`.

        Returns
        -------
        RunEnded
            Also emitted. State "finished", "stopped" or "failed".
        """
        state, text = "failed", "unexpected error; see the log"
        try:
            self._measure_all()
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

    def _measure_all(self) -> None:
        for step in steps(self._plan.axes):
            if self._stopping():
                return
            self._axes.go_to(step)
            self._measure_map(step)

    def _measure_map(self, step: Step) -> None:
        """Measure all sites once; with a topograph, which begins anew for every map."""
        topograph = self._plan.sites.topograph
        if topograph is not None and step.number > 0:
            self._prepare_scan(topograph)
        for group in groups(self._plan.sites, step.number):
            if self._stopping():
                return
            self._groups_left -= 1
            if group.rows:
                self._scan_topograph(group, step)
                self._pace.row_scanned(self._groups_left)
            for site in group.sites:
                if self._stopping():
                    return
                self._measure_site(site)
                self._pace.site_done()
                self._emit(self._pace.progress("stopping" if self._stopping() else "running"))
            self._check_bias()
        if topograph is not None:
            self._station.stm.stop_scan()

    def _stopping(self) -> bool:
        return self._stop.requested

    def _scan_topograph(self, group: Group, step: Step) -> None:
        stm = self._station.stm
        stm.scan_rows(group.rows)
        z = stm.scan_data()[group.first_row : group.first_row + group.rows]
        self._emit(TopographRows(self._clock.wall(), group.first_row, z, step.number))

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
        applied, wanted = self._station.bias.voltage(), self._setpoint.bias
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
        """Bring everything to its safe state: all steps are tried, the failures returned."""
        self._stop.shield()
        self._parked = True
        failures, self._withdrawn = park(self._station, self._setpoint.bias, self._withdrawn)
        return failures

    def _event(self, kind: str, text: str) -> None:
        self._emit(Event(self._clock.wall(), kind, text))

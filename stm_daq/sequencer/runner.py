"""The night: topograph rows and sites in turn, until all are done or somebody stops it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from stm_daq.clock import Clock
from stm_daq.errors import CleanupError, InstrumentError, LoopFoundOpenError, StmDaqError
from stm_daq.plan import Plan, steps
from stm_daq.records import Event, Record, RunEnded
from stm_daq.sequencer.axes import OuterAxes
from stm_daq.sequencer.choose import choose_sweeper
from stm_daq.sequencer.drift import DriftCorrection, StillSample, Whereabouts
from stm_daq.sequencer.guards import Guards, Reading, WithdrawError
from stm_daq.sequencer.height import TipHeight
from stm_daq.sequencer.map_loop import MapLoop
from stm_daq.sequencer.parking import park
from stm_daq.sequencer.reference import ReferenceMeasurement
from stm_daq.sequencer.setpoint import Setpoint
from stm_daq.sequencer.setters import AxisSetters, read_parameter
from stm_daq.sequencer.sideways import Sideways
from stm_daq.sequencer.site import SiteMeasurement
from stm_daq.sequencer.site_loop import SiteLoop
from stm_daq.sequencer.surroundings import Surroundings
from stm_daq.sequencer.sweep import BACK
from stm_daq.sequencer.sweeper import Sweeper
from stm_daq.sequencer.temperature import StageTemperature
from stm_daq.sequencer.trials import tried
from stm_daq.station.roles import StationRoles
from stm_daq.station.safe_state import Failure, restore

LOOKING = 0.05
"""Time for a look at the feedback, s."""


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
    expected_seconds : float
        Estimated duration, for the first progress reports.
    surroundings : Surroundings, optional
        What is outside the station: people, the fits, the disk, an earlier part of the run.

    Raises
    ------
    BadInputError
        If the station has nothing that could carry out the plan's sweep; nothing was touched.
    """

    def __init__(
        self,
        plan: Plan,
        station: StationRoles,
        clock: Clock,
        emit: Callable[[Record], None],
        expected_seconds: float,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._plan = plan
        self._station = station
        self._clock = clock
        self._emit = emit
        around = Surroundings() if surroundings is None else surroundings
        self._stop = around.control.stop
        self._around = around
        self._setpoint = Setpoint(plan, station.stm, station.bias, clock)
        self._sideways = Sideways(station.stm, self._setpoint)
        self._temperature = StageTemperature(station.thermometer, clock, emit)
        self._where = self._whereabouts()
        self._guard = self._guards(around)
        height = TipHeight(station.stm)
        self._sweep = choose_sweeper(plan, station, height, clock)
        self._site = SiteMeasurement(
            plan,
            stm=station.stm,
            sideways=self._sideways,
            bias=station.bias,
            setpoint=self._setpoint,
            sweep=self._sweep,
            height=height,
            temperature=self._temperature,
            clock=clock,
        )
        self._axes = OuterAxes(
            plan,
            setpoint=self._setpoint,
            sweep=self._sweep,
            clock=clock,
            emit=emit,
            set_axis=AxisSetters(station, clock, lambda: self._stop.requested).set,
        )
        self._maps = MapLoop(
            plan,
            station,
            self._sideways,
            SiteLoop(
                plan.care,
                self._site,
                clock=clock,
                emit=emit,
                surroundings=around,
                guards=self._guard,
                where=self._where,
                reference=ReferenceMeasurement(
                    plan, self._site, self._where, clock=clock, emit=emit
                ),
            ),
            clock=clock,
            emit=emit,
            earlier=around.earlier,
            where=self._where,
            stop=self._stop,
            expected_seconds=expected_seconds,
            check=self._check_bias,
        )
        self._parked = False
        self._withdrawn = False
        self._unsafe = False

    @property
    def safety(self) -> tuple[float, bool, bool, float | None]:
        """Bias to park at (V); whether the tip is withdrawn; whether parking has failed; current (A)."""
        setpoint = self._setpoint
        return setpoint.resting_bias, self._withdrawn, self._unsafe, setpoint.travel_current

    def _whereabouts(self) -> Whereabouts:
        drift, stm = self._plan.care.drift, self._station.stm
        if drift is None:
            return StillSample()
        frame = self._plan.sites.frame
        return DriftCorrection(
            drift, frame, stm=stm, sideways=self._sideways, clock=self._clock, emit=self._emit
        )

    def look(self) -> None:
        """Look at the feedback, as is done before the first site and after every sweep."""
        self._station.stm.feedback_on()

    def _guards(self, around: Surroundings) -> Guards:
        reading = self._temperature.latest
        stm = self._station.stm
        readings: dict[str, Reading] = {
            "temperature": lambda _: reading().kelvin if reading().fresh else math.nan,
            "z": lambda _: stm.height_and_current()[0],
            "current": lambda _: abs(stm.height_and_current()[1]),
            "parameter": lambda guard: read_parameter(self._station, guard.parameter),
            "disk": lambda _: around.free_disk(),
            "overload": lambda _: float("overload" in " ".join(self._maps.last_flags)),
        }
        return Guards(
            self._plan.care.guards, readings, clock=self._clock, emit=self._emit, stop=self._stop
        )

    @contextmanager
    def prepared(self) -> Iterator[Sweeper]:
        """Bring the station to the plan's set-point; when the block ends, however, it is parked.

        Yields
        ------
        Sweeper
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
        station = self._station
        if station.microwave is not None:
            station.microwave.off()
        self._setpoint.apply()
        station.stm.height_and_current()  # refuses a tip that stands at a limit of z
        self._sweep.prepare(self._setpoint.conductance)
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
            self._measure_all()
            state, text = (
                ("stopped", self._stop.reason) if self._stop.requested else ("finished", "")
            )
        except KeyboardInterrupt:
            state, text = "stopped", self._stop.reason or "interrupted"
        except CleanupError as error:
            self._withdrawn = error.withdrawn
            text = str(error)
        except (WithdrawError, LoopFoundOpenError) as error:
            state = "stopped" if isinstance(error, WithdrawError) else "failed"
            text = self._withdraw(str(error))
        except StmDaqError as error:
            text = str(error)
        finally:
            failures = self._park()
            if failures:
                state = "failed"
                text = "; ".join(filter(None, [text, str(CleanupError(failures, self._withdrawn))]))
            self._around.control.write_notes(self._clock, self._emit)
            ended = RunEnded(self._clock.wall(), state, text)
            self._emit(ended)
        return ended

    def _measure_all(self) -> None:
        begun = self._go_back()
        if begun is None:
            return
        looked = begun < 0 or self._setpoint.confirms_moves
        before = 0.0 if looked else self._plan.timing.recover
        self._around.begin(self.look, before + LOOKING)
        for step in steps(self._plan.axes):
            if self._stop.requested:
                return
            if step.number < begun:
                self._maps.recall(step)
                continue
            if step.number != begun:
                self._axes.go_to(step)
                self._temperature.renew()
            self._maps.measure(step)

    def _go_back(self) -> int | None:
        """Go to where an earlier part of the run ended.

        Returns
        -------
        int or None
            Its step of the outer axes, -1 if there is none; None if the run is to stop before that.
        """
        earlier = self._around.earlier
        last = earlier.replay.last
        self._temperature.renew()
        if last is None:
            return -1
        step = next(s for s in steps(self._plan.axes) if s.number == last.site.step)
        self._guard.allow()
        if self._stop.requested:
            return None
        back = partial(self._sideways.move_to, last.site.x, last.site.y)
        self._try_back(back)  # before an axis brings the tip into contact
        self._axes.go_to(replace(step, changed=tuple(range(len(self._plan.axes)))))
        if earlier.reference is not None:
            self._where.go_on_from(earlier.reference, earlier.shift, earlier.drift_time)
            self._find_sample()
        self._try_back(back)  # from the reference; and ready to move on, as after every site
        self._site.go_on_from(last)
        if earlier.temperature is not None:
            self._temperature.go_on_from(earlier.temperature)
        return step.number

    def _try_back(self, back: Callable[[], None]) -> None:
        tried(back, "go back to the last site", self._clock, self._emit)

    def _find_sample(self) -> None:
        """Look where the sample is after the gap; pause for a person if it cannot be found."""
        self._where.follow()
        if self._where.lost:
            self._around.control.pause("the plan: the sample was not found again after the gap")

    def _check_bias(self) -> None:
        self._setpoint.leave()  # which a site that failed has not
        applied, wanted = self._station.bias.voltage(), self._setpoint.resting_bias
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

    def _withdraw(self, why: str) -> str:
        """Withdraw the tip; return `why` and what became of it. If it fails, parking goes on."""
        failures = restore([("withdraw the tip", self._station.stm.withdraw)])
        self._withdrawn = not failures
        return f"{why}; the tip was withdrawn" if self._withdrawn else why

    def _park(self) -> list[Failure]:
        """Bring everything to its safe state: all steps are tried, the failures returned."""
        self._stop.shield()
        self._parked = True
        heated = any(axis.kind == "temperature" for axis in self._plan.axes)
        bias, withdrawn, _, current = self.safety
        failures, self._withdrawn = park(
            self._station, bias, withdrawn, self._clock, setpoint_current=current, heated=heated
        )
        self._unsafe = bool(failures)
        return failures

    def _event(self, kind: str, text: str) -> None:
        self._emit(Event(self._clock.wall(), kind, text))

"""All sites once: topograph, sites and drift in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.plan import Group, Plan, Step, groups, step_count
from stm_daq.records import Event, Record, Site
from stm_daq.sequencer.drift import DriftCorrection
from stm_daq.sequencer.pace import Pace
from stm_daq.sequencer.reference import ReferenceMeasurement
from stm_daq.sequencer.site_loop import SiteLoop
from stm_daq.sequencer.stop import StopSwitch
from stm_daq.sequencer.surroundings import Earlier
from stm_daq.sequencer.topograph import TopographScan
from stm_daq.sequencer.trials import tried
from stm_daq.station.roles import StationRoles


class MapLoop:
    """Measures the sites of a plan, map by map.

    Parameters
    ----------
    plan : Plan
    station : StationRoles
    site_loop : SiteLoop
    clock : Clock
    emit : callable
    earlier : Earlier
        What is done already.
    stop : StopSwitch
    expected_seconds : float
        Of the whole run.
    check : callable
        Called after every group of sites; raises if the station is not as it should be.
    reference : ReferenceMeasurement
        Knows when its place is due.
    """

    def __init__(
        self,
        plan: Plan,
        station: StationRoles,
        site_loop: SiteLoop,
        *,
        clock: Clock,
        emit: Callable[[Record], None],
        earlier: Earlier,
        stop: StopSwitch,
        expected_seconds: float,
        check: Callable[[], None],
        reference: ReferenceMeasurement,
    ) -> None:
        self._sites = plan.sites
        self._again = plan.care.again
        self._loop = site_loop
        self._clock = clock
        self._emit = emit
        self._earlier = earlier
        self._stop = stop
        self._check = check
        self._reference = reference
        self._groups_left = step_count(plan.axes) * len(groups(plan.sites))
        total = step_count(plan.axes) * plan.sites.count
        self._pace = Pace(clock, total, expected_seconds, done=len(earlier.attempts))
        self._topograph = TopographScan(plan.sites, station.stm, clock, emit)
        self._drift: DriftCorrection | None = None
        if plan.care.drift is not None:
            self._drift = DriftCorrection(
                plan.care.drift, plan.sites.frame, stm=station.stm, clock=clock, emit=emit
            )

    @property
    def last_flags(self) -> tuple[str, ...]:
        """Flags of the latest spectrum."""
        return self._loop.last_flags

    def is_done(self, step: Step) -> bool:
        """Whether an earlier part of the run has measured this map completely."""
        left = any(self._left(group) for group in groups(self._sites, step.number))
        return not left and self._rows_done(step) >= self._sites.topograph_shape[0]

    def recall(self, step: Step) -> None:
        """Remember what an earlier part of the run knew of a map that it has begun."""
        self._loop.recall(groups(self._sites, step.number))
        earlier = self._earlier
        if self._drift is not None and earlier.reference is not None:
            self._drift.go_on_from(earlier.reference, earlier.shift, earlier.drift_time)

    def measure(self, step: Step) -> None:
        """Measure one map; sites that are done are left out."""
        for group in groups(self._sites, step.number):
            if self._stopping():
                return
            self._groups_left -= 1
            self._follow_drift()
            if group.rows and not self._scanned(group, step):
                self._scan(group, step)
                self._pace.row_scanned(self._groups_left)
            self._measure_group(group)
        self._measure_flagged_again()
        tried(self._topograph.stop, "stop the topograph", self._clock, self._emit)

    def _scan(self, group: Group, step: Step) -> None:
        """Scan the rows of a group; rows that cannot be scanned are left out, the sites are not."""
        shift = self._drift.shift if self._drift else (0.0, 0.0)
        rows = f"rows {group.first_row} to {group.first_row + group.rows - 1} of the topograph"
        scan = partial(self._topograph.scan, group, step.number, shift)
        if not tried(scan, rows, self._clock, self._emit):
            self._emit(Event(self._clock.wall(), "warning", f"{rows} left out"))

    def _measure_group(self, group: Group) -> None:
        left = self._left(group)
        for site in left:
            if self._stopping():
                return
            self._follow_drift()
            self._reference.before_site()
            self._loop.measure(self._drift.corrected(site) if self._drift else site)
            if self._stopping():
                self._emit(self._pace.progress("stopping"))
                return
            self._pace.site_done()
            self._emit(self._pace.progress("running"))
        if not left and not self._ended_earlier(group):
            return
        if not tried(self._check, "check the bias", self._clock, self._emit):
            raise InstrumentError("the bias is not, or cannot be seen, at its set-point")

    def _ended_earlier(self, group: Group) -> bool:
        """Whether an earlier part of the run ended with this group: its check may be missing."""
        recent = self._earlier.recent
        return bool(recent) and recent[-1].site.index in {site.index for site in group.sites}

    def _follow_drift(self) -> None:
        """Scan the reference if it is due."""
        if self._drift is not None and self._drift.due:
            tried(self._drift.measure, "reference topograph", self._clock, self._emit)

    def _measure_flagged_again(self) -> None:
        flagged = self._loop.take_flagged()
        for _ in range(self._again):
            for site, why in flagged:
                if self._stopping():
                    return
                self._loop.measure(site, reason=f"again: {why}")
            flagged = self._loop.take_flagged()

    def _stopping(self) -> bool:
        return self._stop.requested

    def _left(self, group: Group) -> list[Site]:
        return [site for site in group.sites if site.index not in self._earlier.attempts]

    def _scanned(self, group: Group, step: Step) -> bool:
        """Whether an earlier part of the run has scanned the rows of a group and begun its sites.

        Rows without a site after them are scanned again, so that the sites follow their topograph.
        """
        begun = len(self._left(group)) < len(group.sites) or not group.sites
        return begun and group.first_row + group.rows <= self._rows_done(step)

    def _rows_done(self, step: Step) -> int:
        return self._earlier.rows.get(step.number, 0)

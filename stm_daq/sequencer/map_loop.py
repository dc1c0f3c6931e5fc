"""All sites once: topograph, sites and drift in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.plan import Group, Plan, Step, groups, step_count
from stm_daq.records import Event, Record, Site
from stm_daq.sequencer.drift import Whereabouts
from stm_daq.sequencer.pace import Pace
from stm_daq.sequencer.replay import AGAIN
from stm_daq.sequencer.sideways import Sideways
from stm_daq.sequencer.site_loop import DAMAGED, SiteLoop
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
    sideways : Sideways
    site_loop : SiteLoop
    clock : Clock
    emit : callable
    earlier : Earlier
        What is done already.
    where : Whereabouts
        Of the sites.
    stop : StopSwitch
    expected_seconds : float
        Of the whole run.
    check : callable
        Called after every group of sites; raises if the station is not as it should be.
    """

    def __init__(
        self,
        plan: Plan,
        station: StationRoles,
        sideways: Sideways,
        site_loop: SiteLoop,
        *,
        clock: Clock,
        emit: Callable[[Record], None],
        earlier: Earlier,
        where: Whereabouts,
        stop: StopSwitch,
        expected_seconds: float,
        check: Callable[[], None],
    ) -> None:
        self._sites = plan.sites
        self._again = plan.care.again
        self._loop = site_loop
        self._clock = clock
        self._emit = emit
        self._earlier = earlier
        self._stop = stop
        self._check = check
        self._groups_left = step_count(plan.axes) * len(groups(plan.sites))
        total = step_count(plan.axes) * plan.sites.count
        self._pace = Pace(clock, total, expected_seconds)
        self._topograph = TopographScan(
            plan.sites, station.stm, sideways, clock, emit, lambda: stop.requested
        )
        self._where = where

    @property
    def last_flags(self) -> tuple[str, ...]:
        """Flags of the latest spectrum."""
        return self._loop.last_flags

    def recall(self, step: Step) -> None:
        """Go through a map that an earlier part of the run has left behind; nothing is measured."""
        for group in groups(self._sites, step.number):
            self._groups_left -= 1
            for site in group.sites:
                self._loop.recall(site)
                self._pace.site_recalled()
        self._flagged_again(self._loop.recall)

    def measure(self, step: Step) -> None:
        """Measure one map; what an earlier part of the run has measured is only recalled."""
        for group in groups(self._sites, step.number):
            if self._stopping():
                return
            self._groups_left -= 1
            if self._earlier.replay.over:  # else the earlier part has scanned and begun this group
                self._where.follow()
                if group.rows:
                    self._scan(group, step)
                    if self._stopping():
                        return
                    self._pace.row_scanned(self._groups_left)
            self._measure_group(group)
        self._flagged_again(self._loop.measure)
        tried(self._topograph.stop, "stop the topograph", self._clock, self._emit)

    def _scan(self, group: Group, step: Step) -> None:
        """Scan the rows of a group; rows that cannot be scanned are left out, the sites are not."""
        rows = f"rows {group.first_row} to {group.first_row + group.rows - 1} of the topograph"
        scan = partial(self._topograph.scan, group, step.number, self._where.shift)
        if not tried(scan, rows, self._clock, self._emit):
            self._emit(Event(self._clock.wall(), "warning", f"{rows} left out"))

    def _measure_group(self, group: Group) -> None:
        replay = self._earlier.replay
        recalling, measured = not replay.over, False
        for site in group.sites:
            if self._stopping():
                return
            here = self._loop.measure(site)
            if self._stopping():
                self._emit(self._pace.progress("stopping"))
                return
            if here:
                self._pace.site_done()
                self._emit(self._pace.progress("running"))
            else:
                self._pace.site_recalled()
            measured |= here
        ended_here = recalling and replay.over
        if not measured and not ended_here:
            return
        if not tried(self._check, "check the bias", self._clock, self._emit):
            raise InstrumentError("the bias is not, or cannot be seen, at its set-point")

    def _flagged_again(self, visit: Callable[[Site, str], object]) -> None:
        for _ in range(max(self._again, 1)):
            for site, why in self._loop.take_flagged():
                if self._stopping():
                    return
                if self._again or why == DAMAGED:
                    visit(site, AGAIN + why)
        self._loop.take_flagged()

    def _stopping(self) -> bool:
        return self._stop.requested

"""A site until it is done: guards before it, attempts, repetitions until its fit is good enough."""

from __future__ import annotations

import math
from collections.abc import Callable

from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.plan import WANTED, Care
from stm_daq.quantities import show
from stm_daq.records import Event, Fit, Record, Site, SiteStarted, Spectrum
from stm_daq.sequencer.drift import Whereabouts
from stm_daq.sequencer.guards import Guards
from stm_daq.sequencer.reference import ReferenceMeasurement
from stm_daq.sequencer.replay import AGAIN
from stm_daq.sequencer.site import SiteMeasurement, averaged
from stm_daq.sequencer.surroundings import Surroundings
from stm_daq.sequencer.tip_change import TipWatch
from stm_daq.sequencer.trials import FATAL, TRIALS

DAMAGED = "damaged on the disk"
"""Why a site of a resumed run is measured once more at the end of its map."""
CONSECUTIVE_FAILURES = 5
"""Sites in a row that may be left out before the run stops: then the trouble is not the site."""


class SiteLoop:
    """Measures sites, as often as the plan wants.

    Parameters
    ----------
    care : Care
    measurement : SiteMeasurement
    guards : Guards
    clock : Clock
    emit : callable
    surroundings : Surroundings
    where : Whereabouts
        Of the sites.
    reference : ReferenceMeasurement
        Knows when its place is due.
    """

    def __init__(
        self,
        care: Care,
        measurement: SiteMeasurement,
        *,
        guards: Guards,
        clock: Clock,
        emit: Callable[[Record], None],
        surroundings: Surroundings,
        where: Whereabouts,
        reference: ReferenceMeasurement,
    ) -> None:
        self._care = care
        self._measurement = measurement
        self._guards = guards
        self._control = surroundings.control
        self._clock = clock
        self._emit = emit
        self._latest_fit = surroundings.latest_fit
        self._fit: Fit | None = None
        self._attempts = dict(surroundings.earlier.attempts)
        self._damaged = surroundings.earlier.damaged
        self._tip = TipWatch(care.tip_change) if care.tip_change else None
        self._failures_in_a_row = 0
        self._flagged: list[tuple[Site, str]] = []
        self._replay = surroundings.earlier.replay
        self._where = where
        self._reference = reference
        self._only_recall = False
        self._measured = 0
        self._last_is_old = False
        self.last_flags: tuple[str, ...] = ()
        """Of the latest spectrum."""

    def take_flagged(self) -> list[tuple[Site, str]]:
        """Return the sites whose spectrum or fit was flagged or missing, and why; and forget them."""
        flagged, self._flagged = self._flagged, []
        return flagged

    def recall(self, site: Site, reason: str = "") -> None:
        """Go through what an earlier part of the run has measured of a site, and nothing else."""
        self._only_recall = True
        try:
            self.measure(site, reason)
        finally:
            self._only_recall = False

    def measure(self, site: Site, reason: str = "") -> bool:
        """Measure a site: wait for guards, try, react to its tip and its fit.

        Parameters
        ----------
        site : Site
            As planned; it is measured where it is now.
        reason : str
            Why it is measured again.

        Returns
        -------
        bool
            Whether anything was measured now; False if an earlier part of the run had measured it all.

        Raises
        ------
        CleanupError
            If the station could not be brought back.
        InstrumentError
            If too many sites in a row failed, or a guard wants the tip withdrawn.
        """
        before = self._measured
        spectrum = self._recalled(site, again=reason.startswith(AGAIN))
        if spectrum is None:
            spectrum = self._begin(site, reason)
        else:
            self._reference.count()
        if spectrum is not None:
            self._follow_up(site, spectrum)
        return self._measured > before

    def _begin(self, site: Site, reason: str) -> Spectrum | None:
        """Measure a site for the first time, if that is wanted, allowed and possible."""
        if self._only_recall or not self._replay.over:  # the earlier part has left it out
            why = DAMAGED if site.index in self._damaged else "skipped"
            self._flagged.append((site, why))
            return None
        self._where.follow()
        self._control.wait(self._clock, self._emit)
        if self._control.stop.requested:
            return None
        self._measured += 1
        self._reference.before_site()
        if not self._guards.allow():
            if not self._control.stop.requested:
                self._event("warning", f"site {site.index} skipped: a guard does not allow it")
                self._flagged.append((site, "skipped"))
            return None
        spectrum = self._try(site, reason)
        if spectrum is None:
            self._flagged.append((site, "not measured"))
        return spectrum

    def _follow_up(self, site: Site, spectrum: Spectrum) -> None:
        """Look at tip and fit, and measure again where they ask for it."""
        if self._tip is not None:
            spectrum = self._react_to_tip(site, spectrum, self._tip)
        self._repeat_until_good(site, spectrum)
        doubt = self._doubt()
        if doubt:
            self._flagged.append((site, doubt))

    def _recalled(self, site: Site, again: bool = False) -> Spectrum | None:
        """Return what an earlier part of the run has measured next of a site."""
        found = self._replay.take(site.index, again)
        if found is None:
            return None
        spectrum, self._fit = found
        self._last_is_old = True
        self._failures_in_a_row = 0
        self.last_flags = spectrum.flags
        return spectrum

    def _further(self, site: Site, reason: str, earlier: Spectrum | None = None) -> Spectrum | None:
        """Measure a site once more, unless an earlier part of the run has done so, or could not."""
        spectrum = self._recalled(site)
        if spectrum is not None or self._only_recall or not self._replay.over:
            return spectrum
        if self._control.stop.requested:
            return None
        self._measured += 1
        return self._try(site, reason, earlier)

    def _try(self, site: Site, reason: str, earlier: Spectrum | None = None) -> Spectrum | None:
        """Measure and emit one spectrum, averaged with an earlier one; None if the site is left out."""
        for trial in range(TRIALS):
            number = self._attempts.get(site.index, 0)
            self._emit(SiteStarted(self._clock.wall(), site, number, reason))
            try:
                spectrum = self._measurement.measure(self._where.corrected(site), number, reason)
            except InstrumentError as error:
                self._event("error", f"site {site.index}, attempt {trial + 1}: {error}")
                if isinstance(error, FATAL):
                    raise
                continue
            if earlier is not None:
                spectrum = averaged(earlier, spectrum)
            self._failures_in_a_row = 0
            self._attempts[site.index] = number + 1
            self.last_flags = spectrum.flags
            self._emit(spectrum)
            self._last_is_old = False
            self._fit = self._latest_fit()
            return spectrum
        self._give_up(site, further=earlier is not None or reason != "")
        return None

    def _give_up(self, site: Site, further: bool) -> None:
        self._failures_in_a_row += 1
        what = "not measured once more" if further else "left out"
        self._event("warning", f"site {site.index} {what} after {TRIALS} attempts")
        if self._failures_in_a_row >= CONSECUTIVE_FAILURES:
            raise InstrumentError(
                f"stopped: {CONSECUTIVE_FAILURES} sites in a row could not be measured"
            )

    def _react_to_tip(self, site: Site, spectrum: Spectrum, tip: TipWatch) -> Spectrum:
        """Look for a change of the tip; return the spectrum that counts."""
        suspicion = tip.suspicion(spectrum)
        if not suspicion:
            return spectrum
        assert self._care.tip_change is not None
        reaction = self._care.tip_change.reaction
        text = f"site {site.index}: the tip may have changed ({suspicion})"
        if reaction == "remeasure":
            if not self._replay.holds(site.index):
                self._event("tip_change", f"{text}; {reaction}")
            return self._further(site, f"tip change: {suspicion}") or spectrum
        if self._last_is_old:
            return spectrum  # whoever goes on with a run has seen why it paused or stopped
        self._event("tip_change", f"{text}; {reaction}")
        match reaction:
            case "pause":
                self._control.pause(f"the plan: {text}")
            case "stop":
                self._control.stop.request(text)
        return spectrum

    def _repeat_until_good(self, site: Site, spectrum: Spectrum) -> None:
        """Add sweeps to a spectrum until its fit is as certain as the plan wants."""
        while spectrum.sweeps < self._care.most and not self._control.stop.requested:
            lack = self._lack()
            if not lack:
                return
            further = self._further(site, lack, spectrum)
            if further is None:
                return
            spectrum = further

    def _lack(self) -> str:
        """Return what the latest fit lacks to be as certain as wanted."""
        if not self._care.want:
            return ""
        fit = self._fit
        if fit is None:
            return "not fitted"
        for name, wanted in self._care.want.items():
            std = fit.std.get(name, math.nan)
            if not std <= wanted:
                unit = WANTED[name]
                return f"{name} known to {show(std, unit, 2)}, wanted {show(wanted, unit)}"
        return ""

    def _doubt(self) -> str:
        """Return why the site should be measured again at the end of the map."""
        if self.last_flags:
            return ", ".join(self.last_flags)
        fit = self._fit
        if fit is not None and not fit.ok:
            return ", ".join(fit.flags) or "fit not trusted"
        return ""

    def _event(self, kind: str, text: str) -> None:
        self._emit(Event(self._clock.wall(), kind, text))

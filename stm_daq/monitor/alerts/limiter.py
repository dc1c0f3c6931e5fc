"""Not too often: what is told again and again about the same thing is collected."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stm_daq.alert_settings import RuleBlock
from stm_daq.monitor.alerts.rules import Finding
from stm_daq.quantities import show_duration


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert before it is sent."""

    time: float
    """Of the run (virtual in a rehearsal), seconds since the Unix epoch."""
    rule: str
    level: str
    """"info", "warning" or "alarm"."""
    text: str
    about: str = ""
    """Notices of one rule about the same thing are limited together."""
    to: tuple[str, ...] | None = None
    """Names of sinks; None: all."""


def notice_of(rule: RuleBlock, finding: Finding, time: float) -> Notice:
    """Return what a rule has found as a notice, as loud as the rule wants it."""
    level = finding.level if finding.good else rule.level or finding.level
    return Notice(time, rule.label, level, finding.text, finding.about, rule.to)


@dataclass(slots=True)
class _Window:
    opened: float
    held: Notice | None = None
    count: int = 0


class Limiter:
    """Lets the first notice about a thing pass at once and then one in so many seconds.

    What comes in between is held back; at the end of the time the latest passes, with the number of
    those before it. So a guard that flaps all night is told now and then, and the last word is right.
    """

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[_Window, float]] = {}

    def take(self, notice: Notice, every: float, now: float) -> Notice | None:
        """Return the notice if it may pass at `now` (monotonic), else keep it."""
        key = (notice.rule, notice.about)
        window, _ = self._windows.get(key, (None, 0.0))
        if window is None or (now - window.opened >= every and window.held is None):
            self._windows[key] = (_Window(now), every)
            return notice
        window.held, window.count = notice, window.count + 1
        return None

    def due(self, now: float) -> list[Notice]:
        """Return what was held back long enough."""
        passed: list[Notice] = []
        for key, (window, every) in self._windows.items():
            if window.held is not None and now - window.opened >= every:
                passed.append(_with_count(window.held, window.count, now - window.opened))
                self._windows[key] = (_Window(now), every)
        return passed

    def rest(self, now: float) -> list[Notice]:
        """Return all that is still held back, at the end."""
        held = [(w.held, w.count, w.opened) for w, _ in self._windows.values()]
        self._windows.clear()
        return [_with_count(n, count, now - t) for n, count, t in held if n is not None]


def _with_count(notice: Notice, count: int, seconds: float) -> Notice:
    if count < 2:
        return notice
    times = f"{count} times in {show_duration(seconds)}, the latest: "
    return replace(notice, text=times + notice.text)

"""Rules: from what a run tells, and from what can be seen beside it, to what a person must know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from stm_daq.alert_settings import AlertSettings, Level, RuleBlock
from stm_daq.clock import Clock
from stm_daq.quantities import show, show_duration
from stm_daq.records import Event, Fit, Record, RunEnded, RunStarted, SiteStarted

_RESUMED = "resumed"
"""The state of an end that was taken back; see :mod:`stm_daq.store.reading`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has found."""

    level: Level
    text: str
    about: str = ""
    """What exactly: findings about the same thing are limited together ("" if there is only one)."""
    good: bool = False
    """Whether something that was bad is good again: no rule makes more of it than an "info"."""


_STATES = {"pause": "paused", "disk_full": "paused", "continue": "continued",
           "disk_free": "continued", "resumed": "resumed"}  # fmt: skip
"""What an event says about the state of the run."""
_LEVELS: dict[str, Level] = {"paused": "warning", "stopped": "warning", "failed": "alarm"}


class Rule(Protocol):
    """One kind of rule."""

    def see(self, record: Record) -> Finding | None:
        """Take one record of the run into account."""
        ...

    def look(self) -> Finding | None:
        """Look around; called about once a second."""
        ...


class _Seeing:
    """A rule that only reads records."""

    def look(self) -> Finding | None:
        """See nothing beside the records."""
        return None


class States(_Seeing):
    """The run begins, waits, goes on, ends."""

    def __init__(self, states: Collection[str]) -> None:
        self._states = states

    def see(self, record: Record) -> Finding | None:
        """Tell a change of state that is wanted."""
        state, text = self._change(record)
        if state not in self._states:
            return None
        about = "pause" if state in ("paused", "continued") else state
        return Finding(_LEVELS.get(state, "info"), text, about)

    def _change(self, record: Record) -> tuple[str, str]:
        match record:
            case RunStarted():
                return "started", f"the {record.kind} has started: {record.site_count} spectra"
            case RunEnded() if record.state != _RESUMED:
                reason = f": {record.text}" if record.text else ""
                return record.state, f"the run has ended, {record.state}{reason}"
            case Event() if record.kind in _STATES:
                return _STATES[record.kind], record.text
        return "", ""


class GuardTripped(_Seeing):
    """A guard turned bad, or good again."""

    def see(self, record: Record) -> Finding | None:
        """Tell what the guard tells."""
        if not isinstance(record, Event) or record.kind != "guard":
            return None
        good = record.data.get("good") is True
        level: Level = "info" if good else "alarm"
        return Finding(level, f"guard: {record.text}", str(record.data.get("guard", "")), good)


class BadFits(_Seeing):
    """Of the last `of` sites at least `fraction` have a fit that cannot be trusted."""

    def __init__(self, fraction: float, of: int) -> None:
        self._fraction = fraction
        self._of = of
        self._ok: dict[int, bool] = {}
        self._bad = False

    def see(self, record: Record) -> Finding | None:
        """Count; tell when the fraction is reached, and when it is left."""
        if not isinstance(record, Fit):
            return None
        self._ok.pop(record.site_index, None)  # measured again: the newest counts
        self._ok[record.site_index] = record.ok
        if len(self._ok) > self._of:
            del self._ok[next(iter(self._ok))]
        bad = len(self._ok) - sum(self._ok.values())
        was, self._bad = self._bad, len(self._ok) == self._of and bad >= self._fraction * self._of
        if self._bad == was:
            return None
        level: Level = "warning" if self._bad else "info"
        text = f"{bad} of the last {self._of} fits cannot be trusted"
        return Finding(level, text, good=not self._bad)


class Events(_Seeing):
    """Events of some kinds."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds

    def see(self, record: Record) -> Finding | None:
        """Tell the event."""
        if not isinstance(record, Event) or record.kind not in self._kinds:
            return None
        level: Level = "alarm" if record.kind in ("error", "watchdog") else "warning"
        return Finding(level, f"{record.kind}: {record.text}", record.kind)


class LittleSpace:
    """The disk of the run is nearly full.

    Parameters
    ----------
    least : float
        Bytes.
    free : callable
        Returns the free space, bytes; may raise OSError.
    """

    def __init__(self, least: float, free: Callable[[], float]) -> None:
        self._least = least
        self._free = free
        self._low = False

    def see(self, record: Record) -> Finding | None:
        """Look at the disk only."""
        return None

    def look(self) -> Finding | None:
        """Tell when there is too little, and when there is enough again."""
        try:
            free = self._free()
            text = f"{show(free, 'B')} are free on the disk of the run"
        except OSError as error:
            free, text = 0.0, f"the disk of the run cannot be read: {error}"
        was, self._low = self._low, free < self._least
        if self._low == was:
            return None
        return Finding("alarm" if self._low else "info", text, good=not self._low)


class LateCommit:
    """Nothing was stored for a while, although nobody has paused the run.

    Parameters
    ----------
    late : float
        s.
    clock : Clock
        Real, also during a rehearsal.
    """

    _WAITS = ("pause", "disk_full")

    def __init__(self, late: float, clock: Clock) -> None:
        self._late = late
        self._clock = clock
        self._last: float | None = None
        self._waiting = self._told = False

    def see(self, record: Record) -> Finding | None:
        """Note that something was stored."""
        self._last = None if isinstance(record, RunEnded) else self._clock.now()
        guard = isinstance(record, Event) and record.kind == "guard"
        if isinstance(record, Event):
            if record.kind in self._WAITS or (guard and not record.data.get("good")):
                self._waiting = True
            elif guard or record.kind in ("continue", "disk_free"):
                self._waiting = False
        elif isinstance(record, SiteStarted):
            self._waiting = False
        if not self._told:
            return None
        self._told = False
        return Finding("info", "something was stored again", good=True)

    def look(self) -> Finding | None:
        """Tell when it has been too long."""
        if self._last is None or self._waiting or self._told:
            return None
        age = self._clock.now() - self._last
        if age < self._late:
            return None
        self._told = True
        return Finding("alarm", f"nothing was stored for {show_duration(age)}")


@dataclass(frozen=True)
class NamedRule:
    """A rule as a station or plan has written it."""

    block: RuleBlock
    rule: Rule


def make_rules(
    settings: AlertSettings, free: Callable[[], float], clock: Clock
) -> tuple[NamedRule, ...]:
    """Make the rules that a run follows in its own process; silence is for others to notice."""
    found = ((block, _make(block, free, clock)) for block in settings.rules)
    return tuple(NamedRule(block, rule) for block, rule in found if rule is not None)


def _make(block: RuleBlock, free: Callable[[], float], clock: Clock) -> Rule | None:
    if block.state is not None:
        return States(block.state)
    if block.guard is not None:
        return GuardTripped()
    if block.bad_fits is not None:
        return BadFits(block.bad_fits.fraction, block.bad_fits.of)
    if block.disk is not None:
        return LittleSpace(block.disk.min, free)
    if block.commit is not None:
        return LateCommit(block.commit.late, clock)
    if block.silence is not None:
        return None
    return Events(block.event or ("tip_change",))


def read_by_rules(record: Record) -> bool:
    """Whether any rule may read a record; all others need not wait for the rules."""
    return isinstance(record, RunStarted | SiteStarted | Event | Fit | RunEnded)


def findings_of(
    rules: Iterable[NamedRule], record: Record | None
) -> list[tuple[RuleBlock, Finding]]:
    """Return what the rules say to a record (None: to a look around)."""
    found = (
        (named.block, named.rule.look() if record is None else named.rule.see(record))
        for named in rules
    )
    return [(block, finding) for block, finding in found if finding is not None]

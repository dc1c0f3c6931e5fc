"""Guards: levels that must be good before a site is measured.

A guard looks at the level, not at the moment at which it is passed: what is bad when the run starts
is bad. What cannot be read, or is stale, counts as bad.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime

from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.plan import Guard
from stm_daq.quantities import show, show_duration
from stm_daq.records import Event, Record
from stm_daq.sequencer.stop import StopSwitch

POLL = 10.0
"""Seconds between two readings during a pause."""

type Reading = Callable[[Guard], float]
"""Reads what a guard watches, in its unit; NaN if there is no fresh value. May raise InstrumentError."""


class WithdrawError(InstrumentError):
    """A guard wants the tip withdrawn and the run to end."""


class Guards:
    """Looks at all guards of a plan and acts.

    Parameters
    ----------
    guards : sequence of Guard
    readings : mapping
        How each kind of guard is read.
    clock : Clock
    emit : callable
        Is told whenever a guard turns bad or good.
    stop : StopSwitch
    """

    def __init__(
        self,
        guards: tuple[Guard, ...],
        readings: Mapping[str, Reading],
        *,
        clock: Clock,
        emit: Callable[[Record], None],
        stop: StopSwitch,
    ) -> None:
        self._guards = guards
        self._readings = readings
        self._clock = clock
        self._emit = emit
        self._stop = stop

    def allow(self) -> bool:
        """Look at every guard, wait where one wants a pause; return whether the site may be measured.

        Raises
        ------
        WithdrawError
            If a guard wants the tip withdrawn.
        """
        for guard in self._guards:
            value, trouble = self._read(guard)
            if guard.is_good(value):
                continue
            text = self._tell("bad", guard, value, trouble)
            match guard.action:
                case "skip":
                    return False
                case "stop":
                    self._stop.request(f"guard: {text}")
                case "withdraw":
                    raise WithdrawError(f"guard: {text}")
                case "pause":
                    self._wait_until_good(guard)
            if self._stop.requested:
                return False
        return True

    def _wait_until_good(self, guard: Guard) -> None:
        began = self._clock.now()
        good_since = math.inf
        while not self._stop.requested:
            self._clock.sleep(min(POLL, guard.good_for) or POLL)
            value, trouble = self._read(guard)
            now = self._clock.now()
            good_since = min(good_since, now) if guard.is_good(value) else math.inf
            if now - good_since >= guard.good_for:
                self._tell("good", guard, value, trouble)
                return
            if now - began > guard.deadline:
                waited = show_duration(guard.deadline)
                self._stop.request(f"guard: {guard.name} was not good again within {waited}")

    def _read(self, guard: Guard) -> tuple[float, str]:
        """Return the value and, if there is none, why."""
        if guard.watch == "time_of_day":
            return seconds_of_day(self._clock.wall()), ""
        reading = self._readings.get(guard.watch)
        if reading is None:
            return math.nan, "nothing in this station measures it"
        try:
            value = reading(guard)
        except InstrumentError as error:
            return math.nan, str(error)
        return value, "" if math.isfinite(value) else "no fresh value"

    def _tell(self, what: str, guard: Guard, value: float, trouble: str) -> str:
        shown = trouble or _written(guard, value)
        text = f"{guard.name} is {what}: {shown}"
        if what == "bad":
            text += f" ({guard.action}; good is {_range(guard)})"
        finite = value if math.isfinite(value) else None
        data = {
            "guard": guard.name,
            "value": finite,
            "unit": guard.unit,
            "good": what == "good",
            "action": guard.action,
        }
        self._emit(Event(self._clock.wall(), "guard", text, data))
        return text


def seconds_of_day(wall: float) -> float:
    """Return the local time of day, s after midnight."""
    moment = datetime.fromtimestamp(wall)
    return 3600.0 * moment.hour + 60.0 * moment.minute + moment.second


def _written(guard: Guard, value: float) -> str:
    if guard.watch == "time_of_day":
        return f"{int(value // 3600):02d}:{int(value // 60) % 60:02d}"
    return show(value, guard.unit, 4)


def _range(guard: Guard) -> str:
    if guard.low == -math.inf:
        return f"up to {_written(guard, guard.high)}"
    if guard.high == math.inf:
        return f"from {_written(guard, guard.low)}"
    return f"{_written(guard, guard.low)} to {_written(guard, guard.high)}"

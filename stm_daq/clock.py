"""Time as the program sees it: real on the microscope, jumping in a rehearsal.

Nothing else in the project reads or waits on the operating system's clock, so that eleven hours of
a map can be rehearsed in seconds through the same code.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from stm_daq.errors import ClockStoppedError, DeadlineError

log = logging.getLogger(__name__)


class Clock(Protocol):
    """What the program may ask of time."""

    def now(self) -> float:
        """Return monotonic seconds since an arbitrary origin; use for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Return seconds since the Unix epoch; use for time stamps shown to people."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds` (zero or negative: return at once)."""
        ...


class RealClock:
    """The operating system's clock."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        if seconds > 0:
            time.sleep(seconds)


class VirtualClock:
    """A clock that jumps: sleeping costs nothing, time advances only when somebody waits.

    Events scheduled with :meth:`call_at` are carried out in order while time passes over them.

    Parameters
    ----------
    epoch : float
        Wall time (seconds since the Unix epoch) at which virtual time zero lies.
    """

    def __init__(self, epoch: float = 0.0) -> None:
        self._now = 0.0
        self._epoch = epoch
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Return virtual seconds since the start."""
        return self._now

    def wall(self) -> float:
        """Return the virtual date as seconds since the Unix epoch."""
        return self._epoch + self._now

    def sleep(self, seconds: float) -> None:
        """Jump `seconds` ahead, carrying out what was scheduled in between."""
        if seconds <= 0:
            return
        end = self._now + seconds
        while self._events and self._events[0][0] <= end:
            when, _, action = heapq.heappop(self._events)
            self._now = max(self._now, when)
            action()
        self._now = max(self._now, end)

    def call_at(self, when: float, action: Callable[[], None]) -> None:
        """Schedule `action` at virtual time `when`; it is carried out as time passes over it."""
        heapq.heappush(self._events, (when, next(self._order), action))


LOOK_UP = 0.05
"""How often a sleeper looks whether somebody still waits for it, real s."""


def _always() -> bool:
    return True


class PacedClock(VirtualClock):
    """A virtual clock that follows the real one, shared by several threads.

    Whoever works with the simulated devices takes a turn. During a turn time stands still, as it
    does between two sleeps of a jumping clock; whoever sleeps lends the turn to others.

    Parameters
    ----------
    epoch : float
        Wall time (seconds since the Unix epoch) at which virtual time zero lies.
    speed : float
        Virtual seconds per real second.
    """

    def __init__(self, epoch: float, speed: float = 1.0) -> None:
        super().__init__(epoch)
        self._speed = speed
        self._began = time.monotonic()
        self._turn = threading.Condition()
        self._stopped = False
        self._waiters = threading.local()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have the devices to oneself; it is now, and everything due until now has happened."""
        with self._turn:
            self._catch_up()
            yield

    @contextmanager
    def while_wanted(self, wanted: Callable[[], bool]) -> Iterator[None]:
        """Let this thread's sleeps inside the block end as soon as `wanted` returns false."""
        self._waiters.wanted = wanted
        try:
            yield
        finally:
            del self._waiters.wanted

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of virtual time, while others may have their turns.

        Raises
        ------
        ClockStoppedError
            If the clock is stopped before, or nobody wants the wait any longer.
        """
        if seconds <= 0:
            return
        with self._turn:
            end = self._now + seconds
            while (missing := end - self._present()) > 0:
                if self._stopped:
                    raise ClockStoppedError("the twin was switched off")
                self._turn.wait(min(missing / self._speed, LOOK_UP))
                if not getattr(self._waiters, "wanted", _always)():
                    raise ClockStoppedError("whoever waited has left")
            self._catch_up()

    def stop(self) -> None:
        """Wake everybody who sleeps, with an error: nobody waits for the end of a long move."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def _present(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    def _catch_up(self) -> None:
        end = self._present()
        while self._now < end:
            try:
                super().sleep(end - self._now)
            except Exception:
                # what was due belongs to nobody here: whoever has the turn must not suffer from it
                log.exception("something that was due at %g s failed", self._now)


def wait_until(
    clock: Clock, condition: Callable[[], bool], timeout: float, poll: float, what: str
) -> None:
    """Poll `condition` until it is true.

    Parameters
    ----------
    clock : Clock
    condition : callable
        Evaluated at once and then every `poll` seconds.
    timeout, poll : float
        Seconds.
    what : str
        Named in the error, as in "the feedback did not switch off".

    Raises
    ------
    DeadlineError
        If the condition is still false after `timeout` seconds.
    """
    deadline = clock.now() + timeout
    while not condition():
        if clock.now() >= deadline:
            raise DeadlineError(f"{what} within {timeout:g} s")
        clock.sleep(poll)

"""Activities of the simulated controller that take time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from sim.devices.nanonis_refusal import Refusal
from stm_daq.clock import VirtualClock

type Steps[T] = Generator[float, None, T]
"""Carries an activity out, yielding how many seconds to wait before it goes on."""

BUSY = "An experiment is running; wait for its end or stop it"
SLICE = 0.2
"""Longest wait at a time, s: whoever waits must notice that the activity was stopped."""
SHORTEST = 1e-9


class Later:
    """One action that waits for its time and can be recalled."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._order: object | None = None

    @property
    def pending(self) -> bool:
        """Whether the action is still to come."""
        return self._order is not None

    def do(self, delay: float, action: Callable[[], None]) -> None:
        """Carry out `action` after `delay` seconds, at once if that is zero."""
        self.recall()
        if delay <= 0:
            action()
            return
        order = self._order = object()

        def act() -> None:
            if self._order is order:
                self._order = None
                action()

        self._clock.call_at(self._clock.now() + delay, act)

    def recall(self) -> None:
        """Forget the action."""
        self._order = None


class Process:
    """One activity at a time, carried out while time passes."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._later = Later(clock)
        self._steps: Steps[Any] | None = None
        self._due = 0.0
        self.result: Any = None
        """What the last activity returned; None if it was stopped or refused."""
        self.problem = ""
        """Why the last activity ended early; empty if it did not."""

    @property
    def running(self) -> bool:
        """Whether the activity goes on."""
        return self._steps is not None

    def start(self, steps: Steps[Any]) -> None:
        """Begin."""
        self._steps, self.result, self.problem = steps, None, ""
        self._go_on()

    def stop(self) -> None:
        """End the activity now; what it does in its ``finally`` is done."""
        steps, self._steps = self._steps, None
        self._later.recall()
        if steps is not None:
            self.problem = "stopped"
            steps.close()

    def wait(self) -> None:
        """Let time pass until the activity is over."""
        while self.running:
            left = self._due - self._clock.now()
            self._clock.sleep(min(max(left, SHORTEST), SLICE))

    def _go_on(self) -> None:
        steps = self._steps
        while steps is not None:
            try:
                delay = next(steps)
            except StopIteration as end:
                self.result, self._steps = end.value, None
                return
            except Refusal as refusal:
                self.problem, self._steps = str(refusal), None
                return
            if delay > 0:
                self._due = self._clock.now() + delay
                self._later.do(delay, self._go_on)
                return


def sleep_while(clock: VirtualClock, busy: Callable[[], float], longest: float) -> bool:
    """Let time pass while `busy` returns the seconds that are still needed.

    Returns
    -------
    bool
        False if `longest` seconds were not enough.
    """
    deadline = clock.now() + longest
    while (needed := busy()) > 0:
        left = deadline - clock.now()
        if left <= 0:
            return False
        clock.sleep(max(min(needed, left, SLICE), SHORTEST))
    return True

"""What goes wrong on the twin, on purpose: which fault, of which device, when.

A transport asks with every message whether it is struck (:meth:`Faults.strike`); a device asks
whether something is wrong with it now (:meth:`Faults.active`). Both write down what happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stm_daq.clock import VirtualClock

type Array = NDArray[np.float64]

REPLIES = {
    "lost": "the reply never arrives",
    "late": "the reply arrives after `lasting`",
    "partial": "only the first half of the reply arrives",
    "garbled": "one byte of the reply is another one",
    "nan": "every number in the reply is not a number",
    "refusal": "the device declines the command and reports an error",
    "dropped": "the connection breaks in the middle of the reply",
    "refused": "the connection breaks, and for `lasting` nobody can connect",
    "hang": "for `lasting` the device takes no message (on GPIB: all devices of the board)",
}
"""Faults of one message."""
STATES = {
    "overload": "the lock-in's input is overloaded, and its output too small",
    "unlock": "the lock-in has lost its reference, and its output the phase",
    "no_trigger": "trigger pulses do not arrive",
    "endless": "a sweep of the bias, or a line of the scan, does not get on",
    "stuck": "the bias source stays where it is",
    "stale": "somebody else has moved the thermometer's scanner to another channel",
    "null": "the thermometer is disconnected and reads zero",
    "microwave_unlock": "the microwave source is not locked to its reference",
    "safe_tip": "the controller's safe tip trips",
}
"""Faults that a device has for `lasting`."""
LASTING = ("hang", "refused")
"""Faults of messages that go on after the message that began them."""
KINDS = REPLIES | STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong; exactly one of `at`, `count` and `probability` says when.

    Raises
    ------
    ValueError
        If the kind is unknown, or when it happens is not said exactly once.
    """

    kind: str
    """One of :data:`KINDS`."""
    device: str = ""
    """Name of the instrument; empty: any."""
    at: float | None = None
    """Time since the world began, s."""
    count: int | None = None
    """Number of the message, from 1, to this device (or to any) since the fault was added."""
    probability: float | None = None
    """That a message is struck."""
    times: int = 1
    """So many messages in a row; has no meaning with `probability`."""
    lasting: float = 10.0
    """How long the fault stays, or how late a reply is, s."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault '{self.kind}'; there is {', '.join(KINDS)}")
        if sum(when is not None for when in (self.at, self.count, self.probability)) != 1:
            raise ValueError("needs exactly one of at, count and probability")
        if self.probability is not None and not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"a probability of {self.probability:g} is not within 0 to 1")
        if self.count is not None and self.count < 1:
            raise ValueError(f"messages are counted from 1, not from {self.count}")
        if self.times < 1 or not self.lasting > 0:
            raise ValueError("times and lasting must be positive")


@dataclass(slots=True)
class _Rule:
    """A fault, and what has come of it."""

    fault: Fault
    seen: int = 0
    fired: int = 0
    spells: list[tuple[float, float, str]] = field(default_factory=list)
    """Begin and end (s) of every time in which it lasted, and for which device."""


class Faults:
    """All faults of a twin.

    Parameters
    ----------
    clock : VirtualClock
    rng : callable
        Returns the random stream; asked for only when chance is needed.
    """

    def __init__(self, clock: VirtualClock, rng: Callable[[], np.random.Generator]) -> None:
        self.clock = clock
        self.rng = rng
        self._rules: list[_Rule] = []
        self._struck: list[tuple[float, str, str]] = []

    def add(
        self,
        kind: str,
        device: str = "",
        *,
        at: float | None = None,
        count: int | None = None,
        probability: float | None = None,
        times: int = 1,
        lasting: float = 10.0,
    ) -> None:
        """Let something go wrong; see :class:`Fault`."""
        fault = Fault(
            kind=kind,
            device=device,
            at=at,
            count=count,
            probability=probability,
            times=times,
            lasting=lasting,
        )
        self.put(fault)

    def put(self, fault: Fault) -> None:
        """Let a fault happen."""
        rule = _Rule(fault)
        if fault.kind in STATES and fault.at is not None:
            rule.spells.append((fault.at, fault.at + fault.lasting, fault.device))
        self._rules.append(rule)

    def clear(self) -> None:
        """Let nothing go wrong from now on; what happened stays written down."""
        self._struck = [(when, what, who) for when, what, who in self._happened()]
        self._rules.clear()

    def strike(self, device: str) -> Fault | None:
        """Count a message to `device`; return what happens to it."""
        struck = None
        for rule in self._rules:
            fault = rule.fault
            if fault.device not in ("", device):
                continue
            rule.seen += 1
            if not self._due(rule):
                continue
            rule.fired += 1
            if fault.kind in STATES or fault.kind in LASTING:
                now = self.clock.now()
                who = device if fault.kind in LASTING else fault.device
                rule.spells.append((now, now + fault.lasting, who))
            if fault.kind in REPLIES:
                struck = struck or fault
        return struck

    def happened(self, fault: Fault, device: str) -> None:
        """Write down that a message was struck."""
        self._struck.append((self.clock.now(), fault.kind, device))

    def active(self, kind: str, device: str = "", since: float | None = None) -> bool:
        """Whether `device` (empty: any) suffers from `kind` now, or has after the time `since` (s)."""
        now = self.clock.now()
        first = now if since is None else since
        return any(
            begin <= now and first < end
            for rule in self._rules
            if rule.fault.kind == kind
            for begin, end, who in rule.spells
            if "" in (who, device) or who == device
        )

    def during(self, kind: str, device: str, times: Array) -> NDArray[np.bool_]:
        """Return at which of `times` (s, shape (n,)) `device` suffers from `kind`."""
        found = np.zeros(len(times), dtype=bool)
        for rule in self._rules:
            if rule.fault.kind == kind:
                for begin, end, who in rule.spells:
                    if "" in (who, device) or who == device:
                        found |= (begin <= times) & (times < end)
        return found

    def history(self) -> list[dict[str, float | str]]:
        """Return what went wrong so far: `what`, `device` and `time` (s), in order."""
        return [
            {"what": f"fault: {kind}", "device": device, "time": when}
            for when, kind, device in sorted(self._happened())
        ]

    def _happened(self) -> list[tuple[float, str, str]]:
        spells = [
            (begin, rule.fault.kind, device)
            for rule in self._rules
            if rule.fault.kind in STATES
            for begin, _, device in rule.spells
            if begin <= self.clock.now()
        ]
        return self._struck + spells

    def _due(self, rule: _Rule) -> bool:
        fault = rule.fault
        if fault.count is not None:
            return fault.count <= rule.seen < fault.count + fault.times
        if fault.probability is not None:
            return bool(self.rng().random() < fault.probability)
        at = math.inf if fault.at is None or fault.kind in STATES else fault.at
        return self.clock.now() >= at and rule.fired < fault.times

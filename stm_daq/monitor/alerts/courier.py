"""Carries letters from the spool to one sink; neither a hanging nor a raising sink goes further."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stm_daq.clock import Clock, RealClock
from stm_daq.errors import StmDaqError
from stm_daq.monitor.alerts.letter import Letter, plain
from stm_daq.monitor.alerts.sinks import Sink
from stm_daq.monitor.alerts.spool import Spool, Waiting

TICK = 1.0
"""Seconds between two looks into the spool."""

log = logging.getLogger(__name__)


@dataclass
class _Attempt:
    """One letter in the hands of a sink; in a thread that may be left behind."""

    sink: Sink
    letter: Letter
    outcome: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    def within(self, name: str, deadline: float) -> bool:
        """Hand over the letter; return whether that has ended before the deadline (s)."""
        threading.Thread(target=self._run, name=f"an alert to {name}", daemon=True).start()
        return self.done.wait(deadline)

    @property
    def problem(self) -> str:
        """What went wrong; "" if nothing did."""
        if not self.done.is_set():
            return f"did not take it within {self.sink.deadline:g} s"
        return self.outcome

    def _run(self) -> None:
        try:
            self.sink.send(self.letter)
        except (StmDaqError, OSError) as error:  # also what a mail server says
            self.outcome = plain(str(error) or repr(error), 300)
        except Exception as error:
            log.exception("alert %d was not taken", self.letter.number)
            self.outcome = plain(str(error) or repr(error), 300)
        finally:
            self.done.set()


class Courier:
    """Hands the letters of a spool to one sink, one after the other, in a thread of its own.

    Parameters
    ----------
    name : str
        Of the sink.
    sink : Sink
    spool : Spool
    told : callable
        Is called, in the courier's thread, after every attempt with the letter and what went wrong
        ("" if nothing did).
    clock : Clock
        Real; its wall time says when to try again.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        spool: Spool,
        told: Callable[[Waiting, str], None] = lambda waiting, problem: None,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._sink = sink
        self._spool = spool
        self._told = told
        self._clock = clock or RealClock()
        self._hanging: tuple[Waiting, _Attempt] | None = None
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"alerts to {name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look into the spool at once."""
        self._wanted.set()

    def finish(self, patience: float) -> None:
        """Try what is due once more, for at most `patience` s; what is left stays in the spool."""
        self._closing.set()
        self._wanted.set()
        self._thread.join(patience)

    def deliver_due(self) -> None:
        """Try every letter that is due; returns when none is left."""
        self._settle()
        while (waiting := self._spool.due(self._name, self._clock.wall())) is not None:
            problem = self._deliver(waiting)
            now = self._clock.wall()
            if problem:
                self._spool.failed(waiting, problem, now)
            else:
                self._spool.sent(waiting, now)
            self._told(waiting, problem)

    def _serve(self) -> None:
        while True:
            closing = self._closing.is_set()
            self._wanted.clear()
            try:
                self.deliver_due()
            except Exception:
                log.exception("alerts to %s: tried again later", self._name)
            if closing:
                return
            self._wanted.wait(TICK)

    def _settle(self) -> None:
        """See what became of an attempt that was given up: it may have got through after all."""
        if self._hanging is None or not self._hanging[1].done.is_set():
            return
        waiting, tried = self._hanging
        self._hanging = None
        if not tried.problem:
            again = replace(waiting, attempts=waiting.attempts + 1)
            self._spool.sent(again, self._clock.wall())
            self._told(again, "")

    def _deliver(self, waiting: Waiting) -> str:
        """Return what went wrong; "" if the sink has taken the letter."""
        if self._hanging is not None:
            return "still hangs in an earlier attempt"
        tried = _Attempt(self._sink, waiting.letter)
        if not tried.within(self._name, self._sink.deadline):
            self._hanging = (waiting, tried)
        return tried.problem


def attempt(name: str, sink: Sink, letter: Letter) -> str:
    """Hand a letter to a sink once; return what went wrong, "" if nothing did."""
    tried = _Attempt(sink, letter)
    tried.within(name, sink.deadline)
    return tried.problem

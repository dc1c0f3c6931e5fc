"""What one viewer in a terminal knows: the run, how well it is heard, and how the fridge was."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from stm_daq.clock import Clock, RealClock
from stm_daq.monitor.bodies import Alert, Heartbeat
from stm_daq.monitor.client import STALE, Item, Missed, Refused, Silence
from stm_daq.monitor.messages import Message
from stm_daq.monitor.view import RunView
from stm_daq.records import Event, Fit, Spectrum

UNHEARD = 5.0
"""Silence (s) from the beginning after which the address is in doubt: publishers speak every second,
also while they wait for a run."""
_READINGS = 2000
_FITTING = 2.0
"""So long (s) a spectrum without its fit is not shown, if there is one with."""
FITS = 200
"""Latest fits of which the bad fraction is told."""


class Watcher:
    """All that is known of one run; fed with the items of :func:`stm_daq.monitor.connect`.

    Attributes
    ----------
    view : RunView
    silent : float
        Seconds since the last message.
    heard : bool
        Whether there was any.
    stage : deque of float
        The latest temperatures of the stage, K.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.view = RunView()
        self.silent = 0.0
        self.heard = False
        self.missed = 0
        self.refused = 0
        self.why = ""
        self.stage: deque[float] = deque(maxlen=_READINGS)
        self.last_time = math.nan
        """Wall time of this computer when the last message came."""
        self._clock: Clock = RealClock()
        self._fitted: tuple[Spectrum | None, Fit | None] = (None, None)
        self._since = -math.inf  # when the spectrum came that has no fit yet; inf: it has one

    def take(self, item: Item) -> None:
        """Take one item into account."""
        match item:
            case Message():
                self.silent, self.heard, self.last_time = 0.0, True, self._clock.wall()
                self._hear(item)
            case Missed():
                self.missed += item.count
            case Refused():
                self.refused += 1
            case Silence():
                self.silent, self.why = item.seconds, item.why

    def _hear(self, message: Message) -> None:
        body, before = message.body, self.view.started
        self.view.apply(body)
        if self.view.started is not before:
            self.stage.clear()
            self._fitted, self._since = (None, None), -math.inf
        if isinstance(body, Spectrum | Fit):
            self._pair()
        if isinstance(body, Spectrum) or (isinstance(body, Event) and body.kind == "temperature"):
            self.stage.append(self.view.stage_temperature)

    def _pair(self) -> None:
        """Note whether the latest fit belongs to the latest spectrum."""
        spectrum, fit = self.view.spectrum, self.view.fit
        if (
            spectrum is not None
            and fit is not None
            and (fit.site_index, fit.attempt) == (spectrum.site.index, spectrum.attempt)
        ):
            self._fitted, self._since = (spectrum, fit), math.inf
        elif self._since == math.inf:
            self._since = self._clock.now()

    @property
    def latest(self) -> tuple[Spectrum | None, Fit | None]:
        """The spectrum to show, and its fit; while a new one is being fitted, the one before it."""
        if self._clock.now() - self._since < _FITTING:
            return self._fitted
        return self.view.spectrum, None

    @property
    def stale(self) -> bool:
        """Whether what is shown must be taken as old: a run that goes on has fallen silent."""
        return self.heard and self.view.ended is None and self.silent >= STALE

    @property
    def heartbeat(self) -> Heartbeat:
        """The latest, or one that knows nothing."""
        return self.view.heartbeat or Heartbeat("waiting")

    @property
    def bad_fraction(self) -> float:
        """Fraction of the latest fits that cannot be trusted; NaN before there are any."""
        ok, times = (self.view.maps[name].ravel() for name in ("fit_ok", "time"))
        fitted = np.flatnonzero(np.isfinite(ok))
        latest = fitted[np.argsort(times[fitted], kind="stable")][-FITS:]
        return float(np.mean(ok[latest] == 0.0)) if len(latest) else math.nan

    @property
    def unsent(self) -> list[Alert]:
        """Alerts that have not got through to anybody."""
        return [alert for alert in self.view.alerts if not alert.delivered]

    @property
    def state(self) -> str:
        """State of the run, as its publisher says while the run itself is not known yet."""
        return self.view.state if self.view.started is not None else self.heartbeat.state

    @property
    def status(self) -> str:
        """One line: waiting, running, stale or ended."""
        state = self.state
        if self.view.ended is not None:
            return f"ended: {state} {self.view.ended.text}".rstrip()
        if self.why:
            return self.why
        if not self.heard and self.silent >= UNHEARD:
            return (
                f"nobody answers at {self.address}: a run tells its address when it starts; "
                "still waiting"
            )
        if not self.heard or state == "waiting":
            return f"waiting for a run at {self.address}"
        if self.stale:
            return f"connection lost: nothing for {self.silent:.0f} s"
        return state if self.view.started is not None else f"{state}: waiting for what it has done"


def facts(watcher: Watcher) -> dict[str, Any]:
    """Return what is known as plain JSON types, SI; None where nothing is known."""
    view, beat = watcher.view, watcher.heartbeat
    started, progress, fit = view.started, view.progress, view.fit
    found: dict[str, Any] = {
        "address": watcher.address,
        "state": watcher.state,
        "heard": watcher.heard,
        "stale": watcher.stale,
        "silent": watcher.silent,
        "run": "" if started is None else started.run_id,
        "name": "" if started is None else started.name,
        "kind": "" if started is None else started.kind,
        "done": None if progress is None else progress.done,
        "total": None if progress is None else progress.total,
        "rate": beat.rate if progress is None else progress.rate,
        "finish_time": beat.finish_time if progress is None else progress.finish_time,
        "reason": "" if view.ended is None else view.ended.text,
        "paused": dict(view.paused),
        "stage_temperature": view.stage_temperature,
        "bad_fit_fraction": watcher.bad_fraction,
        "fit": None if fit is None else {"site": fit.site_index, "ok": fit.ok,
                                         "values": dict(fit.values), "std": dict(fit.std)},
        "guards": {guard.name: guard.good for guard in view.guards.values()},
        "alerts": len(view.alerts),
        "alerts_unsent": len(watcher.unsent),
        "disk_free": beat.disk_free,
        "commit_age": beat.commit_age,
        "queue": beat.queue,
        "messages_lost": watcher.missed,
    }  # fmt: skip
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    """Turn what JSON cannot hold into None."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""``stm-daq watch``: a run live in the terminal, from another process than the one that measures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live

from stm_daq.clock import RealClock
from stm_daq.errors import StmDaqError
from stm_daq.monitor.alerts.limiter import Limiter, Notice
from stm_daq.monitor.bodies import Alert, Body, Guard, Heartbeat
from stm_daq.monitor.client import Item, Silence, connect
from stm_daq.monitor.formulas import Formulas
from stm_daq.monitor.keyboard import NextKey, keyboard
from stm_daq.monitor.messages import Message
from stm_daq.monitor.panels import TOPOGRAPH, map_names
from stm_daq.monitor.screen import alert_text, event_line, progress_text, render
from stm_daq.monitor.watcher import Watcher, facts
from stm_daq.records import Event, Progress, RunStarted

_REDRAW = 0.5
_PLAIN_PROGRESS = 60.0
"""Without a terminal: a line of progress so often (s)."""
_PLAIN_EVENTS = 10.0
"""And one of each kind of event, of which there may be one at every site, s."""
_TICK = 0.25
ONCE = 10.0
"""How long `once` waits for an answer, s."""
_PAST = 20.0
"""How much longer for the past of a run that is heard, s."""
_SETTLE = 2.0
"""How long `once` waits for what comes after the first message of a run, s."""


class NobodyAnswersError(StmDaqError):
    """There is no publisher at the address."""

    exit_code = 14


@dataclass(frozen=True, slots=True)
class Showing:
    """How a run is shown."""

    stay: bool = False
    """Whether to wait for the next run after the end of one."""
    once: bool = False
    """Whether to show the present state and leave."""
    as_json: bool = False
    """Whether to print a line of JSON a second."""
    maps: tuple[str, ...] = (TOPOGRAPH, "gap")
    formulas: Formulas = field(default_factory=Formulas)


def watch(
    address: str,
    showing: Showing | None = None,
    console: Console | None = None,
    key: Path | None = None,
) -> None:
    """Show a run until it ends or the user interrupts.

    Parameters
    ----------
    address : str
        Such as ``tcp://127.0.0.1:5550``.
    showing : Showing, optional
    console : rich.console.Console, optional
        Where to; plain lines if it is no terminal.
    key : Path, optional
        Secret key of a viewer, where the station wants one.

    Raises
    ------
    NobodyAnswersError
        With `once`, if nothing is heard within 10 s.
    """
    console, showing = console or Console(), showing or Showing()
    watcher = Watcher(address)
    try:
        with connect(address, key, tick=_TICK) as items:
            if showing.once:
                _show_once(watcher, items, showing, console)
            elif showing.as_json:
                _watch_json(watcher, items, showing, console)
            elif console.is_terminal and not console.is_dumb_terminal:
                _watch_live(watcher, items, showing, console)
            else:
                _watch_plain(watcher, items, showing, console)
    except KeyboardInterrupt:
        if not showing.as_json:
            console.print("no longer watching; the run goes on")


def _ended(watcher: Watcher, showing: Showing) -> bool:
    return watcher.view.ended is not None and not showing.stay


def _show_once(watcher: Watcher, items: Iterator[Item], showing: Showing, console: Console) -> None:
    clock = RealClock()
    heard, limit = math.inf, clock.now() + ONCE
    for item in items:
        watcher.take(item)
        beat = watcher.view.heartbeat
        if beat is not None and (beat.state == "waiting" or watcher.view.started is not None):
            heard = min(heard, clock.now())
            if isinstance(item, Silence) or clock.now() > heard + _SETTLE:
                break
        if clock.now() > limit and not watcher.heard:
            raise NobodyAnswersError(watcher.why or f"nobody answers at {watcher.address}")
        if clock.now() > limit + _PAST:
            break  # its history does not come: what is known is better than nothing
    if showing.as_json:
        _print_json(watcher, console)
        return
    width, height = console.size
    colours = console.color_system is not None
    console.print(
        render(
            watcher, width, height, maps=showing.maps, formulas=showing.formulas, colours=colours
        )
    )


def _watch_json(
    watcher: Watcher, items: Iterator[Item], showing: Showing, console: Console
) -> None:
    """Print a line with every heartbeat, every second of silence, and at the end."""
    clock = RealClock()
    printed = -math.inf
    for item in items:
        watcher.take(item)
        beat = isinstance(item, Message) and isinstance(item.body, Heartbeat)
        end = _ended(watcher, showing)
        if end or (clock.now() - printed >= 0.9 and (beat or isinstance(item, Silence))):
            printed = clock.now()
            _print_json(watcher, console)
        if end:
            return


def _print_json(watcher: Watcher, console: Console) -> None:
    console.file.write(json.dumps(facts(watcher)) + "\n")
    console.file.flush()


def _watch_live(
    watcher: Watcher, items: Iterator[Item], showing: Showing, console: Console
) -> None:
    clock = RealClock()
    maps = list(showing.maps)
    drawn = -math.inf
    with keyboard() as next_key, Live(console=console, auto_refresh=False, screen=False) as live:
        for item in items:
            watcher.take(item)
            pressed = _press(next_key, watcher, maps)
            end = _ended(watcher, showing) or pressed == "q"
            if end or pressed or clock.now() - drawn >= _REDRAW:
                width, height = console.size
                live.update(
                    render(
                        watcher, width, height - 1, maps=maps, formulas=showing.formulas,
                        colours=console.color_system is not None, keys=not end,
                    ),
                    refresh=True,
                )  # fmt: skip
                drawn = clock.now()
            if end:
                return


def _press(next_key: NextKey, watcher: Watcher, maps: list[str]) -> str:
    """Obey a key, if one was pressed: 1 and 2 change a map."""
    pressed = next_key()
    place = {"1": 0, "2": 1}.get(pressed)
    names = map_names(watcher.view)
    if place is not None and place < len(maps) and names:
        at = names.index(maps[place]) if maps[place] in names else -1
        maps[place] = names[(at + 1) % len(names)]
    return pressed


def _watch_plain(
    watcher: Watcher, items: Iterator[Item], showing: Showing, console: Console
) -> None:
    reporter = _Reporter(console)
    reporter.report(watcher)
    for item in items:
        watcher.take(item)
        reporter.report(watcher, item)
        if _ended(watcher, showing):
            return


class _Reporter:
    """Print what is new, line by line; progress once a minute."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = RealClock()
        self._status = ""
        self._reported = -math.inf
        self._missed = 0
        self._limiter = Limiter()

    def report(self, watcher: Watcher, item: Item | None = None) -> None:
        """Print what an item has brought."""
        status = "stale" if watcher.stale else watcher.status
        if status != self._status:
            self._print(watcher.status)
            self._status = status
        if watcher.missed > self._missed:
            self._print(f"{watcher.missed - self._missed} messages lost")
            self._missed = watcher.missed
        if isinstance(item, Message):
            self._tell(item.body, watcher)
        for notice in self._limiter.due(self._clock.now()):
            self._print(notice.text)

    def _tell(self, body: Body, watcher: Watcher) -> None:
        match body:
            case RunStarted():
                spectra = body.site_count
                self._print(f"{body.name} ({body.kind} {body.run_id}): {spectra} spectra")
            case Event() if body.kind != "temperature":
                self._note(body)
            case Guard():
                self._note(Event(body.time, "guard", body.text))
            case Alert():
                self._print(alert_text(body).plain)
            case Progress() if self._clock.now() - self._reported >= _PLAIN_PROGRESS:
                stage = watcher.view.stage_temperature
                known = f"  stage {stage:.4g} K" if math.isfinite(stage) else ""
                self._print(progress_text(body) + known)
                self._reported = self._clock.now()
            case _:
                pass  # too much for a line each

    def _note(self, event: Event) -> None:
        """Print an event; where many of a kind come, now and then the latest."""
        notice = Notice(event.time, "event", "info", event_line(event), event.kind)
        passed = self._limiter.take(notice, _PLAIN_EVENTS, self._clock.now())
        if passed is not None:
            self._print(passed.text)

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

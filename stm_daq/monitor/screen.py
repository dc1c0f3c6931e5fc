"""The screen of ``stm-daq watch``: all that matters of a run on 80 x 24 characters, more on more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stm_daq.monitor.alerts.letter import plain
from stm_daq.monitor.blocks import sparkline
from stm_daq.monitor.bodies import Alert
from stm_daq.monitor.formulas import Formulas
from stm_daq.monitor.panels import TOPOGRAPH, panels_of
from stm_daq.monitor.view import RunView
from stm_daq.monitor.watcher import Watcher
from stm_daq.quantities import show, show_duration, show_moment
from stm_daq.records import Event, Progress

_OTHER_LINES = 7
"""All lines but those inside the panels and the notes."""
_FEWEST_NOTES = 3
"""Lines that are kept free for notes, so that the maps do not jump."""
_SHORTEST_BAR = 5
_NO_FORMULAS = Formulas()
_QUIET_EVENTS = ("temperature", "alert")
_STYLES = {"alarm": "bold red", "warning": "yellow", "info": ""}
_BAD_EVENTS = {"error": "red", "watchdog": "red", "warning": "yellow", "disk_full": "red"}


def render(
    watcher: Watcher,
    width: int = 80,
    height: int = 24,
    *,
    maps: Sequence[str] = (TOPOGRAPH, "gap"),
    formulas: Formulas = _NO_FORMULAS,
    colours: bool = True,
    keys: bool = False,
) -> RenderableType:
    """Draw all that is known on a terminal of `width` x `height` characters.

    Parameters
    ----------
    watcher : Watcher
    width, height : int
    maps : sequence of str
        Which maps to show, as far as there is room.
    formulas : Formulas, optional
        Compute the curves of fits and level topographs.
    colours : bool
        Whether the terminal has any.
    keys : bool
        Whether the last line says which keys there are.
    """
    view = watcher.view
    parts: list[RenderableType] = [_headline(watcher, width)]
    if view.progress is not None:
        parts.append(_progress_line(watcher, view.progress, width))
    most = max(_FEWEST_NOTES, height // 6)
    rows = max(4, min(height - _OTHER_LINES - most, width // (len(maps) + 1) // 2 + 2))
    panels = panels_of(watcher, width, rows, maps, formulas, colours)
    if panels:
        parts.append(Columns(panels, padding=0))
    parts.append(_fridge_line(watcher, width))
    parts.append(_health_line(watcher))
    parts.extend(_notes(view, max(_FEWEST_NOTES, height - _OTHER_LINES - rows)))
    if keys:
        parts.append(Text("1, 2: other maps   q: leave (the run goes on)", "dim", no_wrap=True))
    return Group(*parts)


def _headline(watcher: Watcher, width: int) -> Text:
    view = watcher.view
    name = f"{view.started.name} ({view.started.kind})" if view.started else "stm-daq"
    if watcher.stale:
        since = datetime.fromtimestamp(watcher.last_time).strftime("%H:%M:%S")
        text = f" {watcher.status}, since {since}; this is old: {name} "
        style = "bold white on red" if watcher.silent >= 10.0 else "bold black on yellow"
        return Text(text.ljust(width), style, no_wrap=True, overflow="ellipsis")
    line = Text(f"{name}   ", "bold", overflow="fold")
    line.append(watcher.status, _status_style(watcher))
    for who, why in view.paused.items():
        if view.ended is None:
            line.append(f"   {who}: {why}", "yellow")
    return line


def _status_style(watcher: Watcher) -> str:
    if watcher.view.ended is not None:
        return "bold green" if watcher.state == "finished" else "bold red"
    return "bold green" if watcher.state == "running" else "bold yellow"


def _progress_line(watcher: Watcher, progress: Progress, width: int) -> RenderableType:
    text = Text(progress_text(progress, watcher.view.ended is not None), no_wrap=True)
    text.overflow = "ellipsis"
    room = width - len(text) - 1
    if room < _SHORTEST_BAR:
        return text
    bar = ProgressBar(max(progress.total, 1), progress.done, width=room)
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_row(bar, text)
    return line


def progress_text(progress: Progress, ended: bool = False) -> str:
    """Say how far a run is, and when it will be done."""
    share = 100 * progress.done / max(progress.total, 1)
    text = f"{progress.done}/{progress.total} ({share:.0f} %)"
    if ended:
        return text
    if math.isfinite(progress.rate) and progress.rate > 0:
        text += f"  {progress.rate:.0f}/h"
    if math.isfinite(progress.finish_time):
        text += f"  done {show_moment(progress.finish_time)}"
        left = progress.finish_time - progress.time
        text += f" (in {show_duration(left)})" if left > 0 else ""
    return text if progress.state == "running" else f"{text}, {progress.state}"


def _fridge_line(watcher: Watcher, width: int) -> Text:
    view = watcher.view
    stage = np.array(watcher.stage)
    text = Text("stage ", no_wrap=True, overflow="ellipsis")
    known = stage[np.isfinite(stage)]
    text.append("?" if not math.isfinite(view.stage_temperature) else
                show(view.stage_temperature, "K", 4), "bold")  # fmt: skip
    if len(known) > 1:
        text.append(f" {sparkline(stage, max(8, width - 60))} ")
        text.append(f"{show(float(known.min()), 'K')} ... {show(float(known.max()), 'K')}", "dim")
    for guard in view.guards.values():
        text.append(f"  {guard.name} {'good' if guard.good else 'BAD'}",
                    "green" if guard.good else "bold red")  # fmt: skip
    return text


def _health_line(watcher: Watcher) -> Text:
    """Say what the machinery does: disk, last commit, bad fits, messages lost."""
    beat = watcher.heartbeat
    parts = []
    if math.isfinite(beat.disk_free):
        parts.append(f"disk {show(beat.disk_free, 'B')} free")
    if math.isfinite(beat.commit_age):
        parts.append(f"stored {show_duration(beat.commit_age)} ago")
    if math.isfinite(watcher.bad_fraction):
        parts.append(f"bad fits {100 * watcher.bad_fraction:.0f} %")
    losses = {"lost": watcher.missed, "refused": watcher.refused, "dropped": beat.dropped}
    parts += [f"{count} messages {name}" for name, count in losses.items() if count]
    return Text("   ".join(parts), "dim", no_wrap=True, overflow="ellipsis")


def _notes(view: RunView, most: int) -> list[Text]:
    """Return alerts and events, the latest last; alerts that were not sent keep half of the lines."""
    alerts = [(alert.time, alert_text(alert)) for alert in view.alerts]
    kept = alerts[-max(1, most // 2) :]
    events = [(e.time, _event_text(e)) for e in view.events if e.kind not in _QUIET_EVENTS]
    room = most - len(kept)
    return [text for _, text in sorted([*kept, *events[-room:]], key=lambda pair: pair[0])]


def alert_text(alert: Alert) -> Text:
    """Return a line about an alert."""
    sent = "" if alert.delivered else " (not sent)"
    line = f"{_clock(alert.time)} ALERT {alert.text}{sent}"
    return Text(line, _STYLES.get(alert.level, ""), no_wrap=True, overflow="ellipsis")


def _event_text(event: Event) -> Text:
    style = _BAD_EVENTS.get(event.kind, "")
    if event.kind == "guard" and event.data.get("good") is False:
        style = "red"
    return Text(event_line(event), style, no_wrap=True, overflow="ellipsis")


def event_line(event: Event) -> str:
    """Return an event as one line."""
    return f"{_clock(event.time)} {event.kind}: {plain(event.text)}"


def _clock(time: float) -> str:
    return datetime.fromtimestamp(time).strftime("%H:%M:%S")

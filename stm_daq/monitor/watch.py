"""``stm-daq watch``: a run live in the terminal, from another process than the one that measures."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stm_daq.clock import RealClock
from stm_daq.monitor.blocks import heat_map, robust_range, spectrum_plot
from stm_daq.monitor.client import STALE, Item, Missed, Refused, Silence, connect
from stm_daq.monitor.messages import Body, Heartbeat, Message
from stm_daq.monitor.view import RunView
from stm_daq.quantities import show
from stm_daq.records import Array, Event, Fit, Progress, RunStarted, Spectrum

_REDRAW = 0.25
_SHOWN_EVENTS = 5
_PLOT_WIDTH = 36
UNHEARD = 5.0
"""Silence (s) from the beginning after which the address is in doubt: publishers speak every second,
also while they wait for a run."""
_PLAIN_PROGRESS = 30.0
"""Without a terminal: a line of progress so often (s)."""


class Watcher:
    """What one viewer knows: the run, and how well it is heard."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.view = RunView()
        self.silent = 0.0
        self.heard = False
        self.missed = 0
        self.refused = 0
        self.dropped = 0

    def take(self, item: Item) -> None:
        """Take one item of :func:`stm_daq.monitor.client.connect` into account."""
        match item:
            case Message():
                self.silent, self.heard = 0.0, True
                self.view.apply(item.body)
                if isinstance(item.body, Heartbeat):
                    self.dropped = item.body.dropped
            case Missed():
                self.missed += item.count
            case Refused():
                self.refused += 1
            case Silence():
                self.silent = item.seconds

    @property
    def status(self) -> str:
        """Return one line: waiting, running, stale or ended."""
        state = self.view.state
        if self.view.ended is not None:
            return f"ended: {state} {self.view.ended.text}".rstrip()
        if not self.heard and self.silent >= UNHEARD:
            return (
                f"nobody answers at {self.address}: a run tells its address when it starts "
                "(`stm-daq watch ADDRESS`) and can be watched from its own computer only; still waiting"
            )
        if not self.heard or state == "waiting":
            return f"waiting for a run at {self.address}"
        if self.silent >= STALE:
            return f"stale {self.silent:.0f} s: nothing has come from the run"
        return state


def watch(
    address: str, stay: bool = False, console: Console | None = None, key: Path | None = None
) -> None:
    """Show a run until it ends or the user interrupts.

    Parameters
    ----------
    address : str
        Such as ``tcp://127.0.0.1:5550``.
    stay : bool
        Whether to wait for the next run after the end.
    console : rich.console.Console, optional
        Where to; plain lines if it is no terminal.
    """
    console = console or Console()
    try:
        if console.is_terminal:
            _watch_live(address, stay, console, key)
        else:
            _watch_plain(address, stay, console, key)
    except KeyboardInterrupt:
        console.print("no longer watching; the run goes on")


def _watch_live(address: str, stay: bool, console: Console, key: Path | None) -> None:
    clock = RealClock()
    watcher = Watcher(address)
    drawn = clock.now()
    with Live(render(watcher, *console.size), console=console, auto_refresh=False) as live:
        for item in connect(address, key):
            watcher.take(item)
            ended = watcher.view.ended is not None and not stay
            if ended or clock.now() - drawn >= _REDRAW:
                live.update(render(watcher, *console.size), refresh=True)
                drawn = clock.now()
            if ended:
                return


def _watch_plain(address: str, stay: bool, console: Console, key: Path | None) -> None:
    watcher = Watcher(address)
    reporter = _Reporter(console)
    reporter.report(watcher)
    for item in connect(address, key):
        watcher.take(item)
        reporter.report(watcher, item)
        if watcher.view.ended is not None and not stay:
            return


class _Reporter:
    """Print what is new, line by line; progress only now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = RealClock()
        self._status = ""
        self._reported = -math.inf
        self._missed = 0

    def report(self, watcher: Watcher, item: Item | None = None) -> None:
        status = "stale" if watcher.status.startswith("stale") else watcher.status
        if status != self._status:
            self._print(watcher.status)
            self._status = status
        if watcher.missed > self._missed:
            self._print(f"{watcher.missed - self._missed} messages lost")
            self._missed = watcher.missed
        if isinstance(item, Message):
            self._tell(item.body)

    def _tell(self, body: Body) -> None:
        match body:
            case RunStarted():
                spectra = body.site_count
                self._print(f"{body.name} ({body.kind} {body.run_id}): {spectra} spectra")
            case Event() if body.kind != "temperature":
                self._print(_event_text(body))
            case Progress() if self._clock.now() - self._reported >= _PLAIN_PROGRESS:
                self._print(_progress_text(body))
                self._reported = self._clock.now()
            case _:
                pass  # too much for a line each

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def render(watcher: Watcher, width: int = 80, height: int = 24) -> RenderableType:
    """Draw all that is known on a terminal of `width` x `height` characters."""
    view = watcher.view
    parts: list[RenderableType] = [Text(watcher.status, style=_style(watcher))]
    if view.progress is not None:
        bar = ProgressBar(total=max(view.progress.total, 1), completed=view.progress.done, width=20)
        line = Table.grid(padding=(0, 1))
        line.add_row(bar, _progress_text(view.progress))
        parts.append(line)
    # room for the other lines, and for the spectrum beside the map
    pixels = max(16, min(64, 2 * (height - 14), width - _PLOT_WIDTH - 10))
    columns = [
        panel for panel in (_gap_panel(view, pixels), _spectrum_panel(view)) if panel is not None
    ]
    if columns:
        parts.append(Columns(columns))
    if math.isfinite(view.stage_temperature):
        parts.append(Text(f"stage {show(view.stage_temperature, 'K')}"))
    notes = [event for event in view.events if event.kind != "temperature"]
    parts.extend(Text(_event_text(event)) for event in notes[-_SHOWN_EVENTS:])
    losses = {"lost": watcher.missed, "refused": watcher.refused, "dropped": watcher.dropped}
    if any(losses.values()):
        text = ", ".join(f"{count} {name}" for name, count in losses.items() if count)
        parts.append(Text(f"messages: {text} (the journal has everything)", style="yellow"))
    title = f"{view.started.name} ({view.started.kind})" if view.started else "stm-daq watch"
    return Panel(Group(*parts), title=title)


def _style(watcher: Watcher) -> str:
    if watcher.view.ended is not None:
        return "bold green" if watcher.view.state == "finished" else "bold red"
    if watcher.heard and watcher.silent >= STALE:
        return "bold red" if watcher.silent >= 10.0 else "bold yellow"
    return "bold"


def _gap_panel(view: RunView, pixels: int) -> Panel | None:
    gap = view.map("gap")
    if gap.size == 0 or (view.started is not None and view.started.swept_name != "bias"):
        return None  # nothing else is fitted
    low, high = robust_range(gap)
    caption = "no fit yet"
    if math.isfinite(low):
        caption = f"{show(low, 'eV')} ... {show(high, 'eV')}"
    return Panel(heat_map(gap, pixels, pixels), title="gap", subtitle=caption, expand=False)


def _spectrum_panel(view: RunView) -> Panel | None:
    spectrum = view.spectrum
    if spectrum is None:
        return None
    site = spectrum.site
    fit = view.fit
    swept, unit = _swept(view, spectrum)
    parts: list[RenderableType] = [spectrum_plot(swept, spectrum.conductance, _PLOT_WIDTH)]
    parts.append(Text(f"{show(min(swept), unit)} ... {show(max(swept), unit)}"))
    if fit is not None and (fit.site_index, fit.attempt) == (site.index, spectrum.attempt):
        parts.append(Text(_fit_text(fit), style="" if fit.ok else "yellow"))
    if spectrum.flags:
        parts.append(Text(", ".join(spectrum.flags), style="yellow"))
    title = f"dI/dV, {_step_text(view)}row {site.row}, column {site.col}"
    return Panel(Group(*parts), title=title, expand=False)


def _swept(view: RunView, spectrum: Spectrum) -> tuple[Array, str]:
    """Return what was swept, and its unit."""
    started = view.started
    if started is None or len(started.swept) != len(spectrum.bias):
        return spectrum.bias, "V"
    return started.swept, started.swept_unit


def _step_text(view: RunView) -> str:
    """Say at which step of the outer axes the run is, if there are any."""
    if view.started is None or not view.started.axes or view.step is None:
        return ""
    return f"step {view.step + 1} of {view.started.steps}, "


def _fit_text(fit: Fit) -> str:
    units = {"gap": "eV", "temperature": "K", "barrier": ""}
    values = [
        f"{name} {show(fit.values[name], unit)} ± {show(fit.std.get(name, math.nan), unit, 2)}"
        for name, unit in units.items()
        if name in fit.values
    ]
    verdict = "good" if fit.ok else "not to be trusted: " + ", ".join(fit.flags)
    return "\n".join([*values, f"chi-square {fit.reduced_chi_square:.2f}, {verdict}"])


def _progress_text(progress: Progress) -> str:
    share = 100 * progress.done / max(progress.total, 1)
    text = f"{progress.done} of {progress.total} spectra ({share:.0f} %)"
    if math.isfinite(progress.rate) and progress.rate > 0:
        text += f", {progress.rate:.0f} per hour"
    if math.isfinite(progress.finish_time):
        text += f", done {datetime.fromtimestamp(progress.finish_time):%a %d %b %H:%M}"
    return text if progress.state == "running" else f"{text}, {progress.state}"


def _event_text(event: Event) -> str:
    return f"{datetime.fromtimestamp(event.time):%H:%M:%S} {event.kind}: {event.text}"

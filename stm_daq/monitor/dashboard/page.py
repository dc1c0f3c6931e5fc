"""One browser page: what is chosen in it, and what it is told when something changes.

Everything here runs on the server's loop under the lock of the page's document; what may take a
while (a spectrum from the history, a command) is done in a thread.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import Counter
from typing import Any

import numpy as np
from bokeh.document import Document, without_document_lock
from bokeh.models import ColumnDataSource

from stm_daq.clock import RealClock
from stm_daq.errors import StmDaqError
from stm_daq.monitor.dashboard import facts
from stm_daq.monitor.dashboard.asks import COMMANDS, Ask, Choice, read_ask, site_at
from stm_daq.monitor.dashboard.figures import Figures
from stm_daq.monitor.dashboard.offers import Offers
from stm_daq.monitor.dashboard.pace import Pace
from stm_daq.monitor.dashboard.source import Board, Shown, Source
from stm_daq.monitor.dashboard.theme import DARK, LIGHT
from stm_daq.monitor.formulas import Formulas

SLOW = 5.0
"""s; what summarises many spectra (histogram, cut, strips) is drawn less often: browsers are slow."""
PULSE = 1000
"""ms; so often at least: its script takes silence for a lost connection."""

_log = logging.getLogger(__name__)


class Page:
    """Fills a document with a source and keeps it up to date.

    Parameters
    ----------
    document : bokeh.document.Document
    source : Source
    formulas : Formulas
    offers : Offers
    """

    def __init__(
        self, document: Document, source: Source, formulas: Formulas, offers: Offers
    ) -> None:
        self._document = document
        self._source = source
        self._offers = offers
        self._clock = RealClock()
        self.choice = Choice()
        self._seen: Counter[str] = Counter()
        self._pace = Pace(self._clock)
        self._summed_up = -math.inf
        self._waiting: Any = None  # the handle of the update to come
        self._tick = 0
        self._run = ""
        self._shown: Shown | None = None
        self._names: tuple[str, ...] = ()
        self.figures = Figures(source, formulas, self._clicked)
        self.told = ColumnDataSource(data={"json": [""]}, name="told")
        self.asked = ColumnDataSource(data={"json": [""]}, name="asked")
        self.asked.on_change("data", lambda _name, _old, new: self._asked(new))
        # the script finds them through a figure that is always there
        self.figures.all[0].tags = [self.told, self.asked]
        for plot in self.figures.all:
            document.add_root(plot)
        source.subscribe(self.wake)
        document.add_periodic_callback(self.wake, PULSE)
        document.on_session_destroyed(lambda _context: source.unsubscribe(self.wake))
        self._update()

    def wake(self) -> None:
        """Update the page soon; calls in between are one. To be called on the loop."""
        if self._waiting is None:
            wait = int(self._pace.wait * 1000)
            self._waiting = self._document.add_timeout_callback(self._update, wait)

    def _update(self) -> None:
        """Draw what has changed, and tell it."""
        self._waiting = None
        self._pace.updated()
        now = self._clock.now()
        news = {t for t, count in self._source.versions.items() if count != self._seen[t]}
        first = not self._tick
        seen, self._seen = self._seen, Counter(self._source.versions)
        if "strips" in news and now - self._summed_up < SLOW and not first:
            news.remove("strips")
            self._seen["strips"] = seen["strips"]  # later
        elif "strips" in news or first:
            self._summed_up = now
        started = self._source.started
        told: dict[str, Any] = {}
        if started is not None and (first or news):
            told = self._redraw(news, first)
        if first or "progress" in news:
            told["progress"] = facts.progress(self._source.progress)
        if first or "events" in news:
            told["events"] = facts.events(self._source.events)
            told["alerts"] = facts.alerts(self._source.alerts)
        self._tell(told)

    def _redraw(self, news: set[str], first: bool) -> dict[str, Any]:
        """Draw the figures that `news` concern; return what is to be told about them."""
        started = self._source.started
        assert started is not None
        told: dict[str, Any] = {}
        board = self._source.board(self._step)
        if started.run_id != self._run:
            # what was chosen may not be there: the script chooses again what the same run had
            self._run, self._shown = started.run_id, None
            self.choice.site = self.choice.step = None
        if first or "run" in news:
            news = news | {"run", "topograph", "maps", "spectrum", "strips"}
        if "topograph" in news:
            self.figures.draw_topograph(started, board)
        # maps are known with the first spectrum, the first fit
        if first or "run" in news or tuple(board.maps) != self._names:
            self._names = tuple(board.maps)
            told["run"] = facts.run(started, self._names)
        latest = self._source.latest
        is_new = "run" in news or latest is not self._shown
        if "spectrum" in news and self.choice.site is None and is_new:
            told["site"] = self._show(latest)
        if news & {"maps", "spectrum", "strips"}:
            self._draw_map(board, summed_up=bool(news & {"strips", "topograph"}))
        if "strips" in news:
            progress, strips = self._source.progress, self._source.strips
            self.figures.strips.draw(strips, progress.time if progress else 0.0)
            told["guards"] = sorted(strips.turns.guards)
        return told

    def _draw_map(self, board: Board, summed_up: bool) -> None:
        started, name = self._source.started, self._map
        if started is None:
            return
        values = board.maps.get(name, np.full(started.grid_shape, np.nan))  # nothing measured yet
        self.figures.draw_map(started, values, name)
        if summed_up:
            self.figures.draw_histogram(values, name)
            self._draw_cut()

    def _draw_cut(self) -> None:
        started, site = self._source.started, self._site
        if started is not None and self._map and site is not None:
            self.figures.draw_cut(started, self._map, self.choice.cut, site, self._step)

    @property
    def _map(self) -> str:
        return self.choice.map_of(self._names)

    @property
    def _step(self) -> int:
        return self._source.step if self.choice.step is None else self.choice.step

    @property
    def _site(self) -> tuple[int, int] | None:
        """Row and column of what is shown."""
        if self.choice.site is not None or self._shown is None:
            return self.choice.site
        site = self._shown.spectrum.site
        return site.row, site.col

    def _show(self, shown: Shown | None) -> facts.Facts:
        """Draw a spectrum, mark its site, and return what is to be told about it."""
        started = self._source.started
        assert started is not None
        self._shown = shown
        self.figures.draw_spectrum(started, shown)
        self.figures.mark(started, self._site)
        told = facts.site(shown, self.choice.site is not None)
        if shown is None and self.choice.site is not None:
            told["row"], told["column"] = self.choice.site
            times = self._source.board(self._step).maps.get("time")
            known = times is not None and np.isfinite(times[self.choice.site])
            told["missing"] = "the station does not answer" if known else "not measured"
        return told

    def _tell(self, told: facts.Facts) -> None:
        """Send facts to the page's script, together with what it always needs."""
        self._tick += 1
        self._pace.told(self._tick)
        told["tick"] = self._tick
        told["health"] = facts.health(self._source.health)
        told["choice"] = {
            "map": self._map,
            "cut": self.choice.cut,
            "step": self._step,
            "follow": self.choice.site is None,
        }
        self.told.data = {"json": [json.dumps(told)]}

    def _clicked(self, x: float, y: float) -> None:
        started = self._source.started
        if started is not None:
            self._choose_site(site_at(started, x, y))

    def _choose_site(self, site: tuple[int, int] | None) -> None:
        """Fetch the spectrum of a site and show it; everything else goes on meanwhile."""
        self.choice.site = site
        step, latest = self._step, self._source.latest

        @without_document_lock
        async def look_up() -> None:
            shown, problem = latest, ""
            if site is not None:
                try:
                    shown = await asyncio.to_thread(self._source.look_up, step, *site)
                except StmDaqError as error:
                    shown, problem = None, str(error)
            self._document.add_next_tick_callback(lambda: self._found(site, step, shown, problem))

        self._document.add_next_tick_callback(look_up)

    def _found(
        self, site: tuple[int, int] | None, step: int, shown: Shown | None, problem: str
    ) -> None:
        """Show what was fetched, unless somebody has clicked elsewhere meanwhile."""
        if self._source.started is None or (site, step) != (self.choice.site, self._step):
            return
        told: dict[str, Any] = {"site": self._show(shown)}
        self._draw_cut()
        if problem:
            told["answer"] = {"accepted": False, "text": problem}
        self._tell(told)

    def _asked(self, data: dict[str, Any]) -> None:
        ask = read_ask(next(iter(data.get("json", ())), None))
        if ask is None:
            _log.warning("a page asked for something that cannot be understood")
            return
        started = self._source.started
        match ask.kind:
            case "theme":
                self.figures.colour(DARK if ask.text == "dark" else LIGHT)
            case "ready":
                self._tick = 0  # tell everything once more
                self._pace.begin_anew()
                self._update()
            case "drawn":
                self._drawn(ask.tick)
            case "link":
                self._tell({"link": self._offers.invite()})
            case "command":
                self._command(ask)
            case _ if started is not None:
                self._choose(ask)

    def _drawn(self, tick: int) -> None:
        """Go on with what had to wait until the browser had drawn the news before it."""
        self._pace.drawn(tick)
        if self._waiting is not None:
            self._document.remove_timeout_callback(self._waiting)
            self._waiting = None
            self.wake()

    def _choose(self, ask: Ask) -> None:
        started = self._source.started
        assert started is not None
        match ask.kind:
            case "choose":
                self.choice.move(started, (ask.row, ask.column), 0, 0)
            case "move":
                self.choice.move(started, self._site or (0, 0), ask.row, ask.column)
            case "follow":
                self.choice.site = self.choice.step = None
            case "map" if ask.text in self._names:
                self.choice.map = ask.text
            case "cut" if ask.text in ("row", "column", "steps"):
                self.choice.cut = ask.text
            case "step" if 0 <= ask.step < started.steps:
                self.choice.site, self.choice.step = self._site, ask.step
        self._tell(self._redraw({"maps", "topograph"}, first=False))
        if ask.kind in ("choose", "move", "follow", "step"):
            self._choose_site(self.choice.site)

    def _command(self, ask: Ask) -> None:
        if self._offers.send is None or ask.text not in COMMANDS:
            _log.warning("refused command %.20r of a page that is not an operator's", ask.text)
            told = {"command": ask.text, "accepted": False, "text": "this page can only watch"}
            self._tell({"answer": told})
            return

        @without_document_lock
        async def act() -> None:
            told = await asyncio.to_thread(self._offers.carry_out, ask.text, ask.argument)
            self._document.add_next_tick_callback(lambda: self._tell({"answer": told}))

        self._document.add_next_tick_callback(act)

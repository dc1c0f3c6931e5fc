"""Puts the dashboard together: sources, pages, server; runs until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from bokeh.core.templates import get_env
from bokeh.document import Document
from jinja2 import Template
from tornado.ioloop import IOLoop, PeriodicCallback

from stm_daq.monitor.dashboard.doors import Role
from stm_daq.monitor.dashboard.gate import OVERVIEW, PAGES
from stm_daq.monitor.dashboard.handlers import PAGE_FILES, Site
from stm_daq.monitor.dashboard.hub import DeadMan, Raise, overview
from stm_daq.monitor.dashboard.live import Station
from stm_daq.monitor.dashboard.offers import Offers, Send
from stm_daq.monitor.dashboard.page import Page
from stm_daq.monitor.dashboard.server import Dashboard, Listen
from stm_daq.monitor.dashboard.source import Source
from stm_daq.monitor.formulas import Formulas

_LOOK = 1000
"""ms between two looks for silent stations."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One source, and how an operator commands it."""

    source: Source
    send: Send | None = None


class App:
    """A dashboard of one or more sources.

    Parameters
    ----------
    shown : sequence of Shown
    formulas : Formulas
    secret : bytes
        Signs the cookies; see :func:`stm_daq.monitor.dashboard.doors.secret_of`.
    listen : Listen
    raise_alert : callable
        Told when a station falls silent.

    Attributes
    ----------
    server : Dashboard
    """

    def __init__(
        self,
        shown: Sequence[Shown],
        formulas: Formulas,
        secret: bytes,
        listen: Listen,
        raise_alert: Raise,
    ) -> None:
        self._shown = shown
        self._formulas = formulas
        self._template = _template()
        sources = [one.source for one in shown]
        site = Site(
            fill={"viewer": self._filler("viewer"), "operator": self._filler("operator")},
            stations=lambda role: overview(sources, role),
        )
        self.server = Dashboard(site, secret, listen)
        stations = [source for source in sources if isinstance(source, Station)]
        self._watch = PeriodicCallback(DeadMan(stations, raise_alert).look, _LOOK)
        self._watch.start()

    @property
    def loop(self) -> IOLoop:
        """The server's loop; listeners leave what they hear there."""
        return self.server.loop

    @property
    def commands(self) -> bool:
        """Whether an operator could do anything."""
        return any(one.send is not None for one in self._shown)

    def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.loop.add_callback_from_signal(self.loop.stop)

        for name in ("SIGINT", "SIGTERM"):
            signal.signal(getattr(signal, name), stop)
        # on Windows a signal is seen only when the loop turns: it does, once a second
        self.loop.start()
        self.close()

    def close(self) -> None:
        """Stop to serve."""
        self._watch.stop()
        self.server.close()

    def _filler(self, role: Role) -> Callable[[Document], None]:
        def fill(document: Document) -> None:
            one = self._shown[_number(document, len(self._shown))]
            send = one.send if role == "operator" else None
            invite = Offers(lambda: self.server.invitation("viewer"), send)
            document.title = f"{one.source.name} – stm_daq"
            document.template = self._template
            document.template_variables.update(
                name=one.source.name,
                role="viewer" if send is None else role,
                live="yes" if one.source.live else "no",
                home=OVERVIEW if len(self._shown) > 1 else PAGES[role],
                waiting=f"Waiting for a run at {one.source.name}",
            )
            # the page has its own way to tell of a lost connection, and to recover
            document.config.reconnect_session = False
            document.config.notify_connection_status = False
            Page(document, one.source, self._formulas, invite)

        return fill


def _template() -> Template:
    text = (PAGE_FILES / "page.html").read_text(encoding="utf-8")
    return get_env().from_string(text)


def _number(document: Document, count: int) -> int:
    """Return which source the address asks for; the first if it makes no sense."""
    context = document.session_context
    request = getattr(context, "request", None)  # its type is not declared
    asked = [b""] if request is None else request.arguments.get("station", [b""])
    text = asked[0].decode(errors="replace")
    return int(text) if text.isascii() and text.isdigit() and int(text) < count else 0

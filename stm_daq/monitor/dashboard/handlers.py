"""What the server answers beside Bokeh's documents: entrance, overview, refusals."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bokeh.document import Document
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform, RequestHandler

from stm_daq.monitor.dashboard.doors import COOKIE_LIFE, Role
from stm_daq.monitor.dashboard.gate import OVERVIEW, PAGES, Gate, Refusal, Request

PAGE_FILES = Path(__file__).parent / "page"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """What the server serves."""

    fill: dict[Role, Callable[[Document], None]]
    """What fills a new document for a viewer, and for an operator."""
    stations: Callable[[Role], list[dict[str, Any]]]
    """A line of the overview for each station or run, as plain data."""


def shown_by(request: HTTPServerRequest, cookie_name: str) -> Request:
    """Return what the gate looks at."""
    cookie = request.cookies.get(cookie_name)
    return Request(
        method=request.method or "",
        path=request.path,
        host=request.headers.get("Host", ""),
        origin=request.headers.get("Origin"),
        cookie=None if cookie is None else cookie.value,
        has_token="token" in request.query_arguments,
    )


def log_refusal(request: HTTPServerRequest, reason: str) -> None:
    """Write a refused request into the log."""
    # repr and a limit: what strangers send must not forge lines of the log
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    text = "refused %s %.100r from %s (host %.60r, origin %.60r): %s"
    _log.warning(text, request.method, request.path, request.remote_ip, host, origin, reason)


class SecurityHeaders(OutputTransform):
    """Headers of every answer: the page may load and connect to nothing but this server."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the headers."""
        headers["Content-Security-Policy"] = (
            "default-src 'self'; script-src 'self' 'unsafe-inline'; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        if not headers.get("Content-Type", "").startswith(("text/css", "text/javascript")):
            headers["Cache-Control"] = "no-store"
        return status_code, headers, chunk


class Refused(RequestHandler):
    """Says no, and writes it into the log."""

    def initialize(self, refusal: Refusal) -> None:
        """Take what the gate said."""
        self._refusal = refusal

    def prepare(self) -> None:
        """Answer, whatever the method."""
        log_refusal(self.request, self._refusal.reason)
        self.set_status(self._refusal.status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            f"Refused: {self._refusal.reason}. Open the link that `stm-daq dashboard` printed; each "
            "is good once, and a page that is open gives further ones.\n"
        )


class _AtTheDoor(RequestHandler):
    """Knows who asks."""

    def initialize(self, gate: Gate, site: Site) -> None:
        """Take what decides, and what there is."""
        self._gate = gate
        self._site = site

    @property
    def _role(self) -> Role | None:
        return self._gate.role_of(shown_by(self.request, self._gate.doors.cookie_name))


class Entrance(_AtTheDoor):
    """Exchanges a one-time token for a cookie, and shows the way to the page."""

    def get(self) -> None:
        """Let somebody in."""
        role = self._role
        token = self.get_query_argument("token", None)
        invited = None if token is None else self._gate.doors.admit(token)
        if invited is not None:
            role = invited
            self._set_cookie(role)
        if role is None:
            log_refusal(self.request, "a token that was used before, or never was one")
            self.set_status(403)
            self.finish("Refused: this link was used before or is too old; ask for a new one.\n")
            return
        several = len(self._site.stations(role)) > 1
        # a redirection would not carry a new SameSite=Strict cookie when the link came from a mail
        self.finish(
            '<!doctype html><meta charset="utf-8"><title>stm_daq</title><link rel="icon" href="data:,">'
            f'<meta http-equiv="refresh" content="0;url={OVERVIEW if several else PAGES[role]}">'
        )

    def _set_cookie(self, role: Role) -> None:
        self.set_cookie(
            self._gate.doors.cookie_name,
            self._gate.doors.cookie(role),
            max_age=int(COOKIE_LIFE),
            httponly=True,
            samesite="Strict",
            secure=self.request.protocol == "https",
        )


class Alive(RequestHandler):
    """Tells a page that has lost its connection that the server is there again."""

    def get(self) -> None:
        """Answer."""
        self.finish("alive\n")


class Overview(RequestHandler):
    """The page of all stations; its script asks for their states."""

    def get(self) -> None:
        """Send the page."""
        self.finish((PAGE_FILES / "overview.html").read_text(encoding="utf-8"))


class Stations(_AtTheDoor):
    """The states of all stations."""

    def get(self) -> None:
        """Send them as JSON."""
        role = self._role
        assert role is not None  # the gate lets nobody else through
        self.finish({"stations": self._site.stations(role)})

"""What every request must show before anything answers it: host, origin, path, cookie.

A page on the web can make a browser send requests to this computer, under a name of its own choice
(DNS rebinding). So the name must be one of ours, the origin must be the very page we sent, and the
cookie (which other sites' requests do not carry) must be good.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from stm_daq.monitor.dashboard.doors import Doors, Role

ENTRANCE = "/"
ALIVE = "/alive"
OVERVIEW = "/overview"
STATIONS = "/stations"
PAGES: dict[Role, str] = {"viewer": "/watch", "operator": "/operate"}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_ASSETS = re.compile(r"/(static/js|page)/[a-z0-9-]+(\.[a-z0-9-]+){1,2}")
_SOCKET = "/ws"
_ICON = "/favicon.ico"


@dataclass(frozen=True, slots=True)
class Request:
    """What matters of an HTTP request."""

    method: str
    path: str
    """As sent, without the query."""
    host: str
    origin: str | None
    cookie: str | None
    """Value of the cookie of this dashboard."""
    has_token: bool = False
    """Whether the query offers a one-time token."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str


class Gate:
    """Decides about requests.

    Parameters
    ----------
    doors : Doors
    scheme : str
        "http" or "https".
    names : iterable of str
        Names of this computer under which it may be called, beside those of loopback.
    """

    def __init__(self, doors: Doors, scheme: str = "http", names: frozenset[str] = frozenset()):
        self.doors = doors
        self.scheme = scheme
        self._names = _LOOPBACK | names

    def role_of(self, request: Request) -> Role | None:
        """Return the role that the request's cookie gives."""
        return None if request.cookie is None else self.doors.role_of(request.cookie)

    def refusal(self, request: Request) -> Refusal | None:
        """Return why the request is refused, None if it may pass."""
        if request.method not in ("GET", "HEAD"):
            return Refusal(405, "the dashboard is only read")
        if _name(f"{self.scheme}://{request.host}") not in self._names:
            return Refusal(403, "called by a name that is not its own")
        if request.origin is not None and request.origin != f"{self.scheme}://{request.host}":
            return Refusal(403, "asked by a page of another origin")
        if not _known(request.path):
            return Refusal(404, "there is no such page")
        if request.path.endswith(_SOCKET) and request.origin is None:
            return Refusal(403, "a web socket without origin")
        if request.path == ENTRANCE and request.has_token:
            return None  # the entrance itself looks at the token
        role = self.role_of(request)
        if role is None:
            return Refusal(403, "no valid cookie")
        operate = PAGES["operator"]
        if request.path in (operate, operate + _SOCKET) and role != "operator":
            return Refusal(403, "a viewer at the operators' page")
        return None


def _name(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        if parts.username is not None or parts.path or parts.query or parts.fragment:
            return None
        _ = parts.port  # raises if it is no number
        return parts.hostname
    except ValueError:
        return None


def _known(path: str) -> bool:
    """Whether a path is one of the few that exist; one with "..", "%" or "//" never is."""
    pages = {page + end for page in PAGES.values() for end in ("", _SOCKET)}
    known = {ENTRANCE, ALIVE, OVERVIEW, STATIONS, _ICON, *pages}
    return path in known or _ASSETS.fullmatch(path) is not None

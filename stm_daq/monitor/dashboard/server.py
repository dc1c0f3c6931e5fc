"""The web server: Bokeh's own, behind the gate; loopback unless told, nothing from elsewhere."""

from __future__ import annotations

import errno
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.resources import Resources
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.server.views.static_handler import StaticHandler
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import StaticFileHandler

from stm_daq.clock import RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.dashboard.doors import Doors, Role
from stm_daq.monitor.dashboard.gate import ALIVE, ENTRANCE, OVERVIEW, PAGES, STATIONS, Gate
from stm_daq.monitor.dashboard.handlers import (
    PAGE_FILES,
    Alive,
    Entrance,
    Overview,
    Refused,
    SecurityHeaders,
    Site,
    Stations,
    shown_by,
)

LOOPBACK = "127.0.0.1"
_PORTS = 20
"""Ports tried from the wanted one on."""
_LARGEST_MESSAGE = 1024 * 1024
"""Bytes that a browser may send at once."""
_LARGEST_HEADER = 32 * 1024


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the server listens.

    Beyond loopback it needs a certificate: cookies would otherwise travel in the clear.
    """

    address: str = LOOPBACK
    port: int = 5006
    names: frozenset[str] = frozenset()
    """Names by which browsers may call this computer, beside those of loopback."""
    certificate: Path | None = None
    """PEM file with certificate chain and key."""

    def context(self) -> ssl.SSLContext | None:
        """Return what TLS needs, None without a certificate.

        Raises
        ------
        BadInputError
            If there is none where one is needed, or it cannot be used.
        """
        if self.certificate is None:
            if self.address not in (LOOPBACK, "::1", "localhost"):
                raise BadInputError(
                    f"--listen {self.address}: beyond this computer only with --certificate; "
                    "or stay on loopback and use ssh -L (docs/dashboard.md)"
                )
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate)
        except (OSError, ssl.SSLError) as error:
            raise BadInputError(f"{self.certificate}: no usable certificate ({error})") from None
        return context


class Dashboard:
    """A running web server.

    Parameters
    ----------
    site : Site
    secret : bytes
        See :func:`stm_daq.monitor.dashboard.doors.secret_of`.
    listen : Listen

    Attributes
    ----------
    loop : tornado.ioloop.IOLoop
    url : str
        Such as ``http://127.0.0.1:5006``.

    Raises
    ------
    BadInputError
        If the port or the address cannot be used.
    """

    def __init__(self, site: Site, secret: bytes, listen: Listen) -> None:
        context = listen.context()
        sockets = _bind(listen)
        port = int(sockets[0].getsockname()[1])
        scheme = "http" if context is None else "https"
        self.gate = Gate(Doors(secret, port, RealClock()), scheme, listen.names)
        self.url = f"{scheme}://{listen.address}:{port}"
        self.loop = IOLoop.current()
        application = GuardedTornado(site, self.gate)
        http = HTTPServer(application, ssl_options=context, max_header_size=_LARGEST_HEADER,
                          max_body_size=_LARGEST_MESSAGE)  # fmt: skip
        http.add_sockets(sockets)
        self._server = BaseServer(self.loop, application, http)
        self._server.start()

    def invitation(self, role: Role) -> str:
        """Return an address that opens the dashboard once."""
        return f"{self.url}{ENTRANCE}?token={self.gate.doors.invite(role)}"

    def close(self) -> None:
        """Stop to answer."""
        self._server.stop(wait=False)


def _bind(listen: Listen) -> list[Any]:
    wanted = [0] if listen.port == 0 else range(listen.port, min(listen.port + _PORTS, 65536))
    for port in wanted:
        try:
            return bind_sockets(port, listen.address)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise BadInputError(f"--listen {listen.address}: {error}") from None
    raise BadInputError(f"no free port from {listen.port} on: give another one with --port")


class GuardedTornado(BokehTornado):
    """Bokeh's application; every request, also for a web socket, passes the gate first."""

    def __init__(self, site: Site, gate: Gate) -> None:
        self.gate = gate
        # the gate has compared the origin with the host already
        super().__init__(
            {PAGES[role]: Application(FunctionHandler(fill)) for role, fill in site.fill.items()},
            extra_websocket_origins=["*"],
            extra_patterns=[
                (ENTRANCE, Entrance, {"gate": gate, "site": site}),
                (ALIVE, Alive),
                (OVERVIEW, Overview),
                (STATIONS, Stations, {"gate": gate, "site": site}),
                (r"/page/(.*)", StaticFileHandler, {"path": str(PAGE_FILES)}),
            ],
            use_index=False,
            # nothing of the request goes into the page, least of all its cookie
            include_headers=["Host"],
            include_cookies=[],
            websocket_max_message_size_bytes=_LARGEST_MESSAGE,
            unused_session_lifetime_milliseconds=5000,
            check_unused_sessions_milliseconds=5000,
            keep_alive_milliseconds=10_000,
            transforms=[SecurityHeaders],
        )

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Return what answers `request`: the page, or a refusal."""
        asked = shown_by(request, self.gate.doors.cookie_name)
        refusal = self.gate.refusal(asked)
        if refusal is None:
            return super().find_handler(request, **kwargs)
        return self.get_handler_delegate(request, Refused, {"refusal": refusal})

    def resources(self, absolute_url: str | bool | None = None) -> Resources:
        """Return where the page finds Bokeh's script: here, in the installed package."""
        return Resources(
            mode="server",
            root_url="/",
            components=["bokeh"],
            path_versioner=StaticHandler.append_version,
        )

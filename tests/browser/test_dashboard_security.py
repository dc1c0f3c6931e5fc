"""What a stranger on the same computer, or a page on the web, can get out of the dashboard."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bokeh.core.types import ID
from bokeh.util.token import get_token_payload

from tests.browser.conftest import Served


def ask(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Send one request just as written; return status, headers and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    reply = connection.getresponse()
    text = reply.read().decode(errors="replace")
    connection.close()
    return reply.status, {k.lower(): v for k, v in reply.getheaders()}, text


def upgrade(port: int, cookie: str, **headers: str) -> int:
    """Ask for a web socket; return the status."""
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Key": "x" * 22 + "==",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Protocol": "bokeh, token",
        "Cookie": cookie,
    }
    return ask(port, headers.pop("path", "/watch/ws"), **asked, **headers)[0]


@pytest.fixture
def served(serve: Callable[..., Served], finished_run: Path) -> Served:
    return serve(str(finished_run), "--operate")


def enter(served: Served, link: str) -> str:
    """Exchange a link for a cookie."""
    status, headers, _ = ask(served.port, link.partition(str(served.port))[2])
    assert status == 200
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=Strict" in headers["set-cookie"]
    return headers["set-cookie"].partition(";")[0]


def test_strangers_are_refused_and_logged(served: Served) -> None:
    port, origin = served.port, f"http://127.0.0.1:{served.port}"
    viewer, operator = enter(served, served.watch[0]), enter(served, served.operate[0])

    # a token is good once
    assert ask(port, served.watch[0].partition(str(port))[2])[0] == 403
    assert ask(port, "/?token=guessed")[0] == 403
    # without a cookie, or with a forged one
    for path in (
        "/",
        "/watch",
        "/operate",
        "/stations",
        "/static/js/bokeh.min.js",
        "/page/page.js",
    ):
        assert ask(port, path)[0] == 403
        assert ask(port, path, Cookie=viewer[:-4] + "0000")[0] == 403
    # a page of a foreign site: by a name of its own (rebinding), or from another origin
    assert ask(port, "/watch", Cookie=viewer, Host=f"evil.example:{port}")[0] == 403
    assert ask(port, "/watch", Cookie=viewer, Origin="http://evil.example")[0] == 403
    assert upgrade(port, viewer, Origin="http://evil.example") == 403
    assert upgrade(port, viewer, Origin=origin, Host=f"evil.example:{port}") == 403
    assert upgrade(port, viewer) == 403
    assert upgrade(port, "", Origin=origin) == 403
    # a viewer is no operator
    assert ask(port, "/operate", Cookie=viewer)[0] == 403
    assert upgrade(port, viewer, Origin=origin, path="/operate/ws") == 403
    # tricks with paths
    for path in ("/page/../server.py", "/page/%2e%2e/server.py", "/page/..%5cserver.py",
                 "/static/js/../../../../../../../etc/passwd", "//etc/passwd",
                 "/static/js/..%2f..%2fbokeh.py", "/watch/autoload.js", "/watch/metadata"):  # fmt: skip
        status, _, text = ask(port, path, Cookie=operator)
        assert status == 404, path
        assert "root:" not in text
    # and those who may, can
    for cookie, path in ((viewer, "/watch"), (operator, "/operate"), (viewer, "/page/page.js")):
        assert ask(port, path, Cookie=cookie)[0] == 200
    assert upgrade(port, viewer, Origin=origin) == 101

    served.process.terminate()
    served.process.wait()
    log = "".join(served.log)
    for reason in ("used before", "no valid cookie", "not its own", "another origin",
                   "without origin", "operators' page", "no such page"):  # fmt: skip
        assert reason in log


def test_the_page_holds_no_secret(served: Served) -> None:
    cookie = enter(served, served.watch[0])
    status, headers, text = ask(served.port, "/watch", Cookie=cookie)
    assert status == 200
    assert cookie.partition("=")[2] not in text
    found = re.search(r'"token":\s*"([^"]+)"', text)
    assert found is not None
    assert cookie.partition("=")[2] not in str(get_token_payload(ID(found[1])))
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "cdn" not in text

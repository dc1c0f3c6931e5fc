"""Tokens, cookies, and what a request must show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stm_daq.clock import VirtualClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.dashboard.doors import COOKIE_LIFE, TOKEN_LIFE, Doors, secret_of
from stm_daq.monitor.dashboard.gate import Gate, Request

HOST = "127.0.0.1:5006"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(epoch=1.8e9)


@pytest.fixture
def doors(clock: VirtualClock) -> Doors:
    return Doors(b"s" * 32, 5006, clock)


def request(doors: Doors, path: str = "/watch", **changes: object) -> Request:
    asked = {
        "method": "GET",
        "path": path,
        "host": HOST,
        "origin": None,
        "cookie": doors.cookie("viewer"),
    }
    return Request(**(asked | changes))  # type: ignore[arg-type]


def test_a_token_is_good_once(doors: Doors) -> None:
    token = doors.invite("operator")
    assert doors.admit(token + "x") is None
    assert doors.admit(token) == "operator"
    assert doors.admit(token) is None


def test_a_token_grows_old(doors: Doors, clock: VirtualClock) -> None:
    token = doors.invite("viewer")
    clock.sleep(TOKEN_LIFE)
    assert doors.admit(token) is None


def test_of_too_many_tokens_the_oldest_are_forgotten(doors: Doors) -> None:
    first = doors.invite("viewer")
    others = [doors.invite("viewer") for _ in range(100)]
    assert doors.admit(first) is None
    assert doors.admit(others[0]) == "viewer"


def test_a_cookie_outlives_the_server_but_not_a_week(doors: Doors, clock: VirtualClock) -> None:
    cookie = doors.cookie("viewer")
    assert Doors(b"s" * 32, 5006, clock).role_of(cookie) == "viewer"
    clock.sleep(COOKIE_LIFE + 1)
    assert doors.role_of(cookie) is None


def test_forged_cookies(doors: Doors, clock: VirtualClock) -> None:
    cookie = doors.cookie("viewer")
    assert doors.role_of(cookie.replace("viewer", "operator")) is None
    assert doors.role_of(cookie[:-1] + ("0" if cookie[-1] != "0" else "1")) is None
    for text in ("", ".", "operator", "operator.9999999999.00.", "é" * 50):
        assert doors.role_of(text) is None
    other = Doors(b"t" * 32, 5006, clock)
    assert doors.role_of(other.cookie("operator")) is None
    another_port = Doors(b"s" * 32, 5007, clock)
    assert doors.role_of(another_port.cookie("operator")) is None


def test_the_secret_is_its_owners_only(tmp_path: Path) -> None:
    file = tmp_path / "settings" / "secret"
    secret = secret_of(file)
    assert len(secret) == 32
    assert secret_of(file) == secret
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(0o644)
        with pytest.raises(BadInputError, match="read by others"):
            secret_of(file)
        file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(BadInputError, match="damaged"):
        secret_of(file)


@pytest.mark.parametrize("host", [HOST, "localhost:5006", "[::1]:8080", "127.0.0.1"])
def test_names_of_this_computer_pass(doors: Doors, host: str) -> None:
    assert Gate(doors).refusal(request(doors, host=host)) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example:5006", "localhost@evil.example", "127.0.0.1:x",
     "localhost:5006/", "evil.example#localhost", "0.0.0.0:5006", "[::1"],
)  # fmt: skip
def test_other_names_are_refused(doors: Doors, host: str) -> None:
    refusal = Gate(doors).refusal(request(doors, host=host))
    assert refusal is not None
    assert refusal.status == 403


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "https://127.0.0.1:5006", "http://127.0.0.1:5007",
     "http://localhost:5006", "http://127.0.0.1:5006.evil.example"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/watch", "/watch/ws", "/stations"])
def test_other_origins_are_refused(doors: Doors, origin: str, path: str) -> None:
    refusal = Gate(doors).refusal(request(doors, path, origin=origin))
    assert refusal is not None
    assert refusal.status == 403


def test_the_page_itself_may_open_a_socket(doors: Doors) -> None:
    gate = Gate(doors)
    assert gate.refusal(request(doors, "/watch/ws", origin=f"http://{HOST}")) is None
    assert gate.refusal(request(doors, "/watch/ws")) is not None  # no browser opens it so


@pytest.mark.parametrize(
    "path",
    ["/watch", "/watch/ws", "/operate", "/overview", "/stations", "/alive", "/", "/page/page.js",
     "/static/js/bokeh.min.js"],
)  # fmt: skip
def test_nothing_without_a_cookie(doors: Doors, path: str) -> None:
    asked = request(doors, path, cookie=None, origin=f"http://{HOST}")
    refusal = Gate(doors).refusal(asked)
    assert refusal is not None
    assert refusal.status == 403


def test_a_token_opens_the_entrance_only(doors: Doors) -> None:
    gate = Gate(doors)
    assert gate.refusal(request(doors, "/", cookie=None, has_token=True)) is None
    assert gate.refusal(request(doors, "/watch", cookie=None, has_token=True)) is not None


@pytest.mark.parametrize("path", ["/operate", "/operate/ws"])
def test_a_viewer_is_no_operator(doors: Doors, path: str) -> None:
    gate, origin = Gate(doors), f"http://{HOST}"
    assert gate.refusal(request(doors, path, origin=origin)) is not None
    operator = doors.cookie("operator")
    assert gate.refusal(request(doors, path, origin=origin, cookie=operator)) is None


@pytest.mark.parametrize(
    "path",
    ["/page/../server.py", "/page/..%2fserver.py", "/page/%2e%2e/server.py", "//evil.example/watch",
     "/static/js/../../../../etc/passwd", "/static/js/lib/x.js", "/page/page.js/..", "/page/.hidden",
     "/page/a\\b.js", "/page/page.js\x00", "/watch/", "/watch/autoload.js", "/watch/metadata",
     "/operate/../watch", "/static/extensions/a", "", "*", "http://evil.example/"],
)  # fmt: skip
def test_tricks_with_paths(doors: Doors, path: str) -> None:
    asked = request(doors, path, cookie=doors.cookie("operator"), origin=f"http://{HOST}")
    refusal = Gate(doors).refusal(asked)
    assert refusal is not None
    assert refusal.status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", ""])
def test_it_is_only_read(doors: Doors, method: str) -> None:
    refusal = Gate(doors).refusal(request(doors, method=method))
    assert refusal is not None
    assert refusal.status == 405

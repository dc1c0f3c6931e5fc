"""A browser, and dashboards to look at with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).parents[2]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
PATIENCE = 180_000
"""ms; a wait that ends is never so long, one that does not is a failure."""


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is; without one the tests skip, but not where they must not."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = "no chromium found: install Debian's package chromium, or set CHROMIUM"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages are kept."""
    folder = os.environ.get("STM_DAQ_SCREENSHOTS")
    kept = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@dataclass
class Visitor:
    """Somebody with a browser: cookies of their own; what the pages complained of."""

    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def open(self, url: str) -> Page:
        """Open a page, and watch what it does."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._see)
        page.goto(url)
        return page

    def _hear(self, message: object) -> None:
        if getattr(message, "type", "") == "error":
            self.complaints.append(str(getattr(message, "text", "")))

    def _see(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.outside.append(url)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all visitors: starting it costs more than many a test."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Make visitors, each with cookies of their own."""
    visitors: list[Visitor] = []

    def make(width: int = 1440, height: int = 1000) -> Visitor:
        visitors.append(Visitor(browser.new_context(viewport={"width": width, "height": height})))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()


class Served:
    """``stm-daq dashboard`` in a process of its own.

    Attributes
    ----------
    operate, watch : list of str
        One-time links that were printed.
    """

    def __init__(self, settings: Path, *arguments: str) -> None:
        self._settings = settings
        self._arguments = arguments
        self.log: list[str] = []
        self.start()

    def start(self, port: int = 0) -> None:
        """Start the server and wait for its links."""
        self.operate: list[str] = []
        self.watch: list[str] = []
        command = [sys.executable, "-m", "stm_daq", "dashboard", *self._arguments]
        self.process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=ROOT,
            env=os.environ | {"XDG_CONFIG_HOME": str(self._settings)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            what, _, link = line.partition(":")
            {"operate": self.operate, "watch": self.watch}.get(what, []).append(link.strip())
            if line.startswith("Each link"):
                break
        assert self.watch, "".join(self.log)
        # somebody must read on, or the server would wait with a full pipe
        threading.Thread(target=self.log.extend, args=(self.process.stdout,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.watch[0].split(":")[2].split("/")[0])

    def stop(self) -> None:
        """End it, as a crash would."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start dashboards; all end with the test."""
    started: list[Served] = []

    def make(*arguments: str) -> Served:
        started.append(Served(tmp_path / "settings", *arguments))
        return started[-1]

    yield make
    for served in started:
        served.stop()


@pytest.fixture
def free_port() -> int:
    """A port that is free, as are the two behind it: a run answers requests and commands there."""
    for port in range(23_000 + os.getpid() % 1000 * 9, 60_000, 3):
        try:
            for offset in range(3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port
    pytest.fail("no free ports")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that was rehearsed to its end."""
    runs = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "stm_daq", "rehearse", "plans/self_test.yaml", "--no-report"]
    done = subprocess.run([*command, "--seed", "3", "--port", "0", "--runs", str(runs)], cwd=ROOT,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return next(runs.iterdir())

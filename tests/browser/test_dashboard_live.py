"""The dashboard in a real browser: a rehearsal live, a finished run, several stations."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from stm_daq import open_run
from tests.browser.conftest import PATIENCE, ROOT, Served, Visitor

type Visit = Callable[..., Visitor]
type Serve = Callable[..., Served]

SHOWN = """(name) => {
    const figure = Bokeh.documents[0].get_model_by_name(name);
    const data = figure.renderers[0].data_source.data;
    return Object.fromEntries(Object.entries(data).map(([key, values]) => [key, Array.from(values)]));
}"""
"""Numbers that a figure shows."""
IMAGE = """() => {
    const figure = Bokeh.documents[0].get_model_by_name("map");
    return Array.from(figure.renderers[0].data_source.data.image[0]);
}"""
PLACE = """([name, x, y]) => {
    const find = (views) => views.reduce((found, view) => found
        || (view.model.name === name ? view : find([...(view.child_views || [])])), null);
    const view = find([...Bokeh.index]);
    const box = view.el.getBoundingClientRect();
    const frame = view.frame;
    const [sx, sy] = [frame.x_scale.compute(x), frame.y_scale.compute(y)];
    return [box.left + sx, box.top + sy];
}"""
"""Where on the screen a place of a figure is."""


def wait(page: Page, **data: object) -> None:
    """Wait until <body> says so."""
    wanted = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
    page.wait_for_selector(f"body{wanted}", state="attached", timeout=PATIENCE)


def wait_for_more(page: Page, name: str, than: int) -> None:
    """Wait until a number of <body> has grown past `than`."""
    page.evaluate(
        """([name, than, patience]) => new Promise((done, fail) => {
            const end = performance.now() + patience;
            const look = () => {
                if (Number(document.body.dataset[name] || 0) > than) done();
                else if (performance.now() > end) fail(new Error(`${name} did not grow`));
                else requestAnimationFrame(look);
            };
            look();
        })""",
        [name, than, PATIENCE],
    )


def click_site(page: Page, x: float, y: float) -> None:
    """Click on the map, at a place of the frame in nm."""
    page.locator("#map-plot").scroll_into_view_if_needed()
    page.mouse.click(*page.evaluate(PLACE, ["map", x, y]))


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    """Start a rehearsal of 144 sites that publishes on a port; it is slow until the file go is there."""
    started: list[subprocess.Popen[str]] = []
    plan = tmp_path / "plan.yaml"
    text = (ROOT / "plans" / "self_test.yaml").read_text(encoding="utf-8")
    plan.write_text(
        text.replace("columns: 16, rows: 16", "columns: 48, rows: 48"), encoding="utf-8"
    )

    def start(port: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.browser.paced", str(plan), str(port)]
        where = [str(tmp_path / "runs"), str(tmp_path / "go")]
        started.append(subprocess.Popen([*command, *where], cwd=ROOT, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_night_is_watched_and_operated(
    serve: Serve, visit: Visit, rehearsal: Callable[[int], subprocess.Popen[str]], free_port: int,
    tmp_path: Path, screenshots: Path,
) -> None:  # fmt: skip
    served = serve(f"lab=tcp://127.0.0.1:{free_port}", "--operate")
    operating, watching = visit(), visit(390, 844)
    operator, viewer = operating.open(served.operate[0]), watching.open(served.watch[0])
    wait(operator, ready="yes", empty="yes")
    assert "Waiting for a run" in operator.inner_text("#empty")
    operator.screenshot(path=screenshots / "empty.png")

    # the page fills; the operator's button pauses the run, the viewer sees it and has none
    run = rehearsal(free_port)
    wait_for_more(operator, "done", 4)
    operator.click("[data-command=pause]")
    wait(operator, answer="accepted")  # or the page says why not
    assert "pause: the run pauses" in operator.inner_text("#answer")
    wait(operator, state="paused")
    wait(viewer, state="paused")
    assert viewer.locator("[data-command]").count() == 0
    assert operator.locator("[data-command]").count() == 5
    operator.screenshot(path=screenshots / "operator-light.png", full_page=True)
    viewer.screenshot(path=screenshots / "telephone.png", full_page=True)

    # a click shows the spectrum of the site, from the journal, with its fit
    journal = open_run(next((tmp_path / "runs").iterdir()))
    row, column = 0, 2
    x, y = journal["x"].values[column] * 1e9, journal["y"].values[row] * 1e9
    click_site(operator, float(x), float(y))
    wait(operator, row=row, column=column, follow="no", drawn=row * len(journal["x"]) + column)
    found = operator.evaluate(SHOWN, "spectrum")
    here = journal.isel(y=row, x=column)
    np.testing.assert_allclose(found["x"], here["bias"].values * 1e3)
    np.testing.assert_allclose(found["y"], here["conductance"].values * 1e9)
    fit, rest = np.array(found["fit"], float), np.array(found["rest"], float)
    np.testing.assert_allclose(fit + rest, found["y"])
    assert np.std(rest) < 0.1 * np.ptp(found["y"])
    assert f"{float(here['gap']) * 1e3:.4g}" in operator.inner_text("#fit")

    # the server dies and comes back: the page says so, and recovers by itself, choice included
    port = served.port
    assert (operating.complaints, watching.complaints) == ([], [])
    served.stop()
    wait(operator, link="lost")
    assert "Connection lost" in operator.inner_text("#banner")
    operator.screenshot(path=screenshots / "lost.png", full_page=True)
    served.start(port)
    wait(operator, link="ok", state="paused", row=row, column=column, follow="no")
    wait(viewer, link="ok", state="paused")
    operating.complaints.clear()  # that the server was away
    watching.complaints.clear()

    # the run goes on to its end, and the page ends with the journal's map
    (tmp_path / "go").touch()
    operator.keyboard.press("Escape")
    operator.click("[data-command=continue]")
    wait(operator, state="finished", done=144)
    assert run.wait(PATIENCE / 1000) == 0
    gap = open_run(next((tmp_path / "runs").iterdir()))["gap"].values
    wait(operator, drawn=gap.size - 1)
    np.testing.assert_allclose(operator.evaluate(IMAGE), gap.ravel() * 1e3, rtol=1e-6)
    operator.keyboard.press("t")
    assert operator.get_attribute("html", "data-theme") == "dark"
    operator.screenshot(path=screenshots / "finished-dark.png", full_page=True)
    assert (operating.complaints, watching.complaints) == ([], [])
    assert (operating.outside, watching.outside) == ([], [])


def test_a_finished_run_by_keyboard(
    serve: Serve, visit: Visit, finished_run: Path, screenshots: Path
) -> None:
    served = serve(str(finished_run))
    visitor = visit()
    page = visitor.open(served.watch[0])
    wait(page, ready="yes", state="finished", done=16, follow="yes")
    page.keyboard.press("ArrowDown")
    wait(page, row=2, follow="no", drawn=11)
    page.keyboard.press("m")
    wait(page, map="gap_std")
    page.keyboard.press("Escape")
    wait(page, follow="yes")
    page.screenshot(path=screenshots / "finished-run.png", full_page=True)
    # another viewer's link, from the page
    page.click("#link")
    link = page.locator("#toast:not([hidden])").inner_text()
    other = visit().open(link)
    wait(other, ready="yes", role="viewer")
    assert visitor.complaints == []
    assert visitor.outside == []


def test_several_stations(
    serve: Serve, visit: Visit, finished_run: Path, free_port: int, screenshots: Path
) -> None:
    served = serve(f"cold=tcp://127.0.0.1:{free_port}", str(finished_run))
    visitor = visit()
    page = visitor.open(served.watch[0])
    wait(page, stations=2)
    assert "nobody answers yet" in page.locator(".station", has_text="cold").inner_text()
    assert "16 of 16" in page.locator(".station", has_text="Self-test").inner_text()
    page.screenshot(path=screenshots / "stations.png")
    page.click(".station:has-text('Self-test')")
    wait(page, ready="yes", state="finished")
    page.click(".brand")
    wait(page, stations=2)
    assert visitor.complaints == []
    assert visitor.outside == []

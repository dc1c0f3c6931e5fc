"""What a page shows: maps, limits, strips, words; what it may ask."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from bokeh.models import ColumnDataSource

from stm_daq.monitor.bodies import Guard
from stm_daq.monitor.dashboard import facts, shown
from stm_daq.monitor.dashboard.asks import Choice, read_ask, site_at
from stm_daq.monitor.dashboard.curves import histogram
from stm_daq.monitor.dashboard.maps import Extent, MapPanel, limits
from stm_daq.monitor.dashboard.shown import Quantity
from stm_daq.monitor.dashboard.strip_panel import bars
from stm_daq.monitor.dashboard.strips import MOST, Turns, strip_of
from stm_daq.records import Axis, Fit, Frame, RunStarted

NM = 1e-9


@pytest.fixture
def started() -> RunStarted:
    return RunStarted(
        run_id="r", kind="rehearsal", time=0.0, name="n", sample="s", plan_text="", station_text="",
        frame=Frame(0, 0, 4 * NM, 3 * NM), grid_shape=(3, 4), grid_x=np.arange(4) * NM,
        grid_y=np.arange(3) * NM, topograph_shape=(0, 0), bias=np.linspace(-1, 1, 5), modulation=0.0,
        axes=(Axis("set_temperature", "K", (0.5, 1.0)), Axis("repeat", "", (1, 2, 3))),
    )  # fmt: skip


def drawn(panel: MapPanel) -> tuple[ColumnDataSource, list[object]]:
    """Return the source of a panel's image, and the list to which its events are added."""
    source = panel.figure.renderers[0].data_source
    events: list[object] = []
    return source, events


def test_only_changed_pixels_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = MapPanel("map", lambda x, y: None)
    source, _ = drawn(panel)
    patches: list[object] = []
    original = source.patch
    monkeypatch.setattr(
        ColumnDataSource, "patch", lambda self, change: (patches.append(change), original(change))
    )
    values = np.full((3, 4), np.nan)
    extent = Extent.around(np.arange(4) * NM, np.arange(3) * NM)
    quantity = Quantity("Gap", "meV", 1e3)
    panel.draw(values, extent, quantity)
    values[1, 2] = 0.7e-3
    panel.draw(values, extent, quantity)
    panel.draw(values, extent, quantity)  # nothing new
    assert len(patches) == 1
    np.testing.assert_allclose(source.data["image"][0], values * 1e3, rtol=1e-6)


def test_colours_are_steady_while_the_map_hardly_changes() -> None:
    panel = MapPanel("map", lambda x, y: None)
    extent = Extent.around(np.arange(10) * NM, np.arange(10) * NM)
    values = np.linspace(1.0, 2.0, 100).reshape(10, 10)

    def limits_of(values: np.ndarray, title: str = "Gap") -> tuple[object, object]:
        panel.draw(values, extent, Quantity(title))
        return panel._mapper.low, panel._mapper.high

    first = limits_of(values)
    assert limits_of(values + 0.005) == first
    assert limits_of(values + 0.2) == pytest.approx((first[0] + 0.2, first[1] + 0.2))
    assert limits_of(values, "Other map") == pytest.approx(first)


def test_a_new_run_sends_the_whole_image() -> None:
    panel = MapPanel("map", lambda x, y: None)
    source, _ = drawn(panel)
    quantity = Quantity("Gap")
    panel.draw(np.zeros((3, 4)), Extent(0, 0, 1, 1), quantity)
    panel.draw(np.ones((5, 5)), Extent(0, 0, 1, 1), quantity)
    assert source.data["image"][0].shape == (5, 5)


def test_the_mark_is_where_the_site_is() -> None:
    panel = MapPanel("map", lambda x, y: None)
    panel.mark(2 * NM, 1 * NM, 0.5 * NM, 0.5 * NM)
    mark = panel.figure.renderers[1].data_source.data
    assert (mark["x"], mark["y"], mark["w"]) == ([pytest.approx(2.0)], [pytest.approx(1.0)],
                                                 [pytest.approx(0.5)])  # fmt: skip
    panel.mark(math.nan, math.nan, 1.0, 1.0)
    assert panel.figure.renderers[1].data_source.data["x"] == []


def test_limits_do_not_follow_outliers() -> None:
    values = np.concatenate([np.linspace(0.0, 1.0, 1001), [1e6, math.nan]])
    low, high = limits(values)
    assert 0.0 <= low < 0.05
    assert 0.9 < high <= 1.0
    assert limits(np.full(3, math.nan)) == (0.0, 1.0)
    low, high = limits(np.full(5, 2.0))
    assert low < 2.0 < high


def test_histogram_counts_the_bulk() -> None:
    values = np.concatenate([np.linspace(1.0, 2.0, 500), [math.nan, 1e9]])
    count, edges = histogram(values)
    assert count.sum() == 500
    assert len(edges) == len(count) + 1
    assert histogram(np.array([math.nan]))[0].size == 0
    rounded = np.nextafter(1e-10, [0.0, 1.0])  # a set-point that is the same but for rounding
    for same in (rounded, np.full(2, 1e18), np.zeros(2)):
        assert histogram(same)[0].sum() == 2


def test_strip_is_sorted_thinned_and_without_holes() -> None:
    times = np.arange(5000.0)[::-1].copy()
    times[7] = math.nan
    strip = strip_of(times, times / 10)
    assert len(strip.times) <= MOST
    assert np.all(np.diff(strip.times) > 0)
    np.testing.assert_allclose(strip.values, strip.times / 10)


def guard(time: float, good: bool) -> Guard:
    return Guard(time, "helium", 1.0, "m", good, "pause", "text")


def test_guard_bars_follow_one_another() -> None:
    turns = Turns()
    assert turns.note(guard(10.0, False))
    assert not turns.note(guard(12.0, False))  # no turn
    assert turns.note(guard(20.0, True))
    assert not turns.note(guard(10.0, False))  # a copy for somebody who joined late
    rows = bars(turns.guards, 50.0)
    widths = [(r - l) / 1000 for l, r in zip(rows["left"], rows["right"], strict=True)]  # noqa: E741
    assert widths == [10.0, 30.0]
    assert len(set(rows["colour"])) == 2


def test_units_that_people_read() -> None:
    assert shown.fitted("gap").title == "Gap Δ (meV)"
    assert shown.with_prefix("dI/dV", "S", np.array([25e-9])).unit == "nS"
    assert shown.with_prefix("Power", "dBm", np.array([-20.0])) == Quantity("Power", "dBm")
    assert shown.in_order(["time", "zzz", "barrier", "gap"]) == ["gap", "barrier", "zzz"]
    assert shown.swept("bias").unit == "mV"


def test_fit_in_words() -> None:
    found = Fit(0, 0, "btk", {"gap": 0.7e-3, "x": 1.0}, {"gap": 1.5e-6}, 1.04, False, ("at_limit",))
    told = facts.fit(found)
    assert told["values"][0] == ["Gap Δ", "0.7 ± 0.0015 meV"]
    assert told["values"][1] == ["x", "1 ± unknown"]
    assert told["flags"] == ["at limit"]
    assert told["ok"] is False


def test_steps_in_words(started: RunStarted) -> None:
    steps = facts.steps(started)
    assert len(steps) == 6
    assert steps[0] == "set temperature 500 mK, repeat 1"
    assert steps[-1] == "set temperature 1 K, repeat 3"


def test_the_nearest_site(started: RunStarted) -> None:
    assert site_at(started, 2.4 * NM, 0.6 * NM) == (1, 2)
    assert site_at(started, -9.0, 9.0) == (2, 0)


def test_the_edge_of_the_map_holds(started: RunStarted) -> None:
    choice = Choice()
    choice.move(started, (2, 3), 1, 1)
    assert choice.site == (2, 3)
    choice.move(started, (0, 0), -5, 2)
    assert choice.site == (0, 2)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"kind":"hack"}', '{"kind":"map","extra":1}', '{"kind":"move","row":"1"}',
     '{"kind":"note","argument":"' + "x" * 5000 + '"}', None, 7, "{" * 2000],
)  # fmt: skip
def test_what_a_page_asks_is_not_believed(text: object) -> None:
    assert read_ask(text) is None


def test_what_a_page_asks() -> None:
    ask = read_ask(json.dumps({"kind": "move", "row": 1, "number": 3}))
    assert ask is not None
    assert (ask.kind, ask.row, ask.column) == ("move", 1, 0)

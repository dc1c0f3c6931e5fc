"""The page: complete, self-contained, honest about what is missing, never half written."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stm_daq.records import Event
from stm_daq.report.embed import write_atomically
from stm_daq.report.flags import SPECTRUM_FLAGS, explain
from stm_daq.report.html import write_report

Night = Callable[..., xr.Dataset]
VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what matters."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action", "data")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report(dataset: xr.Dataset, folder: Path, events: tuple[Event, ...] = ()) -> str:
    """Write a report and return its text, having checked that it is a sound page."""
    path = write_report(dataset, events, folder / "report.html", recipe="none")
    text = path.read_text(encoding="utf-8")
    assert "could not be drawn" not in text
    assert all(a.startswith(("data:", "#")) for a in Page(text).addresses)
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:|#)", text)
    return text


def test_a_whole_night_has_six_figures_with_alternatives(night: Night, tmp_path: Path) -> None:
    text = report(night(), tmp_path)
    images = Page(text).images
    assert len(images) == 6
    assert all(len(image["alt"] or "") > 40 for image in images)
    for expected in ("TiN demo map", "TiN 50 nm (twin)", "2027-01-15_0800_tin", "144 of 144"):
        assert expected in text
    assert "No spectrum and no fit was flagged" in text


def test_images_carry_everything_inside(night: Night, tmp_path: Path) -> None:
    for image in Page(report(night(3, 3), tmp_path)).images:
        kind, _, content = (image["src"] or "").partition(";base64,")
        decoded = base64.b64decode(content, validate=True)
        if kind == "data:image/svg+xml":
            links = re.findall(rb'href="([^"]*)"', decoded)
            assert all(link.startswith((b"#", b"data:")) for link in links)
        else:
            assert decoded.startswith(b"\x89PNG")


def test_the_big_map_with_its_numbers_stays_below_fifteen_megabytes(
    night: Night, tmp_path: Path
) -> None:
    assert len(report(night(128, 128, (256, 256)), tmp_path)) < 15e6


def test_headline_numbers_are_those_of_the_dataset(night: Night, tmp_path: Path) -> None:
    dataset = night()
    text = report(dataset, tmp_path)
    for name, factor in (("gap", 1e3), ("temperature", 1.0), ("barrier", 1.0)):
        assert f"{np.median(dataset[name]) * factor:.3f}</td>" in text
    error = np.median(np.abs(dataset["gap"] / dataset["true_gap"] - 1))
    assert f"median error of {100 * error:.3g} %" in text


def test_failures_are_counted_and_explained(night: Night, spoiled: Night, tmp_path: Path) -> None:
    dataset = spoiled(night(6, 6), failed=slice(0, 5))
    dataset["fit_flags"].values[0, 0] = "no_gap"
    dataset["flags"].values[0, 1] = "overload"
    text = report(dataset, tmp_path)
    assert "31 (86.1 %)" in text
    assert explain("no_gap") in text
    assert SPECTRUM_FLAGS["overload"].replace("'", "&#39;") in text


def test_an_inadequate_model_is_said_and_its_values_shown(
    night: Night, doubted: Night, tmp_path: Path
) -> None:
    dataset = doubted(night(6, 6), slice(None))
    text = report(dataset, tmp_path)
    assert "No fit is adequate: a single gap of the model btk does not describe" in text
    assert "(indicative)" in text
    assert f"{np.median(dataset['gap']) * 1e3:.3f}</td>" in text
    assert "36 (100 %)" in text
    assert "The fits found the gap" not in text
    assert len(Page(text).images) == 5
    few = report(doubted(night(6, 6), slice(2, None)), tmp_path)
    assert "Only 2 of 36 fits are adequate" in few


def test_some_doubtful_fits_leave_the_numbers_to_the_trusted(
    night: Night, spoiled: Night, doubted: Night, tmp_path: Path
) -> None:
    dataset = doubted(spoiled(night(6, 6), failed=slice(0, 4)), slice(4, 20))
    text = report(dataset, tmp_path)
    trusted = dataset["gap"].values.ravel()[20:] * 1e3
    assert f"{np.median(trusted):.3f}</td>" in text
    assert "(indicative)" not in text
    for count in ("16 (44.4 %)", "4 (11.1 %)"):
        assert count in text


def test_the_truth_without_gap_is_not_taken_for_the_gap(night: Night, tmp_path: Path) -> None:
    text = report(night(4, 4).drop_vars(["true_gap", "true_barrier"]), tmp_path)
    assert "The fits found the gap" not in text
    assert "How well the truth was found" in text


def test_an_interrupted_run_says_so(night: Night, spoiled: Night, tmp_path: Path) -> None:
    text = report(spoiled(night(6, 6), failed=slice(0, 0), first_missing_row=4), tmp_path)
    assert "has not ended, or was cut off" in text
    assert "12 of 36 spectra were not measured" in text
    assert "Last sign of life" in text


def test_nothing_measured(night: Night, spoiled: Night, tmp_path: Path) -> None:
    empty = spoiled(night(3, 3), failed=slice(None), first_missing_row=0)
    empty["topography"].values[:] = np.nan
    text = report(empty, tmp_path)
    assert Page(text).images == []
    assert "before the first row of the topograph" in text
    assert "0 of 9" in text


def test_all_fits_failed(night: Night, spoiled: Night, tmp_path: Path) -> None:
    text = report(spoiled(night(3, 3), failed=slice(None)), tmp_path)
    assert "No fit can be trusted" in text
    assert len(Page(text).images) == 4


def test_never_fitted(night: Night, tmp_path: Path) -> None:
    dataset = night(3, 3)
    dataset["fit_ok"].values[:] = False
    for name in ("gap", "temperature", "barrier", "scale", "offset"):
        dataset[name].values[:] = dataset[f"{name}_std"].values[:] = np.nan
    dataset["reduced_chi_square"].values[:] = np.nan
    text = report(dataset, tmp_path)
    assert len(Page(text).images) == 4
    assert "9 of 9 spectra were not fitted" in text
    assert "No fit can be trusted; the maps" not in text


def test_a_spectrum_cut_off_before_its_fit_is_not_called_failed(
    night: Night, spoiled: Night, tmp_path: Path
) -> None:
    dataset = spoiled(night(4, 4), failed=slice(0, 2))
    dataset["fit_ok"].values[3, 3] = False
    for name in ("gap", "temperature", "barrier", "reduced_chi_square"):
        dataset[name].values[3, 3] = np.nan
    text = report(dataset, tmp_path)
    assert "Fits failed</th><td>2 (12.5 %)" in text
    assert "Not fitted</th><td>1</td>" in text
    assert "1 of 16 spectra were not fitted" in text
    assert "Not fitted" not in report(night(3, 3), tmp_path)


def test_a_very_long_name_breaks_instead_of_widening_the_page(night: Night, tmp_path: Path) -> None:
    dataset = night(2, 2)
    dataset.attrs["name"] = "x" * 400
    text = report(dataset, tmp_path)
    assert f"<h1>{'x' * 400}</h1>" in text  # never cut
    (rule,) = (line for line in text.splitlines() if "overflow-wrap: anywhere" in line)
    assert {"h1", ".sample", "td"} <= set(re.split(r"[,\s{]+", rule))


@pytest.mark.parametrize(("shape", "images"), [((1, 1), 4), ((1, 8), 7), ((8, 1), 7), ((2, 2), 6)])
def test_small_maps(night: Night, tmp_path: Path, shape: tuple[int, int], images: int) -> None:
    assert len(Page(report(night(*shape, topograph=(2, 2)), tmp_path)).images) == images


def test_without_topograph(night: Night, tmp_path: Path) -> None:
    text = report(night(3, 3, topograph=(0, 0)), tmp_path)
    assert "Topograph" not in text
    assert len(Page(text).images) == 5


def test_constant_maps(night: Night, tmp_path: Path) -> None:
    dataset = night(6, 6)
    for name in ("gap", "temperature", "barrier", "reduced_chi_square", "z", "stage_temperature"):
        dataset[name].values[:] = 1.0
    dataset["topography"].values[:] = 1e-9
    assert len(Page(report(dataset, tmp_path)).images) == 6


def test_a_model_without_barrier(night: Night, tmp_path: Path) -> None:
    dataset = night(4, 4)
    dataset["barrier"].values[:] = dataset["barrier_std"].values[:] = np.nan
    dataset["broadening"] = dataset["broadening_std"] = dataset["gap"] / 10
    dataset.attrs["metadata"] = '{"fit_model": "dynes"}'
    assert len(Page(report(dataset, tmp_path)).images) == 6


def test_a_run_on_the_microscope_has_no_sixth_figure(night: Night, tmp_path: Path) -> None:
    dataset = night(4, 4).drop_vars(["true_gap", "true_temperature", "true_barrier"])
    dataset.attrs["kind"] = "run"
    text = report(dataset, tmp_path)
    assert len(Page(text).images) == 5
    assert "rehearsal" not in text


def test_plan_and_events_are_text_not_markup(night: Night, tmp_path: Path) -> None:
    dataset = night(2, 2)
    dataset.attrs["plan_text"] = "name: <script>alert(1)</script> & \u0394"
    text = report(dataset, tmp_path, (Event(1.8e9, "note", "<b>bold</b>"),))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; \u0394" in text
    assert "&lt;b&gt;bold" in text


def test_events_are_listed_in_order_without_readings(night: Night, tmp_path: Path) -> None:
    events = (
        Event(1.8e9 + 50, "warning", "second"),
        Event(1.8e9 + 5, "note", "first"),
        Event(1.8e9 + 9, "temperature", "0.512 K", {"kelvin": 0.512, "fresh": True}),
    )
    text = report(night(2, 2), tmp_path, events)
    assert text.index("first") < text.index("second")
    assert "0.512 K" not in text


def test_very_many_events_are_shortened(night: Night, tmp_path: Path) -> None:
    events = tuple(Event(1.8e9 + i, "note", f"number {i}.") for i in range(1000))
    text = report(night(2, 2), tmp_path, events)
    assert "number 0." in text
    assert "number 999." in text
    assert "number 500." not in text
    assert "800 more events" in text


def test_one_bad_figure_does_not_cost_the_others(night: Night, tmp_path: Path) -> None:
    def broken(*_: object) -> np.ndarray:
        raise ZeroDivisionError("no such model")

    path = write_report(night(3, 3), (), tmp_path / "report.html", broken, "none")
    text = path.read_text(encoding="utf-8")
    assert "could not be drawn (ZeroDivisionError: no such model)" in text
    assert len(Page(text).images) == 5


def test_the_same_run_gives_the_same_page(night: Night, tmp_path: Path) -> None:
    assert report(night(3, 3), tmp_path) == report(night(3, 3), tmp_path)


def test_a_failed_write_keeps_the_old_page(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new" * 100_000 + "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    path.unlink()
    write_atomically(path, "new")
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode
    assert path.read_text() == "new"

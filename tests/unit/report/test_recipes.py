"""Which recipe a report takes, how its chapters join the common ones, and what happens if it fails."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import xarray as xr
from matplotlib.figure import Figure

from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.report import recipes
from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report.contents import contents_of, merged
from stm_daq.report.html import figure_folder, make_report, save_report
from stm_daq.report.style import new_figure

Night = Callable[..., xr.Dataset]


def draw_one() -> Figure:
    figure = new_figure(1)
    figure.subplots().plot([1.5, 2.5], [3, 4], label="theirs")
    return figure


def chapter(title: str, draw: Callable[[], Figure] | None = None) -> Chapter:
    """A chapter with a function of its own, unless one is given."""
    return Chapter(title, f"Caption of {title}.", "A figure.", draw or (lambda: draw_one()))


def given(monkeypatch: pytest.MonkeyPatch, name: str, **parts: object) -> None:
    """Let a recipe of this name be the only one."""
    offered = {"suits": lambda run: True, "chapters": lambda run: [], "findings": lambda run: []}
    made = SimpleNamespace(**(offered | parts))
    monkeypatch.setattr(recipes, "NAMES", (name,))
    monkeypatch.setattr(recipes, "recipe", lambda wanted: made)


def test_a_recipe_replaces_what_it_draws_too_and_stands_before_the_night() -> None:
    def shared() -> Figure:
        return draw_one()

    common = [chapter("Topograph"), chapter("Maps", partial(shared)), chapter("The night")]
    new = chapter("New")
    theirs = [new, chapter("Better maps", partial(shared)), new]
    titles = [c.title for c in merged(common, theirs)]
    assert titles == ["Topograph", "Better maps", "New", "The night"]


def test_the_recipe_that_is_wanted_then_the_plans_then_the_first_that_suits(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = night(3, 3)
    given(monkeypatch, "tin")
    assert recipes.choose(run).name == "tin"
    assert recipes.choose(run, "none").name == "none"
    run.attrs["plan_text"] += "report: {recipe: none}\n"
    assert recipes.choose(run).name == "none"
    assert recipes.choose(run, "tin").name == "tin"
    given(monkeypatch, "tin", suits=lambda run: False)
    assert recipes.choose(night(3, 3)).name == "none"


def test_an_unknown_recipe_is_refused_with_the_names(night: Night) -> None:
    with pytest.raises(BadInputError, match="no recipe 'lead'; there are tin, nbn-line"):
        make_report(night(2, 2), recipe="lead")


def test_findings_are_in_page_json_and_csv(
    night: Night, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = [
        Finding("gap_mean", "Mean gap", 0.61234, 0.0042, "meV", "Over 9 sites."),
        Finding("length", "Correlation length", math.nan, remark="The map is too small."),
    ]
    given(monkeypatch, "tin", findings=lambda run: found, chapters=lambda run: [chapter("Theirs")])
    report = make_report(night(3, 3))
    path = save_report(report, tmp_path / "report.html")
    text = path.read_text()
    assert "0.612 ± 0.004 meV" in text
    assert "cannot be told" in text
    assert "The map is too small." in text
    assert "recipe tin" in text
    names = {file.name for file in figure_folder(path).iterdir()}
    assert "findings.csv" in names
    assert any(name.endswith("-theirs.svg") for name in names)
    csv = next(figure_folder(path).glob("*-theirs.csv")).read_text()
    assert "line,theirs,1.5,3" in csv


def test_a_recipe_that_fails_costs_only_itself(
    night: Night, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def cannot(run: xr.Dataset) -> list[Finding]:
        raise CannotTellError("half of the pixels are missing")

    def breaks(run: xr.Dataset) -> list[Chapter]:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    given(monkeypatch, "tin", findings=cannot, chapters=breaks)
    report = make_report(night(3, 3))
    text = save_report(report, tmp_path / "report.html").read_text()
    assert "half of the pixels are missing" in text
    assert "the package &#39;sklearn&#39; is not installed" in text
    assert len(report.figures) == 6
    assert "Traceback" not in text


def test_a_figure_that_cannot_tell_becomes_a_sentence(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw() -> Figure:
        raise CannotTellError("the map is constant")

    given(monkeypatch, "tin", chapters=lambda run: [chapter("Theirs", draw)])
    (figure,) = [f for f in make_report(night(3, 3)).figures if f.title == "Theirs"]
    assert figure.missing == "the map is constant"


def test_a_report_block_that_is_wrong_is_said(night: Night) -> None:
    run = night(3, 3)
    run.attrs["plan_text"] += "report: {recipe: lead}\n"
    contents = contents_of(run, recipe="auto")
    assert any("report:" in problem for problem in contents.problems)


def test_every_excluded_site_is_listed_with_its_reason(
    night: Night, spoiled: Night, tmp_path: Path
) -> None:
    run = spoiled(night(4, 4), failed=slice(0, 3))
    run["fit_flags"].values[0, 0] = "no_gap"
    run["flags"].values[3, 3], run["fit_ok"].values[3, 3] = "overload", False
    report = make_report(run, recipe="none")
    path = save_report(report, tmp_path / "report.html")
    table = (figure_folder(path) / "excluded.csv").read_text().splitlines()
    assert len(table) == 1 + 4
    assert "fit: no_gap" in table[1]
    assert "spectrum: overload" in table[-1]
    assert "4 sites do not count" in path.read_text()
    assert "12 of 16 sites; the other 4" in path.read_text()


def test_files_of_an_earlier_report_do_not_stay(night: Night, tmp_path: Path) -> None:
    folder = tmp_path / "report_figures"
    folder.mkdir()
    (folder / "09-old.svg").write_text("old")
    (folder / "notes.txt").write_text("mine")
    save_report(make_report(night(2, 2), recipe="none"), tmp_path / "report.html")
    names = {file.name for file in folder.iterdir()}
    assert "09-old.svg" not in names
    assert "notes.txt" in names


def test_methods_and_provenance_come_from_the_run(night: Night, tmp_path: Path) -> None:
    run = night(3, 3)
    run.attrs["plan_text"] = (
        'sweep: {bias: {start: "4 mV", end: "-4 mV", points: 256, dwell: "10 ms"}, '
        'modulation: {frequency: "797 Hz"}, lockin: {time_constant: "3 ms"}}\n'
    )
    run.attrs["metadata"] = json.dumps({"fit_model": "btk", "rehearsal": {"seed": 7}})
    text = save_report(make_report(run, recipe="none"), tmp_path / "report.html").read_text()
    for said in ("from 4 mV to -4 mV in 256 points, 10 ms each", "140 µV peak (99 µV rms) at 797 Hz",
                 "a time constant of 3 ms", "model btk: 9 trusted", "with seed 7", "--seed 7",
                 "stm-daq report 2027-01-15_0800_tin --recipe none"):  # fmt: skip
        assert said in text

"""What a report holds: the chapters that every run has, those of its recipe, and the findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from stm_daq.errors import BadInputError
from stm_daq.records import Event
from stm_daq.report import outline
from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report.drawing import excuse
from stm_daq.report.recipes import AUTO, choose
from stm_daq.report.runs.curve import FitCurve, fitted_curve

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class Contents:
    """The figures and numbers of a report."""

    recipe: str
    """"none" without one."""
    chapters: tuple[Chapter, ...]
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]
    """What could not be done, in sentences."""


def is_run(dataset: xr.Dataset) -> bool:
    """Whether this is a run of ours, not a file of another program."""
    return "run_id" in dataset.attrs


def contents_of(
    dataset: xr.Dataset,
    events: Sequence[Event] = (),
    recipe: str = AUTO,
    fit_curve: FitCurve | None = fitted_curve,
) -> Contents:
    """Return what the report of a run shows, in order; nothing is drawn yet.

    A figure of the recipe takes the place of the common one of the same title or function; its
    others follow the topograph, maps and spectra, before the night and the truth.

    Raises
    ------
    BadInputError
        If there is no such recipe.
    """
    choice = choose(dataset, recipe)
    problems = list(choice.problems)
    common = outline.chapters(dataset, events, fit_curve) if is_run(dataset) else []
    if choice.recipe is None and not common and recipe == AUTO:
        problems.append("No recipe suits this file; `stm-daq show FILE` draws what it holds.")
    if choice.recipe is None:
        return Contents(choice.name, tuple(common), (), tuple(problems))
    theirs = _attempt(choice.recipe.chapters, dataset, "figures", choice.name, problems)
    return Contents(
        choice.name,
        tuple(merged(common, theirs)),
        tuple(_attempt(choice.recipe.findings, dataset, "findings", choice.name, problems)),
        tuple(problems),
    )


def findings_of(dataset: xr.Dataset, recipe: str = AUTO) -> tuple[str, list[Finding]]:
    """Return the name of a run's recipe and the numbers it states.

    Raises
    ------
    BadInputError
        If there is no such recipe, or it cannot be used here.
    StmDaqError
        If the recipe cannot tell anything of this run.
    """
    choice = choose(dataset, recipe)
    if choice.problems:
        raise BadInputError(" ".join(choice.problems))
    return choice.name, [] if choice.recipe is None else list(choice.recipe.findings(dataset))


def _attempt(step: Any, dataset: xr.Dataset, what: str, name: str, problems: list[str]) -> Any:
    """Do a step of a recipe; if it fails, note why and go on without."""
    try:
        return step(dataset)
    except Exception as error:  # noqa: BLE001 - a recipe that fails must not cost the report
        why = excuse("They could not be computed", error)
        problems.append(f"The {what} of the recipe '{name}' are missing: {why}")
        return []


def merged(common: Sequence[Chapter], theirs: Sequence[Chapter]) -> list[Chapter]:
    """Put the chapters of a recipe among those that every run has, no figure twice."""
    replaced = {n: new for n, old in enumerate(common) for new in theirs if _is_the_same(old, new)}
    rest = [chapter for chapter in theirs if chapter not in replaced.values()]
    last = [replaced.get(n, old) for n, old in enumerate(common)]
    end = next((n for n, chapter in enumerate(last) if chapter.title in outline.LAST), len(last))
    found: list[Chapter] = []
    for chapter in (*last[:end], *rest, *last[end:]):
        if chapter not in found:
            found.append(chapter)
    return found


def _is_the_same(one: Chapter, other: Chapter) -> bool:
    return one.title == other.title or _function(one) is _function(other)


def _function(chapter: Chapter) -> object:
    draw = chapter.draw
    return draw.func if isinstance(draw, partial) else draw

"""Draw the chapters of a report: pictures, their numbers, or a sentence that says why there are none."""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stm_daq.clock import RealClock
from stm_daq.errors import StmDaqError
from stm_daq.report.chapter import Chapter
from stm_daq.report.embed import data_uri, picture_of, rendered
from stm_daq.report.figure_data import figure_csv
from stm_daq.report.style import WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

type Progress = Callable[[str], None]
"""Told in a sentence what goes on."""

LARGE_CSV = 100_000
"""Bytes; a larger one travels compressed within the page."""

log = logging.getLogger(__name__)


def silent(text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """A figure as the page shows it: an image, or a sentence that says why there is none."""

    number: int
    """From 1."""
    title: str
    caption: str
    alternative: str
    image: str = ""
    """``data:`` URI."""
    svg: bytes = b""
    csv: str = ""
    """See :func:`stm_daq.report.figure_data.figure_csv`."""
    width: float = 1.0
    """In parts of the page's."""
    pdf: bytes = b""
    """Empty unless it was wanted."""
    missing: str = ""
    seconds: float = 0.0
    """That drawing took."""

    @property
    def name(self) -> str:
        """Of its files, without ending: "01-topograph"."""
        words = re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")
        return f"{self.number:02d}-{words}"

    @property
    def table(self) -> tuple[str, str]:
        """Its CSV as a ``data:`` URI, compressed if it is large, and the name of that file."""
        content = self.csv.encode("utf-8")
        if len(content) <= LARGE_CSV:
            return data_uri("csv", content), f"{self.name}.csv"
        return data_uri("gz", gzip.compress(content, 6, mtime=0)), f"{self.name}.csv.gz"


def draw_all(
    chapters: Sequence[Chapter], pdf: bool = False, progress: Progress = silent
) -> list[DrawnFigure]:
    """Draw the figures of a report; one that fails becomes a sentence.

    Parameters
    ----------
    chapters : sequence of Chapter
    pdf : bool, optional
        Render them as PDF too.
    progress : callable, optional
        Told of every figure.
    """
    clock, figures = RealClock(), []
    for number, chapter in enumerate(chapters, 1):
        start = clock.now()
        drawn = _drawn(number, chapter, pdf, clock)
        progress(
            f"figure {number} of {len(chapters)}: {chapter.title} ({clock.now() - start:.1f} s)"
        )
        figures.append(drawn)
    return figures


def _drawn(number: int, chapter: Chapter, pdf: bool, clock: RealClock) -> DrawnFigure:
    start = clock.now()
    text = (number, chapter.title, chapter.caption, chapter.alternative)
    try:
        figure = chapter.draw()
        image, svg = picture_of(figure)
        return DrawnFigure(
            *text,
            image=image,
            svg=svg,
            width=min(figure.get_figwidth() / WIDTH, 1.0),
            csv=_numbers(figure, chapter),
            pdf=rendered(figure, "pdf") if pdf else b"",
            seconds=clock.now() - start,
        )
    except Exception as error:  # noqa: BLE001 - one bad figure must not cost the reader the others
        return DrawnFigure(*text, missing=excuse("This figure could not be drawn", error))


def _numbers(figure: Figure, chapter: Chapter) -> str:
    """Return the CSV of a figure; one that cannot be read back still shows."""
    try:
        return figure_csv(figure, f"{chapter.title}: {chapter.caption}")
    except Exception as error:
        log.exception("the numbers of figure '%s' could not be read", chapter.title)
        return f"# the numbers of this figure could not be read back: {error}\n"


def excuse(what: str, error: Exception) -> str:
    """Return the sentence that stands where something is missing.

    Errors that we raise on purpose explain themselves; others are written to the log as well.
    """
    if isinstance(error, StmDaqError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"{what}: the package '{error.name}' is not installed."
    log.error("%s", what, exc_info=error)
    return f"{what} ({type(error).__name__}: {error})."

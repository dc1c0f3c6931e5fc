"""The report as PDF: text set by ReportLab, figures as matplotlib draws them, fonts embedded.

An extra (``pip install "stm-daq[pdf]"``); see docs/decisions/064-pdf-of-reports.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from stm_daq.errors import BadInputError
from stm_daq.report.drawing import DrawnFigure
from stm_daq.report.embed import write_atomically
from stm_daq.report.html import Report

if TYPE_CHECKING:
    from stm_daq.report.pdf_figure import FigureBox

MOST_EXCLUDED = 300
"""A PDF lists no more sites; page and CSV list all."""
MARGIN = 42.0
"""Points."""
_FONT, _BOLD = "DejaVuSans", "DejaVuSans-Bold"


def require_pdf() -> None:
    """Refuse if the packages of the extra are missing.

    Raises
    ------
    BadInputError
        With the command that installs them.
    """
    missing = [name for name in ("reportlab", "pypdf") if find_spec(name) is None]
    if missing:
        raise BadInputError(
            f'a PDF needs {" and ".join(missing)}: pip install "stm-daq[pdf]"; '
            "the page prints from any browser, too"
        )


def save_pdf(report: Report, path: Path) -> Path:
    """Write a report as PDF.

    Parameters
    ----------
    report : Report
        Made with ``pdf=True``.
    path : Path
        Replaced as a whole if it exists.

    Raises
    ------
    BadInputError
        If the packages of the extra are missing.
    OSError
        If the file cannot be written.
    """
    require_pdf()
    write_atomically(path, pdf_of(report))
    return path


def pdf_of(report: Report) -> bytes:
    """Return a report as PDF; the same report gives the same bytes."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    from stm_daq.report.pdf_figure import placed

    _register_fonts()
    facts = report.content["facts"]
    boxes: list[FigureBox] = []
    buffer = BytesIO()
    document = SimpleDocTemplate(
        buffer, pagesize=A4, title=facts.name, subject=facts.run_id, invariant=1,
        initialFontName=_FONT,  # else Helvetica is named, which is not embedded
        leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
    )  # fmt: skip
    story = list(_story(report, boxes))
    footer = _footer(facts.run_id)
    document.build(story, onFirstPage=footer, onLaterPages=footer)
    return placed(buffer.getvalue(), boxes)


def _register_fonts() -> None:
    """Use the font of the figures, which matplotlib brings along."""
    import matplotlib
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    for name in (_FONT, _BOLD):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)


def _footer(text: str) -> Any:
    def draw(canvas: Any, document: Any) -> None:
        canvas.setFont(_FONT, 7)
        canvas.drawString(MARGIN, MARGIN / 2, text)
        canvas.drawRightString(document.pagesize[0] - MARGIN, MARGIN / 2, str(document.page))

    return draw


def _style(size: float = 9, bold: bool = False, before: float = 0, **more: Any) -> Any:
    from reportlab.lib.styles import ParagraphStyle

    return ParagraphStyle(
        f"{size}{bold}{before}", fontName=_BOLD if bold else _FONT, fontSize=size,
        leading=1.4 * size, spaceBefore=before, spaceAfter=3, splitLongWords=True, **more,
    )  # fmt: skip


def _text(text: str, size: float = 9, bold: bool = False, before: float = 0, **more: Any) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(escape(text).replace("\n", "<br/>"), _style(size, bold, before, **more))


def _heading(text: str) -> Any:
    return _text(text, 12, bold=True, before=12, keepWithNext=1)


def _table(rows: Sequence[Sequence[str]], widths: Sequence[float], head: bool = False) -> Any:
    """Return a table that breaks over pages; widths in parts of the text's width."""
    from reportlab.lib.colors import HexColor
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import Table, TableStyle

    width = A4[0] - 2 * MARGIN - 12  # the text's own padding
    total = sum(widths)
    cells = [[_text(cell, 7.5, bold=head and not n) for cell in row] for n, row in enumerate(rows)]
    table = Table(cells, [width * w / total for w in widths], repeatRows=int(head))
    lines = [("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor("#cccccc")),
             ("FONT", (0, 0), (-1, -1), _FONT, 7.5),
             ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0),
             ("TOPPADDING", (0, 0), (-1, -1), 1), ("BOTTOMPADDING", (0, 0), (-1, -1), 1)]  # fmt: skip
    table.setStyle(TableStyle(lines))
    return table


def _story(report: Report, boxes: list[FigureBox]) -> Iterator[Any]:
    """Yield what stands in the PDF, in the order of the page."""
    content, facts = report.content, report.content["facts"]
    yield _text(facts.name, 17, bold=True)
    yield _text(f"{facts.sample}  ({facts.kind}{', ' if facts.state else ''}{facts.state})", 10)
    for sentence in (*content["shortfalls"], *content["problems"]):
        yield _text(sentence, before=4)
    if content["is_run"]:
        yield _table([(row["title"], row["text"]) for row in content["rows"]], (1, 3))
    if content["findings"]:
        yield _heading("Findings")
        rows = [(f["title"], f["value"], f["remark"]) for f in content["findings"]]
        yield _table([("Quantity", "Value ± std", "Remark"), *rows], (5, 3, 5), head=True)
    if content["is_run"]:
        yield _heading("Methods")
        yield _text(" ".join(content["methods"]))
    for figure in report.figures:
        yield from _figure(figure, boxes)
    if content["is_run"]:
        yield from _tables(content)
    yield _heading("How it was made")
    for what, command in content["commands"]:
        yield _text(f"{what}: {command}")
    yield _text(f"To cite: {content['citation']}")
    yield _table([("SHA-256 of", ""), *content["checksums"]], (2, 4), head=True)
    yield _text(", ".join(f"{k} {v}" for k, v in content["report_versions"].items()), before=6)


def _figure(figure: DrawnFigure, boxes: list[FigureBox]) -> Iterator[Any]:
    from reportlab.platypus import KeepTogether

    from stm_daq.report.pdf_figure import FigureBox

    if not figure.pdf:
        yield _heading(figure.title)
        yield _text(f"Figure {figure.number}. {figure.missing}")
        return
    box = FigureBox(figure.pdf)
    boxes.append(box)
    caption = _text(f"Figure {figure.number}. {figure.caption}", 8)
    yield KeepTogether([_heading(figure.title), box, caption])


def _tables(content: dict[str, Any]) -> Iterator[Any]:
    """Yield flags and excluded sites."""
    if content["flags"]:
        yield _heading("Flags")
        names = ("flag", "meaning", "failed", "doubtful", "trusted")
        rows = [tuple(str(row[name]) for name in names) for row in content["flags"]]
        yield _table(
            [tuple(n.capitalize() for n in names), *rows], (4, 7, 1.3, 1.7, 1.5), head=True
        )
    yield _heading("Excluded sites")
    if not content["excluded"]:
        yield _text("None: every planned site counts.")
        return
    shown = content["excluded"][:MOST_EXCLUDED]
    if content["excluded_count"] > len(shown):
        yield _text(
            f"The first {len(shown)} of {content['excluded_count']}; all are in excluded.csv."
        )
    yield _table([content["excluded_head"], *shown], (1, 1.4, 1, 1.4, 1.4, 5, 7), head=True)

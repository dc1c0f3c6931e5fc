"""A figure in a PDF: its place is left free by ReportLab, and its own PDF is laid there."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from pypdf import PdfReader, PdfWriter, Transformation
from reportlab.platypus import Flowable

TALLEST = 600.0
"""Points; a taller figure is made smaller."""


class FigureBox(Flowable):  # type: ignore[misc]  # ReportLab has no types
    """The place of a figure."""

    def __init__(self, pdf: bytes) -> None:
        super().__init__()
        self.page = PdfReader(BytesIO(pdf)).pages[0]
        self.number, self.x, self.y, self.scale = 0, 0.0, 0.0, 1.0

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        """Return the size that it takes."""
        own = float(self.page.mediabox.width), float(self.page.mediabox.height)
        self.scale = min(width / own[0], min(height, TALLEST) / own[1], 1.0)
        return own[0] * self.scale, own[1] * self.scale

    def draw(self) -> None:
        """Note where it is to go."""
        canvas: Any = self.canv
        self.number = canvas.getPageNumber() - 1
        self.x, self.y = canvas.absolutePosition(0, 0)


def placed(text: bytes, boxes: Sequence[FigureBox]) -> bytes:
    """Return the PDF `text` with every figure in its place."""
    writer = PdfWriter(clone_from=BytesIO(text))
    for box in boxes:
        where = Transformation().scale(box.scale).translate(box.x, box.y)
        writer.pages[box.number].merge_transformed_page(box.page, where)
    buffer = BytesIO()
    writer.write(buffer)
    return buffer.getvalue()

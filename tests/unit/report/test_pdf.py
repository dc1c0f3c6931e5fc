"""The PDF says what the page says, and brings its fonts along."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
import xarray as xr
from pypdf import PdfReader

from stm_daq.errors import BadInputError
from stm_daq.report import pdf
from stm_daq.report.html import make_report

Night = Callable[..., xr.Dataset]


def test_the_pdf_holds_the_text_every_figure_and_its_fonts(night: Night) -> None:
    report = make_report(night(4, 4), recipe="none", pdf=True)
    content = pdf.pdf_of(report)
    reader = PdfReader(BytesIO(content))
    text = " ".join(" ".join(page.extract_text().split()) for page in reader.pages)
    for said in (*report.content["methods"], "TiN demo map", *(f.title for f in report.figures)):
        assert " ".join(said.split())[:40] in text
    assert reader.metadata is not None
    assert reader.metadata.title == "TiN demo map"
    for page in reader.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            described = font.get_object()
            inner = described.get("/DescendantFonts", [described])[0].get_object()
            assert "/FontFile2" in inner["/FontDescriptor"].get_object()
    assert content == pdf.pdf_of(report)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "find_spec", lambda name: None)
    with pytest.raises(BadInputError, match=r'pip install "stm-daq\[pdf\]"'):
        pdf.require_pdf()

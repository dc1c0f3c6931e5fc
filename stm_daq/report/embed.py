"""Put a figure into a page, and a page onto the disk."""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

type Form = Literal["svg", "png", "pdf"]

SMALL = 500_000
"""An SVG of fewer bytes is taken as it is: it prints best."""
DPI = 200
CROWD = 2000
"""Beyond so many dots and strokes in a panel they become a picture within the SVG."""
FEW = 50
"""Artists of no more stay as they are."""
KINDS = {"svg": "image/svg+xml", "png": "image/png", "csv": "text/csv", "gz": "application/gzip"}
_NO_DATE: dict[Form, dict[str, Any]] = {
    "svg": {"Date": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None},
}


def rendered(figure: Figure, form: Form) -> bytes:
    """Return a figure as a file; the same figure gives the same bytes.

    Crowds of dots (maps of many sites) become pictures within SVG and PDF, which else would take
    seconds to write and to read. The panels are arranged once: they stay where they are if the same
    figure is rendered again.
    """
    from matplotlib import rc_context

    _rasterize_crowds(figure)
    buffer = BytesIO()
    settings: dict[Any, Any] = {
        "svg.hashsalt": "stm-daq",
        "svg.fonttype": "path",
        "pdf.fonttype": 42,
    }
    with rc_context(settings):
        figure.savefig(buffer, format=form, dpi=DPI, metadata=_NO_DATE[form])
    figure.set_layout_engine("none")
    return buffer.getvalue()


def _rasterize_crowds(figure: Figure) -> None:
    for axes in figure.axes:
        dots: list[tuple[Artist, int]] = [
            (line, np.size(line.get_xdata()))
            for line in axes.lines
            if line.get_marker() not in ("None", "none", "", " ", None)
        ]
        dots += [
            (c, max(np.size(c.get_offsets()) // 2, len(c.get_paths()))) for c in axes.collections
        ]
        crowded = sum(count for _, count in dots) > CROWD
        for artist, count in dots:
            if crowded and count > FEW:
                artist.set_rasterized(True)


def picture_of(figure: Figure) -> tuple[str, bytes]:
    """Return a figure as a ``data:`` URI (SVG, or PNG where that is smaller by far), and its SVG."""
    svg = rendered(figure, "svg")
    if len(svg) > SMALL:
        png = rendered(figure, "png")
        if len(png) < len(svg):
            return data_uri("png", png), svg
    return data_uri("svg", svg), svg


def data_uri(kind: str, content: bytes) -> str:
    """Return a file as a ``data:`` URI; `kind` is a key of `KINDS`."""
    return f"data:{KINDS[kind]};base64,{base64.b64encode(content).decode('ascii')}"


def write_atomically(path: Path, text: str | bytes) -> None:
    """Write `text` so that `path` holds either the old content or all of the new one.

    Raises
    ------
    OSError
        If the folder cannot be written; nothing is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    content = text if isinstance(text, bytes) else text.encode("utf-8")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
